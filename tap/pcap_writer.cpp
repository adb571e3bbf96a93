#include "pcap_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "event_text.hpp"
#include "wall_clock.hpp"

namespace wireside {
namespace {

// Block and option numbers of draft-ietf-opsawg-pcapng.
constexpr std::uint32_t section_header_block = 0x0a0d0d0a;
constexpr std::uint32_t interface_block = 1;
constexpr std::uint32_t enhanced_packet_block = 6;
constexpr std::uint32_t byte_order_magic = 0x1a2b3c4d;
constexpr std::uint16_t link_type_ethernet = 1;
constexpr std::uint16_t option_comment = 1;
constexpr std::uint16_t option_user_application = 4;
constexpr std::uint16_t option_interface_name = 2;
constexpr std::uint16_t option_time_resolution = 9;
constexpr std::uint16_t option_packet_flags = 2;
constexpr std::size_t max_comment = 65000;

/// One block under construction, in the machine's byte order, which the magic tells the reader.
class Block {
 public:
  Block(std::vector<std::uint8_t>& out, std::uint32_t type) : out_{out} {
    out_.clear();
    u32(type);
    u32(0);  // length, known at the end
  }
  void u16(std::uint16_t v) { raw(&v, sizeof v); }
  void u32(std::uint32_t v) { raw(&v, sizeof v); }
  void u64(std::uint64_t v) { raw(&v, sizeof v); }
  void octets(const void* data, std::size_t length) {
    raw(data, length);
    out_.resize((out_.size() + 3) & ~std::size_t{3});
  }
  void option(std::uint16_t code, const void* data, std::size_t length) {
    u16(code);
    u16(static_cast<std::uint16_t>(length));
    octets(data, length);
  }
  void finish() {
    u32(0);  // end of options
    const auto length = static_cast<std::uint32_t>(out_.size() + 4);
    u32(length);
    std::memcpy(out_.data() + 4, &length, sizeof length);
  }

 private:
  void raw(const void* data, std::size_t length) {
    const std::size_t at = out_.size();
    out_.resize(at + length);
    if (length != 0) std::memcpy(out_.data() + at, data, length);
  }
  std::vector<std::uint8_t>& out_;
};

}  // namespace

std::expected<std::unique_ptr<PcapWriter>, std::string> PcapWriter::open(const std::string& path,
                                                                         std::string_view interface_name) {
  const bool to_stdout = path == "-";
  std::FILE* file = to_stdout ? stdout : std::fopen(path.c_str(), "wbe");
  if (file == nullptr) {
    return std::unexpected{fmt::format("cannot write the capture {}: {}", path, std::strerror(errno))};
  }
  auto writer = std::make_unique<PcapWriter>(file, !to_stdout, interface_name, wall_clock_offset());
  if (writer->error_) return std::unexpected{*writer->error_};
  return writer;
}

PcapWriter::PcapWriter(std::FILE* file, bool owned, std::string_view interface_name, Duration wall_offset)
    : file_{file}, owned_{owned}, wall_offset_{wall_offset} {
  write_start(interface_name);
}

PcapWriter::~PcapWriter() {
  flush();
  if (owned_) std::fclose(file_);
}

void PcapWriter::write_start(std::string_view interface_name) {
  constexpr std::string_view application = "wireside";
  Block section{block_, section_header_block};
  section.u32(byte_order_magic);
  section.u16(1);  // version 1.0
  section.u16(0);
  section.u64(UINT64_MAX);  // section length: not given
  section.option(option_user_application, application.data(), application.size());
  section.finish();
  put(block_);

  Block interface { block_, interface_block };
  interface.u16(link_type_ethernet);
  interface.u16(0);
  interface.u32(snap_length);
  const std::uint8_t nanoseconds = 9;
  if (!interface_name.empty()) interface.option(option_interface_name, interface_name.data(), interface_name.size());
  interface.option(option_time_resolution, &nanoseconds, 1);
  interface.finish();
  put(block_);
  if (!error_ && std::fflush(file_) != 0) error_ = fmt::format("writing the capture failed: {}", std::strerror(errno));
}

void PcapWriter::on_event(Instant now, const observe::Event& event) {
  if (error_) return;
  if (const auto* in = std::get_if<observe::FrameReceived>(&event)) {
    hold(now, Direction::In);
    frame_.assign(in->frame.begin(), in->frame.end());
  } else if (const auto* out = std::get_if<observe::FrameSent>(&event)) {
    hold(now, Direction::Out);
    frame_.assign(out->header.begin(), out->header.end());
    for (const ByteView run : out->payload) frame_.insert(frame_.end(), run.begin(), run.end());
    comments_.insert(comments_.begin(), fmt::format("sent: {}", to_string(out->reason)));
  } else {
    std::string text = describe_event(event, EventDetail::Decisions);
    if (text.empty()) return;
    const std::uint32_t connection = connection_of(event);
    comment(now, connection != 0 ? fmt::format("#{} {}", connection, text) : std::move(text));
  }
}

void PcapWriter::hold(Instant now, Direction direction) {
  write_held();
  holding_ = true;
  frame_at_ = now;
  direction_ = direction;
}

void PcapWriter::comment(Instant now, std::string text) {
  if (holding_ && now != frame_at_) write_held();
  // Without frames in between there is nothing to attach to; the latest words matter most.
  constexpr std::size_t max_comments = 64;
  if (comments_.size() == max_comments) comments_.erase(comments_.begin());
  comments_.push_back(std::move(text));
}

void PcapWriter::write_held() {
  if (!holding_) return;
  holding_ = false;
  const auto at = static_cast<std::uint64_t>(frame_at_.ns() + wall_offset_.count());
  const std::size_t captured = std::min<std::size_t>(frame_.size(), snap_length);
  Block packet{block_, enhanced_packet_block};
  packet.u32(0);  // interface
  packet.u32(static_cast<std::uint32_t>(at >> 32));
  packet.u32(static_cast<std::uint32_t>(at));
  packet.u32(static_cast<std::uint32_t>(captured));
  packet.u32(static_cast<std::uint32_t>(frame_.size()));
  packet.octets(frame_.data(), captured);
  for (const std::string& text : comments_)
    packet.option(option_comment, text.data(), std::min(text.size(), max_comment));
  const auto flags = static_cast<std::uint32_t>(direction_);
  packet.option(option_packet_flags, &flags, sizeof flags);
  packet.finish();
  comments_.clear();
  put(block_);
  if (!error_) ++frames_;
}

void PcapWriter::put(const std::vector<std::uint8_t>& block) {
  if (error_ || std::fwrite(block.data(), 1, block.size(), file_) == block.size()) return;
  error_ = fmt::format("writing the capture failed: {}", std::strerror(errno));
}

void PcapWriter::flush() {
  write_held();
  if (std::fflush(file_) != 0 && !error_) error_ = fmt::format("writing the capture failed: {}", std::strerror(errno));
}

}  // namespace wireside

#include "pcap_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "bblog.hpp"
#include "event_text.hpp"
#include "pcapng_block.hpp"
#include "reason_text.hpp"
#include "wire/dns.hpp"
#include "wire/ethernet.hpp"
#include "wire/ipv4.hpp"
#include "wire/udp.hpp"

namespace wireside {
namespace {

using pcapng::Block;

constexpr std::size_t max_comment = 65000;
constexpr Port dns_port{53};

/// A DNS answer in a frame.
std::optional<wire::DnsMessage> dns_answer(ByteView frame) {
  const auto ethernet = wire::parse_ethernet(frame);
  if (!ethernet || ethernet->ether_type != static_cast<std::uint16_t>(wire::EtherType::Ipv4)) return std::nullopt;
  const ByteView packet = frame.subspan(wire::ethernet_header_length);
  const auto ip = wire::parse_ipv4(packet);
  if (!ip || ip->header.is_fragment() || ip->header.protocol != static_cast<std::uint8_t>(wire::IpProtocol::Udp)) {
    return std::nullopt;
  }
  const ByteView datagram = packet.subspan(ip->header_length, ip->header.total_length - ip->header_length);
  const auto udp = wire::parse_udp(datagram);
  if (!udp || udp->source != dns_port) return std::nullopt;
  auto message = wire::parse_dns(datagram.subspan(wire::udp_header_length, udp->length - wire::udp_header_length));
  if (!message || !message->header.response) return std::nullopt;
  return std::move(*message);
}

/// A custom option of the black box log.
void put_bblog_option(Block& block, std::uint32_t kind, ByteView data) {
  std::vector<std::uint8_t> option(8 + data.size());
  constexpr std::uint32_t enterprise = bblog::enterprise;
  std::memcpy(option.data(), &enterprise, sizeof enterprise);
  for (std::size_t i = 0; i < 4; ++i) option[4 + i] = static_cast<std::uint8_t>(kind >> (8 * i));
  std::ranges::copy(data, option.begin() + 8);
  block.option(pcapng::option_custom_octets, option.data(), option.size());
}

}  // namespace

std::expected<std::unique_ptr<PcapWriter>, std::string> PcapWriter::open(const std::string& path,
                                                                         CaptureOptions options) {
  const bool to_stdout = path == "-";
  const bool rotates = options.file_octets != 0 && !to_stdout;
  std::unique_ptr<PcapWriter> writer;
  if (rotates) {
    writer.reset(new PcapWriter{path, std::move(options)});
  } else {
    std::FILE* file = to_stdout ? stdout : std::fopen(path.c_str(), "wbe");
    if (file == nullptr) {
      return std::unexpected{fmt::format("cannot write the capture {}: {}", path, std::strerror(errno))};
    }
    options.live |= to_stdout;
    writer = std::make_unique<PcapWriter>(file, !to_stdout, std::move(options));
  }
  if (writer->error_) return std::unexpected{*writer->error_};
  return writer;
}

PcapWriter::PcapWriter(std::FILE* file, bool owned, CaptureOptions options)
    : file_{file}, owned_{owned}, options_{std::move(options)} {
  write_start();
}

PcapWriter::PcapWriter(std::string path, CaptureOptions options)
    : owned_{true}, path_{std::move(path)}, options_{std::move(options)} {
  open_next();
}

PcapWriter::~PcapWriter() {
  flush();
  if (owned_ && file_ != nullptr) std::fclose(file_);
}

/// "a/b.pcapng" becomes "a/b_00001.pcapng".
std::string PcapWriter::numbered_path() const {
  const std::size_t slash = path_.rfind('/');
  const std::size_t dot = path_.rfind('.');
  const bool has_ending = dot != std::string::npos && (slash == std::string::npos || dot > slash + 1) && dot > 0;
  const std::size_t end = has_ending ? dot : path_.size();
  return fmt::format("{}_{:05}{}", path_.substr(0, end), file_number_, path_.substr(end));
}

bool PcapWriter::open_next() {
  if (file_ != nullptr && std::fclose(file_) != 0) fail();
  file_ = nullptr;
  ++file_number_;
  const std::string path = numbered_path();
  file_ = std::fopen(path.c_str(), "wbe");
  if (file_ == nullptr) {
    if (!error_) error_ = fmt::format("cannot write the capture {}: {}", path, std::strerror(errno));
    return false;
  }
  files_.push_back(path);
  while (options_.keep_files != 0 && files_.size() > options_.keep_files) {
    std::remove(files_.front().c_str());
    files_.pop_front();
  }
  file_size_ = 0;
  write_start();
  return !error_;
}

void PcapWriter::write_start() {
  Block section{block_, pcapng::section_header_block};
  section.u32(pcapng::byte_order_magic);
  section.u16(1);  // version 1.0
  section.u16(0);
  section.u64(UINT64_MAX);  // section length: not given
  section.option(pcapng::option_application, "wireside");
  if (options_.variables) {
    put_bblog_option(section, bblog::version_option, std::array<std::uint8_t, 4>{bblog::version});
    put_bblog_option(section, bblog::dump_option, bblog::dump_header());
  }
  section.finish();
  put(block_);

  Block interface { block_, pcapng::interface_block };
  interface.u16(pcapng::link_type_ethernet);
  interface.u16(0);
  interface.u32(snap_length);
  const std::uint8_t nanoseconds = 9;
  if (!options_.interface_name.empty()) {
    interface.option(pcapng::option_name, options_.interface_name);
    interface.option(pcapng::option_description, "wireside's end of the wire");
  }
  for (const Ipv4Prefix& prefix : options_.addresses) {
    std::array<std::uint8_t, 8> octets{};
    store_be32(octets.data(), prefix.address.value());
    store_be32(octets.data() + 4, prefix.length == 0 ? 0 : UINT32_MAX << (32U - prefix.length));
    interface.option(pcapng::option_ipv4, octets.data(), octets.size());
  }
  if (!options_.mac.is_zero()) interface.option(pcapng::option_mac, options_.mac.octets.data(), 6);
  interface.option(pcapng::option_time_resolution, &nanoseconds, 1);
  interface.finish();
  put(block_);
  if (!names_.empty()) write_names(names_);
  if (!error_ && std::fflush(file_) != 0) fail();
}

void PcapWriter::add_name(Ipv4Address address, std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  const auto same = [&](const auto& known) { return known.first == address && known.second == name; };
  if (name.empty() || names_.size() >= max_names || std::ranges::any_of(names_, same)) return;
  names_.emplace_back(address, name);
  if (!error_) write_names({&names_.back(), 1});
}

void PcapWriter::write_names(std::span<const std::pair<Ipv4Address, std::string>> names) {
  Block block{block_, pcapng::name_resolution_block};
  for (const auto& [address, name] : names) {
    std::string record(4, '\0');
    store_be32(reinterpret_cast<std::uint8_t*>(record.data()), address.value());
    record += name;
    record += '\0';
    block.option(pcapng::name_record_ipv4, record);
  }
  block.u16(pcapng::name_record_end);
  block.u16(0);
  block.finish();
  put(block_);
}

/// The names that an answer's address records belong to, and the one that was asked for, which aliases may lead from.
void PcapWriter::learn_names(const Happening& h) {
  if (h.kind != Happening::Kind::FrameReceived || h.tcp) return;
  const auto answer = dns_answer(h.frame);
  if (!answer) return;
  for (const auto& record : answer->answers) {
    const auto* address = std::get_if<Ipv4Address>(&record.data);
    if (address == nullptr) continue;
    add_name(*address, record.name.to_string());
    if (!answer->questions.empty()) add_name(*address, answer->questions.front().name.to_string());
  }
}

void PcapWriter::on_happening(const Happening& h) {
  if (error_) return;
  if (h.is_frame()) {
    write_held();
    learn_names(h);
    hold(h);
  }
  comment(h);
  const bool tells_little = h.kind == Happening::Kind::UserCall && h.events.empty();
  if (h.after != nullptr && options_.variables && !tells_little) write_variables(h);
  if (h.is_frame() && options_.live) write_out();
}

void PcapWriter::hold(const Happening& h) {
  holding_ = true;
  held_at_ = h.at;
  held_outbound_ = h.kind == Happening::Kind::FrameSent;
  held_.assign(h.frame.begin(), h.frame.end());
  // What happened since the last frame stands behind what this one is for.
  std::string earlier = std::exchange(comment_, {});
  if (held_outbound_) add_comment_line("sent: " + explain(h));
  if (!earlier.empty()) add_comment_line(std::move(earlier));
}

void PcapWriter::add_comment_line(std::string text) {
  if (comment_.size() + text.size() + 1 > max_comment) return;
  if (!comment_.empty()) comment_ += '\n';
  comment_ += text;
}

void PcapWriter::comment(const Happening& h) {
  // What comes later than the frame belongs to the next one.
  if (holding_ && h.at != held_at_) write_held();
  for (const observe::Event& event : h.events) {
    std::string text = describe_event(event, EventDetail::Decisions);
    if (text.empty()) continue;
    const std::uint32_t connection = connection_of(event);
    add_comment_line(connection != 0 ? fmt::format("#{} {}", connection, text) : std::move(text));
  }
  if (h.after == nullptr || h.kind == Happening::Kind::UserCall) return;
  std::string changes;
  for (const Moved& m : shown_moves(h.before, *h.after, false)) {
    changes += (changes.empty() ? "" : ", ") + describe_moved(m);
  }
  if (!changes.empty()) add_comment_line(fmt::format("#{} {}", h.connection, changes));
}

/// As a block of its own, behind the frame where it belongs to one.
void PcapWriter::write_variables(const Happening& h) {
  if (!h.is_frame()) write_held();
  const auto record = bblog::record(h, h.at.ns() + options_.wall_offset.count(), serial_++);
  std::vector<std::uint8_t>& out = h.is_frame() ? variables_ : block_;
  Block block{out, pcapng::custom_block};
  block.u32(bblog::enterprise);
  block.u32(bblog::event_block);
  put_bblog_option(block, bblog::record_option, record);
  block.finish();
  if (!h.is_frame()) put(block_);
}

void PcapWriter::write_held() {
  if (!holding_) return;
  holding_ = false;
  if (!path_.empty() && file_size_ >= options_.file_octets && !open_next()) return;
  const auto at = static_cast<std::uint64_t>(held_at_.ns() + options_.wall_offset.count());
  const std::size_t captured = std::min<std::size_t>(held_.size(), snap_length);
  Block packet{block_, pcapng::enhanced_packet_block};
  packet.u32(0);  // interface
  packet.u32(static_cast<std::uint32_t>(at >> 32));
  packet.u32(static_cast<std::uint32_t>(at));
  packet.u32(static_cast<std::uint32_t>(captured));
  packet.u32(static_cast<std::uint32_t>(held_.size()));
  packet.octets(held_.data(), captured);
  if (!comment_.empty()) packet.option(pcapng::option_comment, comment_);
  const std::uint32_t flags = held_outbound_ ? 2 : 1;
  packet.option(pcapng::option_packet_flags, &flags, sizeof flags);
  packet.finish();
  comment_.clear();
  put(block_);
  if (!error_) ++frames_;
  if (!variables_.empty()) put(variables_);
  variables_.clear();
}

void PcapWriter::put(const std::vector<std::uint8_t>& block) {
  if (error_) return;
  file_size_ += block.size();
  if (std::fwrite(block.data(), 1, block.size(), file_) != block.size()) fail();
}

void PcapWriter::fail() {
  if (!error_) error_ = fmt::format("writing the capture failed: {}", std::strerror(errno));
}

void PcapWriter::flush() {
  story_.flush();
  write_out();
}

void PcapWriter::write_out() {
  write_held();
  if (file_ != nullptr && std::fflush(file_) != 0) fail();
}

}  // namespace wireside

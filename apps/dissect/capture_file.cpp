#include "dissect/capture_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

namespace wireside::dissect {
namespace {

constexpr std::uint32_t pcap_micro = 0xa1b2c3d4, pcap_nano = 0xa1b23c4d;
constexpr std::uint32_t section_block = 0x0a0d0d0a, byte_order = 0x1a2b3c4d;
constexpr std::uint32_t interface_block = 1, simple_block = 3, enhanced_block = 6;
constexpr std::uint16_t option_comment = 1, option_time_resolution = 9;

std::unexpected<std::string> damaged(std::string_view what) {
  return std::unexpected{fmt::format("the capture is damaged: {}", what)};
}
std::unexpected<std::string> cut() { return damaged("it ends inside of a frame"); }

std::uint32_t little(const std::uint8_t* p) {
  return p[0] | std::uint32_t{p[1]} << 8 | std::uint32_t{p[2]} << 16 | std::uint32_t{p[3]} << 24;
}
std::uint32_t big(const std::uint8_t* p) {
  return p[3] | std::uint32_t{p[2]} << 8 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[0]} << 24;
}

/// 10^n or 2^n ticks per second (if_tsresol); 0 where that is more than can be counted.
std::uint64_t ticks_of(std::uint8_t resolution) {
  const unsigned power = resolution & 0x7fU;
  if ((resolution & 0x80U) != 0) return power < 64 ? std::uint64_t{1} << power : 0;
  if (power > 19) return 0;
  std::uint64_t ticks = 1;
  for (unsigned i = 0; i < power; ++i) ticks *= 10;
  return ticks;
}

std::int64_t nanoseconds(std::uint64_t ticks, std::uint64_t per_second) {
  const auto whole = ticks / per_second;
  const auto part =
      static_cast<std::uint64_t>(static_cast<double>(ticks % per_second) * 1e9 / static_cast<double>(per_second));
  if (whole > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / 1'000'000'000 - 1) return 0;
  return static_cast<std::int64_t>(whole * 1'000'000'000 + part);
}

}  // namespace

std::expected<CaptureFile, std::string> CaptureFile::open(const std::string& path) {
  if (path == "-") return read(stdin);
  std::FILE* file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr) return std::unexpected{fmt::format("cannot read {}: {}", path, std::strerror(errno))};
  return read(file);
}

std::expected<CaptureFile, std::string> CaptureFile::read(std::FILE* file, std::string head) {
  CaptureFile capture{file, std::move(head)};
  if (auto begun = capture.begin(); !begun) return std::unexpected{begun.error()};
  return capture;
}

std::size_t CaptureFile::get_some(std::uint8_t* out, std::size_t count) {
  const std::size_t n = head_.copy(reinterpret_cast<char*>(out), count, head_taken_);
  head_taken_ += n;
  return n == count ? n : n + std::fread(out + n, 1, count - n, file_.get());
}

std::uint32_t CaptureFile::number32(const std::uint8_t* p) const { return little_endian_ ? little(p) : big(p); }
std::uint16_t CaptureFile::number16(const std::uint8_t* p) const {
  return static_cast<std::uint16_t>(little_endian_ ? p[0] | p[1] << 8 : p[1] | p[0] << 8);
}

std::expected<void, std::string> CaptureFile::begin() {
  std::array<std::uint8_t, 4> magic{};
  if (!get(magic.data(), magic.size()))
    return std::unexpected{std::string{"no capture: there is less than four octets"}};
  if (little(magic.data()) == section_block) {
    blocks_ = true;
    return begin_section();
  }
  const auto is_pcap = [](std::uint32_t m) { return m == pcap_micro || m == pcap_nano; };
  little_endian_ = is_pcap(little(magic.data()));
  if (!little_endian_ && !is_pcap(big(magic.data()))) {
    return std::unexpected{std::string{"no capture: it begins neither like pcap nor like pcapng"}};
  }
  fraction_ = number32(magic.data()) == pcap_nano ? 1'000'000'000 : 1'000'000;
  std::array<std::uint8_t, 20> header{};
  if (!get(header.data(), header.size())) return damaged("its header is cut off");
  link_type_ = number32(&header[16]) & 0xffff;
  return {};
}

/// Behind the type of a section header block.
std::expected<void, std::string> CaptureFile::begin_section() {
  std::array<std::uint8_t, 8> start{};
  if (!get(start.data(), start.size())) return damaged("a section's header is cut off");
  little_endian_ = little(&start[4]) == byte_order;
  if (!little_endian_ && big(&start[4]) != byte_order) return damaged("a section has no byte order");
  const std::uint32_t length = number32(start.data());
  if (length < 28 || length % 4 != 0 || length > longest_block)
    return damaged("a section's header has no sound length");
  std::vector<std::uint8_t> rest(length - 12);
  if (!get(rest.data(), rest.size())) return damaged("a section's header is cut off");
  interfaces_.clear();
  return {};
}

CaptureFile::Frame CaptureFile::next() { return blocks_ ? next_block() : next_record(); }

CaptureFile::Frame CaptureFile::next_record() {
  std::array<std::uint8_t, 16> header{};
  const std::size_t got = get_some(header.data(), header.size());
  if (got == 0) return std::nullopt;
  if (got < header.size()) return cut();
  const std::uint32_t length = number32(&header[8]);
  if (length > longest_block) return damaged("a frame has no sound length");
  CapturedFrame frame;
  frame.link_type = link_type_;
  frame.original_octets = number32(&header[12]);
  frame.time_ns = std::int64_t{number32(header.data())} * 1'000'000'000 + nanoseconds(number32(&header[4]), fraction_);
  frame.octets.resize(length);
  if (!get(frame.octets.data(), length)) return cut();
  return frame;
}

CaptureFile::Frame CaptureFile::next_block() {
  while (true) {
    std::array<std::uint8_t, 4> word{};
    const std::size_t got = get_some(word.data(), word.size());
    if (got == 0) return std::nullopt;
    if (got < word.size()) return cut();
    const std::uint32_t type = number32(word.data());
    if (type == section_block) {
      if (auto begun = begin_section(); !begun) return std::unexpected{begun.error()};
      continue;
    }
    if (!get(word.data(), word.size())) return cut();
    const auto body = block_body(number32(word.data()));
    if (!body) return std::unexpected{body.error()};
    if (type == interface_block) {
      if (auto added = add_interface(*body); !added) return std::unexpected{added.error()};
    } else if (type == enhanced_block) {
      return enhanced_packet(*body);
    } else if (type == simple_block) {
      return simple_packet(*body);
    }
  }
}

std::expected<CaptureFile::Octets, std::string> CaptureFile::block_body(std::uint32_t length) {
  if (length < 12 || length % 4 != 0 || length > longest_block) return damaged("a block has no sound length");
  Octets body(length - 12);
  std::array<std::uint8_t, 4> again{};
  if (!get(body.data(), body.size()) || !get(again.data(), again.size())) return cut();
  if (number32(again.data()) != length) return damaged("a block's two lengths differ");
  return body;
}

template <class Function>
void CaptureFile::for_each_option(const Octets& body, std::size_t at, Function&& option) const {
  while (at + 4 <= body.size()) {
    const std::uint16_t code = number16(&body[at]);
    const std::size_t length = number16(&body[at + 2]);
    if (code == 0 || at + 4 + length > body.size()) return;
    option(code, body.data() + at + 4, length);
    at += 4 + (length + 3) / 4 * 4;
  }
}

std::expected<void, std::string> CaptureFile::add_interface(const Octets& body) {
  if (body.size() < 8) return damaged("an interface's block is too short");
  Interface interface;
  interface.link_type = number16(body.data());
  for_each_option(body, 8, [&](std::uint16_t code, const std::uint8_t* data, std::size_t length) {
    if (code == option_time_resolution && length == 1) interface.ticks_per_second = ticks_of(*data);
  });
  if (interface.ticks_per_second == 0) return damaged("an interface's time stamps are too fine");
  interfaces_.push_back(interface);
  return {};
}

CaptureFile::Frame CaptureFile::enhanced_packet(const Octets& body) const {
  if (body.size() < 20) return damaged("a packet's block is too short");
  const std::uint32_t interface = number32(body.data()), length = number32(&body[12]);
  if (interface >= interfaces_.size()) return damaged("a packet is of an interface that is not described");
  if (length > body.size() - 20) return damaged("a packet is longer than its block");
  CapturedFrame frame;
  frame.link_type = interfaces_[interface].link_type;
  const std::uint64_t ticks = std::uint64_t{number32(&body[4])} << 32 | number32(&body[8]);
  frame.time_ns = nanoseconds(ticks, interfaces_[interface].ticks_per_second);
  frame.original_octets = number32(&body[16]);
  frame.octets.assign(body.begin() + 20, body.begin() + 20 + length);
  for_each_option(body, 20 + (std::size_t{length} + 3) / 4 * 4,
                  [&](std::uint16_t code, const std::uint8_t* data, std::size_t size) {
                    if (code == option_comment) frame.comments.emplace_back(reinterpret_cast<const char*>(data), size);
                  });
  return frame;
}

CaptureFile::Frame CaptureFile::simple_packet(const Octets& body) const {
  if (body.size() < 4) return damaged("a packet's block is too short");
  if (interfaces_.empty()) return damaged("a packet is of an interface that is not described");
  CapturedFrame frame;
  frame.link_type = interfaces_[0].link_type;
  frame.original_octets = number32(body.data());
  frame.octets.assign(body.begin() + 4,
                      body.begin() + 4 + static_cast<std::ptrdiff_t>(std::min(frame.original_octets, body.size() - 4)));
  return frame;
}

}  // namespace wireside::dissect

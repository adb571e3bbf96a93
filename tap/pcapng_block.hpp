// Blocks of a pcapng file (draft-ietf-opsawg-pcapng), put together one at a time.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace wireside::pcapng {

inline constexpr std::uint32_t section_header_block = 0x0a0d0d0a;
inline constexpr std::uint32_t interface_block = 1;
inline constexpr std::uint32_t name_resolution_block = 4;
inline constexpr std::uint32_t enhanced_packet_block = 6;
inline constexpr std::uint32_t custom_block = 0xbad;  ///< one that may be copied to other files
inline constexpr std::uint32_t byte_order_magic = 0x1a2b3c4d;
inline constexpr std::uint16_t link_type_ethernet = 1;

inline constexpr std::uint16_t option_comment = 1;
inline constexpr std::uint16_t option_custom_octets = 2989;  ///< that may be copied to other files
// of a section
inline constexpr std::uint16_t option_system = 3;
inline constexpr std::uint16_t option_application = 4;
// of an interface
inline constexpr std::uint16_t option_name = 2;
inline constexpr std::uint16_t option_description = 3;
inline constexpr std::uint16_t option_ipv4 = 4;
inline constexpr std::uint16_t option_mac = 6;
inline constexpr std::uint16_t option_time_resolution = 9;
// of a packet
inline constexpr std::uint16_t option_packet_flags = 2;
// records of a name resolution block
inline constexpr std::uint16_t name_record_end = 0;
inline constexpr std::uint16_t name_record_ipv4 = 1;

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
  /// Padded to four octets.
  void octets(const void* data, std::size_t length) {
    raw(data, length);
    out_.resize((out_.size() + 3) & ~std::size_t{3});
  }
  void option(std::uint16_t code, const void* data, std::size_t length) {
    u16(code);
    u16(static_cast<std::uint16_t>(length));
    octets(data, length);
  }
  void option(std::uint16_t code, std::string_view text) { option(code, text.data(), text.size()); }
  void finish() {
    u32(0);  // end of options
    finish_without_options();
  }
  void finish_without_options() {
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

}  // namespace wireside::pcapng

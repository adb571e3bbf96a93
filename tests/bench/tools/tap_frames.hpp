// A TAP opened by hand, for the programs that measure what a TAP can do with no stack behind it.
#pragma once

#include <cstdint>
#include <span>

namespace bench {

/// virtio_net_hdr (virtio 1.1 section 5.1.6) as the kernel has it with TUNSETVNETHDRSZ 10.
struct [[gnu::packed]] VnetHeader {
  std::uint8_t flags = 0;
  std::uint8_t gso_type = 0;
  std::uint16_t header_length = 0;
  std::uint16_t gso_size = 0;
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
};
inline constexpr std::uint8_t needs_checksum = 1, gso_tcp4 = 1;

/// Ethernet, IPv4 and TCP without options.
struct [[gnu::packed]] TcpFrame {
  std::uint8_t to[6], from[6];
  std::uint16_t ethertype;
  std::uint8_t version_length, tos;
  std::uint16_t total_length, id, fragment;
  std::uint8_t ttl, protocol;
  std::uint16_t header_checksum;
  std::uint32_t source, destination;
  std::uint16_t source_port, destination_port;
  std::uint32_t sequence, acknowledgement;
  std::uint8_t data_offset, flags;
  std::uint16_t window, checksum, urgent;
};
static_assert(sizeof(TcpFrame) == 54);

/// Non-blocking, with a VnetHeader in front of each frame; ends the program with a message on failure.
[[nodiscard]] int open_tap(const char* name, bool offload);
/// RFC 1071, not folded: of octets as 16-bit words in network order as they lie in memory.
[[nodiscard]] std::uint64_t sum_of(std::span<const std::uint8_t> octets);
[[nodiscard]] std::uint16_t fold(std::uint64_t sum);
/// Answers what keeps a link alive or is the same backwards (ARP, ICMP echo, UDP), in place; false = something else.
[[nodiscard]] bool turn_around(std::span<std::uint8_t> frame, std::uint32_t address);
inline constexpr std::uint8_t own_mac[6] = {2, 0, 0, 0, 0, 2};

}  // namespace bench

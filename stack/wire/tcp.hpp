// TCP header and options (RFC 9293 section 3.1, RFC 7323, RFC 2018, RFC 7413).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/seq_num.hpp"

namespace wireside::wire {

struct TcpFlags {
  bool fin = false, syn = false, rst = false, psh = false, ack = false, urg = false, ece = false, cwr = false;
  friend constexpr bool operator==(const TcpFlags&, const TcpFlags&) = default;
};

struct TcpTimestamps {
  std::uint32_t ts_val = 0;
  std::uint32_t ts_ecr = 0;
  friend constexpr bool operator==(const TcpTimestamps&, const TcpTimestamps&) = default;
};

struct SackBlock {
  SeqNum left;   ///< first octet of the block
  SeqNum right;  ///< octet after its last
  friend constexpr bool operator==(const SackBlock&, const SackBlock&) = default;
};

/// RFC 7413 section 4.1.1: 4 to 16 octets, an even number of them; none asks for a cookie.
struct FastOpenCookie {
  static constexpr std::size_t min_length = 4, max_length = 16;
  std::array<std::uint8_t, max_length> octets{};  ///< zeros behind `length`
  std::uint8_t length = 0;

  /// nullopt for a length that no cookie has.
  [[nodiscard]] static std::optional<FastOpenCookie> from(ByteView data);
  [[nodiscard]] bool is_request() const { return length == 0; }
  [[nodiscard]] ByteView view() const { return ByteView{octets}.first(length); }
  friend constexpr bool operator==(const FastOpenCookie&, const FastOpenCookie&) = default;
};

struct TcpOptions {
  std::optional<std::uint16_t> mss;
  std::optional<std::uint8_t> window_scale;  ///< as received; WindowScale caps it at 14
  bool sack_permitted = false;
  std::optional<TcpTimestamps> timestamps;
  std::optional<FastOpenCookie> fast_open;
  std::array<SackBlock, 4> sack{};
  std::uint8_t sack_count = 0;
  /// RFC 5482; on the wire in seconds up to 32,767, else in minutes.
  std::optional<std::chrono::seconds> user_timeout;
  friend constexpr bool operator==(const TcpOptions&, const TcpOptions&) = default;
};

struct TcpHeader {
  Port source;
  Port destination;
  SeqNum seq;
  SeqNum ack;
  TcpFlags flags;
  std::uint16_t window = 0;  ///< as on the wire, unscaled
  std::uint16_t urgent_pointer = 0;
  TcpOptions options;
  friend constexpr bool operator==(const TcpHeader&, const TcpHeader&) = default;
};

inline constexpr std::size_t tcp_min_header = 20;
inline constexpr std::size_t tcp_max_header = 60;
inline constexpr std::size_t tcp_checksum_offset = 16;

struct ParsedTcp {
  TcpHeader header;
  std::size_t header_length = tcp_min_header;
};

/// Reads header and options. Unknown options are skipped (MUST-6); a broken option length makes the whole segment
/// Malformed (MUST-7). The checksum is not looked at here. Errors: Truncated, Malformed (data offset below 5).
[[nodiscard]] Result<ParsedTcp> parse_tcp(ByteView segment);
/// The same into a header that has just been made, which saves copying it; returns the header's length.
[[nodiscard]] Result<std::size_t> parse_tcp(ByteView segment, TcpHeader& out);

/// Octets emit_tcp will write: 20 plus options padded to a multiple of four (zeros after EOL, MUST-69).
[[nodiscard]] std::size_t tcp_header_length(const TcpHeader& header);
/// Writes the header with checksum field 0 to `out` (at least tcp_header_length octets); returns the length.
/// Option layout as common stacks do: mss, sackOK, TS, nop+wscale, tfo on SYN; nop,nop,TS and nop,nop,SACK elsewhere.
/// A user timeout and SACK blocks that do not fit in 40 octets of options are left out.
std::size_t emit_tcp(const TcpHeader& header, MutableByteView out);

/// One line in tcpdump's manner without addresses:
/// "Flags [S.], seq 1, ack 2, win 64240, options [mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7], length 0".
/// Sequence numbers are printed relative to the given bases (absolute when zero and on SYN).
[[nodiscard]] std::string describe_tcp(const TcpHeader& header, std::size_t payload_length, SeqNum seq_base = SeqNum{},
                                       SeqNum ack_base = SeqNum{});

}  // namespace wireside::wire

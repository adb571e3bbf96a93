// A connection's variables as FreeBSD's black box log has them (struct tcp_log_buffer, sys/netinet/tcp_log_buf.h,
// version 9), which Wireshark shows as fields: bblog.snd_cwnd and so on.
#pragma once

#include <array>
#include <cstdint>

#include "story.hpp"

namespace wireside::bblog {

/// Private enterprise number of these blocks and options.
inline constexpr std::uint32_t enterprise = 10949;
inline constexpr std::uint32_t event_block = 1;  ///< kind of a custom block: one record
// kinds of custom options
inline constexpr std::uint32_t version_option = 1;  ///< of a section: 32 bits
inline constexpr std::uint32_t record_option = 2;
inline constexpr std::uint32_t dump_option = 4;  ///< of a section: struct tcp_log_header
inline constexpr std::uint32_t version = 9;      ///< of the records
inline constexpr std::size_t dump_octets = 208;
inline constexpr std::size_t record_octets = 268;  ///< up to the packet's headers, which the capture has anyway

enum class EventId : std::uint8_t {
  SegmentIn = 1,
  SegmentOut = 2,
  RetransmissionTimeout = 3,
  RecoveryEntered = 15,
  RecoveryLeft = 16,
  UserSend = 31,
  TimerProcessed = 36,
  ConnectionEnd = 54,
};

/// What a section says of its records: their version, and that their times count from 1970. Wireshark 4.0 has no times
/// for them without it.
[[nodiscard]] std::array<std::uint8_t, dump_octets> dump_header();

/// Which event of that log comes nearest to a happening.
[[nodiscard]] EventId event_of(const Happening& h);

/// The record of `h.after`, which must not be nullptr. Times are microseconds, of the log's clock `wall_ns`, which
/// counts from 1970. seg_qlen is the number of ranges held out of order, snd_num_holes that of the ranges found lost.
/// flex1 holds the retransmission timeout in microseconds, flex2 the octets in flight.
[[nodiscard]] std::array<std::uint8_t, record_octets> record(const Happening& h, std::int64_t wall_ns,
                                                             std::uint32_t serial);

}  // namespace wireside::bblog

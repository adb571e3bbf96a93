// Explicit congestion notification (RFC 3168, as RFC 8311 has it): marks in the IP header, and the two TCP flags that
// carry them back.
#pragma once

#include <cstdint>

#include "base/seq_num.hpp"
#include "tcp/tcp_types.hpp"

namespace wireside::tcp {

/// The two low bits of the former TOS octet (RFC 3168 section 5). Senders use ECT(0); ECT(1) belongs to experiments
/// (RFC 8311 section 3) and is treated like it when it comes.
enum class EcnCodepoint : std::uint8_t { NotEct = 0, Ect1 = 1, Ect0 = 2, Ce = 3 };

inline constexpr std::uint8_t ecn_mask = 3;
[[nodiscard]] constexpr EcnCodepoint ecn_of(std::uint8_t tos) { return static_cast<EcnCodepoint>(tos & ecn_mask); }
/// The Diffserv part of `tos`, whatever the application put into the other two bits.
[[nodiscard]] constexpr std::uint8_t without_ecn(std::uint8_t tos) {
  return static_cast<std::uint8_t>(tos & ~unsigned{ecn_mask});
}
[[nodiscard]] constexpr std::uint8_t with_ecn(std::uint8_t tos, EcnCodepoint codepoint) {
  return static_cast<std::uint8_t>(without_ecn(tos) | static_cast<std::uint8_t>(codepoint));
}

/// An ECN-setup SYN (RFC 3168 section 6.1.1). An ECN mark on a SYN shows a path that sets the bits of everything.
[[nodiscard]] inline bool is_ecn_setup_syn(const IncomingSegment& s) {
  return s.header.flags.ece && s.header.flags.cwr && ecn_of(s.tos) == EcnCodepoint::NotEct;
}
/// An ECN-setup SYN-ACK. With both flags it is a reflection of our SYN by a host that knows nothing of ECN.
[[nodiscard]] inline bool is_ecn_setup_syn_ack(const IncomingSegment& s) {
  return s.header.flags.ece && !s.header.flags.cwr && ecn_of(s.tos) == EcnCodepoint::NotEct;
}

/// Where a connection stands (RFC 3168 section 6.1).
struct Ecn {
  bool asked = false;     ///< every SYN we sent was an ECN-setup SYN
  bool echo = false;      ///< CE came: every acknowledgement says ECE until CWR comes
  bool owes_cwr = false;  ///< the window was reduced: the next new data says CWR
  bool reducing = false;  ///< the window is being led down to ssthresh for an ECE
  SeqNum reduced_at;      ///< SND.NXT when the window was last reduced: once per window of data
  std::uint64_t ce_received = 0;
  std::uint64_t ece_received = 0;
};

}  // namespace wireside::tcp

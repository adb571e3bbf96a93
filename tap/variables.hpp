// The variables of a connection that a reader follows: their names, their values in a view, and which of them moved.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "observe/connection_view.hpp"

namespace wireside {

/// In the order in which they are shown.
enum class Variable : std::uint8_t {
  SndUna,
  SndNxt,
  SndWnd,
  Mss,
  Flight,
  Pipe,
  Sacked,
  Lost,
  SendQueue,
  Cwnd,
  Ssthresh,
  Recovery,
  DupAcks,
  Retransmissions,
  Probes,
  KeepAlives,
  Srtt,
  Rttvar,
  Rto,
  RcvNxt,
  RcvWnd,
  OutOfOrder,
  ReceiveQueue,
  Unacknowledged,
};
inline constexpr std::size_t variable_count = 24;

enum class VariableKind : std::uint8_t {
  Sequence,  ///< counted from the initial sequence number
  Octets,
  Count,
  Time,   ///< nanoseconds
  Phase,  ///< observe::RecoveryPhase
};

/// As RFCs write it: "snd_una".
[[nodiscard]] std::string_view to_string(Variable v);
[[nodiscard]] VariableKind kind_of(Variable v);
/// nullopt: this record keeps none, or there is none yet (ssthresh, srtt).
[[nodiscard]] std::optional<std::int64_t> value_of(const observe::ConnectionView& view, Variable v);

struct Moved {
  Variable variable;
  std::optional<std::int64_t> before;
  std::optional<std::int64_t> after;
};
/// What differs. `before` may be nullptr: all that there is now.
[[nodiscard]] std::vector<Moved> moved(const observe::ConnectionView* before, const observe::ConnectionView& after);

}  // namespace wireside

// RFC 9293 figure 5 as data, with the edges the text and later RFCs add. transition() in connection.hpp is the only
// writer of a connection's state and refuses an edge that is not here.
#pragma once

#include <array>
#include <string>

#include "observe/state_graph.hpp"
#include "observe/vocabulary.hpp"

namespace wireside::tcp {

using observe::StateCause;

struct StateEdge {
  TcpState from;
  StateCause cause;
  TcpState to;
  const char* reference;
};

inline constexpr auto state_edges = [] {
  using enum TcpState;
  using C = StateCause;
  return std::array{
      StateEdge{Closed, C::PassiveOpen, Listen, "3.10.1"},
      StateEdge{Closed, C::ActiveOpen, SynSent, "3.10.1"},
      StateEdge{Listen, C::CloseCalled, Closed, "3.10.4"},
      StateEdge{Listen, C::SynReceived, SynReceived, "3.10.7.2"},
      StateEdge{SynSent, C::CloseCalled, Closed, "3.10.4"},
      StateEdge{SynSent, C::AbortCalled, Closed, "3.10.5"},
      StateEdge{SynSent, C::SynReceived, SynReceived, "3.10.7.3, simultaneous open"},
      StateEdge{SynSent, C::SynAckReceived, Established, "3.10.7.3"},
      StateEdge{SynSent, C::ResetReceived, Closed, "3.10.7.3"},
      StateEdge{SynSent, C::SynTimeout, Closed, "3.8.3"},
      StateEdge{SynSent, C::IcmpHardError, Closed, "3.9.2.2"},
      StateEdge{SynReceived, C::AckOfSyn, Established, "3.10.7.4"},
      StateEdge{SynReceived, C::CloseCalled, FinWait1, "3.10.4"},
      StateEdge{SynReceived, C::ResetReceived, Closed, "3.10.7.4"},
      StateEdge{SynReceived, C::AbortCalled, Closed, "3.10.5"},
      StateEdge{SynReceived, C::SynTimeout, Closed, "3.8.3"},
      StateEdge{SynReceived, C::IcmpHardError, Closed, "3.9.2.2"},
      StateEdge{SynReceived, C::FinReceived, CloseWait, "3.10.7.4 step 8"},
      StateEdge{Established, C::CloseCalled, FinWait1, "3.10.4"},
      StateEdge{Established, C::FinReceived, CloseWait, "3.10.7.4 step 8"},
      StateEdge{FinWait1, C::AckOfFin, FinWait2, "3.10.7.4 step 5"},
      StateEdge{FinWait1, C::FinReceived, Closing, "3.10.7.4 step 8"},
      StateEdge{FinWait1, C::FinAndAckOfFin, TimeWait, "3.10.7.4 step 8"},
      StateEdge{FinWait2, C::FinReceived, TimeWait, "3.10.7.4 step 8"},
      StateEdge{FinWait2, C::FinWait2Timeout, Closed, "orphaned half-closed connection, a host's own limit"},
      StateEdge{CloseWait, C::CloseCalled, LastAck, "3.10.4"},
      StateEdge{Closing, C::AckOfFin, TimeWait, "3.10.7.4 step 5"},
      StateEdge{LastAck, C::AckOfFin, Closed, "3.10.7.4 step 5"},
      StateEdge{TimeWait, C::TimeWaitExpired, Closed, "3.10.8"},
      StateEdge{TimeWait, C::ActiveOpen, SynSent, "3.10.1, as RFC 6191"},
      StateEdge{TimeWait, C::TimeWaitReused, SynReceived, "3.10.7.4, MAY-2, RFC 6191"},
#define WIRESIDE_ENDS(state)                                                                                         \
  StateEdge{state, C::ResetReceived, Closed, "3.10.7.4 step 2"}, StateEdge{state, C::AbortCalled, Closed, "3.10.5"}, \
      StateEdge{state, C::RetransmissionTimeout, Closed, "3.8.3, R2"},                                               \
      StateEdge{state, C::UserTimeout, Closed, "3.10.8"}, StateEdge{state, C::KeepAliveTimeout, Closed, "3.8.4"}
      WIRESIDE_ENDS(Established),
      WIRESIDE_ENDS(FinWait1),
      WIRESIDE_ENDS(FinWait2),
      WIRESIDE_ENDS(CloseWait),
      WIRESIDE_ENDS(Closing),
      WIRESIDE_ENDS(LastAck),
#undef WIRESIDE_ENDS
      StateEdge{SynReceived, C::LingerTimeout, Closed, "SO_LINGER, a host's own limit"},
      StateEdge{FinWait1, C::LingerTimeout, Closed, "SO_LINGER, a host's own limit"},
      StateEdge{Closing, C::LingerTimeout, Closed, "SO_LINGER, a host's own limit"},
      StateEdge{LastAck, C::LingerTimeout, Closed, "SO_LINGER, a host's own limit"},
#define WIRESIDE_GONE(state)                                          \
  StateEdge{state, C::InterfaceGone, Closed, "the device went away"}, \
      StateEdge{state, C::AddressLost, Closed, "RFC 2131 section 4.4.5"}
      WIRESIDE_GONE(SynSent),
      WIRESIDE_GONE(SynReceived),
      WIRESIDE_GONE(Established),
      WIRESIDE_GONE(FinWait1),
      WIRESIDE_GONE(FinWait2),
      WIRESIDE_GONE(CloseWait),
      WIRESIDE_GONE(Closing),
      WIRESIDE_GONE(LastAck),
      WIRESIDE_GONE(TimeWait),
      WIRESIDE_GONE(Listen),
#undef WIRESIDE_GONE
  };
}();

static_assert(observe::is_deterministic(state_edges));

constexpr bool is_edge(TcpState from, StateCause cause, TcpState to) {
  for (const auto& e : state_edges) {
    if (e.from == from && e.cause == cause && e.to == to) return true;
  }
  return false;
}

/// The table as a Graphviz digraph.
[[nodiscard]] inline std::string state_table_dot() { return observe::state_graph("tcp", state_edges); }

/// The connection has both sequence spaces: ESTABLISHED or later.
constexpr bool is_synchronized(TcpState s) {
  return s != TcpState::Closed && s != TcpState::Listen && s != TcpState::SynSent && s != TcpState::SynReceived;
}
/// Data may still be sent by the application.
constexpr bool can_send(TcpState s) { return s == TcpState::Established || s == TcpState::CloseWait; }
/// The peer has not sent its FIN yet.
constexpr bool can_receive(TcpState s) {
  return s == TcpState::Established || s == TcpState::FinWait1 || s == TcpState::FinWait2;
}
/// Our FIN has been asked for and is not acknowledged yet.
constexpr bool owes_fin(TcpState s) {
  return s == TcpState::FinWait1 || s == TcpState::Closing || s == TcpState::LastAck;
}

}  // namespace wireside::tcp

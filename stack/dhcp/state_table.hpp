// RFC 2131 figure 5 as data, with the edges the text adds. Client::transition() is the only writer of the state and
// refuses an edge that is not here.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "observe/state_graph.hpp"
#include "observe/vocabulary.hpp"

namespace wireside::dhcp {

using observe::DhcpCause;
using observe::DhcpState;

struct StateEdge {
  DhcpState from;
  DhcpCause cause;
  DhcpState to;
  const char* reference;
};

inline constexpr auto state_edges = [] {
  using enum DhcpState;
  using C = DhcpCause;
  return std::array{
      StateEdge{Stopped, C::Started, Init, "figure 5"},
      StateEdge{Stopped, C::StartedWithLease, InitReboot, "3.2"},
      StateEdge{Stopped, C::InformSent, Informing, "3.4"},
      StateEdge{Informing, C::AckReceived, Stopped, "3.4"},
      StateEdge{Informing, C::InformUnanswered, Stopped, "3.4"},
      StateEdge{Init, C::DiscoverSent, Selecting, "4.4.1"},
      StateEdge{Selecting, C::OfferChosen, Requesting, "4.4.1"},
      StateEdge{Requesting, C::AckReceived, Checking, "4.4.1, 3.1 step 5"},
      StateEdge{Requesting, C::NakReceived, Init, "3.1 step 5"},
      StateEdge{Requesting, C::RequestUnanswered, Init, "3.1 step 5"},
      StateEdge{Checking, C::AddressFree, Bound, "2.2, RFC 5227"},
      StateEdge{Checking, C::AddressUnchecked, Bound, "4.4.1, the check is a SHOULD"},
      StateEdge{Checking, C::AddressConflict, Init, "3.1 step 5, DHCPDECLINE"},
      StateEdge{Checking, C::LeaseExpired, Init, "4.4.5"},
      StateEdge{Bound, C::T1Reached, Renewing, "4.4.5"},
      StateEdge{Bound, C::T2Reached, Rebinding, "4.4.5, both times passed unseen"},
      StateEdge{Renewing, C::T2Reached, Rebinding, "4.4.5"},
      StateEdge{InitReboot, C::RequestSent, Rebooting, "4.4.2"},
      StateEdge{Rebooting, C::AckReceived, Checking, "4.4.2"},
      StateEdge{Rebooting, C::NakReceived, Init, "4.4.2"},
      StateEdge{Rebooting, C::LeaseKept, Checking, "3.2 step 3"},
      StateEdge{Rebooting, C::RequestUnanswered, Init, "3.2 step 3, no lease left"},
      StateEdge{Renewing, C::AckReceived, Bound, "4.4.5"},
      StateEdge{Rebinding, C::AckReceived, Bound, "4.4.5"},
      // The link was down: the lease is asked for anew while its address stays in use (3.7).
      StateEdge{Bound, C::LinkReturned, InitReboot, "3.7"},
      StateEdge{Renewing, C::LinkReturned, InitReboot, "3.7"},
      StateEdge{Rebinding, C::LinkReturned, InitReboot, "3.7"},
      StateEdge{Rebooting, C::LinkReturned, InitReboot, "3.7"},
      StateEdge{Checking, C::LinkReturned, InitReboot, "3.7"},
      StateEdge{Selecting, C::LinkReturned, Init, "3.7, nothing is held: at once instead of at the next try"},
      StateEdge{Requesting, C::LinkReturned, Init, "3.7"},
      StateEdge{Rebooting, C::LeaseExpired, Init, "4.4.5, with the address in use"},
      StateEdge{Rebooting, C::AddressConflict, Init, "RFC 5227, 2.4"},
      StateEdge{Rebooting, C::Released, Stopped, "4.4.6, with the address in use"},
      StateEdge{Checking, C::Released, Stopped, "4.4.6, the server has given it"},
      StateEdge{Renewing, C::NakReceived, Init, "4.4.5"},
      StateEdge{Rebinding, C::NakReceived, Init, "4.4.5"},
#define WIRESIDE_HOLDS(state)                                                                                    \
  StateEdge{state, C::LeaseExpired, Init, "4.4.5"}, StateEdge{state, C::AddressConflict, Init, "RFC 5227, 2.4"}, \
      StateEdge{state, C::Released, Stopped, "4.4.6"}
      WIRESIDE_HOLDS(Bound),
      WIRESIDE_HOLDS(Renewing),
      WIRESIDE_HOLDS(Rebinding),
#undef WIRESIDE_HOLDS
#define WIRESIDE_ENDS(state)                                                     \
  StateEdge{state, C::StopCalled, Stopped, "the client is not wanted any more"}, \
      StateEdge{state, C::InterfaceGone, Stopped, "the device went away"}
      WIRESIDE_ENDS(Init),
      WIRESIDE_ENDS(Selecting),
      WIRESIDE_ENDS(Requesting),
      WIRESIDE_ENDS(Checking),
      WIRESIDE_ENDS(Bound),
      WIRESIDE_ENDS(Renewing),
      WIRESIDE_ENDS(Rebinding),
      WIRESIDE_ENDS(InitReboot),
      WIRESIDE_ENDS(Rebooting),
      WIRESIDE_ENDS(Informing),
#undef WIRESIDE_ENDS
  };
}();

static_assert(observe::is_deterministic(state_edges));

/// Where `cause` leads; nullopt when the table has no such edge.
constexpr std::optional<DhcpState> next_state(DhcpState from, DhcpCause cause) {
  for (const auto& e : state_edges) {
    if (e.from == from && e.cause == cause) return e.to;
  }
  return std::nullopt;
}

/// The client may use its address. In REBOOTING and CHECKING it may if it could before (Client::holds_address).
constexpr bool holds_address(DhcpState s) {
  return s == DhcpState::Bound || s == DhcpState::Renewing || s == DhcpState::Rebinding;
}

/// The table as a Graphviz digraph.
[[nodiscard]] inline std::string state_table_dot() { return observe::state_graph("dhcp", state_edges); }

}  // namespace wireside::dhcp

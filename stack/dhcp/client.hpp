// The DHCP client (RFC 2131 section 4.4) as a state machine over messages.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "base/random.hpp"
#include "dhcp/dhcp_types.hpp"
#include "dhcp/link_local.hpp"
#include "dhcp/state_table.hpp"
#include "observe/event.hpp"

namespace wireside::dhcp {

class Client {
 public:
  /// `mtu`: largest packet the link takes. `random` and `sink` outlive the client.
  Client(const Options& options, MacAddress mac, std::uint16_t mtu, Random& random, observe::Sink& sink);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // --- user calls ---

  /// Begins: INIT-REBOOT with a previous lease that still runs, else INIT. Does nothing unless stopped.
  void start(Instant now);
  /// Asks for configuration only, for an address that was set by hand (section 3.4). Does nothing unless stopped.
  void inform(Instant now, Ipv4Address address);
  /// Ends. With `release` a lease is given back by DHCPRELEASE (section 4.4.6), which is not repeated; also one whose
  /// address is still being checked.
  void stop(Instant now, bool release);
  void interface_gone(Instant now);
  /// The link was down and is back, perhaps to another network: a lease is verified (INIT-REBOOT, section 3.7) and its
  /// address stays in use meanwhile; without one the search begins anew.
  void link_returned(Instant now);

  // --- from the network ---

  /// The payload of a UDP datagram to port 68. Drops are counted in the sink.
  void handle_message(Instant now, ByteView octets);
  /// Answers to CheckAddress. A conflict may also be told later, while the address is held.
  void address_free(Instant now, Ipv4Address address);
  /// The address is to be used without the check.
  void address_unchecked(Instant now, Ipv4Address address);
  void address_conflict(Instant now, Ipv4Address address);
  /// Whether the address is the lease's or the link-local one, held or being checked.
  [[nodiscard]] bool concerns(Ipv4Address address) const;

  // --- driven by the owner ---

  [[nodiscard]] bool poll_message(Instant now, OutgoingMessage& out);
  [[nodiscard]] std::optional<Change> poll_change();
  [[nodiscard]] Instant next_deadline() const;  ///< Instant::max(): none
  void handle_timeouts(Instant now);

  [[nodiscard]] DhcpState state() const { return state_; }
  /// Whether the leased address is in use.
  [[nodiscard]] bool holds_address() const { return kept_ || dhcp::holds_address(state_); }
  /// The lease in use, or the held link-local address.
  [[nodiscard]] std::optional<Lease> lease() const;
  [[nodiscard]] unsigned tries() const { return tries_; }
  [[nodiscard]] const std::vector<std::uint8_t>& client_id() const { return options_.client_id; }

 private:
  struct Offer {
    Ipv4Address address;
    Ipv4Address server;
  };

  // client.cpp
  void transition(Instant now, DhcpCause cause);
  void enter_init(Instant now, DhcpCause cause, Duration delay);
  void take_address_down(Instant now, Lost::Why why);
  void begin_reboot(Instant now, DhcpCause cause, const Lease& lease);
  void start_exchange(Instant now);
  void discover_again(Instant now);
  void request_again(Instant now);
  void reboot_again(Instant now);
  void inform_again(Instant now);
  void extend_again(Instant now);
  void lease_timeouts(Instant now);
  void retransmit(Instant now);
  void run_link_local(Instant now);
  void become_bound(Instant now, DhcpCause cause);
  void address_usable(Instant now, DhcpCause cause, Ipv4Address address);
  void send_release(Instant now);
  void decline(Instant now);
  void report_unanswered(Instant now, wire::DhcpMessageType type);
  void use_link_local(Instant now);
  void stop_link_local(Lost::Why why);

  // client_messages.cpp
  [[nodiscard]] wire::DhcpMessage make(wire::DhcpMessageType type) const;
  void send(wire::DhcpMessage message, Ipv4Address source, Ipv4Address destination);
  void send_discover(Instant now);
  void send_request(Instant now);
  void arm_retransmission(Instant now);
  [[nodiscard]] std::optional<observe::DropReason> refuse(const wire::DhcpMessage& m) const;
  [[nodiscard]] std::optional<observe::DropReason> offer_arrives(Instant now, const wire::DhcpMessage& m);
  [[nodiscard]] std::optional<observe::DropReason> ack_arrives(Instant now, const wire::DhcpMessage& m);
  [[nodiscard]] std::optional<observe::DropReason> nak_arrives(Instant now, const wire::DhcpMessage& m);
  void report_received(Instant now, const wire::DhcpMessage& m);
  void choose_offer(Instant now);
  [[nodiscard]] std::optional<Lease> lease_of(const wire::DhcpMessage& m);

  Options options_;
  MacAddress mac_;
  std::uint16_t mtu_;
  Random& random_;
  observe::Sink& sink_;
  DhcpState state_ = DhcpState::Stopped;

  // The exchange under way.
  std::uint32_t xid_ = 0;
  bool open_ = false;  ///< replies with xid_ are expected
  Instant began_;      ///< when the client began to look for an address: `secs` counts from here
  std::uint16_t secs_ = 0;
  unsigned tries_ = 0;
  Instant request_sent_;             ///< the first DHCPREQUEST of this exchange
  std::optional<Instant> retry_at_;  ///< next retransmission; in INIT, the start
  std::vector<Offer> offers_;
  std::optional<Instant> choose_at_;
  std::optional<Offer> chosen_;

  std::optional<Lease> lease_;        ///< held, or under check
  bool kept_ = false;                 ///< the lease was in use when the link returned, and still is
  std::optional<Ipv4Address> asked_;  ///< address to ask for again
  Ipv4Address informed_;              ///< ours, set by hand, for DHCPINFORM
  unsigned naks_ = 0;                 ///< in a row
  bool said_no_server_ = false;
  bool auto_configure_forbidden_ = false;  ///< RFC 2563
  LinkLocal link_local_;

  std::deque<OutgoingMessage> outgoing_;
  std::deque<Change> changes_;
};

}  // namespace wireside::dhcp

// One DHCP client and a server played by the test. What the client sends reads as
// "DISCOVER 0.0.0.0 > 255.255.255.255 requested 10.0.0.57", what it tells its owner as "check 10.0.0.57", "bound ...".
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "dhcp/client.hpp"

namespace wireside::dhcp::testing {

using namespace std::chrono_literals;
using observe::DropReason;
using wire::DhcpMessage;
using wire::DhcpMessageType;
using Strings = std::vector<std::string>;

inline constexpr MacAddress our_mac{{0x02, 0, 0x5e, 0, 0x53, 0x01}};
inline constexpr Ipv4Address server{10, 0, 0, 1}, other_server{10, 0, 0, 9};
inline constexpr Ipv4Address given{10, 0, 0, 57};

class ClientTest : public ::testing::Test, public observe::Observer {
 protected:
  ClientTest() {
    sink.attach(this);
    make({});
  }
  void make(const Options& options, std::uint64_t seed = 1) {
    random = Random{make_seed(seed)};
    client.emplace(options, our_mac, std::uint16_t{1500}, random, sink);
  }
  void on_event(Instant, const observe::Event& event) override {
    if (const auto* c = std::get_if<observe::DhcpStateChanged>(&event)) {
      states.push_back(std::string{to_string(c->to)} + ": " + std::string{to_string(c->cause)});
    }
    if (const auto* u = std::get_if<observe::DhcpUnanswered>(&event)) unanswered.push_back(u->tries);
  }

  // --- the client's messages ---

  Strings sent() {
    Strings out;
    OutgoingMessage m;
    while (client->poll_message(now, m)) {
      last = m.message;
      out.push_back(line(m));
    }
    return out;
  }
  static std::string line(const OutgoingMessage& out) {
    const DhcpMessage& m = out.message;
    std::string text = std::string{wire::dhcp_type_name(*m.type)}.substr(4);
    text += ' ' + out.source.to_string() + " > " + out.destination.to_string();
    if (!m.ciaddr.is_unspecified()) text += " ciaddr " + m.ciaddr.to_string();
    if (m.requested_address) text += " requested " + m.requested_address->to_string();
    if (m.server_id) text += " server " + m.server_id->to_string();
    return text;
  }
  Strings told() {
    Strings out;
    while (const auto change = client->poll_change()) {
      if (const auto* e = std::get_if<CheckAddress>(&*change)) out.push_back("check " + e->address.to_string());
      if (const auto* e = std::get_if<Bound>(&*change)) {
        out.push_back((e->renewed ? "renewed " : "bound ") + e->lease.prefix.to_string());
      }
      if (const auto* e = std::get_if<Lost>(&*change)) {
        out.push_back("lost " + e->address.to_string() + ": " + std::string{to_string(e->why)});
      }
      if (const auto* e = std::get_if<Informed>(&*change)) out.push_back("informed by " + e->server.to_string());
      if (std::holds_alternative<NoServer>(*change)) out.emplace_back("no server");
      if (const auto* e = std::get_if<Declined>(&*change)) out.push_back("declined " + e->address.to_string());
      if (const auto* e = std::get_if<Refused>(&*change)) out.push_back("refused by " + e->server.to_string());
    }
    return out;
  }

  // --- the server's messages ---

  [[nodiscard]] DhcpMessage reply(DhcpMessageType type, Ipv4Address from = server, Ipv4Address address = given) const {
    DhcpMessage m;
    m.op = DhcpMessage::Op::Reply;
    m.xid = last.xid;
    m.chaddr = our_mac;
    m.type = type;
    m.server_id = from;
    if (type == DhcpMessageType::Nak) return m;
    m.yiaddr = address;
    m.subnet_mask = Ipv4Address{255, 255, 255, 0};
    m.lease_seconds = 3600;
    return m;
  }
  void in(const DhcpMessage& m) { client->handle_message(now, wire::emit_dhcp(m)); }
  void offer(Ipv4Address from = server, Ipv4Address address = given) {
    in(reply(DhcpMessageType::Offer, from, address));
  }
  void ack(Ipv4Address from = server) { in(reply(DhcpMessageType::Ack, from)); }
  void nak(Ipv4Address from = server) { in(reply(DhcpMessageType::Nak, from)); }
  /// True when the message was dropped for this reason, and changed nothing.
  bool dropped(DropReason reason, const DhcpMessage& m) {
    const auto before = sink.drops(reason);
    const auto state = client->state();
    in(m);
    return sink.drops(reason) == before + 1 && client->state() == state && sent().empty() && told().empty();
  }

  // --- time ---

  /// Lets time pass from deadline to deadline; gives what was sent meanwhile.
  Strings wait(Duration d) {
    Strings all;
    const Instant end = now + d;
    for (int n = 0; n < 100000 && client->next_deadline() <= end; ++n) {
      now = std::max(now, client->next_deadline());
      client->handle_timeouts(now);
      for (auto& s : sent()) {
        sent_at.push_back(now);
        all.push_back(std::move(s));
      }
    }
    now = end;
    return all;
  }
  void to_requesting() {
    client->start(now);
    sent();
    offer();
    sent();
  }
  void to_bound(std::optional<std::uint32_t> lease_seconds = 3600) {
    to_requesting();
    auto m = reply(DhcpMessageType::Ack);
    m.lease_seconds = lease_seconds;
    in(m);
    client->address_free(now, given);
    told();
  }

  Instant now = Instant::from_ns(1'000'000'000'000);
  Random random{make_seed(1)};
  observe::Sink sink;
  std::optional<Client> client;
  DhcpMessage last;  ///< latest message of the client
  Strings states;
  std::vector<unsigned> unanswered;
  std::vector<Instant> sent_at;
};

}  // namespace wireside::dhcp::testing

// A resolver with a virtual clock and servers played by the test; reads like a trace of messages.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "dns/resolver.hpp"

namespace wireside::dns::test {

inline wire::DnsName name(std::string_view text) { return parse_host_name(text)->name; }
inline const Endpoint first_server{Ipv4Address{10, 0, 0, 1}, dns_port};
inline const Endpoint second_server{Ipv4Address{10, 0, 0, 2}, dns_port};

inline wire::DnsRecord record(std::string_view owner, wire::DnsType type, std::uint32_t ttl, auto data) {
  return {name(owner), type, wire::DnsClass::In, ttl, std::move(data)};
}
inline wire::DnsRecord a(std::string_view owner, std::uint8_t last, std::uint32_t ttl = 60) {
  return record(owner, wire::DnsType::A, ttl, Ipv4Address{192, 0, 2, last});
}
inline wire::DnsRecord cname(std::string_view owner, std::string_view target, std::uint32_t ttl = 60) {
  return record(owner, wire::DnsType::Cname, ttl, name(target));
}
inline wire::DnsRecord soa(std::string_view zone, std::uint32_t ttl, std::uint32_t minimum) {
  wire::DnsSoa data;
  data.minimum = minimum;
  return record(zone, wire::DnsType::Soa, ttl, data);
}

class Lab {
 public:
  explicit Lab(DnsConfig config = {}) : resolver{with_servers(std::move(config)), make_seed(7), sink} {}

  static DnsConfig with_servers(DnsConfig config) {
    if (config.servers.empty()) config.servers = {first_server};
    return config;
  }

  QueryHandle ask(std::string_view text) { return *resolver.start(now, text); }

  /// The next message to a server, as "10.0.0.1 www.lab." ("/tcp" behind the address where so); empty: none.
  /// Closed exchanges are passed over.
  std::string sends() {
    while (auto action = resolver.poll_action()) {
      if (action->kind == Action::Kind::EndExchange) {
        ++ended;
        continue;
      }
      last = std::move(*action);
      const auto query = wire::parse_dns(last.message);
      EXPECT_TRUE(query && query->header.recursion_desired && query->questions.size() == 1);
      sent = *query;
      const bool tcp = last.kind == Action::Kind::OpenStream;
      return last.server.address.to_string() + (tcp ? "/tcp " : " ") + sent.questions[0].name.to_string();
    }
    return "";
  }

  /// A response to the message that sends() gave last.
  wire::DnsMessage response(std::vector<wire::DnsRecord> answers = {},
                            wire::DnsRcode rcode = wire::DnsRcode::NoError) const {
    wire::DnsMessage out;
    out.header = {.id = sent.header.id, .response = true, .recursion_available = true, .rcode = rcode};
    out.questions = sent.questions;
    out.answers = std::move(answers);
    return out;
  }
  void receive(const wire::DnsMessage& message) { receive(last, last.server, message); }
  void receive(const Action& to, const Endpoint& from, const wire::DnsMessage& message) {
    const auto octets = wire::emit_dns(message);
    if (to.kind == Action::Kind::OpenStream) {
      resolver.handle_stream(now, to.exchange, octets);
    } else {
      resolver.handle_datagram(now, to.exchange, from, octets);
    }
  }
  void receive_records(std::vector<wire::DnsRecord> answers) { receive(response(std::move(answers))); }
  void receive_code(wire::DnsRcode rcode) { receive(response({}, rcode)); }
  void receive_negative(wire::DnsRcode rcode, wire::DnsRecord authority, std::vector<wire::DnsRecord> answers = {}) {
    auto message = response(std::move(answers), rcode);
    message.authorities.push_back(std::move(authority));
    receive(message);
  }

  /// Lets time go by up to the next deadline and past it; seconds that took, -1 without a deadline.
  std::int64_t wait() {
    const auto due = resolver.next_deadline();
    if (!due) return -1;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*due - now).count();
    now = *due;
    resolver.handle_timeouts(now);
    return seconds;
  }
  void pass(std::chrono::seconds time) {
    now += time;
    resolver.handle_timeouts(now);
  }

  /// "192.0.2.1 192.0.2.2", or the failure's words; empty: nothing is decided.
  std::string outcome() {
    while (end_of_exchange()) continue;
    const auto o = resolver.poll_outcome();
    if (!o) return "";
    answer = o->answer;
    if (o->failure) return std::string{describe(*o->failure)};
    std::string out;
    for (const auto& r : answer.addresses) out += (out.empty() ? "" : " ") + r.address.to_string();
    return out;
  }
  [[nodiscard]] std::uint64_t drops(observe::DropReason reason) const { return sink.drops(reason); }

  observe::Sink sink;
  Instant now = Instant::from_ns(1'000'000'000);
  Resolver resolver;
  Action last;
  wire::DnsMessage sent;
  Answer answer;
  unsigned ended = 0;

 private:
  /// Outcomes are asked for when all messages were looked at; what is left are ends of exchanges.
  bool end_of_exchange() {
    const auto action = resolver.poll_action();
    if (!action) return false;
    EXPECT_EQ(action->kind, Action::Kind::EndExchange) << "a message nobody looked at";
    ++ended;
    return true;
  }
};

}  // namespace wireside::dns::test

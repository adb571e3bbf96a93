// DNS messages: whatever parses survives being written and read again; a resolver bears any answer.
#include <algorithm>

#include "dns/resolver.hpp"
#include "fuzz/require.hpp"
#include "wire/dns.hpp"

using namespace wireside;

namespace {

void check_message(ByteView message) {
  fuzz::require(!wire::describe_dns(message).empty(), "a message has a description");
  const auto parsed = wire::parse_dns(message);
  if (!parsed) return;
  for (const auto& r : parsed->answers) fuzz::require(r.name.wire_length() <= wire::max_dns_name, "names are bounded");
  const auto again = wire::parse_dns(wire::emit_dns(*parsed));
  // Without compression, record data may outgrow its 16-bit length only in theory: names are at most 255 octets.
  fuzz::require(again == parsed, "emitted octets mean the same");
}

/// The input, made to look like the answer that is waited for.
void check_resolver(ByteView message) {
  observe::Sink sink;
  dns::DnsConfig config;
  config.servers = {{Ipv4Address{10, 0, 0, 1}, dns::dns_port}};
  config.cache.max_entries = 8;
  dns::Resolver resolver{config, make_seed(1), sink};
  Instant now = Instant::from_ns(1);
  (void)resolver.start(now, "a.b");
  for (int round = 0; round < 40; ++round) {
    while (const auto action = resolver.poll_action()) {
      if (action->kind == dns::Action::Kind::EndExchange) continue;
      std::vector<std::uint8_t> answer = action->message;
      answer[2] = 0x80;
      if (message.size() > 8) std::copy_n(message.begin(), 1, answer.begin() + 3);
      if (message.size() > 8) std::copy_n(message.begin() + 1, 6, answer.begin() + 6);
      if (message.size() > 8) answer.insert(answer.end(), message.begin() + 7, message.end());
      if (action->kind == dns::Action::Kind::OpenStream) {
        resolver.handle_stream(now, action->exchange, answer);
      } else {
        resolver.handle_datagram(now, action->exchange, action->server, answer);
      }
    }
    if (const auto outcome = resolver.poll_outcome()) {
      fuzz::require(outcome->failure.has_value() == outcome->answer.addresses.empty(), "addresses or a failure");
      fuzz::require(resolver.cache().size() <= 8, "the cache is bounded");
      fuzz::require(!resolver.next_deadline(), "nothing is waited for in the end");
      return;
    }
    const auto due = resolver.next_deadline();
    fuzz::require(due.has_value(), "a query under way has a deadline");
    now = *due;
    resolver.handle_timeouts(now);
  }
  fuzz::require(false, "every query ends");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check_message({data, size});
  check_resolver({data, size});
  return 0;
}

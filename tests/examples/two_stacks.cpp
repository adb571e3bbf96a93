// The core alone: two stacks, a wire between them, and a clock that is only a number.
// The part between the two marks stands in README.md.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string_view>
#include <vector>

#include "stack.hpp"

using namespace wireside;

Config host(std::string_view address) {
  Config config;
  config.ip.addresses = {*Ipv4Prefix::parse(address)};
  return config;
}

// README begin
/// What `from` has to send reaches `to`; on a real link the octets would go to a device.
void carry(Instant now, Stack& from, Stack& to) {
  FrameOut frame;
  while (from.poll_frame(now, frame)) {
    std::vector<std::uint8_t> octets{frame.header.view().begin(), frame.header.view().end()};
    for (const Slice& piece : frame.payload) octets.insert(octets.end(), piece.view().begin(), piece.view().end());
    to.handle_frame(now, Packet{.data = to.buffers().copy(octets)});
  }
}

/// Lets ten virtual seconds pass, from one deadline to the next.
void live(Instant& now, Stack& a, Stack& b) {
  const Instant end = now + std::chrono::seconds{10};
  while (now < end) {
    for (int turn = 0; turn < 8; ++turn) carry(now, a, b), carry(now, b, a);
    now = std::min({end, a.next_deadline().value_or(end), b.next_deadline().value_or(end)});
    a.handle_timeouts(now);
    b.handle_timeouts(now);
  }
}
// README end

int main() {
  Instant now = Instant::from_ns(0);
  Stack client{host("10.0.0.1/24"), make_seed(1)};
  Stack server{host("10.0.0.2/24"), make_seed(2)};
  const Endpoint door = *Endpoint::parse("10.0.0.2:80");
  const auto listener = server.sockets().open(SocketKind::Stream).value();
  const auto caller = client.sockets().open(SocketKind::Stream).value();
  if (!server.sockets().bind(listener, door) || !server.sockets().listen(listener, 1)) return 1;
  (void)client.sockets().connect(now, caller, door);  // in progress
  live(now, client, server);
  const std::string_view text = "hello";
  (void)client.sockets().send(now, caller, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  live(now, client, server);
  const auto accepted = server.sockets().accept(listener);
  std::uint8_t got[16] = {};
  const auto octets = accepted ? server.sockets().receive(now, accepted->socket, got) : fail(accepted.error());
  if (!octets) return 1;
  std::printf("%.*s\n", static_cast<int>(*octets), reinterpret_cast<const char*>(got));
  return std::string_view{reinterpret_cast<const char*>(got), *octets} == text ? 0 : 1;
}

// Two whole stacks joined by copies of frames: what a stream costs them together, without a kernel.
#include <algorithm>
#include <cstring>

#include "micro.hpp"
#include "stack.hpp"

namespace wireside::micro {
namespace {

struct Pair {
  explicit Pair(bool offload)
      : server{config("10.0.0.1/24", offload), make_seed(1)}, client{config("10.0.0.2/24", offload), make_seed(2)} {
    const auto listener = server.sockets().open(SocketKind::Stream).value();
    (void)server.sockets().bind(listener, *Endpoint::parse("10.0.0.1:80"));
    (void)server.sockets().listen(listener, 16);
    to = client.sockets().open(SocketKind::Stream).value();
    (void)client.sockets().connect(now, to, *Endpoint::parse("10.0.0.1:80"));
    settle();
    from = server.sockets().accept(listener).value().socket;
    tcp::ConnectionOptions options;
    options.no_delay = true;  // else an octet waits for the last one's acknowledgement
    (void)client.sockets().set_stream_options(now, to, options);
  }
  static Config config(const char* address, bool offload) {
    Config out;
    out.ip.addresses = {*Ipv4Prefix::parse(address)};
    out.link.tx_checksum_offload = out.link.tso = offload;
    return out;
  }
  bool carry(Stack& source, Stack& sink) {
    bool any = false;
    for (int i = 0; i < 32 && source.poll_frame(now, frame); ++i, any = true) {
      Packet packet{.data = sink.buffers().allocate_slice(frame.size())};
      std::uint8_t* at = packet.data.mutable_data();
      std::memcpy(at, frame.header.view().data(), frame.header.size());
      (void)frame.payload.copy_to(0, {at + frame.header.size(), frame.payload.octets()});
      packet.checksum = frame.checksum_wanted ? ChecksumState::Partial : ChecksumState::Unverified;
      packet.gso_size = frame.gso_size;
      sink.handle_frame(now, std::move(packet));
      frame.clear();
    }
    return any;
  }
  void settle() {
    for (bool more = true; more;) {
      const bool there = carry(client, server);
      more = carry(server, client) || there;
    }
    while (client.poll_event()) continue;
    while (server.poll_event()) continue;
    now = now + std::chrono::microseconds{100};
    if (client.next_deadline().value_or(Instant::max()) <= now) client.handle_timeouts(now);
    if (server.next_deadline().value_or(Instant::max()) <= now) server.handle_timeouts(now);
  }
  void move(ByteView data, MutableByteView out) {
    for (std::size_t sent = 0, received = 0; received < data.size();) {
      if (sent < data.size()) sent += client.sockets().send(now, to, data.subspan(sent)).value_or(0);
      settle();
      while (const auto n = server.sockets().receive(now, from, out)) {
        if (*n == 0) return;
        received += *n;
      }
    }
  }

  void answer(ByteView request, ByteView response, MutableByteView out) {
    (void)client.sockets().send(now, to, request);
    (void)carry(client, server);
    while (server.poll_event()) continue;
    (void)server.sockets().receive(now, from, out);
    (void)server.sockets().send(now, from, response);
    (void)carry(server, client);
    (void)client.sockets().receive(now, to, out);
    settle();
  }

  Instant now = Instant::from_ns(1);
  Stack server, client;
  SocketHandle to, from;
  FrameOut frame;
};

std::function<void(benchmark::State&)> stream(bool offload, std::size_t octets) {
  return [offload, octets](benchmark::State& state) {
    Pair pair{offload};
    const std::vector<std::uint8_t> data(octets, 'x');
    std::vector<std::uint8_t> out(octets);
    for (int i = 0; i < 64; ++i) pair.move(data, out);
    for (auto _ : state) pair.move(data, out);
    state.SetBytesProcessed(static_cast<std::int64_t>(octets) * state.iterations());
  };
}

const Add octet{"two stacks: 1 octet from one to the other", stream(true, 1)};
const Add segment{"two stacks: 1,448 octets, a frame", stream(false, 1448)};
const Add frames{"two stacks: 46,336 octets, 32 frames", stream(false, 46336)};
const Add super{"two stacks: 63,712 octets, a super-segment", stream(true, 63712)};

const Add request{"two stacks: a request of 80 octets, a response of 150", [](benchmark::State& state) {
                    Pair pair{false};
                    const std::vector<std::uint8_t> data(150, 'x');
                    std::vector<std::uint8_t> out(150);
                    const auto turn = [&] { pair.answer(ByteView{data}.first(80), data, out); };
                    for (int i = 0; i < 64; ++i) turn();
                    for (auto _ : state) turn();
                  }};

}  // namespace
}  // namespace wireside::micro

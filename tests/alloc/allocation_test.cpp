// No allocation per packet: two stacks joined in memory, through the socket table.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "stack.hpp"

namespace {
std::size_t allocations = 0;

void* counted(std::size_t octets) {
  ++allocations;
  if (void* p = std::malloc(octets == 0 ? 1 : octets)) return p;
  throw std::bad_alloc{};
}
}  // namespace

void* operator new(std::size_t octets) { return counted(octets); }
void* operator new[](std::size_t octets) { return counted(octets); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

namespace wireside {
namespace {

/// Whether the link checks sums and cuts super-segments, and whether the application copies or lends and borrows.
struct Mode {
  bool offload = false;
  bool borrows = false;
};

class Pair {
 public:
  explicit Pair(Mode mode)
      : mode_{mode},
        server_{config("10.0.0.1/24", mode.offload), make_seed(1)},
        client_{config("10.0.0.2/24", mode.offload), make_seed(2)} {}

  void connect() {
    const auto listener = server_.sockets().open(SocketKind::Stream).value();
    ASSERT_TRUE(server_.sockets().bind(listener, *Endpoint::parse("10.0.0.1:80")));
    ASSERT_TRUE(server_.sockets().listen(listener, 16));
    to_ = client_.sockets().open(SocketKind::Stream).value();
    (void)client_.sockets().connect(now_, to_, *Endpoint::parse("10.0.0.1:80"));
    settle();
    from_ = server_.sockets().accept(listener).value().socket;
  }
  void open_datagrams() {
    from_ = server_.sockets().open(SocketKind::Datagram).value();
    ASSERT_TRUE(server_.sockets().bind(from_, *Endpoint::parse("10.0.0.1:7")));
    to_ = client_.sockets().open(SocketKind::Datagram).value();
    ASSERT_TRUE(client_.sockets().connect(now_, to_, *Endpoint::parse("10.0.0.1:7")));
  }

  void carry_all() {
    for (bool more = true; more;) {
      const bool there = carry(client_, server_);
      more = carry(server_, client_) || there;
    }
  }
  void settle() {
    carry_all();
    while (client_.poll_event() || client_.buffers().poll_returned()) continue;
    while (server_.poll_event() || server_.buffers().poll_returned()) continue;
    now_ = now_ + std::chrono::microseconds{100};
    if (client_.next_deadline().value_or(Instant::max()) <= now_) client_.handle_timeouts(now_);
    if (server_.next_deadline().value_or(Instant::max()) <= now_) server_.handle_timeouts(now_);
  }

  std::size_t send(Stack& stack, SocketHandle socket, ByteView data) {
    if (!mode_.borrows) return stack.sockets().send(now_, socket, data).value_or(0);
    return stack.sockets().send_slice(now_, socket, stack.buffers().lend(data, 1)) ? data.size() : 0;
  }
  std::size_t receive(Stack& stack, SocketHandle socket) {
    std::size_t octets = 0;
    if (mode_.borrows) {
      while (const auto slice = stack.sockets().receive_slice(now_, socket, SIZE_MAX)) {
        if (slice->empty()) break;
        octets += slice->size();
      }
    } else {
      while (const auto n = stack.sockets().receive(now_, socket, room_)) {
        if (*n == 0) break;
        octets += *n;
      }
    }
    return octets;
  }

  /// `octets` from one to the other; the one that is counted sends, or receives.
  void stream(std::size_t octets) {
    for (std::size_t sent = 0, received = 0; received < octets;) {
      const auto part = ByteView{data_}.first(std::min(data_.size(), octets - sent));
      if (!part.empty()) sent += send(client_, to_, part);
      settle();
      received += receive(server_, from_);
    }
  }
  void request(std::size_t request, std::size_t response) {
    (void)send(client_, to_, ByteView{data_}.first(request));
    carry_all();
    while (server_.poll_event()) continue;
    ASSERT_EQ(receive(server_, from_), request);
    (void)send(server_, from_, ByteView{data_}.first(response));
    carry_all();
    ASSERT_EQ(receive(client_, to_), response);
    settle();
  }
  void echo_datagrams(std::size_t count, std::size_t octets) {
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(client_.sockets().send(now_, to_, ByteView{data_}.first(octets)));
    }
    carry_all();
    while (const auto got = server_.sockets().receive_from(from_, room_)) {
      ASSERT_TRUE(server_.sockets().send_to(now_, from_, ByteView{room_}.first(got->octets), got->from));
    }
    carry_all();
    std::size_t back = 0;
    while (client_.sockets().receive(now_, to_, room_)) ++back;
    ASSERT_EQ(back, count);
    settle();
  }

 private:
  static Config config(const char* address, bool offload) {
    Config out;
    out.ip.addresses = {*Ipv4Prefix::parse(address)};
    out.link.tx_checksum_offload = out.link.tso = offload;
    return out;
  }
  bool carry(Stack& source, Stack& sink) {
    bool any = false;
    for (int i = 0; i < 32 && source.poll_frame(now_, frame_); ++i, any = true) {
      Packet packet{.data = sink.buffers().allocate_slice(frame_.size())};
      std::uint8_t* at = packet.data.mutable_data();
      std::memcpy(at, frame_.header.view().data(), frame_.header.size());
      (void)frame_.payload.copy_to(0, {at + frame_.header.size(), frame_.payload.octets()});
      packet.checksum = frame_.checksum_wanted ? ChecksumState::Partial : ChecksumState::Unverified;
      packet.gso_size = frame_.gso_size;
      sink.handle_frame(now_, std::move(packet));
      frame_.clear();
    }
    return any;
  }

  Mode mode_;
  Instant now_ = Instant::from_ns(1);
  Stack server_, client_;
  SocketHandle to_, from_;
  FrameOut frame_;
  std::vector<std::uint8_t> data_ = std::vector<std::uint8_t>(65536, 'x');
  std::vector<std::uint8_t> room_ = std::vector<std::uint8_t>(65536);
};

/// Allocations in `rounds` rounds of `step` after a warm-up.
template <class F>
std::size_t counted_after_warm_up(F&& step, int rounds = 500) {
  for (int i = 0; i < 500; ++i) step();
  const std::size_t before = allocations;
  for (int i = 0; i < rounds; ++i) step();
  return allocations - before;
}

class Allocations : public ::testing::TestWithParam<Mode> {};

TEST(AllocationCount, Counts) {
  const std::size_t before = allocations;
  { const std::vector<int> one(100); }
  EXPECT_EQ(allocations, before + 1);
}

TEST_P(Allocations, NoneForAStreamInBulk) {
  Pair pair{GetParam()};
  pair.connect();
  EXPECT_EQ(counted_after_warm_up([&] { pair.stream(1 << 20); }, 100), 0U);
}

TEST_P(Allocations, NoneForSmallWrites) {
  Pair pair{GetParam()};
  pair.connect();
  EXPECT_EQ(counted_after_warm_up([&] { pair.stream(1448); }), 0U);
  EXPECT_EQ(counted_after_warm_up([&] { pair.stream(1); }), 0U);
}

TEST_P(Allocations, NoneForRequestsAndResponses) {
  Pair pair{GetParam()};
  pair.connect();
  EXPECT_EQ(counted_after_warm_up([&] { pair.request(80, 150); }), 0U);
  EXPECT_EQ(counted_after_warm_up([&] { pair.request(700, 30'000); }), 0U);
}

TEST_P(Allocations, NoneForDatagrams) {
  Pair pair{GetParam()};
  pair.open_datagrams();
  EXPECT_EQ(counted_after_warm_up([&] { pair.echo_datagrams(1, 100); }), 0U);
  EXPECT_EQ(counted_after_warm_up([&] { pair.echo_datagrams(16, 1400); }), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Modes, Allocations,
    ::testing::Values(Mode{.offload = false, .borrows = false}, Mode{.offload = false, .borrows = true},
                      Mode{.offload = true, .borrows = false}, Mode{.offload = true, .borrows = true}),
    [](const auto& info) {
      return std::string{info.param.offload ? "Offload" : "PlainFrames"} + (info.param.borrows ? "Lent" : "Copied");
    });

}  // namespace
}  // namespace wireside

// A transfer through a queue that marks instead of dropping: two layers, 20 ms apart, 20 Mbit/s between them.
#include <gtest/gtest.h>

#include <deque>

#include "base/random.hpp"
#include "tcp/ecn.hpp"
#include "tcp/tcp_layer.hpp"

namespace wireside::tcp {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t transfer = 4'000'000;
constexpr std::uint16_t full_segment = 1460;
const FourTuple tuple{{IpAddress{Ipv4Address{10, 0, 0, 1}}, Port{5000}},
                      {IpAddress{Ipv4Address{10, 0, 0, 2}}, Port{80}}};

struct Side {
  explicit Side(std::uint64_t seed) : random{make_seed(seed)}, layer{TcpConfig{}, random, pool, sink} {
    layer.set_limits(full_segment, full_segment);
  }
  BufferPool pool;
  observe::Sink sink;
  Random random;
  TcpLayer layer;
};

struct UnderWay {
  Instant arrives;
  IncomingSegment segment;
};

/// Marks one packet in 50 ms while there are such that wait for more than 5 ms, drops what would wait for more than 60.
class MarkingQueue {
 public:
  [[nodiscard]] std::optional<Instant> pass(Instant now, std::size_t octets, std::uint8_t& tos) {
    busy_until_ = std::max(busy_until_, now);
    const Duration waits = busy_until_ - now;
    longest = std::max(longest, waits);
    if (waits > 60ms) {
      ++dropped;
      return std::nullopt;
    }
    if (waits > 5ms && now >= next_mark_ && ecn_of(tos) != EcnCodepoint::NotEct) {
      next_mark_ = now + 50ms;
      tos = with_ecn(tos, EcnCodepoint::Ce);
      ++marked;
    }
    busy_until_ += octets * 400ns;  // 20 Mbit/s
    return busy_until_;
  }
  std::uint64_t marked = 0, dropped = 0;
  Duration longest{};

 private:
  Instant busy_until_;
  Instant next_mark_;
};

class EcnTransfer : public ::testing::TestWithParam<std::tuple<CongestionAlgorithm, Pacing, bool>> {
 protected:
  void start() {
    ConnectionOptions options;
    std::tie(options.congestion, options.pacing, options.abe) = GetParam();
    options.ecn = EcnMode::Ask;
    ASSERT_TRUE(server_.layer.listen(tuple.remote, 1, options));
    const auto opened = client_.layer.connect(now_, tuple, options);
    ASSERT_TRUE(opened);
    sender_ = *opened;
  }
  void emit(Side& side, std::deque<UnderWay>& way, bool through_queue) {
    OutgoingSegment out;
    while (side.layer.poll_segment(now_, out)) {
      IncomingSegment in;
      in.tuple = {out.tuple.remote, out.tuple.local};
      in.header = out.header;
      in.tos = out.tos;
      std::vector<std::uint8_t> octets(out.payload.octets());
      out.payload.copy_to(0, octets);
      if (!octets.empty()) in.payload = side.pool.copy(octets);
      out.payload.clear();
      auto leaves = std::optional{now_};
      if (through_queue) leaves = queue_.pass(now_, octets.size() + 54, in.tos);
      if (leaves) way.push_back({*leaves + 10ms, std::move(in)});
    }
  }
  void deliver(Side& side, std::deque<UnderWay>& way) {
    while (!way.empty() && way.front().arrives <= now_) {
      const IncomingSegment segment = std::move(way.front().segment);
      way.pop_front();
      side.layer.segment_arrives(now_, segment);
    }
  }
  void applications() {
    std::vector<std::uint8_t> octets(65536, 0x5a);
    while (offered_ < transfer) {
      const auto n =
          client_.layer.send(now_, sender_, ByteView{octets}.first(std::min(octets.size(), transfer - offered_)));
      if (!n) break;
      offered_ += *n;
    }
    while (const auto event = server_.layer.poll_event()) {
      if (event->kind == TcpEvent::Kind::AcceptReady) receiver_ = *server_.layer.accept(event->listener);
    }
    while (client_.layer.poll_event()) {
    }
    if (!receiver_.is_valid()) return;
    while (const auto n = server_.layer.receive(now_, receiver_, octets)) received_ += *n;
  }
  void run() {
    for (int i = 0; i < 1'000'000 && received_ < transfer; ++i) {
      emit(client_, there_, true);
      emit(server_, back_, false);
      Instant next = std::min(client_.layer.next_deadline(), server_.layer.next_deadline());
      if (!there_.empty()) next = std::min(next, there_.front().arrives);
      if (!back_.empty()) next = std::min(next, back_.front().arrives);
      ASSERT_NE(next, Instant::max()) << "nothing will happen any more";
      now_ = std::max(now_, next);
      client_.layer.handle_timeouts(now_);
      server_.layer.handle_timeouts(now_);
      deliver(server_, there_);
      deliver(client_, back_);
      applications();
    }
  }

  Instant now_ = Instant::from_ns(0) + 1h;
  Side client_{1}, server_{2};
  MarkingQueue queue_;
  std::deque<UnderWay> there_, back_;
  ConnectionHandle sender_, receiver_;
  std::size_t offered_ = 0, received_ = 0;
};

TEST_P(EcnTransfer, MarksAloneKeepTheQueueShort) {  // RFC 3168 ECN-02, ECN-03
  start();
  const Instant began = now_;
  run();
  ASSERT_EQ(received_, transfer);
  const auto sent = *client_.layer.status(sender_);
  const auto seen = *server_.layer.status(receiver_);
  EXPECT_TRUE(sent.ecn);
  EXPECT_EQ(queue_.dropped, 0U);
  EXPECT_EQ(sent.total_retransmitted, 0U);
  EXPECT_GT(queue_.marked, 0U);
  EXPECT_LE(seen.ce_received, queue_.marked);
  EXPECT_GE(sent.ece_received, seen.ce_received / 2);
  const double seconds = static_cast<double>((now_ - began).count()) * 1e-9;
  const double goodput = 8e-6 * static_cast<double>(transfer) / seconds;
  EXPECT_GT(goodput, 14) << "Mbit/s of 20; unpaced, the first flight alone is marked";
  RecordProperty("goodput", std::to_string(goodput));
  RecordProperty("longest_queue_ms", std::to_string(static_cast<double>(queue_.longest.count()) * 1e-6));
}

INSTANTIATE_TEST_SUITE_P(AsForALoss, EcnTransfer,
                         ::testing::Combine(::testing::Values(CongestionAlgorithm::NewReno, CongestionAlgorithm::Cubic),
                                            ::testing::Values(Pacing::Off, Pacing::On), ::testing::Values(false)));
INSTANTIATE_TEST_SUITE_P(Abe, EcnTransfer,
                         ::testing::Values(std::tuple{CongestionAlgorithm::NewReno, Pacing::Off, true}));

}  // namespace
}  // namespace wireside::tcp

#include "observe/vocabulary.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "observe/event.hpp"

namespace wireside::observe {
namespace {

/// Every value up to `last` has words, and no two the same.
template <class E>
void expect_distinct_names(E last) {
  std::set<std::string> seen;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    const std::string name{to_string(static_cast<E>(i))};
    EXPECT_NE(name, "unknown") << i;
    EXPECT_TRUE(seen.insert(name).second) << name;
  }
  EXPECT_EQ(to_string(static_cast<E>(static_cast<int>(last) + 1)), "unknown");
}

TEST(Vocabulary, EveryCauseHasItsOwnWords) {
  expect_distinct_names(TxReason::Raw);
  expect_distinct_names(DropReason::DnsWrongQuestion);
  expect_distinct_names(TcpState::TimeWait);
  expect_distinct_names(StateCause::AddressLost);
  expect_distinct_names(TimerKind::Linger);
  expect_distinct_names(WindowCause::Initial);
  expect_distinct_names(NeighbourState::Failed);
  expect_distinct_names(GatewayAdvice::Alive);
  expect_distinct_names(DnsStep::TimedOut);
  expect_distinct_names(AddressNews::Lost);
  expect_distinct_names(DhcpState::Informing);
  expect_distinct_names(DhcpCause::LinkReturned);
  expect_distinct_names(ImpairmentAction::Overtook);
}

// RFC 9293 section 3.3.2.
TEST(Vocabulary, StatesAreSpeltAsInTheRfc) {
  EXPECT_EQ(to_string(TcpState::SynSent), "SYN-SENT");
  EXPECT_EQ(to_string(TcpState::SynReceived), "SYN-RECEIVED");
  EXPECT_EQ(to_string(TcpState::FinWait1), "FIN-WAIT-1");
  EXPECT_EQ(to_string(TcpState::FinWait2), "FIN-WAIT-2");
  EXPECT_EQ(to_string(TcpState::CloseWait), "CLOSE-WAIT");
  EXPECT_EQ(to_string(TcpState::LastAck), "LAST-ACK");
  EXPECT_EQ(to_string(TcpState::TimeWait), "TIME-WAIT");
}

struct Recorder : Observer {
  void on_event(Instant, const Event& event) override { dropped = std::get<Dropped>(event); }
  Dropped dropped;
};

// RFC 1122 IP-20: discards are counted.
TEST(Sink, CountsDropsWithAndWithoutAnObserver) {
  Sink sink;
  sink.drop(Instant{}, DropReason::IpBadChecksum);
  Recorder recorder;
  sink.attach(&recorder);
  sink.drop(Instant{}, DropReason::TcpPaws, 4);
  EXPECT_EQ(sink.drops(DropReason::IpBadChecksum), 1U);
  EXPECT_EQ(sink.drops(DropReason::TcpPaws), 1U);
  EXPECT_EQ(sink.drops(DropReason::TcpMalformed), 0U);
  EXPECT_EQ(recorder.dropped.reason, DropReason::TcpPaws);
  EXPECT_EQ(recorder.dropped.connection, 4U);
}

TEST(Sink, BuildsNoEventWhenNobodyListens) {
  const Sink sink;
  bool built = false;
  sink.emit(Instant{}, [&] {
    built = true;
    return Dropped{};
  });
  EXPECT_FALSE(built);
}

}  // namespace
}  // namespace wireside::observe

// Timeouts and fast retransmits that were mistakes, without SACK: F-RTO (RFC 5682 section 2), Eifel detection by
// timestamps (RFC 3522) and what takes the reduction back (RFC 4015).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

using observe::TxReason;
using observe::WindowCause;

constexpr std::string_view with_timestamps = "<mss 1000,TS val 1 ecr 0>";

/// Established with a measured round trip of 100 ms (an RTO of 300 ms) and a window of ten segments.
void establish_with_100ms(TcpPeer& t, std::string_view options = "<mss 1000>") {
  t.establish_after(100ms, options, {}, options == with_timestamps ? ". 1 ack 1 <TS val 101 ecr last>" : ". 1 ack 1");
}

bool was_undone(const TcpPeer& t) {
  const auto& all = t.windows_seen();
  return std::any_of(all.begin(), all.end(), [](const auto& w) { return w.cause == WindowCause::Undo; });
}

/// Ten of twenty segments leave, nothing comes back in time, and the first is sent again.
void time_out(TcpPeer& t) {
  establish_with_100ms(t);
  t.send(20000);
  EXPECT_EQ(t.discard(), 10U);
  EXPECT_EQ(t.out_after(300ms, ". 1+1000").reason, TxReason::RtoRetransmit);
  EXPECT_EQ(t.status().cwnd, 1000U);
}

std::string ack(std::uint32_t to, std::uint32_t echo) {
  return ". 1 ack " + std::to_string(to) + " <TS val 500 ecr " + std::to_string(echo) + ">";
}

// ------------------------------------------------------------------------------------------------------------ F-RTO

TEST(TcpFRto, TwoAcksThatAdvanceShowASpuriousTimeout) {  // RFC 5682 section 2.1 steps 2b and 3b; RFC 4015
  TcpPeer t;
  time_out(t);
  t.in(". 1 ack 1001");
  EXPECT_EQ(t.out(". 10001+1000").reason, TxReason::Data);
  t.out(". 11001+1000");
  t.nothing();
  EXPECT_FALSE(was_undone(t));
  t.in(". 1 ack 2001");  // that one was never sent again
  EXPECT_TRUE(was_undone(t));
  EXPECT_EQ(t.status().cwnd, 10000U);
  EXPECT_EQ(t.status().ssthresh, UINT32_MAX);
  t.nothing();
  t.in(". 1 ack 3001");
  t.out(". 12001+1000");
  EXPECT_EQ(t.status().total_retransmitted, 1U);
  t.ignore_rest();
}

TEST(TcpFRto, ADuplicateAfterNewDataMeansALoss) {  // RFC 5682 section 2.1 step 3a
  TcpPeer t;
  time_out(t);
  t.in(". 1 ack 1001");
  t.out(". 10001+1000");
  t.out(". 11001+1000");
  t.in(". 1 ack 1001");
  EXPECT_EQ(t.status().cwnd, 3000U);
  EXPECT_EQ(t.out(". 1001+1000").reason, TxReason::RtoRetransmit);
  t.nothing();
  t.in(". 1 ack 2001");  // an answer to what was sent again proves nothing
  EXPECT_FALSE(was_undone(t));
  EXPECT_EQ(t.status().ssthresh, 5000U);
  t.ignore_rest();
}

// The receiver keeps nothing behind a gap: what F-RTO sent new is repeated after the rest, and waits for no timeout.
TEST(TcpFRto, NewDataThatWasNotKeptIsRepeatedToo) {  // RFC 5682 section 2.1 step 3a
  TcpPeer t;
  t.establish("<mss 1000>");
  t.send(4000);
  t.discard();
  t.out_after(200ms, ". 1+1000 ack 1");
  t.send(2000);
  t.in(". 1 ack 1001");
  t.out(". 4001+1000 ack 1");
  t.out("P. 5001+1000 ack 1");
  t.in(". 1 ack 1001");
  t.in(". 1 ack 1001");
  t.out(". 1001+1000 ack 1");
  t.discard();  // 2001 and 3001
  t.in(". 1 ack 4001");
  t.out(". 4001+1000 ack 1");
  t.in(". 1 ack 5001");
  t.out("P. 5001+1000 ack 1");
  t.in(". 1 ack 6001");
  EXPECT_EQ(t.status().recovery, tcp::LossRecovery::Open);
  t.nothing();
}

TEST(TcpFRto, ADuplicateAtFirstEndsIt) {  // RFC 5682 section 2.1 step 2a
  TcpPeer t;
  time_out(t);
  t.in(". 1 ack 1");
  t.nothing();
  t.in(". 1 ack 1001");
  t.out(". 1001+1000");
  t.out(". 2001+1000");
  t.nothing();
  EXPECT_FALSE(was_undone(t));
}

TEST(TcpFRto, AnAckOfEverythingTellsNothing) {  // RFC 5682 section 2.1 step 2a: it covers "recover"
  TcpPeer t;
  time_out(t);
  t.in(". 1 ack 10001");
  EXPECT_FALSE(was_undone(t));
  EXPECT_EQ(t.status().ssthresh, 5000U);
  EXPECT_EQ(t.status().cwnd, 2000U);
  t.ignore_rest();
}

// The first ACK covers three segments that came long ago, behind the one that was lost.
TEST(TcpFRto, AGapThatIsFilledIsNoProof) {  // RFC 5682 section 2.1 steps 2b and 3a
  TcpPeer t;
  time_out(t);
  t.in(". 1 ack 4001");
  t.out(". 10001+1000");
  t.out(". 11001+1000");
  t.in(". 1 ack 4001");
  EXPECT_FALSE(was_undone(t));
  t.out(". 4001+1000");
}

/// The second segment left after the timeout; an ACK of it says no more than that.
void expect_no_proof_in(TcpPeer& t, std::string_view ack) {
  t.in(ack);
  EXPECT_FALSE(was_undone(t));
  t.ignore_rest();
}

TEST(TcpFRto, AnAckOfPartOfWhatWasRepeatedEndsIt) {  // RFC 5682 section 2.1 step 2a
  TcpPeer t;
  time_out(t);
  t.in(". 1 ack 501");
  t.out(". 1001+1000");
  expect_no_proof_in(t, ". 1 ack 1501");
}

TEST(TcpFRto, WithoutNewDataTheRestIsRepeated) {  // RFC 5682 section 2.1 step 2b
  TcpPeer t;
  establish_with_100ms(t);
  t.send(5000);
  t.discard();
  t.out_after(300ms, ". 1+1000");
  t.in(". 1 ack 1001");
  t.out(". 1001+1000");
  t.out(". 2001+1000");
  expect_no_proof_in(t, ". 1 ack 2001");
}

TEST(TcpFRto, WithoutRoomInThePeersWindowTheRestIsRepeated) {  // RFC 5682 section 2.1 step 2b
  TcpPeer t;
  time_out(t);
  t.in(". 1 ack 1001 win 9000");
  t.out(". 1001+1000");
  t.ignore_rest();
}

TEST(TcpFRto, NewDataNeedNotFillASegment) {  // RFC 5682 section 2.1 step 2b: Nagle MAY be overridden
  TcpPeer t;
  establish_with_100ms(t);
  t.send(2000);
  t.send(500);
  EXPECT_EQ(t.discard(), 3U);
  t.send(300);
  t.nothing();  // Nagle: 500 octets are on their way
  t.out_within(1s, ". 1+1000");
  t.in(". 1 ack 1001");
  t.out("P. 2501+300");
  t.nothing();  // one will do, and what it shows is waited for
  t.in(". 1 ack 2001");
  EXPECT_TRUE(was_undone(t));
  t.ignore_rest();
}

TEST(TcpFRto, ASecondTimeoutIsAnsweredAsUsual) {  // RFC 5682 section 2.1 step 1
  PeerSetup s;
  s.config.mtu_probing = false;
  TcpPeer t{s};
  time_out(t);
  t.out_after(600ms, ". 1+1000");
  t.in(". 1 ack 1001");
  t.out(". 1001+1000");
  t.out(". 2001+1000");
  t.in(". 1 ack 2001");
  EXPECT_FALSE(was_undone(t));
  t.ignore_rest();
}

TEST(TcpFRto, ALossAfterAnUndoneTimeoutIsANewOne) {  // RFC 5682 section 2.1 step 3b: "recover" follows SND.UNA
  TcpPeer t;
  time_out(t);
  t.in(". 1 ack 1001");
  t.in(". 1 ack 2001");
  t.discard();
  ASSERT_TRUE(was_undone(t));
  for (int i = 0; i < 3; ++i) t.in(". 1 ack 2001");
  EXPECT_EQ(t.discard(), 3U) << "two by limited transmit, then";
  EXPECT_EQ(t.status().recovery, tcp::LossRecovery::Fast);
  EXPECT_EQ(t.status().ssthresh, 5000U);
}

// ------------------------------------------------------------------------------------------------------------ Eifel

TEST(TcpEifel, AnOldEchoShowsASpuriousTimeout) {  // RFC 3522 section 3.2; RFC 4015 section 3.2
  TcpPeer t;
  establish_with_100ms(t, with_timestamps);
  t.send(9880);
  EXPECT_EQ(t.discard(), 10U);
  const std::uint32_t original = t.our_last_timestamp();
  t.out_within(1s, ". 1+988");
  EXPECT_GT(t.our_last_timestamp(), original);
  t.in(ack(989, original));
  EXPECT_TRUE(was_undone(t));
  EXPECT_EQ(t.status().cwnd, 9880U);
  EXPECT_EQ(t.status().ssthresh, UINT32_MAX);
  t.nothing();
  EXPECT_GT(t.status().srtt, 100ms) << "section 3.2: the RTO learns how long the path may take";
}

TEST(TcpEifel, TheEchoOfWhatWasSentAgainLeavesTheTimeout) {  // RFC 3522 section 3.2
  TcpPeer t;
  establish_with_100ms(t, with_timestamps);
  t.send(4940);
  t.discard();
  t.out_within(1s, ". 1+988");
  t.in(ack(989, t.our_last_timestamp()));
  EXPECT_FALSE(was_undone(t));
  t.ignore_rest();
}

/// Three duplicates, and the first segment is sent again.
std::uint32_t start_fast_retransmit(TcpPeer& t) {
  establish_with_100ms(t, with_timestamps);
  t.send(9880);
  EXPECT_EQ(t.discard(), 10U);
  const std::uint32_t original = t.our_last_timestamp();
  t.wait(100ms);
  for (int i = 0; i < 3; ++i) t.in(ack(1, original));
  EXPECT_EQ(t.out(". 1+988").reason, TxReason::FastRetransmit);
  EXPECT_LT(t.status().ssthresh, 9880U);
  return original;
}

TEST(TcpEifel, AnOldEchoShowsASpuriousFastRetransmit) {  // RFC 3522 section 3.2; RFC 4015 section 3.2
  TcpPeer t;
  const std::uint32_t original = start_fast_retransmit(t);
  for (int i = 0; i < 4; ++i) t.in(ack(1, original));  // the window is inflated beyond what it was
  t.in(ack(4941, original));                           // reordered, not lost
  EXPECT_TRUE(was_undone(t));
  EXPECT_EQ(t.status().recovery, tcp::LossRecovery::Open);
  EXPECT_EQ(t.status().cwnd, 9880U);
  EXPECT_EQ(t.status().ssthresh, UINT32_MAX);
  t.nothing();
}

TEST(TcpEifel, ARealLossStaysReduced) {  // RFC 3522 section 3.2
  TcpPeer t;
  start_fast_retransmit(t);
  t.in(ack(9881, t.our_last_timestamp()));
  EXPECT_FALSE(was_undone(t));
  EXPECT_EQ(t.status().ssthresh, 4940U);
}

TEST(TcpEifel, WithoutTimestampsNothingIsKnownOfAFastRetransmit) {
  TcpPeer t;
  establish_with_100ms(t);
  t.send(10000);
  t.discard();
  for (int i = 0; i < 3; ++i) t.in(". 1 ack 1");
  t.out(". 1+1000");
  t.in(". 1 ack 10001");
  EXPECT_FALSE(was_undone(t));
}

// ------------------------------------------------------------------------------------------------------------- RACK

// RFC 8985 section 6.2 step 4: the reordering window that a DSACK has widened is kept for 16 recoveries; one that was
// taken back is over like any other.
TEST(TcpRackAndUndo, ARecoveryThatIsTakenBackCounts) {
  TcpPeer t;
  establish_with_100ms(t, "<mss 1000,sackOK,TS val 1 ecr 0>");
  std::uint32_t una = 1;
  const auto text = [](std::uint32_t n) { return std::to_string(n); };
  const auto round = [&](bool report_duplicate) {
    t.send(3952);
    EXPECT_EQ(t.discard(), 4U);
    const std::string original = text(t.our_last_timestamp());
    const std::string end = text(una + 3952);
    t.wait(100ms);
    t.in(". 1 ack " + text(una) + " <TS val 500 ecr " + original + ",sack " + text(una + 988) + ":" + end + ">");
    EXPECT_EQ(t.discard(), 1U);
    t.wait(10ms);
    if (report_duplicate) {
      const std::string later = text(t.our_last_timestamp());
      t.in(". 1 ack " + end + " <TS val 500 ecr " + later + ">");
      t.in(". 1 ack " + end + " <TS val 500 ecr " + later + ",sack " + text(una) + ":" + text(una + 988) + ">");
    } else {
      t.in(". 1 ack " + end + " <TS val 500 ecr " + original + ">");
    }
    una += 3952;
    t.wait(1s);
  };
  round(true);
  EXPECT_EQ(t.status().reo_wnd_mult, 2U);
  for (int i = 0; i < 15; ++i) round(false);
  EXPECT_EQ(t.status().reo_wnd_mult, 2U);
  round(false);
  EXPECT_TRUE(was_undone(t));
  EXPECT_EQ(t.status().reo_wnd_mult, 1U);
}

}  // namespace
}  // namespace wireside::testing

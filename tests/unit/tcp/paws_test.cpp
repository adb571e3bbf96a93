// Protection against wrapped sequence numbers (RFC 7323 section 5).
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

void establish_ts(TcpPeer& t, std::uint32_t value) {
  t.establish("<mss 1460,TS val " + std::to_string(value) + " ecr 0>");
}

// RFC 7323 TS-06: dropped, and acknowledged.
TEST(TcpPaws, OlderTimestampIsDroppedWithAnAck) {
  TcpPeer t;
  establish_ts(t, 1000);
  t.in("P. 1+100 ack 1 <TS val 999 ecr last>");
  t.out(". 1 ack 1");
  t.read_fails(Error::WouldBlock);
  EXPECT_EQ(t.drops(observe::DropReason::TcpPaws), 1U);
}

TEST(TcpPaws, EqualAndNewerTimestampsAreTaken) {
  TcpPeer t;
  establish_ts(t, 1000);
  t.in("P. 1+100 ack 1 <TS val 1000 ecr last>");
  t.in("P. 101+100 ack 1 <TS val 2000000 ecr last>");
  t.read_exactly(200);
  t.ignore_rest();
}

TEST(TcpPaws, ComparisonWrapsAround) {
  TcpPeer t;
  establish_ts(t, 0xfffffff0U);
  t.in("P. 1+100 ack 1 <TS val 5 ecr last>");  // newer across the wrap
  t.read_exactly(100);
  t.wait(500ms);
  t.discard();
  t.in("P. 101+100 ack 1 <TS val 4294967280 ecr last>");  // now old
  t.out(". 1 ack 101");
  t.read_fails(Error::WouldBlock);
}

TEST(TcpPaws, ResetIsExempt) {  // RFC 7323 TS-06
  TcpPeer t;
  establish_ts(t, 1000);
  t.in("R 1 <TS val 1 ecr 0>");
  t.failed(Error::ConnectionReset);
}

// RFC 7323 TS-09: TS.Recent is invalid after 24 days.
TEST(TcpPaws, OldValueIsForgottenAfterTwentyFourDays) {
  TcpPeer t;
  establish_ts(t, 1000);
  t.wait(24h * 25);
  t.in("P. 1+100 ack 1 <TS val 5 ecr last>");
  t.read_exactly(100);
  t.wait(500ms);
  t.discard();
  t.in("P. 101+100 ack 1 <TS val 6 ecr last>");
  t.read_exactly(100);
  t.ignore_rest();
}

TEST(TcpPaws, ValueIsStillValidWithinTwentyFourDays) {  // RFC 7323 TS-09
  TcpPeer t;
  establish_ts(t, 1000);
  t.wait(24h * 23);
  t.in("P. 1+100 ack 1 <TS val 5 ecr last>");
  t.out(". 1 ack 1");
  t.read_fails(Error::WouldBlock);
}

TEST(TcpPaws, OldDuplicateDoesNotUpdateTheEcho) {
  TcpPeer t;
  establish_ts(t, 1000);
  t.in("P. 1+100 ack 1 <TS val 1010 ecr last>");
  t.out_within(500ms, ". 1 ack 101 <TS val * ecr 1010>");
  t.in("P. 1+100 ack 1 <TS val 1005 ecr last>");
  t.out(". 1 ack 101 <TS val * ecr 1010>");
}

// A segment that is not acceptable must not move TS.Recent, or a blind attacker could shut the peer out.
TEST(TcpPaws, SegmentBeyondTheWindowDoesNotUpdateTheEcho) {
  TcpPeer t;
  establish_ts(t, 1000);
  t.in("P. 1000000+100 ack 1 <TS val 2000000000 ecr last>");
  t.out(". 1 ack 1 <TS val * ecr 1000>");
  t.in("P. 1+100 ack 1 <TS val 1001 ecr last>");
  t.read_exactly(100);
  t.ignore_rest();
}

TEST(TcpPaws, OldSegmentFarLeftOfTheWindowDoesNotUpdateTheEcho) {
  TcpPeer t;
  establish_ts(t, 1000);
  t.in("P. -1000+100 ack 1 <TS val 2000000000 ecr last>");
  t.discard();
  t.in("P. 1+100 ack 1 <TS val 1001 ecr last>");
  t.read_exactly(100);
  t.ignore_rest();
}

TEST(TcpPaws, OldTimestampInSynReceivedIsAcknowledgedAndDropped) {
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460,TS val 1000 ecr 0>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1 <TS val 1 ecr last>");
  t.out(". 1 ack 1");
  t.state(TcpState::SynReceived);
}

// RFC 5961 section 4, BLIND-02; RFC 9293 EV-18: a peer that has begun anew, without timestamps now, hears of it, and
// its reset ends the old connection (section 3.5.1).
TEST(TcpPaws, SynWithoutTimestampIsChallenged) {
  TcpPeer t;
  establish_ts(t, 1000);
  for (const char* syn : {"S 1 <mss 1460>", "S 500000 <mss 1460>", "S -500000 <mss 1460>"}) {
    t.in(syn);
    t.out(". 1 ack 1");
  }
  EXPECT_EQ(t.drops(observe::DropReason::TcpMissingTimestamp), 0U);
  t.state(TcpState::Established);
  t.in("R 1");
  t.failed(Error::ConnectionReset);
}

TEST(TcpPaws, SynWithoutTimestampIsAcknowledgedInTimeWait) {  // RFC 5961 BLIND-02; RFC 9293 EV-18
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.in("S. 0 ack 1 <mss 1460,TS val 1000 ecr last>");
  t.out(". 1 ack 1");
  t.close();
  t.out("F. 1 ack 1");
  t.in("F. 1 ack 2");
  t.out(". 2 ack 2");
  t.in("S 500000 <mss 1460>");  // nobody listens: it cannot open a connection
  t.out(". 2 ack 2");
  t.state(TcpState::TimeWait);
}

TEST(TcpPaws, SynWithoutTimestampSendsSynReceivedBackToListen) {  // RFC 9293 section 3.10.7.4 fourth, EV-17
  TcpPeer t;
  t.listen();
  t.in("S 0 <mss 1460,TS val 1000 ecr 0>");
  t.out("S. 0 ack 1");
  t.in("S 1000000 <mss 1460>");
  t.out(". 1 ack 1");
  t.in("S 100 <mss 1460>");
  t.nothing();
  EXPECT_TRUE(t.layer().list().empty());
}

TEST(TcpPaws, OtherSegmentsWithoutTimestampAreDropped) {  // RFC 7323 TS-05, section 3.2
  TcpPeer t;
  establish_ts(t, 1000);
  t.in("P. 1+100 ack 1 <nop>");
  t.in("F. 1 ack 1 <nop>");
  t.nothing();
  EXPECT_EQ(t.drops(observe::DropReason::TcpMissingTimestamp), 2U);
}

TEST(TcpPaws, AnswersAreLimited) {  // RFC 5961 BLIND-04, section 10
  TcpPeer t;
  establish_ts(t, 1000);
  EXPECT_EQ(t.in_repeatedly(1000, "P. 1+100 ack 1 <TS val 999 ecr last>"), 200U);
  EXPECT_EQ(t.drops(observe::DropReason::TcpRateLimited), 800U);
}

TEST(TcpPaws, OldSynsCountAsChallenges) {  // RFC 5961 BLIND-04, sections 4 and 10
  TcpPeer t;
  establish_ts(t, 1000);
  EXPECT_EQ(t.in_repeatedly(1000, "S 1 <mss 1460,TS val 999 ecr 0>"), 10U);
}

TEST(TcpPaws, AnswersInSynReceivedAreLimited) {  // RFC 5961 BLIND-04, section 10
  TcpPeer t;
  t.half_open("<mss 1460,TS val 1000 ecr 0>");
  EXPECT_EQ(t.in_repeatedly(1000, ". 1 ack 1 <TS val 1 ecr last>"), 200U);
  EXPECT_EQ(t.drops(observe::DropReason::TcpRateLimited), 800U);
}

}  // namespace
}  // namespace wireside::testing

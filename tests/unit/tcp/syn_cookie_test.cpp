// SYN cookies (RFC 4987 section 3.6): what a full SYN queue answers with, and what brings it back.
#include "tcp/syn_cookie.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

using tcp::CookieOptions;
using tcp::SynCookies;
using tcp::SynCookieUse;

constexpr Instant start = Instant::from_ns(0) + 1h;

FourTuple some_tuple(std::uint16_t port = 40000) {
  return {{IpAddress{Ipv4Address{10, 0, 0, 2}}, Port{80}}, {IpAddress{Ipv4Address{10, 0, 0, 1}}, Port{port}}};
}

PeerSetup tiny_queue(std::size_t entries = 4, SynCookieUse use = SynCookieUse::WhenFull) {
  PeerSetup s;
  s.config.max_syn_queue = entries;
  s.config.syn_cookies = use;
  return s;
}

/// SYNs from as many ports as asked for, none of which is ever answered.
void flood(TcpPeer& t, std::uint16_t count) {
  for (std::uint16_t i = 0; i < count; ++i) {
    t.use_port(static_cast<std::uint16_t>(1024 + i));
    t.in("S 0 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>");
  }
  t.discard();
}

// ------------------------------------------------------------------------------------------------ the cookie itself

// RFC 4987 SYNF-02: the class is the largest usual MSS that does not exceed what was offered.
TEST(SynCookies, KeepTheMss) {
  const SynCookies cookies{SipKey{1, 2}};
  const auto kept = [&](std::uint16_t offered) {
    return *cookies.open(start, some_tuple(), SeqNum{7}, cookies.make(start, some_tuple(), SeqNum{7}, offered));
  };
  EXPECT_EQ(kept(1460), 1460);
  EXPECT_EQ(kept(1459), 1440);
  EXPECT_EQ(kept(9000), 8960);
  EXPECT_EQ(kept(536), 536);
  EXPECT_EQ(kept(100), 48);
  EXPECT_EQ(kept(0), 48);  // as small as any MSS is treated
}

RC_GTEST_PROP(SynCookies, OpenOnlyForTheSynTheyWereMadeFor,
              (std::uint32_t irs, std::uint16_t mss, std::uint32_t other)) {
  const SynCookies cookies{SipKey{3, 4}};
  const SeqNum cookie = cookies.make(start, some_tuple(), SeqNum{irs}, mss);
  RC_ASSERT(cookies.open(start, some_tuple(), SeqNum{irs}, cookie).has_value());
  RC_ASSERT(!cookies.open(start, some_tuple(40001), SeqNum{irs}, cookie));
  if (other != irs) RC_ASSERT(!cookies.open(start, some_tuple(), SeqNum{other}, cookie));
  RC_ASSERT(!(SynCookies{SipKey{3, 5}}).open(start, some_tuple(), SeqNum{irs}, cookie));
  for (std::uint32_t bit = 0; bit < 32; ++bit) {
    RC_ASSERT(!cookies.open(start, some_tuple(), SeqNum{irs}, SeqNum{cookie.value() ^ (1U << bit)}));
  }
}

TEST(SynCookies, AgeOneToTwoPeriods) {
  const SynCookies cookies{SipKey{1, 2}};
  const SeqNum cookie = cookies.make(start, some_tuple(), SeqNum{7}, 1460);
  EXPECT_TRUE(cookies.open(start + SynCookies::period, some_tuple(), SeqNum{7}, cookie));
  EXPECT_FALSE(cookies.open(start + SynCookies::longest_life, some_tuple(), SeqNum{7}, cookie));
}

// RFC 4987 SYNF-02: with timestamps nothing is lost.
RC_GTEST_PROP(SynCookies, TimestampsCarryTheOptions, (std::uint32_t clock, bool sack, bool ecn)) {
  CookieOptions options;
  options.sack = sack;
  options.ecn = ecn;
  const auto shift = *rc::gen::inRange<std::uint8_t>(0, 16);
  if (shift < 15) options.window_scale = WindowScale{shift};
  const std::uint32_t value = SynCookies::stamp(clock, options);
  RC_ASSERT(SynCookies::read_stamp(value) == options);
  RC_ASSERT(clock - value < 64U);  // never ahead of the clock, hardly behind it
}

// ------------------------------------------------------------------------------------------------------ the handshake

// RFC 4987 SYNF-01, SYNF-02: nothing is kept, and nothing is lost but what the MSS class rounds away.
TEST(TcpSynCookie, AFullQueueAnswersWithACookieThatKeepsEveryOption) {
  TcpPeer t{tiny_queue()};
  t.listen();
  flood(t, 40);
  EXPECT_EQ(t.layer().list().size(), 4U);
  EXPECT_EQ(t.sink().count.syn_cookies_sent, 36U);
  EXPECT_EQ(t.drops(observe::DropReason::TcpSynQueueFull), 0U);  // who was there first stays
  t.use_port(60000);
  t.in("S 0 <mss 1300,sackOK,TS val 77 ecr 0,nop,wscale 9>");
  const auto answer = t.out("S. 0 ack 1 <mss 1460,sackOK,TS val * ecr 77,nop,wscale *>");
  EXPECT_EQ(answer.reason, observe::TxReason::SynCookie);
  EXPECT_EQ(t.layer().list().size(), 4U);
  t.in(". 1 ack 1 win 100");
  EXPECT_EQ(t.sink().count.syn_cookies_received, 1U);
  t.accept();
  const auto status = t.status();
  EXPECT_EQ(status.state, TcpState::Established);
  EXPECT_TRUE(status.sack);
  EXPECT_TRUE(status.timestamps);
  EXPECT_EQ(status.snd_wscale, 9);
  EXPECT_EQ(status.rcv_wscale, answer.header.options.window_scale);
  EXPECT_EQ(status.snd_wnd, 100U << 9);
  EXPECT_EQ(status.mss, 1220U - 12);  // the class of 1,300, options deducted
  t.send(100);
  t.out("P. 1+100 ack 1");
  t.in("P. 1+50 ack 101");
  t.read_exactly(50);
  t.ignore_rest();
}

// RFC 4987 SYNF-02: without timestamps only the MSS can be kept, so the SYN-ACK offers nothing else.
TEST(TcpSynCookie, WithoutTimestampsNothingElseIsOffered) {
  TcpPeer t{tiny_queue(1, SynCookieUse::Always)};
  t.listen();
  t.in("S 0 win 1000 <mss 1460,sackOK,nop,wscale 7>");
  t.out("S. 0 ack 1 <mss 1460>");
  t.in(". 1 ack 1 win 1000");
  t.accept();
  const auto status = t.status();
  EXPECT_FALSE(status.sack || status.timestamps);
  EXPECT_EQ(status.snd_wnd, 1000U);
  EXPECT_EQ(status.mss, 1460U);
  EXPECT_LE(status.rcv_wnd, 65535U);
}

TEST(TcpSynCookie, TheFirstDataMayBringItBack) {
  TcpPeer t{tiny_queue(1, SynCookieUse::Always)};
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in("P. 1+200 ack 1");  // the bare ACK was lost
  t.accept();
  t.read_exactly(200);
  t.ignore_rest();
}

// defer_accept holds for connections that come by a cookie, too.
TEST(TcpSynCookie, WithDeferAcceptTheConnectionWaitsForData) {  // RFC 4987 SYNF-01; TCP_DEFER_ACCEPT
  TcpPeer t{tiny_queue(4, SynCookieUse::Always)};
  ConnectionOptions deferring;
  deferring.defer_accept = 10s;
  t.listen(16, deferring);
  t.in("S 0 win 1000 <mss 1300,sackOK,TS val 77 ecr 0,nop,wscale 9>");
  EXPECT_EQ(t.out("S. 0 ack 1").reason, observe::TxReason::SynCookie);
  t.in(". 1 ack 1 win 100");
  t.silence(5s);
  t.no_event(EventKind::AcceptReady);
  EXPECT_EQ(t.layer().list().size(), 1U);
  t.in("P. 1+100 ack 1 win 100");
  t.event(EventKind::AcceptReady);
  t.accept();
  t.read_exactly(100);
  EXPECT_TRUE(t.status().sack);
  EXPECT_EQ(t.status().snd_wnd, 100U << 9);
  t.ignore_rest();
}

TEST(TcpSynCookie, DeferAcceptEndsAfterItsTimeHereToo) {  // TCP_DEFER_ACCEPT
  TcpPeer t{tiny_queue(4, SynCookieUse::Always)};
  ConnectionOptions deferring;
  deferring.defer_accept = 10s;
  t.listen(16, deferring);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.out_after(10s, "S. 0 ack 1");  // asks again
  t.in(". 1 ack 1");
  t.accept();
  t.state(TcpState::Established);
}

TEST(TcpSynCookie, DeferredInAFullQueueTheDataBringsTheCookieBack) {  // RFC 4987 SYNF-01; TCP_DEFER_ACCEPT
  TcpPeer t{tiny_queue(4)};
  ConnectionOptions deferring;
  deferring.defer_accept = 10s;
  t.listen(16, deferring);
  flood(t, 10);
  t.use_port(60000);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.nothing();
  EXPECT_EQ(t.layer().list().size(), 4U) << "nothing is kept";
  t.no_event(EventKind::AcceptReady);
  t.in("P. 1+100 ack 1");
  t.event(EventKind::AcceptReady);
  t.accept();
  t.read_exactly(100);
  t.ignore_rest();
}

TEST(TcpSynCookie, ARepeatedSynGetsTheSameCookie) {
  TcpPeer t{tiny_queue(1, SynCookieUse::Always)};
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  const auto first = t.our_iss();
  t.wait(1s);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  EXPECT_EQ(t.our_iss(), first);
}

// RFC 4987 SYNF-02: the RST of LISTEN (RFC 9293 section 3.10.7.2), and no connection. A flow that was sent a cookie may
// have lost the segment that proves it: the others are passed over, not reset.
TEST(TcpSynCookie, AForgedAckOpensNothing) {
  TcpPeer t{tiny_queue()};
  t.listen();
  flood(t, 8);
  t.use_port(60000);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 2");
  t.nothing();
  t.in(". 2 ack 1");  // the right cookie with another SYN's number
  t.nothing();
  EXPECT_EQ(t.sink().count.syn_cookies_failed, 2U);
  EXPECT_EQ(t.sink().count.syn_cookies_received, 0U);
  t.use_port(60001);
  t.in(". 1 ack 1");
  EXPECT_EQ(t.any().header.flags.rst, true);
  EXPECT_EQ(t.layer().accept(t.listener()).error(), Error::WouldBlock);
}

// The bare ACK and the first data are lost, what follows arrives: once the client repeats its first data, all is well.
TEST(TcpSynCookie, DataBehindALostFirstSegmentDoesNotEndTheConnection) {  // RFC 4987 SYNF-02
  TcpPeer t{tiny_queue(1, SynCookieUse::Always)};
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in("P. 101+100 ack 1");
  t.nothing();
  EXPECT_EQ(t.sink().drops(observe::DropReason::TcpBadAck), 1U);
  t.in(". 1+100 ack 1");
  t.in("P. 101+100 ack 1");
  t.accept();
  t.read_exactly(200);
  t.ignore_rest();
}

TEST(AnsweredSyns, RememberFlowsForOneToTwoPeriods) {
  tcp::AnsweredSyns flows;
  Instant now = start;
  EXPECT_FALSE(flows.may_have(now, 17));
  flows.note(now, 17);
  EXPECT_TRUE(flows.may_have(now, 17));
  EXPECT_FALSE(flows.may_have(now, 18));
  now = now + tcp::AnsweredSyns::period;
  EXPECT_TRUE(flows.may_have(now, 17));
  flows.note(now, 18);
  now = now + tcp::AnsweredSyns::period;
  EXPECT_FALSE(flows.may_have(now, 17));
  EXPECT_TRUE(flows.may_have(now, 18));
  EXPECT_FALSE(flows.may_have(now + 2 * tcp::AnsweredSyns::period, 18));
}

TEST(AnsweredSyns, ForgetAFlowThatWasOpened) {
  tcp::AnsweredSyns flows;
  flows.note(start, 17);
  flows.note(start + tcp::AnsweredSyns::period, 17);
  flows.note(start, 18);
  flows.forget(17);
  EXPECT_FALSE(flows.may_have(start + tcp::AnsweredSyns::period, 17));
  EXPECT_TRUE(flows.may_have(start + tcp::AnsweredSyns::period, 18));
}

// RFC 9293 section 3.10.7.1: once the cookie has come back and the connection is over, its peer's segments are answered
// with the RST they would get without cookies, or a half-open peer would never learn of the end.
TEST(TcpSynCookie, AFlowThatIsOverIsResetAgain) {
  TcpPeer t{tiny_queue(1, SynCookieUse::Always)};
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in("P. 1+100 ack 1");
  t.accept();
  t.discard();
  t.abort();
  t.out("R. 1 ack 101");
  t.in(". 100 ack 1");  // the RST was lost: a keep-alive
  t.out("R 1");
}

// A repeated SYN, with room in the queue by now: another sequence number would make the ACK of the first answer wrong.
TEST(TcpSynCookie, ARepeatedSynGetsTheSameCookieWhenThereIsRoomAgain) {  // RFC 4987 SYNF-02
  TcpPeer t{tiny_queue(1)};
  t.listen();
  t.use_port(39999);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.use_port(40000);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  const auto first = t.our_iss();
  t.use_port(39999);
  t.in("R 1");
  t.use_port(40000);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  EXPECT_EQ(t.our_iss(), first);
  t.in(". 1 ack 1");
  t.accept();
}

// Another listener of the endpoint may get the ACK: by its four-tuple, once the first has company or has gone.
TEST(TcpSynCookie, AnyListenerOfTheEndpointTakesItBack) {  // RFC 4987 SYNF-02
  TcpPeer t{tiny_queue(1, SynCookieUse::Always)};
  ConnectionOptions sharing;
  sharing.reuse_port = true;
  const auto first = t.layer().listen(t.tuple().local, 10, sharing);
  ASSERT_TRUE(first);
  for (std::uint16_t port = 40001; port <= 40008; ++port) {
    t.use_port(port);
    t.in("S 0 <mss 1460>");
    t.out("S. 0 ack 1");
  }
  const auto second = t.layer().listen(t.tuple().local, 10, sharing);
  ASSERT_TRUE(second);
  t.layer().close_listener(t.now(), *first);
  for (std::uint16_t port = 40001; port <= 40008; ++port) {
    t.use_port(port);
    t.in(". 1 ack 1");
    t.nothing();
  }
  EXPECT_EQ(t.sink().count.syn_cookies_received, 8U);
}

// RFC 7323 section 2.2: the scale that was offered holds, whichever listener the ACK finds.
TEST(TcpSynCookie, TheOfferedScaleHoldsForAnotherListener) {
  TcpPeer t{tiny_queue(1, SynCookieUse::Always)};
  ConnectionOptions large, small;
  large.receive_buffer = 64 << 20;
  small.receive_buffer = 60'000;
  const auto first = t.layer().listen(t.tuple().local, 10, large);
  ASSERT_TRUE(first);
  t.in("S 0 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>");
  const auto answer = t.out("S. 0 ack 1 <mss 1460,sackOK,TS val * ecr 1,wscale *>");
  const unsigned shift = *answer.header.options.window_scale;
  t.layer().close_listener(t.now(), *first);
  const auto second = t.layer().listen(t.tuple().local, 10, small);
  ASSERT_TRUE(second);
  t.in(". 1 ack 1 <TS val 2 ecr " + std::to_string(answer.header.options.timestamps->ts_val) + ">");
  const auto accepted = t.layer().accept(*second);
  ASSERT_TRUE(accepted);
  EXPECT_EQ(t.layer().status(*accepted)->rcv_wscale, shift);
}

TEST(TcpSynCookie, IsWorthNothingWhenOld) {
  TcpPeer t{tiny_queue(1, SynCookieUse::Always)};
  t.listen();
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.wait(SynCookies::longest_life);
  t.in(". 1 ack 1");
  t.out("R 1");
}

// Only where cookies were sent of late is there one to be guessed.
TEST(TcpSynCookie, IsNotLookedForWhereNoneWasSent) {
  TcpPeer t{tiny_queue(100)};
  t.listen();
  t.in(". 1 ack 1");
  t.out("R 1");
  EXPECT_EQ(t.sink().count.syn_cookies_failed, 0U);
}

// RFC 4987 SYNF-03: beyond the backlog nothing is reset, and the cookie stays good for the client's next segment.
TEST(TcpSynCookie, TheBacklogHoldsForCookiesToo) {
  TcpPeer t{tiny_queue(1, SynCookieUse::Always)};
  t.listen(1);
  for (const std::uint16_t port : {std::uint16_t{40001}, std::uint16_t{40002}}) {
    t.use_port(port);
    t.in("S 0 <mss 1460>");
    t.out("S. 0 ack 1");
  }
  t.use_port(40001);
  t.in(". 1 ack 1");
  t.use_port(40002);
  t.in(". 1 ack 1");
  t.nothing();
  EXPECT_EQ(t.drops(observe::DropReason::TcpListenBacklogFull), 1U);
  t.use_port(40001);
  t.accept();
  t.use_port(40002);
  t.in("P. 1+10 ack 1");
  t.accept();
  t.read_exactly(10);
  t.ignore_rest();
}

// RFC 4987 section 3.4: the other way to let newcomers in.
TEST(TcpSynCookie, SwitchedOffTheOldestEntryMakesRoom) {
  TcpPeer t{tiny_queue(4, SynCookieUse::Never)};
  t.listen();
  flood(t, 10);
  EXPECT_EQ(t.sink().count.syn_cookies_sent, 0U);
  EXPECT_EQ(t.drops(observe::DropReason::TcpSynQueueFull), 6U);
  EXPECT_EQ(t.layer().list().size(), 4U);
}

TEST(TcpSynCookie, AQueueOfNoEntriesWorks) {
  for (const auto use : {SynCookieUse::Never, SynCookieUse::WhenFull}) {
    TcpPeer t{tiny_queue(0, use)};
    t.establish();
    t.in("P. 1+10 ack 1");
    t.read_exactly(10);
    t.ignore_rest();
  }
}

// RFC 4987 SYNF-01: fifty thousand SYNs take no memory, and a newcomer gets in at once.
TEST(TcpSynCookie, AFloodTakesNoMemory) {
  TcpPeer t{tiny_queue(64)};
  t.listen();
  for (int round = 0; round < 10; ++round) flood(t, 5000);
  EXPECT_EQ(t.layer().list().size(), 64U);
  EXPECT_EQ(t.pool().buffers_in_use(), 0U);
  t.use_port(60000);
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.accept();
}

}  // namespace
}  // namespace wireside::testing

// TCP Fast Open (RFC 7413), server and client.
#include "tcp/fast_open.hpp"

#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

ConnectionOptions server(std::size_t queue = 16) {
  ConnectionOptions o;
  o.fast_open_queue = queue;
  return o;
}

ConnectionOptions client() {
  ConnectionOptions o;
  o.fast_open = true;
  return o;
}

std::string hex(const wire::FastOpenCookie& cookie) {
  std::string text;
  for (const std::uint8_t octet : cookie.view()) {
    text += "0123456789abcdef"[octet >> 4];
    text += "0123456789abcdef"[octet & 15];
  }
  return text;
}

/// Asks the listener for a cookie, and leaves the connection that this opened half open.
std::string cookie_of(TcpPeer& t) {
  t.use_port(39999);
  t.in("S 0 <mss 1460,tfo>");
  const auto answer = t.out("S. 0 ack 1 <mss 1460,tfo *>");
  t.in("R 1");
  t.use_port(TcpPeer::peer_port);
  return answer.header.options.fast_open ? hex(*answer.header.options.fast_open) : "";
}

/// The layer as client gets this cookie from its peer; leaves nothing emitted.
void learn_cookie(TcpPeer& t, std::string_view cookie = "a1a2a3a4a5a6a7a8", std::string_view mss = "1460") {
  t.use_port(39999);
  t.connect(client());
  t.out("S 0 <mss 1460,sackOK,TS val * ecr 0,wscale *,tfo>");
  t.in("S. 0 ack 1 <mss " + std::string{mss} + ",tfo " + std::string{cookie} + ">");
  t.out(". 1 ack 1");
  t.abort();
  t.discard();
  t.use_port(TcpPeer::peer_port);
}

// ----------------------------------------------------------------------------------------------------------- server

// RFC 7413 TFO-05: off unless the application asks for it; the option and the data count for nothing then.
TEST(TcpFastOpenServer, IsOffUnlessAskedFor) {
  TcpPeer t;
  t.listen();
  t.in("S 0+100 <mss 1460,tfo>");
  t.out("S. 0 ack 1 <mss 1460>");
}

// RFC 7413 TFO-02
TEST(TcpFastOpenServer, GivesACookieToWhoAsks) {
  TcpPeer t;
  t.listen(16, server());
  t.in("S 0 <mss 1460,tfo>");
  const auto first = t.out("S. 0 ack 1 <mss 1460,tfo *>");
  EXPECT_EQ(t.sink().count.fast_open_cookies_requested, 1U);
  t.use_port(40001);
  t.in("S 0 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7,tfo>");
  const auto second = t.out("S. 0 ack 1 <mss 1460,sackOK,TS val * ecr 1,wscale *,tfo *>");
  EXPECT_EQ(first.header.options.fast_open, second.header.options.fast_open);  // the same host
  t.in(". 1 ack 1");
  t.accept();
}

// RFC 7413 TFO-01: with a valid cookie the data is there before the handshake is over.
TEST(TcpFastOpenServer, DeliversDataOfASynWithAGoodCookie) {
  TcpPeer t;
  t.listen(16, server());
  const auto cookie = cookie_of(t);
  t.in("S 0+100 win 1000 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7,tfo " + cookie + ">");
  t.event(EventKind::AcceptReady);
  t.out("S. 0 ack 101 <mss 1460,sackOK,TS val * ecr 1,wscale *>");
  t.accept();
  t.state(TcpState::SynReceived);
  t.event(EventKind::Readable);
  t.read_exactly(100);
  t.in(". 101 ack 1 win 10");
  t.state(TcpState::Established);
  EXPECT_EQ(t.status().snd_wnd, 1280U);
  t.in("P. 101+50 ack 1");
  t.read_exactly(50);
  t.send(10);
  t.out("P. 1+10 ack 151");
  EXPECT_EQ(t.sink().count.fast_open_passive, 1U);
  t.in("F. 151 ack 11");
  t.out(". 11 ack 152");
  t.close();
  t.out("F. 11 ack 152");
  t.in(". 152 ack 12");
  t.gone();
  EXPECT_EQ(t.pool().buffers_in_use(), 0U);
}

// RFC 7413 section 4.2.2: the answer need not wait for the handshake's end: that is the round trip saved.
TEST(TcpFastOpenServer, AnswersBehindTheSynAck) {
  TcpPeer t;
  t.listen(16, server());
  const auto cookie = cookie_of(t);
  t.in("S 0+100 <mss 1460,tfo " + cookie + ">");
  t.out("S. 0 ack 101");
  t.accept();
  t.send(2000);
  t.out(". 1+1460 ack 101");
  t.out("P. 1461+540 ack 101");
  t.in(". 101 ack 1");
  t.state(TcpState::Established);
  t.in(". 101 ack 2001");
  EXPECT_EQ(t.status().flight, 0U);
  t.silence(1min);
}

TEST(TcpFastOpenServer, KeepAliveAskedForBeforeTheHandshakeEndsIsKept) {  // RFC 9293 MUST-24
  TcpPeer t;
  t.listen(16, server());
  const auto cookie = cookie_of(t);
  t.in("S 0+100 <mss 1460,tfo " + cookie + ">");
  t.discard();
  t.accept();
  auto o = server();
  o.keep_alive = true;
  o.keep_alive_idle = 10s;
  t.options(o);
  t.in(". 101 ack 1");
  t.out_within(11s, ". 0 ack 101");
  t.ignore_rest();
}

TEST(TcpFastOpenServer, OneAckMayEndTheHandshakeAndCoverTheAnswer) {
  TcpPeer t;
  t.listen(16, server());
  const auto cookie = cookie_of(t);
  t.in("S 0+100 <mss 1460,tfo " + cookie + ">");
  t.out("S. 0 ack 101");
  t.accept();
  t.send(300);
  t.out("P. 1+300 ack 101");
  t.in(". 101 ack 301");
  t.state(TcpState::Established);
  EXPECT_EQ(t.status().flight, 0U);
  EXPECT_EQ(t.status().send_queued, 0U);
  t.silence(1min);
}

TEST(TcpFastOpenServer, AnAnswerThatIsLostIsSentAgain) {
  TcpPeer t;
  t.listen(16, server());
  const auto cookie = cookie_of(t);
  t.in("S 0+100 <mss 1460,tfo " + cookie + ">");
  t.out("S. 0 ack 101");
  t.accept();
  t.send(300);
  t.out("P. 1+300 ack 101");
  t.in(". 101 ack 1");
  t.out_within(3s, "P. 1+300 ack 101");
  t.in(". 101 ack 301");
  EXPECT_EQ(t.status().flight, 0U);
}

// RFC 7413 TFO-01: else the SYN is acknowledged alone, and the answer brings a good cookie.
TEST(TcpFastOpenServer, DoesNotTakeDataBehindABadCookie) {
  TcpPeer t;
  t.listen(16, server());
  const auto good = cookie_of(t);
  t.in("S 0+100 <mss 1460,tfo 0102030405060708>");
  const auto answer = t.out("S. 0 ack 1 <mss 1460,tfo *>");
  EXPECT_EQ(hex(*answer.header.options.fast_open), good);
  EXPECT_EQ(t.layer().accept(t.listener()).error(), Error::WouldBlock);
  EXPECT_EQ(t.sink().count.fast_open_passive_fails, 1U);
  t.in("P. 1+100 ack 1");  // the client sends it again
  t.accept();
  t.read_exactly(100);
  t.ignore_rest();
}

TEST(TcpFastOpenServer, AnswersARepeatedSynAgain) {  // RFC 7413 section 4.2.1: the client falls back without data
  TcpPeer t;
  t.listen(16, server());
  const auto cookie = cookie_of(t);
  t.in("S 0+100 <mss 1460,tfo " + cookie + ">");
  t.out("S. 0 ack 101");
  t.in("S 0 <mss 1460>");
  EXPECT_EQ(t.out("S. 0 ack 101").reason, observe::TxReason::SynAckRetransmit);
  t.in(". 101 ack 1");
  t.accept();
  t.state(TcpState::Established);
  t.read_exactly(100);
}

TEST(TcpFastOpenServer, RepeatsItsSynAckUntilItGivesUp) {  // RFC 9293 MUST-23
  TcpPeer t;
  t.listen(16, server());
  const auto cookie = cookie_of(t);
  t.in("S 0+100 <mss 1460,tfo " + cookie + ">");
  t.out("S. 0 ack 101");
  t.accept();
  for (const auto gap : {1s, 2s, 4s, 8s}) t.out_after(gap, "S. 0 ack 101");
  t.wait(5min);
  t.discard();
  t.failed(Error::TimedOut);
}

// RFC 7413 TFO-04: beyond the limit the SYN is answered as usual. One that ended by a RST counts for a minute, since a
// spoofed address may answer so (section 5.1).
TEST(TcpFastOpenServer, PendingConnectionsAreLimited) {
  TcpPeer t;
  t.listen(16, server(2));
  const auto cookie = cookie_of(t);
  const auto open = [&](std::uint16_t port, const char* answer) {
    t.use_port(port);
    t.in("S 0+100 <mss 1460,tfo " + cookie + ">");
    t.out(answer);
  };
  open(40001, "S. 0 ack 101");
  open(40002, "S. 0 ack 101");
  open(40003, "S. 0 ack 1");
  EXPECT_EQ(t.sink().count.fast_open_overflows, 1U);
  t.use_port(40001);
  t.in(". 101 ack 1");  // no longer pending
  open(40004, "S. 0 ack 101");
  t.in("R 101");
  open(40005, "S. 0 ack 1");
  t.wait(61s);
  t.discard();
  open(40006, "S. 0 ack 101");
  t.ignore_rest();
}

TEST(TcpFastOpenServer, AResetBeforeTheEndOfTheHandshakeIsAReset) {
  TcpPeer t;
  t.listen(16, server());
  const auto cookie = cookie_of(t);
  t.in("S 0+100 <mss 1460,tfo " + cookie + ">");
  t.out("S. 0 ack 101");
  t.accept();
  t.in("R 101");
  t.failed(Error::ConnectionReset);
}

TEST(TcpFastOpenServer, ClosingBeforeTheEndOfTheHandshakeSendsWhatWasGiven) {
  TcpPeer t;
  t.listen(16, server());
  const auto cookie = cookie_of(t);
  t.in("S 0+100 <mss 1460,tfo " + cookie + ">");
  t.out("S. 0 ack 101");
  t.accept();
  t.read_exactly(100);
  t.send(50);
  t.out("P. 1+50 ack 101");
  t.shutdown();
  t.send_fails(Error::BrokenPipe);
  t.in(". 101 ack 51");
  t.out("F. 51 ack 101");
  t.ignore_rest();
}

TEST(TcpFastOpenServer, TheBacklogHoldsHereToo) {
  TcpPeer t;
  t.listen(1, server());
  const auto cookie = cookie_of(t);
  t.in("S 0+100 <mss 1460,tfo " + cookie + ">");
  t.out("S. 0 ack 101");
  t.use_port(40001);
  t.in("S 0+100 <mss 1460,tfo " + cookie + ">");
  t.nothing();
}

// ----------------------------------------------------------------------------------------------------------- client

// RFC 7413 TFO-05
TEST(TcpFastOpenClient, IsOffUnlessAskedFor) {
  TcpPeer t;
  t.connect({}, 100);
  EXPECT_FALSE(t.out("S 0 <mss 1460,sackOK,TS val * ecr 0,wscale *>").header.options.fast_open);
  t.in("S. 0 ack 1 <mss 1460>");
  t.out("P. 1+100 ack 1");  // the first data follows the handshake
}

// RFC 7413 TFO-03
TEST(TcpFastOpenClient, AsksForACookieAndSendsDataInTheNextSyn) {
  TcpPeer t;
  learn_cookie(t);
  t.connect(client(), 100);
  t.out("S 0+100 <mss 1460,sackOK,TS val * ecr 0,wscale *,tfo a1a2a3a4a5a6a7a8>");
  t.in("S. 0 ack 101 <mss 1460>");
  t.event(EventKind::Connected);
  t.out(". 101 ack 1");
  EXPECT_EQ(t.status().send_queued, 0U);
  EXPECT_EQ(t.status().octets_sent, 100U);
  EXPECT_EQ(t.sink().count.fast_open_active, 1U);
  t.send(50);
  t.out("P. 101+50 ack 1");
  t.in(". 1 ack 151");
  EXPECT_EQ(t.status().flight, 0U);
  t.silence(1min);
}

// RFC 7413 TFO-03: what the SYN can hold is what the server's last MSS allows, less the options.
TEST(TcpFastOpenClient, SendsNoMoreInTheSynThanTheServersMss) {
  TcpPeer t;
  learn_cookie(t, "a1a2a3a4", "600");
  t.connect(client(), 2000);
  t.out("S 0+572 <mss 1460,sackOK,TS val * ecr 0,wscale *,tfo a1a2a3a4>");  // 600 - 28 of options
  t.in("S. 0 ack 573 <mss 600>");
  t.out(". 573+600 ack 1");
  t.out(". 1173+600 ack 1");
  t.out("P. 1773+228 ack 1");
}

// RFC 7413 section 4.2.1: data that was not taken is sent at once behind the handshake.
TEST(TcpFastOpenClient, SendsAgainWhatTheServerDidNotTake) {
  TcpPeer t;
  learn_cookie(t);
  t.connect(client(), 100);
  t.out("S 0+100");
  t.in("S. 0 ack 1 <mss 1460,tfo b1b2b3b4b5b6b7b8>");
  t.out("P. 1+100 ack 1");
  t.in(". 1 ack 101");
  EXPECT_EQ(t.sink().count.fast_open_active_fails, 1U);
  t.use_port(40001);
  t.connect(client(), 10);
  t.out("S 0+10 <mss 1460,sackOK,TS val * ecr 0,wscale *,tfo b1b2b3b4b5b6b7b8>");  // the new cookie
  t.ignore_rest();
}

TEST(TcpFastOpenClient, SendsTheRestWhenTheServerTookAPart) {
  TcpPeer t;
  learn_cookie(t);
  t.connect(client(), 100);
  t.out("S 0+100");
  t.in("S. 0 ack 41 <mss 1460>");
  t.out("P. 41+60 ack 1");
}

// RFC 7413 TFO-03: without option and data, and for some time no further attempts.
TEST(TcpFastOpenClient, FallsBackWithoutDataWhenTheSynIsLost) {
  TcpPeer t;
  learn_cookie(t);
  t.connect(client(), 100);
  t.out("S 0+100 <mss 1460,sackOK,TS val * ecr 0,wscale *,tfo *>");
  t.out_after(1s, "S 0 <mss 1460,sackOK,TS val * ecr 0,wscale *>");
  t.in("S. 0 ack 1 <mss 1460>");
  t.out("P. 1+100 ack 1");
  t.use_port(40001);
  t.connect(client(), 100);
  t.out("S 0 <mss 1460,sackOK,TS val * ecr 0,wscale *>");
  t.abort();
  t.wait(2min);
  t.discard();
  t.use_port(40002);
  t.connect(client(), 100);
  t.out("S 0+100 <mss 1460,sackOK,TS val * ecr 0,wscale *,tfo *>");
  t.ignore_rest();
}

TEST(TcpFastOpenClient, ALateAnswerToTheFirstSynIsGood) {
  TcpPeer t;
  learn_cookie(t);
  t.connect(client(), 100);
  t.out("S 0+100");
  t.out_after(1s, "S 0");
  t.in("S. 0 ack 101 <mss 1460>");
  t.out(". 101 ack 1");
  t.state(TcpState::Established);
}

TEST(TcpFastOpenClient, FallsBackWhenTheRequestIsLost) {
  TcpPeer t;
  t.connect(client());
  t.out("S 0 <mss 1460,sackOK,TS val * ecr 0,wscale *,tfo>");
  t.out_after(1s, "S 0 <mss 1460,sackOK,TS val * ecr 0,wscale *>");
  t.in("S. 0 ack 1 <mss 1460>");
  t.out(". 1 ack 1");
}

TEST(TcpFastOpenClient, WithoutDataTheCookieIsNotShown) {
  TcpPeer t;
  learn_cookie(t);
  t.connect(client());
  t.out("S 0 <mss 1460,sackOK,TS val * ecr 0,wscale *>");
}

TEST(TcpFastOpenClient, ACookieNobodyAskedForIsNotKept) {
  TcpPeer t;
  t.connect();
  t.out("S 0");
  t.in("S. 0 ack 1 <mss 1460,tfo a1a2a3a4a5a6a7a8>");
  t.out(". 1 ack 1");
  t.use_port(40001);
  t.connect(client(), 10);
  t.out("S 0 <mss 1460,sackOK,TS val * ecr 0,wscale *,tfo>");
}

TEST(TcpFastOpenClient, FirstDataBeyondTheSendBufferIsRefused) {
  TcpPeer t;
  ConnectionOptions o = client();
  o.send_buffer = 1000;
  const std::vector<std::uint8_t> octets(1001);
  const auto refused = t.layer().connect(t.now(), t.tuple(), o, octets);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Error::MessageTooLong);
  t.collect();
  t.nothing();
}

TEST(TcpFastOpenClient, ARefusalIsARefusal) {
  TcpPeer t;
  learn_cookie(t);
  t.connect(client(), 100);
  t.out("S 0+100");
  t.in("R. 0 ack 101");
  t.failed(Error::ConnectionRefused);
  EXPECT_EQ(t.pool().buffers_in_use(), 0U);
}

// RFC 9293 MUST-10 with data in our SYN: the crossing SYN does not acknowledge it.
TEST(TcpFastOpenClient, SimultaneousOpenSendsTheDataBehindTheHandshake) {
  TcpPeer t;
  learn_cookie(t);
  t.connect(client(), 100);
  t.out("S 0+100");
  t.in("S 0 <mss 1460>");
  t.out("S. 0 ack 1");
  t.in(". 1 ack 1");
  t.state(TcpState::Established);
  t.out("P. 1+100 ack 1");
}

TEST(TcpFastOpenServer, DataOfTheSynMayBeUrgent) {  // RFC 9293 MUST-32
  TcpPeer t;
  t.listen(16, server());
  const auto cookie = cookie_of(t);
  t.in("SU 0+100 urg 101 <mss 1460,tfo " + cookie + ">");
  t.accept();
  t.event(EventKind::Urgent);
  EXPECT_EQ(t.status().urgent_ahead, 100U);
  t.ignore_rest();
}

}  // namespace
}  // namespace wireside::testing

// Connections at rest: nobody can notice but by the memory. Everything here runs with idle connections put to rest at
// once, and as if they were not.
#include <gtest/gtest.h>

#include <tuple>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

using namespace std::chrono_literals;

class TcpRest : public ::testing::TestWithParam<bool> {
 protected:
  static PeerSetup setup() {
    PeerSetup s;
    s.config.max_awake_idle = GetParam() ? 0 : 256;
    return s;
  }
};

TEST_P(TcpRest, DataWakesIt) {
  TcpPeer t{setup()};
  t.establish(all_options);
  for (int i = 0; i < 3; ++i) {
    t.wait(1min);
    t.in("P. " + std::to_string(1 + 100 * i) + "+100 ack 1 <nop,TS val 2 ecr last>");
    t.read_exactly(100);
    t.out_within(50ms, ". 1 ack " + std::to_string(101 + 100 * i));
  }
}

TEST_P(TcpRest, TheApplicationWakesIt) {
  TcpPeer t{setup()};
  t.establish();
  t.wait(1h);
  t.send(100);
  t.out("P. 1+100 ack 1");
  t.in(". 1 ack 101");
  t.wait(1h);
  t.close();
  t.out("F. 101 ack 1");
  t.in("F. 1 ack 102");
  t.out(". 102 ack 2");
}

TEST_P(TcpRest, KeepAliveGoesOn) {  // RFC 9293 MUST-28
  TcpPeer t{setup()};
  ConnectionOptions options;
  options.keep_alive = true;
  options.keep_alive_idle = 10s;
  options.keep_alive_interval = 2s;
  options.keep_alive_probes = 2;
  t.establish("<mss 1460>", options);
  for (int i = 0; i < 5; ++i) {
    t.out_after(10s, ". 0 ack 1");
    t.in(". 1 ack 1");
  }
  t.out_after(10s, ". 0 ack 1");
  t.out_after(2s, ". 0 ack 1");
  t.out_after(2s, "R. 1 ack 1");
  t.failed(Error::TimedOut);
}

// RFC 5961 section 10: rest does not renew the ration.
TEST_P(TcpRest, ChallengesStayRationed) {
  TcpPeer t{setup()};
  t.establish();
  std::size_t answers = 0;
  for (int i = 0; i < 30; ++i) answers += t.in_repeatedly(1, "S 1000 win 65535 <mss 1460>");
  EXPECT_EQ(answers, 10U);
  t.wait(2s);
  EXPECT_EQ(t.in_repeatedly(1, "S 1000 win 65535 <mss 1460>"), 1U);
}

TEST_P(TcpRest, AnErrorFromTheNetworkIsKept) {  // RFC 1122 4.2.3.9: a soft error
  TcpPeer t{setup()};
  t.establish();
  t.icmp(Error::HostUnreachable, false);
  t.wait(1min);
  EXPECT_EQ(t.status().error, Error::HostUnreachable);
  t.state(TcpState::Established);
}

TEST_P(TcpRest, ListingsDoNotTellItApart) {
  TcpPeer t{setup()};
  t.establish(all_options);
  t.send(5000);
  t.discard();
  t.in(". 1 ack 5001 <nop,TS val 2 ecr last>");
  t.wait(1min);
  const auto listed = t.layer().list();
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].state, TcpState::Established);
  EXPECT_EQ(listed[0].octets_sent, 5000U);
  EXPECT_EQ(listed[0].snd_una, listed[0].iss + 5001);
  EXPECT_TRUE(listed[0].sack);
  EXPECT_EQ(listed[0].tuple, t.tuple());
}

INSTANTIATE_TEST_SUITE_P(AtOnceOrNot, TcpRest, ::testing::Bool());

/// What a status call tells of the variables of RFC 9293 and of the path.
std::vector<std::uint64_t> state_of(const ConnectionStatus& s) {
  return {s.iss.value(),
          s.irs.value(),
          s.snd_una.value(),
          s.snd_nxt.value(),
          s.snd_wnd,
          s.rcv_wnd,
          s.rcv_nxt.value(),
          s.snd_wscale,
          s.rcv_wscale,
          s.mss,
          s.timestamps,
          s.sack,
          s.ecn,
          s.cwnd,
          s.ssthresh,
          s.flight,
          s.pipe,
          s.sacked,
          s.lost,
          s.reordering_seen,
          s.reo_wnd_mult,
          s.delivery_rate,
          s.delivery_rate_app_limited,
          s.pacing_rate,
          s.rcv_mss,
          s.path_mtu,
          s.advertised_mss,
          s.send_buffer,
          s.receive_buffer,
          s.retransmissions,
          s.urgent_ahead,
          s.received_tos};
}
std::vector<std::uint64_t> counts_of(const ConnectionStatus& s) {
  return {s.ce_received,
          s.ece_received,
          s.duplicates_reported,
          s.delivered,
          s.segments_sent,
          s.segments_received,
          s.data_segments_sent,
          s.data_segments_received,
          s.octets_retransmitted,
          s.total_retransmitted,
          s.octets_sent,
          s.octets_received,
          s.unsent,
          s.send_queued,
          s.receive_queued,
          s.out_of_order};
}
std::vector<std::int64_t> times_of(const ConnectionStatus& s) {
  return {s.min_rtt.count(), s.rcv_rtt.count(),   s.user_timeout.count(),  s.srtt.count(),         s.rttvar.count(),
          s.rto.count(),     s.data_sent_at.ns(), s.data_received_at.ns(), s.ack_received_at.ns(), s.timer_due.ns()};
}
auto all_of(const ConnectionStatus& s) { return std::tuple{state_of(s), counts_of(s), times_of(s)}; }

// A life with losses, duplicates, pauses and both directions: at each pause one that rests tells the same as one that
// does not.
TEST(TcpRest, StatusTellsTheSameWithAndWithoutRest) {
  std::vector<decltype(all_of({}))> told[2];
  for (const bool rests : {false, true}) {
    PeerSetup setup;
    setup.config.max_awake_idle = rests ? 0 : 256;
    setup.congestion = tcp::CongestionAlgorithm::Cubic;
    setup.pacing = tcp::Pacing::Auto;
    TcpPeer t{setup};
    t.establish_after(20ms, all_options, {}, ". 1 ack 1 <nop,TS val 2 ecr last>");
    const auto pause = [&] {
      t.wait(2s);
      t.discard();
      told[rests ? 1 : 0].push_back(all_of(t.status()));
    };
    std::uint32_t sent = 1, heard = 1;
    for (int round = 0; round < 12; ++round) {
      const std::string ack = std::to_string(heard);
      t.send(8000);
      t.wait(20ms);
      t.discard();
      if (round % 4 == 2) {  // the first segment is lost
        const auto hole = std::to_string(sent + 1448) + ":" + std::to_string(sent + 5792);
        t.in(". " + ack + " ack " + std::to_string(sent) + " <nop,TS val 3 ecr last,sack " + hole + ">");
        t.wait(30ms);
        t.discard();
      }
      sent += 8000;
      const bool twice = round % 4 == 2;
      t.in(". " + ack + " ack " + std::to_string(sent) + " <nop,TS val 4 ecr last" +
           (twice ? ",sack " + std::to_string(sent - 8000) + ":" + std::to_string(sent - 6552) : "") + ">");
      pause();
      t.in("P. " + ack + "+700 ack " + std::to_string(sent) + " <nop,TS val 5 ecr last>");
      heard += 700;
      t.read_exactly(700);
      pause();
    }
    EXPECT_FALSE(t.broken());
  }
  EXPECT_EQ(told[0], told[1]);
}

}  // namespace
}  // namespace wireside::testing

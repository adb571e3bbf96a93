// The connection that has the most to keep at rest: every value that need not be written down is there to be.
#include <gtest/gtest.h>

#include <tuple>

#include "tcp/connection_table.hpp"

namespace wireside::tcp {
namespace {

using namespace std::chrono_literals;

constexpr Instant noon = Instant::from_ns(1'000'000'000'000);

/// Slow start, congestion avoidance and slow start again, and a congestion event between them.
void fill_congestion(Congestion& c) {
  c.select(CongestionAlgorithm::Cubic);
  c.start(1448, false);
  const GrowthSample sample{
      .now = noon, .acked = 1448, .rtt = 20ms, .srtt = 20ms, .snd_una = SeqNum{1}, .snd_nxt = SeqNum{100'000}};
  c.reduce(100'000, CongestionSignal::Loss, noon);
  c.set_cwnd(c.ssthresh());
  c.on_ack(sample);
  c.reduce(70'000, CongestionSignal::Loss, noon);
  c.undo(100'000, UINT32_MAX);
  for (int i = 0; i < 20; ++i) c.on_ack(sample);
}

void fill_recovery(Recovery& r, SeqNum una) {
  r.recover = una - 1;
  r.tlp_end = una;
  r.undoable = r.lowered_again = r.tlp_is_retransmission = r.partial_ack_seen = true;
  r.prior_cwnd = 100'000;
  r.prior_ssthresh = 50'000;
  r.undo_marker = una - 5000;
  r.repeated = wire::SackBlock{una - 4000, una - 1000};
  r.unproven = -3000;
  r.first_retransmit_time = 77;
}

void fill_sender(Connection& c) {
  Sender& s = c.snd;
  s.iss = SeqNum{7};
  s.snd_una = s.snd_nxt = SeqNum{900'000};
  s.snd_wl1 = SeqNum{400'000};
  s.snd_wl2 = SeqNum{899'999};
  s.snd_wnd = s.max_snd_wnd = 65'535;
  s.path.searching = s.path.full_size_tried = true;
  s.path.carries = 1012;
  s.path.fails_at = 1448;
  s.path.probe_at = noon + 10s;
  s.rack.adapt_to_duplicates(s.snd_una, s.snd_nxt, true);
  s.rack.min_rtt().sample(noon, 20ms);
  fill_recovery(s.recovery, s.snd_una);
  fill_congestion(s.congestion);
  s.rtt.sample(21ms);
  s.pacer.sent(noon, 1'000'000, 1448);
  s.pacer.hold_until(noon + 1s);
  s.unanswered = 1448;
  s.unanswered_since = noon - 1ms;
  s.blocked_writer = s.cwnd_limited = true;
  s.progress_at = s.last_sent_at = s.data_sent_at = noon - 2s;
  s.octets_sent = 899'999;
  s.retransmitted_segments = 3;
  s.octets_retransmitted = 4344;
  s.duplicates_reported = 2;
  s.buffer_limit = 1 << 20;
}

void fill_receiver(Receiver& r) {
  r.irs = SeqNum{11};
  r.rcv_nxt = r.last_ack_sent = SeqNum{500'000};
  r.rcv_adv = SeqNum{565'535};
  r.fin_at = SeqNum{499'999};
  r.fin_consumed = true;
  r.limit = 1 << 20;
  r.octets_received = 499'988;
  r.rtt = 19ms;
  r.ack_delay = 40ms;
  r.data_received_at = noon - 3s;
}

auto kept(const Connection& c) {
  const Recovery& r = c.snd.recovery;
  return std::tuple{c.state(),
                    c.id,
                    c.snd.snd_una,
                    c.snd.snd_wl2,
                    c.snd.path.probe_at,
                    c.snd.rack.window_multiplier(),
                    c.snd.rack.min_rtt().value(),
                    r.tlp_end,
                    r.prior_ssthresh,
                    r.unproven,
                    r.first_retransmit_time,
                    c.snd.congestion.cwnd(),
                    c.snd.rtt.rto(),
                    c.snd.pacer.release_at(),
                    c.snd.unanswered_since,
                    c.snd.octets_sent,
                    c.snd.buffer_limit,
                    c.rcv.fin_at,
                    c.rcv.octets_received,
                    c.ecn.ece_received,
                    c.ecn.reduced_at,
                    c.keep_alive_sent,
                    c.peer_user_timeout,
                    c.soft_error,
                    c.work.sws_override};
}

TEST(Rest, TheFullestConnectionReadsBack) {
  ConnectionTable table{{1s, 200ms, 60s}};
  observe::Sink sink;
  const FourTuple tuple{{Ipv4Address{10, 0, 0, 1}, Port{80}}, {Ipv4Address{10, 0, 0, 2}, Port{4000}}};
  Connection& c = table.emplace(3, tuple, {});
  const ConnectionHandle handle = c.handle;
  ASSERT_TRUE(c.transition(noon, observe::StateCause::ActiveOpen, TcpState::SynSent, sink));
  ASSERT_TRUE(c.transition(noon, observe::StateCause::SynAckReceived, TcpState::Established, sink));
  ASSERT_TRUE(c.transition(noon, observe::StateCause::FinReceived, TcpState::CloseWait, sink));
  c.demultiplexed = true;
  c.last_heard_at = noon;
  c.timestamps = {.offset = 5, .recent = 6, .recent_at = noon - 1s};
  fill_receiver(c.rcv);
  fill_sender(c);
  c.ecn.echo = c.ecn.owes_cwr = true;
  c.ecn.reduced_at = c.snd.snd_una - 1;
  c.ecn.ce_received = c.ecn.ece_received = 4;
  ASSERT_TRUE(c.ack_ration.take(noon, AckRation::Kind::Repeat));
  c.keep_alive_sent = 1;
  c.peer_user_timeout = 300s;
  c.soft_error = Error::HostUnreachable;
  c.work.sws_override = true;
  ASSERT_TRUE(may_rest(c));
  const auto before = kept(c);
  table.settle(c);
  ASSERT_EQ(table.count_awake(), 0U);
  EXPECT_EQ(kept(*table.find(handle)), before);
}

}  // namespace
}  // namespace wireside::tcp

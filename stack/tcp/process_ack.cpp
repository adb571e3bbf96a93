// Fifth step of RFC 9293 section 3.10.7.4 in synchronized states: what an acceptable ACK does to the sender. What it
// says about losses is judged in sack_recovery.cpp or, without SACK, in dupack_recovery.cpp.
#include "tcp/layer_state.hpp"

namespace wireside::tcp {

using observe::WindowCause;

namespace {
constexpr std::size_t least_refill = 65536;  // octets that are worth waking a writer for
}

void LayerState::accept_ack(Instant now, const IncomingSegment& s, Connection& c, const SegmentFacts& f) {
  Sender& snd = c.snd;
  AckNews news;
  const std::uint32_t pipe = snd.board.in_flight();
  if (f.advances) {
    forward_progress = true;
    news.acked = span_octets(snd.snd_una, s.header.ack);
    take_rtt_sample(now, s, c);
  }
  learn_deliveries(now, s, c, f, news);
  if (f.advances) move_una(now, s, c, news, pipe);
  if (news.dsack) ++snd.duplicates_reported;
  take_ecn_echo(now, s, c, news);
  lead_window_down(now, c, f, news);
  if (c.negotiated.sack) {
    recover_by_sack(now, s, c, f, news);
  } else if (f.advances) {
    recover_without_sack(now, s, c, f, news);
  } else if (f.is_duplicate_ack) {
    count_duplicate_ack(now, s, c);
  }
  if (news.delivered > 0) report_delivery(now, c, news);
  if (f.advances) {
    tune_send_buffer(c);
    offer_send_room(c);
  }
  update_send_window(now, s, c, f);
  if (c.has_unsent()) wants_output(c);
}

/// SND.UNA advances, and what depends on it; `pipe`: what the network held before.
void LayerState::move_una(Instant now, const IncomingSegment& s, Connection& c, const AckNews& news,
                          std::uint32_t pipe) {
  Sender& snd = c.snd;
  snd.queue.drop_front(std::min<std::size_t>(news.acked, snd.queue.octets()));  // a FIN is not in the queue
  snd.snd_una = s.header.ack;
  // A mark left behind follows, or it would seem to lie ahead after 2^31 octets.
  if (snd.small_end.before(snd.snd_una)) snd.small_end = snd.snd_una;
  if (c.ecn.reduced_at.before(snd.snd_una - 1)) c.ecn.reduced_at = snd.snd_una - 1;
  if (snd.recovery.open()) snd.recovery.recover = later(snd.recovery.recover, snd.snd_una - 1);
  snd.retransmissions = 0;
  judge_probe(now, c, false);
  snd.progress_at = now;
  c.soft_error.reset();
  // Growth is earned by using the window: an application-limited sender learns nothing about the path.
  const std::uint32_t cwnd = snd.congestion.cwnd();
  const std::uint32_t used = pipe + note_unanswered(now, c, news.acked);
  if (used + snd.mss > cwnd || (snd.congestion.in_slow_start() && 2 * used >= cwnd)) snd.cwnd_limited = true;
  restart_retransmission_timer(now, c);
  if (snd.snd_up && snd.snd_una.at_or_after(*snd.snd_up)) snd.snd_up.reset();
  if (snd.path.resend_end && snd.snd_una.at_or_after(*snd.path.resend_end)) snd.path.resend_end.reset();
}

/// Only an algorithm of the application's own looks at rates.
void LayerState::report_delivery(Instant now, Connection& c, const AckNews& news) {
  if (c.snd.congestion.algorithm() != CongestionAlgorithm::Custom) return;
  c.snd.congestion.on_delivery(path_sample(now, c, news));
}

/// Sending answers when all ACKs of a batch are in, or when the pacer lets it; what takes longer is no batch. Returns
/// what earlier ACKs of the batch covered.
std::uint32_t LayerState::note_unanswered(Instant now, Connection& c, std::uint32_t acked) {
  Sender& snd = c.snd;
  if (now - snd.unanswered_since > snd.rtt.srtt()) snd.unanswered = 0;
  if (snd.unanswered == 0) snd.unanswered_since = now;
  snd.unanswered += acked;
  return snd.unanswered - acked;
}

void LayerState::offer_send_room(Connection& c) {
  if (!c.snd.blocked_writer) return;
  const std::size_t room = c.send_room();
  const std::size_t most = c.options.notsent_lowat == 0 ? c.send_limit() : std::min(c.send_limit(), c.most_unsent());
  // A third at a time saves wake-ups; but where nearly all of the buffer is in flight, what is left may be gone before
  // the writer comes, so it is asked for smaller parts.
  const bool runs_dry = c.unsent() < most / 8;
  const std::size_t worthwhile = runs_dry ? std::min(most / 3, std::max(most / 16, least_refill)) : most / 3;
  if (room == 0 || room < worthwhile) return;
  c.snd.blocked_writer = false;
  raise(c, TcpEvent::Kind::Writable);
}

namespace {

/// Timestamps unmask the receiver that acknowledges ahead of what it has, to make us send faster ("optimistic ACKs",
/// Savage et al.): whoever has got the first octet of what is newly acknowledged echoes its time or a later one (RFC
/// 7323 section 4.3), and no time is echoed that is still to come. `sent` is that first octet's range.
bool echoes_falsely(Instant now, const IncomingSegment& s, const Connection& c, const SentRange& sent) {
  const auto& echo = s.header.options.timestamps;
  if (!c.negotiated.timestamps || !echo || sent.retransmitted) return false;
  return is_older(echo->ts_ecr, c.timestamps.now(sent.sent_at)) || is_older(c.timestamps.now(now), echo->ts_ecr);
}

}  // namespace

/// The scoreboard follows what the segment acknowledges, cumulatively and selectively.
void LayerState::learn_deliveries(Instant now, const IncomingSegment& s, Connection& c, const SegmentFacts& f,
                                  AckNews& news) {
  Sender& snd = c.snd;
  const auto& echo = s.header.options.timestamps;
  // What is reported beyond a gap says nothing by its echo: that is of the last segment in order (RFC 7323
  // section 4.3).
  bool in_order = true;
  const SeqNum una = snd.snd_una;
  const auto take = [&](const SentRange& range) {
    if (in_order && range.start == una && echoes_falsely(now, s, c, range)) {
      news.false_echo = true;
      ++sink.count.tcp_optimistic_acks;
    }
    news.delivered += range.octets();
    if (!range.retransmitted) {
      const Duration rtt = now - range.sent_at;
      news.rtt = news.rtt == Duration{0} ? rtt : std::min(news.rtt, rtt);
      news.original_delivered |= range.end.at_or_before(snd.recovery.recover);
      snd.rack.min_rtt().sample(now, rtt);
    }
    const bool echoes_earlier = in_order && range.retransmitted && c.negotiated.timestamps && echo &&
                                is_older(echo->ts_ecr, c.timestamps.now(range.sent_at));
    snd.rack.delivered(now, range, echoes_earlier);
    snd.rate.delivered(now, range.octets(), range.sent_at, range.mark);
  };
  if (f.advances) snd.board.acknowledge(s.header.ack, take);
  in_order = false;
  if (c.negotiated.sack) take_sack_blocks(s, c, news, take);
  news.rate = snd.rate.take_sample();
}

/// A rate over less than the shortest round trip is one of ACKs, not of deliveries.
DeliverySample LayerState::path_sample(Instant now, const Connection& c, const AckNews& news) {
  const Sender& snd = c.snd;
  const Duration min_rtt = snd.rack.min_rtt().value();
  DeliverySample sample;
  sample.now = now;
  sample.delivered = snd.rate.delivered_octets();
  sample.prior_delivered = news.rate.prior_delivered;
  sample.newly_delivered = news.delivered;
  sample.rate = min_rtt == Duration::max() || news.rate.interval >= min_rtt ? news.rate.per_second() : 0;
  sample.app_limited = news.rate.app_limited;
  sample.in_flight = snd.board.in_flight();
  sample.lost = snd.board.lost();
  sample.rtt = news.rtt;
  sample.min_rtt = min_rtt == Duration::max() ? Duration{0} : min_rtt;
  sample.recovering = !snd.recovery.open();
  return sample;
}

/// RFC 2018 section 5; the first block may report a duplicate instead (RFC 2883 section 4). Blocks outside of what is
/// in flight say nothing.
template <class F>
void LayerState::take_sack_blocks(const IncomingSegment& s, Connection& c, AckNews& news, F&& take) {
  const auto& options = s.header.options;
  const SeqNum una = later(c.snd.snd_una, s.header.ack);
  std::array<wire::SackBlock, 4> news_of{};
  std::size_t count = 0;
  for (std::uint8_t i = 0; i < options.sack_count; ++i) {
    const wire::SackBlock& block = options.sack[i];
    if (!block.left.before(block.right)) continue;
    const bool inside_next = i == 0 && options.sack_count > 1 && block.left.at_or_after(options.sack[1].left) &&
                             block.right.at_or_before(options.sack[1].right);
    if (i == 0 && (block.right.at_or_before(s.header.ack) || inside_next)) {
      // No older than what the peer's window can have held.
      if (block.left.at_or_after(s.header.ack - c.snd.max_snd_wnd)) news.dsack = block;
      continue;
    }
    if (block.left.before(una) || block.right.after(c.snd.snd_nxt)) continue;
    news_of[count++] = block;
  }
  // The newest comes first in the option, which is not the order in which they were sent.
  std::sort(news_of.begin(), news_of.begin() + static_cast<std::ptrdiff_t>(count),
            [](const wire::SackBlock& a, const wire::SackBlock& b) { return a.left.before(b.left); });
  const std::uint32_t before = news.delivered;
  for (std::size_t i = 0; i < count; ++i) c.snd.board.sack(news_of[i], take);
  news.sacked += news.delivered - before;
}

/// A timed segment gives a precise sample; after a retransmission only timestamps can (MUST-18, TS-08).
void LayerState::take_rtt_sample(Instant now, const IncomingSegment& s, Connection& c) {
  Duration sample{};
  if (c.snd.timing && s.header.ack.at_or_after(c.snd.timed_end)) {
    c.snd.timing = false;
    sample = now - c.snd.timed_at;
  } else if (!c.snd.timing && c.negotiated.timestamps && s.header.options.timestamps) {
    const std::uint32_t ticks = c.timestamps.now(now) - s.header.options.timestamps->ts_ecr;
    if (ticks > 600'000) return;  // ten minutes: not an echo of ours
    sample = std::chrono::milliseconds{ticks};
  } else {
    return;
  }
  take_sample(now, c, sample);
}

void LayerState::take_sample(Instant now, Connection& c, Duration sample) {
  c.snd.rtt.sample(sample);
  sink.emit(now, [&] {
    return observe::RttSampled{c.id, sample, c.snd.rtt.srtt(), c.snd.rtt.rttvar(), c.snd.rtt.rto()};
  });
}

/// That a loss was found, or was none, is told even where the window was too small already to be reduced.
void LayerState::report_window(Instant now, const Connection& c, std::uint32_t cwnd, std::uint32_t ssthresh,
                               WindowCause cause) const {
  const auto& cc = c.snd.congestion;
  const bool decision =
      cause == WindowCause::FastRetransmit || cause == WindowCause::Timeout || cause == WindowCause::Undo;
  if (!decision && cc.cwnd() == cwnd && cc.ssthresh() == ssthresh) return;
  sink.emit(now, [&] { return observe::WindowChanged{c.id, cwnd, cc.cwnd(), ssthresh, cc.ssthresh(), cause}; });
}

/// EV-23: an old segment can neither shrink nor grow the window.
void LayerState::update_send_window(Instant now, const IncomingSegment& s, Connection& c, const SegmentFacts& f) {
  Sender& snd = c.snd;
  const bool current =
      snd.snd_wl1.before(s.header.seq) || (snd.snd_wl1 == s.header.seq && snd.snd_wl2.at_or_before(s.header.ack));
  if (current) {
    snd.snd_wnd = f.window;
    snd.max_snd_wnd = std::max(snd.max_snd_wnd, f.window);
    snd.snd_wl1 = s.header.seq;
    snd.snd_wl2 = s.header.ack;
  }
  if (snd.snd_wnd == 0) {
    // MUST-37: an answered probe keeps the connection up, with window 0 for ever; but not longer than the application
    // asks for, and not one that it has given up, which a peer could let hold our memory (RFC 6429).
    const bool limited = c.detached || c.options.user_timeout > Duration{0};
    const bool waiting = !c.everything_acknowledged() || c.has_unsent();
    if (!limited || !waiting) snd.progress_at = now;
    return;
  }
  if (snd.probes > 0) snd.progress_at = now;  // the closed time does not count against the data
  snd.probes = 0;
  cancel_timer(now, c, TimerKind::ZeroWindowProbe);
  c.work.probe = false;
  // Octets sent as probes have had no timer of their own.
  if (!c.everything_acknowledged() && !c.timers.armed(TimerKind::Retransmission)) restart_retransmission_timer(now, c);
}

/// RFC 6298 rules (5.2) and (5.3). Of the partial ACKs only the first restarts it (RFC 6582 section 4).
void LayerState::restart_retransmission_timer(Instant now, Connection& c) {
  if (c.everything_acknowledged()) return cancel_timer(now, c, TimerKind::Retransmission);
  const Recovery& r = c.snd.recovery;
  const bool further_partial_ack = r.fast() && r.partial_ack_seen && c.snd.snd_una.before(r.recover);
  if (further_partial_ack && c.timers.armed(TimerKind::Retransmission)) return;
  set_timer(now, c, TimerKind::Retransmission, std::min(now + c.snd.rtt.rto(), c.snd.progress_at + give_up_after(c)));
}

/// What the acknowledgement of our FIN ends.
Step LayerState::close_steps_on_ack(Instant now, Connection& c, const SegmentFacts& f) {
  if (!f.acks_our_fin) return Step::Continue;
  cancel_timer(now, c, TimerKind::Linger);
  switch (c.state()) {
    case TcpState::FinWait1:
      c.transition(now, StateCause::AckOfFin, TcpState::FinWait2, sink);
      if (c.detached) set_timer(now, c, TimerKind::FinWait2, now + config.fin_wait_2_timeout);
      return Step::Continue;
    case TcpState::Closing:
      c.transition(now, StateCause::AckOfFin, TcpState::TimeWait, sink);
      enter_time_wait(now, c);
      return Step::Drop;
    case TcpState::LastAck:
      finish(now, c, StateCause::AckOfFin, std::nullopt);
      return Step::Drop;
    default:
      return Step::Continue;
  }
}

}  // namespace wireside::tcp

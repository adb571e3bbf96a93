// Header prediction: what nearly every segment is while nothing is lost, octets in order or an acknowledgement, in one
// function. It does what the steps of segment_arrives.cpp would do with such a segment, in their order, and leaves out
// those that could do nothing.
#include <bit>

#include "tcp/layer_state.hpp"

namespace wireside::tcp {
namespace {

static_assert(sizeof(wire::TcpFlags) == sizeof(std::uint64_t));

/// ACK, with or without PSH, and nothing else.
bool has_plain_flags(const wire::TcpFlags& flags) {
  constexpr auto ack = std::bit_cast<std::uint64_t>(wire::TcpFlags{.ack = true});
  constexpr auto psh = std::bit_cast<std::uint64_t>(wire::TcpFlags{.psh = true});
  return (std::bit_cast<std::uint64_t>(flags) & ~psh) == ack;
}

/// What the segment must be: all that can be asked of it, and nothing that has to be judged.
bool is_expected(const IncomingSegment& s, const Connection& c) {
  const auto& h = s.header;
  if (!has_plain_flags(h.flags)) return false;           // no RST, SYN, FIN, URG or echo of congestion
  if (h.seq != c.rcv.rcv_nxt) return false;              // the next in order,
  if (s.payload.size() > c.rcv.rcv_wnd()) return false;  // all of it inside the window
  if (h.ack.before(c.snd.snd_una) || h.ack.after(c.snd.snd_nxt)) return false;
  if (h.window == 0 || h.options.sack_count != 0 || h.options.user_timeout) return false;
  if (!c.negotiated.timestamps || !h.options.timestamps) return !c.negotiated.timestamps && !h.options.timestamps;
  return !is_older(h.options.timestamps->ts_val, c.timestamps.recent);  // PAWS
}

/// What the connection must be: open both ways, nothing missing on either side, nothing being tried.
bool is_untroubled(const Connection& c) {
  const Sender& snd = c.snd;
  const Receiver& rcv = c.rcv;
  if (c.state() != TcpState::Established || c.detached || c.receive_shut || c.fast_open_from.is_valid()) return false;
  if (!rcv.reassembly.empty() || rcv.fin_at || rcv.duplicate) return false;
  if (!c.negotiated.sack || !snd.recovery.open() || snd.recovery.tlp_end) return false;
  if (snd.board.sacked() != 0 || snd.board.lost() != 0 || snd.path.probing) return false;
  return snd.snd_wnd != 0 && snd.probes == 0 && !c.ecn.reducing;
}

}  // namespace

/// The connection that the last segment was for, if this one is for it, too: found without a hash.
Connection* LayerState::latest_connection(const FourTuple& tuple) const {
  Connection* c = connections.find_awake(latest_);
  return c != nullptr && c->demultiplexed && c->tuple == tuple ? c : nullptr;
}

bool LayerState::take_expected(Instant now, const IncomingSegment& s, Connection& c) {
  if (!config.fast_path || !is_expected(s, c) || !is_untroubled(c)) return false;
  note_arrival(now, s, c);
  if (s.header.ack == c.snd.snd_una) {
    take_repeated_ack(now, s, c);
  } else {
    take_expected_ack(now, s, c);
  }
  take_timestamp(now, s, c);
  if (!s.payload.empty()) {
    take_expected_text(now, s, c);
    take_ecn_marks(s, c);
  }
  return true;
}

/// Acknowledges nothing new: all it can bring is a window.
void LayerState::take_repeated_ack(Instant now, const IncomingSegment& s, Connection& c) {
  Sender& snd = c.snd;
  snd.recovery.prefer_new_data = false;
  snd.rack.adapt_to_duplicates(snd.snd_una, snd.snd_nxt, false);
  cancel_timer(now, c, TimerKind::Reordering);
  if (snd.board.in_flight() > 0 || c.timers.armed(TimerKind::TailLossProbe)) schedule_tail_probe(now, c);
  take_expected_window(now, s, c);
}

/// Acknowledges octets that were sent once, all of what came before them having arrived.
void LayerState::take_expected_ack(Instant now, const IncomingSegment& s, Connection& c) {
  Sender& snd = c.snd;
  SegmentFacts f;
  f.advances = true;
  AckNews news;
  const std::uint32_t pipe = snd.board.in_flight();
  forward_progress = true;
  news.acked = span_octets(snd.snd_una, s.header.ack);
  take_rtt_sample(now, s, c);
  learn_deliveries(now, s, c, f, news);
  move_una(now, s, c, news, pipe);
  snd.recovery.prefer_new_data = false;
  snd.rack.adapt_to_duplicates(snd.snd_una, snd.snd_nxt, false);
  cancel_timer(now, c, TimerKind::Reordering);
  grow_window(now, c, news);
  schedule_tail_probe(now, c);
  if (news.delivered > 0) {
    wants_output(c);
    report_delivery(now, c, news);
  }
  tune_send_buffer(c);
  offer_send_room(c);
  take_expected_window(now, s, c);
}

/// EV-23, for a window that neither was nor becomes zero.
void LayerState::take_expected_window(Instant now, const IncomingSegment& s, Connection& c) {
  Sender& snd = c.snd;
  if (!snd.snd_wl1.after(s.header.seq) && (snd.snd_wl1 != s.header.seq || snd.snd_wl2.at_or_before(s.header.ack))) {
    snd.snd_wnd = std::uint32_t{s.header.window} << c.negotiated.snd_wscale.shift();
    snd.max_snd_wnd = std::max(snd.max_snd_wnd, snd.snd_wnd);
    snd.snd_wl1 = s.header.seq;
    snd.snd_wl2 = s.header.ack;
  }
  cancel_timer(now, c, TimerKind::ZeroWindowProbe);
  c.work.probe = false;
  if (!c.everything_acknowledged() && !c.timers.armed(TimerKind::Retransmission)) restart_retransmission_timer(now, c);
  if (c.has_unsent()) wants_output(c);
}

void LayerState::take_expected_text(Instant now, const IncomingSegment& s, Connection& c) {
  if (c.work.ack_now) keep_ack_before(s, c);
  deliver(c, s.payload);
  raise(c, TcpEvent::Kind::Readable);
  acknowledge_text(now, s, c, static_cast<std::uint32_t>(s.payload.size()), false);
  sample_receiver_rtt(now, s, c);
}

}  // namespace wireside::tcp

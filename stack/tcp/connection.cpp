#include "tcp/connection.hpp"

namespace wireside::tcp {
namespace {

/// RFC 4022: tcpActiveOpens, tcpAttemptFails, tcpEstabResets.
void count_transition(TcpState from, TcpState to, observe::Counters& count) {
  if (to == TcpState::SynSent) ++count.tcp_active_opens;
  if (to != TcpState::Closed) return;
  if (from == TcpState::SynSent || from == TcpState::SynReceived) ++count.tcp_attempt_fails;
  if (from == TcpState::Established || from == TcpState::CloseWait) ++count.tcp_estab_resets;
}

}  // namespace

bool Connection::transition(Instant now, StateCause cause, TcpState to, observe::Sink& sink) {
  const TcpState from = state_;
  assert(is_edge(from, cause, to));
  if (!is_edge(from, cause, to)) return false;
  state_ = to;
  count_transition(from, to, sink.count);
  sink.emit(now, [&] { return observe::StateChanged{id, tuple, from, to, cause}; });
  return true;
}

/// A mark below one segment would fill none, and let a part of one go in each round trip.
std::size_t Connection::most_unsent() const { return std::max<std::size_t>(options.notsent_lowat, snd.mss); }

std::size_t Connection::send_room() const {
  const std::size_t limit = send_limit();
  const std::size_t room = snd.queue.octets() >= limit ? 0 : limit - snd.queue.octets();
  if (options.notsent_lowat == 0) return room;
  const std::size_t most = most_unsent();
  return std::min(room, most - std::min(most, unsent()));
}

/// What TCP_INFO has beyond RFC 9293's own variables.
void Connection::describe_paths(ConnectionStatus& s) const {
  s.sacked = snd.board.sacked();
  s.lost = snd.board.lost();
  s.recovery = static_cast<LossRecovery>(snd.recovery.phase);
  s.reordering_seen = snd.rack.reordering_seen();
  s.reo_wnd_mult = snd.rack.window_multiplier();
  s.duplicates_reported = snd.duplicates_reported;
  s.delivery_rate = snd.rate.rate();
  s.delivery_rate_app_limited = snd.rate.rate_is_app_limited();
  s.delivered = snd.rate.delivered_octets();
  if (const Duration least = snd.rack.min_rtt().value(); least != Duration::max()) s.min_rtt = least;
  s.rcv_rtt = rcv.rtt;
  s.rcv_mss = rcv.rcv_mss;
  s.segments_sent = snd.segments_sent;
  s.segments_received = rcv.segments_received;
  s.data_segments_sent = snd.data_segments_sent;
  s.data_segments_received = rcv.data_segments_received;
  s.octets_retransmitted = snd.octets_retransmitted;
  s.unsent = unsent();
  s.send_buffer = send_limit();
  s.data_sent_at = snd.data_sent_at;
  s.data_received_at = rcv.data_received_at;
  s.ack_received_at = rcv.ack_received_at;
  s.urgent_ahead = rcv.urgent_ahead();
  s.received_tos = rcv.tos;
}

ConnectionStatus Connection::status() const {
  ConnectionStatus s;
  s.id = id;
  s.tuple = tuple;
  s.state = state_;
  s.iss = snd.iss;
  s.irs = rcv.irs;
  s.snd_una = snd.snd_una;
  s.snd_nxt = snd.snd_nxt;
  s.rcv_nxt = rcv.rcv_nxt;
  s.snd_wnd = snd.snd_wnd;
  s.rcv_wnd = rcv.rcv_wnd();
  s.snd_wscale = negotiated.snd_wscale.shift();
  s.rcv_wscale = negotiated.rcv_wscale.shift();
  s.mss = snd.mss;
  s.timestamps = negotiated.timestamps;
  s.sack = negotiated.sack;
  s.ecn = negotiated.ecn;
  s.ce_received = ecn.ce_received;
  s.ece_received = ecn.ece_received;
  s.cwnd = snd.congestion.cwnd();
  s.ssthresh = snd.congestion.ssthresh();
  s.flight = snd.flight();
  s.pipe = snd.board.in_flight();
  s.congestion = snd.congestion.algorithm();
  s.srtt = snd.rtt.srtt();
  s.rttvar = snd.rtt.rttvar();
  s.rto = snd.rtt.rto();
  s.retransmissions = snd.retransmissions;
  s.total_retransmitted = snd.retransmitted_segments;
  s.octets_sent = snd.octets_sent;
  s.octets_received = rcv.octets_received;
  s.send_queued = snd.queue.octets();
  s.receive_queued = rcv.queue.octets();
  s.out_of_order = rcv.reassembly.octets();
  s.receive_buffer = rcv.limit;
  if (timers.earliest() != Instant::max()) {
    s.timer = timers.next();
    s.timer_due = timers.earliest();
  }
  s.error = error ? error : soft_error;
  describe_paths(s);
  return s;
}

}  // namespace wireside::tcp

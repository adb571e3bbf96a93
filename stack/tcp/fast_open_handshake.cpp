// Connections that are opened by data in the SYN (RFC 7413 section 4.2).
#include "tcp/layer_state.hpp"

namespace wireside::tcp {
namespace {

constexpr Duration reset_counts_for = std::chrono::seconds{60};  // section 5.1: a spoofed client answers with RST

}  // namespace

// --- server ---

/// A SYN that asks for a cookie, or brings one that is not good, is answered with one (section 4.2.2).
bool LayerState::wants_fast_open_cookie(const IncomingSegment& s, const Listener& l) const {
  const auto& cookie = s.header.options.fast_open;
  return l.options.fast_open_queue > 0 && cookie &&
         !fast_open_keys_.is_good(*cookie, s.tuple.remote.address, s.tuple.local.address);
}

bool LayerState::may_open_fast(Instant now, const IncomingSegment& s, Listener& l) {
  const auto& cookie = s.header.options.fast_open;
  if (l.options.fast_open_queue == 0 || !cookie) return false;
  fast_open_keys_.rotate(now, config.fast_open_key_lifetime, random);
  if (cookie->is_request()) {
    ++sink.count.fast_open_cookies_requested;
    return false;
  }
  if (!fast_open_keys_.is_good(*cookie, s.tuple.remote.address, s.tuple.local.address)) {
    ++sink.count.fast_open_passive_fails;
    return false;
  }
  if (s.payload.empty()) return false;
  while (!l.fast_open_resets.empty() && l.fast_open_resets.front() <= now) l.fast_open_resets.pop_front();
  if (l.fast_open_pending + l.fast_open_resets.size() < l.options.fast_open_queue) return true;
  ++sink.count.fast_open_overflows;
  return false;
}

/// Behind a good cookie the client is at least where it says it is: the connection is there at once, and its data is
/// delivered. False when the SYN is to be answered as any other.
bool LayerState::open_fast(Instant now, const IncomingSegment& s, ListenerHandle handle, Listener& l) {
  if (!may_open_fast(now, s, l)) return false;
  Handshake h;
  h.id = next_id_++;
  begin_handshake(now, s, handle, l, h);
  h.iss = initial_sequence(now, s.tuple);
  ++sink.count.tcp_passive_opens;
  ++sink.count.fast_open_passive;
  ++l.fast_open_pending;
  sink.emit(now, [&] {
    return observe::StateChanged{h.id, h.tuple, TcpState::Listen, TcpState::SynReceived, StateCause::SynReceived};
  });
  Connection& c = connection_of(h);
  c.fast_open_from = handle;
  c.snd.snd_una = c.snd.snd_nxt = h.iss;
  c.snd.snd_wnd = c.snd.max_snd_wnd = s.header.window;
  c.snd.snd_wl1 = s.header.seq;
  c.snd.snd_wl2 = h.iss;
  establish(now, c, false);  // all but the state: the client's SYN told what there is to know
  check_urgent(behind_syn(s), c);
  const auto octets = std::min<std::size_t>(s.payload.size(), h.rcv_wnd);
  deliver(c, s.payload.sub(0, octets));
  c.work.syn = true;
  wants_output(c);
  hand_over(c);
  return true;
}

/// Our SYN is acknowledged; data may have gone out behind it already.
void LayerState::fast_open_established(Instant now, Connection& c, bool syn_was_lost) {
  Sender& snd = c.snd;
  end_fast_open(now, c, false);
  if (snd.timing && snd.timed_end == snd.iss + 1) {
    snd.timing = false;
    snd.rtt.sample(now - snd.timed_at);
  }
  if (syn_was_lost) {
    snd.rtt.restart_after_syn_loss();
    snd.congestion.start(snd.mss, true);
  }
  snd.retransmissions = 0;
  snd.progress_at = now;
  c.soft_error.reset();
  if (!c.everything_acknowledged()) restart_retransmission_timer(now, c);
  arm_keep_alive(now, c);  // an application that has it already may have asked for it since
  wants_output(c);
}

void LayerState::end_fast_open(Instant now, Connection& c, bool by_reset) {
  if (!c.fast_open_from.is_valid()) return;
  if (Listener* l = listeners.find(c.fast_open_from); l != nullptr) {
    --l->fast_open_pending;
    if (by_reset) l->fast_open_resets.push_back(now + reset_counts_for);
  }
  c.fast_open_from = {};
}

// --- client ---

/// The first SYN asks for a cookie, or shows it and brings data. SYNs that are sent again do neither, so that whatever
/// does not let them through is got around (section 4.2.1).
void LayerState::offer_fast_open(Instant now, Connection& c, OutgoingSegment& out) {
  if (!c.options.fast_open || c.snd.retransmissions > 0) return;
  const FastOpenCache::Entry* known = fast_open_cache_.find(c.tuple);
  if (known != nullptr && now < known->blocked_until) return;
  auto& options = out.header.options;
  c.fast_open_asked = true;
  options.fast_open = known != nullptr ? known->cookie : wire::FastOpenCookie{};
  if (options.fast_open->is_request()) return;
  if (c.snd.queue.octets() == 0) {  // nothing to show it for
    options.fast_open.reset();
    c.fast_open_asked = false;
    return;
  }
  const std::size_t option_octets = wire::tcp_header_length(out.header) - wire::tcp_min_header;
  std::size_t room = std::min(known->mss, advertised_mss(c.options));
  if (path_mtu != nullptr) {
    const std::size_t mtu = path_mtu->mtu(c.tuple.remote.address);
    room = std::min(room, mtu > 2 * wire::tcp_min_header ? mtu - 2 * wire::tcp_min_header : 0);
  }
  room = room > option_octets ? room - option_octets : 0;
  const std::size_t octets = c.snd.queue.reach(0, std::min(room, c.snd.queue.octets()));
  c.snd.queue.collect(0, octets, out.payload);
  c.syn_octets = static_cast<std::uint32_t>(octets);
}

/// `ack` is behind our SYN. Octets of its data that the peer did not take are sent as if they never had been.
void LayerState::acknowledge_first_data(Connection& c, SeqNum ack) {
  const std::uint32_t taken = span_octets(c.snd.iss + 1, ack);
  if (c.syn_octets > 0) ++(taken > 0 ? sink.count.fast_open_active : sink.count.fast_open_active_fails);
  c.snd.queue.drop_front(taken);
  c.snd.octets_sent += taken;
  c.snd.snd_una = c.snd.snd_nxt = ack;
}

void LayerState::learn_fast_open(const IncomingSegment& s, Connection& c) {
  const auto& cookie = s.header.options.fast_open;
  if (!c.fast_open_asked || !cookie || cookie->is_request()) return;
  fast_open_cache_.remember(c.tuple, *cookie, c.negotiated.peer_mss);
}

}  // namespace wireside::tcp

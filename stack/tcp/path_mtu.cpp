// How large a segment may be on this path: what routers report (RFC 1191), and what is found out when they say nothing
// (RFC 4821: a black hole is suspected after repeated timeouts, and larger sizes are tried again later).
#include "tcp/layer_state.hpp"

namespace wireside::tcp {
namespace {

constexpr std::uint32_t ip_tcp_headers = 40;
constexpr std::uint32_t base_mtu = 1024;    // RFC 4821 section 7.2
constexpr std::uint32_t lowest_mtu = 552;   // of the search: nearly every path carries it
constexpr std::uint32_t close_enough = 32;  // where the search ends (octets)
constexpr unsigned suspicious_timeouts = 2;
constexpr Duration first_probe_after = std::chrono::seconds{10};
constexpr Duration search_again_after = std::chrono::minutes{10};  // RFC 4821 section 7.7

}  // namespace

/// The connection whose segment with this sequence number is on its way; nullptr where there is none.
Connection* LayerState::find_in_flight(const FourTuple& tuple, SeqNum seq) const {
  const auto entry = find_flow(tuple);
  if (!entry || entry->kind != DemuxEntry::Kind::Connection) return nullptr;
  Connection* c = connections.awake_at(entry->slot);  // at rest it has nothing in flight
  const bool in_flight = c != nullptr && seq.at_or_after(c->snd.snd_una) && seq.before(c->snd.snd_nxt);
  return in_flight ? c : nullptr;
}

/// Payload octets per segment that the path is known to carry, at most what the handshake agreed on.
std::uint32_t LayerState::path_mss(const Connection& c) const {
  const PathSearch& path = c.snd.path;
  std::uint32_t mss = path.agreed;
  if (path_mtu != nullptr) {
    const std::uint32_t mtu = path_mtu->mtu(c.tuple.remote.address);
    const std::uint32_t headers = ip_tcp_headers + path.option_octets;
    mss = std::min(mss, mtu > headers + 8 ? mtu - headers : 8U);
  }
  return path.searching ? std::min(mss, path.carries) : mss;
}

void LayerState::begin_path(Connection& c, std::uint32_t option_octets) {
  c.snd.path.agreed = c.snd.mss;
  c.snd.path.option_octets = option_octets;
  adopt_path(c);
}

/// Takes over what is known now. Sent octets stay sent; they are cut anew only where they are sent again.
void LayerState::adopt_path(Connection& c) {
  if (path_mtu != nullptr) c.snd.path.generation = path_mtu->generation();
  const std::uint32_t mss = path_mss(c);
  if (mss == c.snd.mss) return;
  c.snd.mss = mss;
  c.snd.congestion.set_smss(mss);
}

void LayerState::path_mtu_changed(Instant now, const FourTuple& tuple) {
  const auto entry = find_flow(tuple);
  if (!entry || entry->kind != DemuxEntry::Kind::Connection) return;
  Connection& c = connections.at(entry->slot);
  if (!is_synchronized(c.state())) return;  // establish() asks
  const std::uint32_t before = c.snd.mss;
  c.snd.path.probing = false;
  adopt_path(c);
  if (c.snd.mss >= before || c.everything_acknowledged()) return;
  // RFC 1191 section 6.4: what was too big is sent again at once; it says nothing about congestion.
  resend_from_start(c);
  if (!c.timers.armed(TimerKind::Retransmission)) restart_retransmission_timer(now, c);
}

void LayerState::resend_from_start(Connection& c) {
  c.snd.board.mark_all_lost();
  Recovery& r = c.snd.recovery;
  r.recover = c.snd.snd_nxt;  // duplicates of what was on its way start no recovery
  r.phase = Recovery::Phase::Open;
  r.prefer_new_data = false;
  r.dup_acks = 0;
  c.snd.path.resend_end = c.snd.snd_nxt;
  c.snd.timing = false;
  c.work.retransmit = false;
  wants_output(c);
}

/// RFC 4821 section 7.7: the same full-sized segment lost again and again, and no router says why.
void LayerState::suspect_black_hole(Instant now, Connection& c) {
  Sender& snd = c.snd;
  if (!config.mtu_probing || snd.retransmissions % suspicious_timeouts != 0) return;
  const SeqNum sent_end = earlier(snd.snd_nxt, c.data_end());
  const bool full_sized = snd.snd_una.before(sent_end) && span_octets(snd.snd_una, sent_end) >= snd.mss;
  const std::uint32_t headers = ip_tcp_headers + snd.path.option_octets;
  if (!full_sized || snd.mss <= lowest_mtu - headers) return;
  PathSearch& path = snd.path;
  path.fails_at = snd.mss;
  const bool well_above_base = snd.mss > base_mtu + base_mtu / 8 - headers;
  path.carries = (well_above_base ? base_mtu : lowest_mtu) - headers;
  path.searching = true;
  path.probe_at = now + first_probe_after;
  adopt_path(c);
}

/// Octets of a probe that may go now, 0 for none. It has to be followed by enough segments to make its loss seen.
std::uint32_t LayerState::plan_probe(Instant now, Connection& c, std::uint32_t unsent, std::uint32_t usable) {
  Sender& snd = c.snd;
  PathSearch& path = snd.path;
  if (!path.searching || path.probing || now < path.probe_at) return 0;
  if (snd.board.lost() > 0 || snd.board.sacked() > 0 || !snd.recovery.open() || snd.recovery.dup_acks > 0) return 0;
  std::uint32_t limit = path.agreed;
  if (path_mtu != nullptr) {
    limit = std::min(limit, path_mtu->mtu(c.tuple.remote.address) - ip_tcp_headers - path.option_octets);
  }
  if (now - path.probe_at >= search_again_after || path.fails_at == 0) path.fails_at = limit + 1;
  const std::uint32_t most = std::min(limit, path.fails_at - 1);
  if (most <= path.carries) {
    path.searching = path.carries < limit;  // found: the path carries all there is
    path.fails_at = 0;
    path.probe_at = now + search_again_after;
    return 0;
  }
  // The full size first: the cause may have been an outage, not a narrow path.
  const bool whole_range = path.fails_at > limit || !path.full_size_tried;
  const std::uint32_t octets = whole_range ? limit : path.carries + (most - path.carries + 1) / 2;
  if (std::min(unsent, usable) < octets + 3 * snd.mss) return 0;
  return octets;
}

void LayerState::probe_sent(Connection& c, SeqNum seq, std::uint32_t octets) {
  PathSearch& path = c.snd.path;
  path.probing = true;
  path.full_size_tried = true;
  path.probe_start = seq;
  path.probe_octets = octets;
}

/// RFC 4821 section 7.6.4: once the probe's octets go out again, in segments of another size, their acknowledgement
/// says nothing of the size of the probe.
void LayerState::probe_repeated(Connection& c, SeqNum from, SeqNum to) {
  PathSearch& path = c.snd.path;
  if (path.probing && from.before(path.probe_start + path.probe_octets) && path.probe_start.before(to)) {
    path.probing = false;
    if (path.probe_octets >= path.fails_at) path.full_size_tried = false;  // the same size again
  }
}

void LayerState::judge_probe(Instant now, Connection& c, bool lost) {
  const PathSearch& path = c.snd.path;
  if (!path.probing) return;
  if (lost && c.snd.snd_una != path.probe_start) return;  // something else was lost
  if (!lost && c.snd.snd_una.before(path.probe_start + path.probe_octets)) return;
  end_probe(now, c, lost);
}

/// RFC 4821 section 3, RFC 8899 section 3: a probe that is lost alone tells of its size and not of congestion. What it
/// carried is sent again at once, in segments that the path is known to carry, and the window stays.
bool LayerState::lost_only_probe(const Connection& c) {
  const Sender& snd = c.snd;
  if (!snd.path.probing || !snd.recovery.open() || snd.board.lost() != snd.path.probe_octets) return false;
  const auto lost = snd.board.first_lost();
  return lost && lost->left == snd.path.probe_start && lost->right == lost->left + snd.path.probe_octets;
}

/// The same without SACK: three duplicates ask for the probe. Whether more is missing behind it, the next ACKs tell.
bool LayerState::resend_probe(Instant now, Connection& c) {
  Sender& snd = c.snd;
  if (!snd.path.probing || !snd.recovery.open() || snd.snd_una != snd.path.probe_start) return false;
  snd.board.mark_front_lost(snd.path.probe_octets);
  end_probe(now, c, true);
  c.work.retransmit = true;  // the first segment of it at once, as after any three duplicates
  c.work.retransmit_reason = TxReason::PathMtuRetransmit;
  wants_output(c);
  return true;
}

void LayerState::end_probe(Instant now, Connection& c, bool lost) {
  PathSearch& path = c.snd.path;
  if (lost) {
    path.fails_at = path.probe_octets;
    path.resend_end = path.probe_start + path.probe_octets;
  } else {
    path.carries = path.probe_octets;
    if (path.carries >= path.agreed) path.searching = false;
  }
  path.probing = false;
  path.probe_at = now;
  if (path.carries + close_enough >= path.fails_at && path.fails_at != 0) {
    path.fails_at = 0;  // near enough; from the start again after a while
    path.full_size_tried = false;
    path.probe_at = now + search_again_after;
  }
  adopt_path(c);
}

}  // namespace wireside::tcp

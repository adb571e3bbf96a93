#include "support/tcp_peer.hpp"

#include <gtest/gtest.h>

#include <cstdio>

namespace wireside::testing {

namespace {

constexpr Ipv4Address local_address{10, 0, 0, 2};
constexpr Ipv4Address remote_address{10, 0, 0, 1};

std::string stamp(Duration t) {
  char text[32];
  std::snprintf(text, sizeof text, "%+12.6f ", static_cast<double>(t.count()) / 1e9);
  return text;
}

}  // namespace

TcpPeer::TcpPeer(PeerSetup setup) : setup_{std::move(setup)} {
  now_ = Instant::from_ns(0) + 1h;
  if (setup_.our_isn) start_clock_for(*setup_.our_isn);
  start_ = now_;
  make_layer();
  sink_.attach(this);
}

TcpPeer::~TcpPeer() {
  if (!complaint_.empty()) {
    complain(Where::current(), complaint_);
  } else if (!emitted_.empty() && !ignore_rest_) {
    complain(Where::current(), std::to_string(emitted_.size()) + " emitted segment(s) that the test did not look at");
  }
  emitted_.clear();
  layer_.reset();
}

void TcpPeer::make_layer() {
  random_ = std::make_unique<Random>(make_seed(setup_.seed));
  layer_ = std::make_unique<tcp::TcpLayer>(setup_.config, *random_, pool_, sink_);
  layer_->set_limits(setup_.mss, setup_.max_super_segment == 0 ? setup_.mss : setup_.max_super_segment);
}

// The initial sequence number is a 4 us clock plus a keyed hash of the four-tuple (RFC 6528), and the key comes from
// the seed. So a first layer tells the hash, and the clock's start makes up the rest.
void TcpPeer::start_clock_for(std::uint32_t our_isn) {
  make_layer();
  if (!layer_->connect(now_, tuple(), setup_.config.defaults)) return;
  tcp::OutgoingSegment syn;
  if (!layer_->poll_segment(now_, syn)) return;
  now_ += std::chrono::microseconds{4} * std::int64_t{our_isn - syn.header.seq.value()};
}

FourTuple TcpPeer::tuple() const { return tuple_from(port_); }

FourTuple TcpPeer::tuple_from(std::uint16_t port) const {
  return {{IpAddress{local_address}, Port{our_port}}, {IpAddress{remote_address}, Port{port}}};
}

TcpPeer::Flow& TcpPeer::flow_of(std::uint16_t port) {
  const auto [it, created] = flows_.try_emplace(port);
  if (created) it->second.peer_isn = SeqNum{setup_.peer_isn};
  return it->second;
}

void TcpPeer::note(std::string line) { lines_.push_back(stamp(now_ - start_) + std::move(line)); }

std::string TcpPeer::transcript() const {
  std::string text;
  for (const auto& line : lines_) text += line + "\n";
  return text;
}

void TcpPeer::complain(const Where& where, const std::string& message) {
  if (broken_) return;
  broken_ = true;
  ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line()))
      << message << "\nTranscript (< from the peer, > from the layer, ! application):\n"
      << transcript();
}

void TcpPeer::on_event(Instant, const observe::Event& event) {
  if (const auto* change = std::get_if<observe::StateChanged>(&event)) {
    states_.push_back(change->to);
    note("  state " + std::string{to_string(change->from)} + " -> " + std::string{to_string(change->to)} + " (" +
         std::string{to_string(change->cause)} + ")");
  } else if (const auto* drop = std::get_if<observe::Dropped>(&event)) {
    note("  dropped: " + std::string{to_string(drop->reason)});
  } else if (const auto* window = std::get_if<observe::WindowChanged>(&event)) {
    windows_.push_back(*window);
    note("  cwnd " + std::to_string(window->cwnd_before) + " -> " + std::to_string(window->cwnd) + ", ssthresh " +
         std::to_string(window->ssthresh) + " (" + std::string{to_string(window->cause)} + ")");
  } else if (const auto* sample = std::get_if<observe::RttSampled>(&event)) {
    samples_.push_back(*sample);
  } else if (const auto* timer = std::get_if<observe::TimerChanged>(&event)) {
    if (timer->what == observe::TimerChanged::What::Fired) note("  timer " + std::string{to_string(timer->timer)});
  }
}

// ---------------------------------------------------------------------------------------------------------- the wire

void TcpPeer::in(std::string_view text, Where where) {
  SegmentSpec spec;
  try {
    spec = parse_segment(text);
  } catch (const std::exception& error) {
    return complain(where, error.what());
  }
  Flow& f = flow();
  tcp::IncomingSegment segment;
  segment.tuple = tuple();
  segment.tos = spec.tos.value_or(0);
  auto& h = segment.header;
  h = build_header(spec, f.peer_isn, f.our_iss.value_or(SeqNum{}), window_, f.our_ts_val);
  h.source = Port{port_};
  h.destination = Port{our_port};
  if (h.flags.syn) {
    f.peer_offered_ts = h.options.timestamps.has_value();
    f.peer_offered_wscale = h.options.window_scale.has_value();
    if (h.options.timestamps) f.peer_ts_base = h.options.timestamps->ts_val;
  } else if (!spec.options.given && f.peer_offered_ts && f.we_offered_ts && !h.flags.rst) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now_ - start_).count();
    h.options.timestamps = wire::TcpTimestamps{f.peer_ts_base + static_cast<std::uint32_t>(ms), f.our_ts_val};
  }
  if (spec.length != 0) {
    const auto offset = static_cast<std::uint64_t>(spec.seq + (h.flags.syn ? 1 : 0) - 1);
    segment.payload = pool_.copy(pattern_octets(peer_to_us, offset, spec.length));
  }
  const SeqNum end = h.seq + spec.length + (h.flags.syn ? 1U : 0U) + (h.flags.fin ? 1U : 0U);
  // A challenged SYN far away says nothing about what the peer has sent on this connection.
  const bool stray = h.flags.syn && spec.seq != 0;
  if (!stray && (!f.peer_sent_end || end.after(*f.peer_sent_end))) f.peer_sent_end = end;
  note("< " + std::string{port_ == peer_port ? "" : "[" + std::to_string(port_) + "] "} +
       format_segment(h, spec.length, f.peer_isn, f.our_iss.value_or(SeqNum{})));
  layer_->segment_arrives(now_, segment);
  segment.payload = Slice{};
  collect();
}

void TcpPeer::collect() {
  if (holding_ != 0) return;
  tcp::OutgoingSegment segment;
  for (int i = 0; layer_->poll_segment(now_, segment); ++i) {
    take_emitted(segment);
    segment.payload.clear();
    if (i > 100'000) {
      complaint_ = "poll_segment() does not end";
      return;
    }
  }
  drain_events();
}

/// Records a segment; a super-segment is cut first where the test wants to see single ones.
void TcpPeer::take_emitted(const tcp::OutgoingSegment& segment) {
  if (setup_.max_super_segment != 0 || segment.gso_size == 0) {
    note_emitted(segment);
    emitted_.push_back({segment, now_});
    return;
  }
  const std::size_t total = segment.payload.octets();
  std::vector<std::uint8_t> octets(total);
  segment.payload.copy_to(0, octets);
  for (std::size_t from = 0; from < total; from += segment.gso_size) {
    const std::size_t length = std::min<std::size_t>(segment.gso_size, total - from);
    tcp::OutgoingSegment piece = segment;
    piece.gso_size = 0;
    piece.header.seq += static_cast<std::uint32_t>(from);
    if (from + length < total) piece.header.flags.fin = piece.header.flags.psh = false;
    piece.payload.clear();
    piece.payload.push_back(pool_.copy(ByteView{octets}.subspan(from, length)));
    note_emitted(piece);
    emitted_.push_back({std::move(piece), now_});
  }
}

void TcpPeer::note_emitted(const tcp::OutgoingSegment& s) {
  const auto port = s.tuple.remote.port.value;
  Flow& f = flow_of(port);
  const auto& h = s.header;
  if (h.flags.syn) {
    if (!f.our_iss || *f.our_iss != h.seq) f.right_edge.reset();
    f.our_iss = h.seq;
    f.we_offered_ts = h.options.timestamps.has_value();
    f.we_offered_wscale = h.options.window_scale.has_value();
    f.our_wscale = h.options.window_scale.value_or(0);
  }
  if (h.options.timestamps) f.our_ts_val = h.options.timestamps->ts_val;
  note("> " + std::string{port == peer_port ? "" : "[" + std::to_string(port) + "] "} +
       format_segment(h, s.payload.octets(), f.our_iss.value_or(SeqNum{}), f.peer_isn) + "  (" +
       std::string{to_string(s.reason)} + ")");
  check_emitted(f, s);
}

// What holds for every segment of every test: payload is the pattern, nothing unsent is acknowledged, and the window's
// right edge never moves left (SHLD-14).
void TcpPeer::check_emitted(Flow& f, const tcp::OutgoingSegment& s) {
  const auto& h = s.header;
  const auto length = s.payload.octets();
  if (length != 0 && f.our_iss) {
    std::vector<std::uint8_t> octets(length);
    s.payload.copy_to(0, octets);
    const auto offset = static_cast<std::uint64_t>(h.seq - *f.our_iss + (h.flags.syn ? 1 : 0) - 1);
    if (octets != pattern_octets(ours_to_peer, offset, length)) complaint_ = "payload differs from what was sent";
  }
  if (h.flags.rst || !h.flags.ack || !f.our_iss) return;
  if (f.peer_sent_end && h.ack.after(*f.peer_sent_end)) complaint_ = "acknowledges what the peer has not sent";
  const bool scaled = !h.flags.syn && f.we_offered_wscale && f.peer_offered_wscale;
  const SeqNum edge = h.ack + (std::uint32_t{h.window} << (scaled ? f.our_wscale : 0));
  if (check_right_edge_ && f.right_edge && edge.before(*f.right_edge))
    complaint_ = "right edge of the window moved left";
  f.right_edge = edge;
}

void TcpPeer::drain_events() {
  while (auto event = layer_->poll_event()) {
    static constexpr const char* names[] = {"connected", "accept-ready", "readable", "writable",
                                            "failed",    "closed",       "reported", "urgent"};
    std::string line = std::string{"! event "} + names[static_cast<std::size_t>(event->kind)];
    if (event->kind == EventKind::Failed) line += " " + std::string{errno_name(event->error)};
    note(std::move(line));
    events_.push_back(*event);
  }
}

tcp::OutgoingSegment TcpPeer::out(std::string_view text, Where where) {
  if (broken_) return {};
  if (!complaint_.empty()) {
    complain(where, std::exchange(complaint_, {}));
    return {};
  }
  SegmentSpec spec;
  try {
    spec = parse_segment(text);
  } catch (const std::exception& error) {
    complain(where, error.what());
    return {};
  }
  if (emitted_.empty()) {
    complain(where, "expected \"" + std::string{text} + "\", but nothing was emitted");
    return {};
  }
  auto segment = std::move(emitted_.front().segment);
  emitted_.pop_front();
  Flow& f = flow();
  const auto base = f.our_iss.value_or(SeqNum{});
  auto what = difference(spec, segment.header, segment.payload.octets(), base, f.peer_isn);
  if (spec.tos && segment.tos != *spec.tos) what = "TOS, which is " + std::to_string(segment.tos);
  if (segment.tuple.remote.port.value != port_) what = "remote port";
  if (!what.empty()) {
    complain(where, "expected \"" + std::string{text} + "\"\n but got \"" +
                        format_segment(segment.header, segment.payload.octets(), base, f.peer_isn) +
                        "\"\n differs: " + what);
  }
  return segment;
}

tcp::OutgoingSegment TcpPeer::any(Where where) {
  if (emitted_.empty()) {
    complain(where, "expected a segment, but nothing was emitted");
    return {};
  }
  auto segment = std::move(emitted_.front().segment);
  emitted_.pop_front();
  return segment;
}

void TcpPeer::advance(Instant target, bool stop_at_output) {
  for (int i = 0; i < 1'000'000; ++i) {
    if (stop_at_output && !emitted_.empty()) return;
    const Instant due = layer_->next_deadline();
    if (due > target) {
      now_ = std::max(now_, target);
      return;
    }
    now_ = std::max(now_, due);
    layer_->handle_timeouts(now_);
    collect();
  }
  complaint_ = "next_deadline() stays due after handle_timeouts()";
}

void TcpPeer::wait(Duration duration) { advance(now_ + duration, false); }

std::optional<Duration> TcpPeer::advance_to_output(Duration limit) {
  const Instant began = now_;
  advance(now_ + limit, true);
  if (emitted_.empty()) return std::nullopt;
  return emitted_.front().when - std::min(began, emitted_.front().when);
}

tcp::OutgoingSegment TcpPeer::out_after(Duration delay, std::string_view text, Duration tolerance, Where where) {
  if (broken_) return {};
  const auto took = advance_to_output(delay + tolerance);
  if (!took) {
    complain(where, "expected \"" + std::string{text} + "\" after " + stamp(delay) + "s, but nothing was emitted");
  } else if (*took < delay - tolerance) {
    complain(where, "expected \"" + std::string{text} + "\" after " + stamp(delay) + "s, but a segment came after " +
                        stamp(*took) + "s");
  }
  return out(text, where);
}

Duration TcpPeer::out_within(Duration limit, std::string_view text, Where where) {
  if (broken_) return {};
  const auto took = advance_to_output(limit);
  out(text, where);
  return took.value_or(limit);
}

void TcpPeer::nothing(Where where) {
  if (!complaint_.empty()) return complain(where, std::exchange(complaint_, {}));
  if (!emitted_.empty()) complain(where, "expected no segment, but " + std::to_string(emitted_.size()) + " came");
}

void TcpPeer::silence(Duration duration, Where where) {
  nothing(where);
  if (broken_) return;
  advance(now_ + duration, true);
  nothing(where);
}

std::size_t TcpPeer::in_repeatedly(std::size_t count, std::string_view text, Where where) {
  const auto before = emitted_.size();
  for (std::size_t i = 0; i < count; ++i) in(text, where);
  const auto drawn = emitted_.size() - before;
  emitted_.erase(emitted_.begin() + static_cast<std::ptrdiff_t>(before), emitted_.end());
  return drawn;
}

std::size_t TcpPeer::discard() {
  const auto count = emitted_.size();
  emitted_.clear();
  return count;
}

}  // namespace wireside::testing

#include "story.hpp"

#include <algorithm>
#include <utility>

#include "event_text.hpp"

namespace wireside {
namespace {

using observe::ConnectionView;
using observe::TimerKind;
using observe::TxReason;

std::size_t place_of(TimerKind k) { return static_cast<std::size_t>(k); }

/// The timer whose end makes us send for this reason.
std::optional<TimerKind> timer_behind(TxReason reason) {
  switch (reason) {
    case TxReason::DelayedAck:
      return TimerKind::DelayedAck;
    case TxReason::RtoRetransmit:
    case TxReason::SynRetransmit:
    case TxReason::SynAckRetransmit:
      return TimerKind::Retransmission;
    case TxReason::TailLossProbe:
      return TimerKind::TailLossProbe;
    case TxReason::ZeroWindowProbe:
      return TimerKind::ZeroWindowProbe;
    case TxReason::KeepAlive:
      return TimerKind::KeepAlive;
    default:
      return std::nullopt;
  }
}

bool repairs_loss(TxReason reason) {
  return reason == TxReason::FastRetransmit || reason == TxReason::PartialAckRetransmit ||
         reason == TxReason::RtoRetransmit;
}

std::uint32_t segments_in(std::uint64_t octets, std::uint32_t size) {
  return size == 0 || octets == 0 ? 0 : static_cast<std::uint32_t>((octets + size - 1) / size);
}

/// What an acknowledgement without data is about.
void count_received(const ConnectionView& before, const ConnectionView& after, Why& why) {
  switch (why.reason) {
    case TxReason::WindowUpdate: {
      const auto gain = after.rcv_edge() - before.rcv_edge();
      why.octets = gain > 0 ? static_cast<std::uint32_t>(gain) : 0;
      const std::uint32_t size = std::max(after.rcv_mss, after.mss);
      why.segments = size == 0 ? 0 : why.octets / size;
      return;
    }
    case TxReason::OutOfOrder:
      if (after.held.count > 0) why.gap = span_octets(after.rcv_nxt, after.held.range[0].left);
      [[fallthrough]];
    case TxReason::Ack:
    case TxReason::DelayedAck:
      why.octets = before.unacknowledged;
      why.segments = segments_in(why.octets, before.rcv_mss);
      return;
    default:
      return;
  }
}

}  // namespace

void Story::on_event(Instant now, const observe::Event& event) {
  last_ = now;
  if (const auto* in = std::get_if<observe::FrameReceived>(&event)) return frame_received(now, *in);
  if (const auto* out = std::get_if<observe::FrameSent>(&event)) return frame_sent(now, *out);
  if (const auto* step = std::get_if<observe::ConnectionChanged>(&event)) {
    return step->view != nullptr ? changed(now, *step) : void();
  }
  if (std::holds_alternative<observe::Handled>(event)) return handled(now);
  note(now, event);
}

const ConnectionView* Story::view(std::uint32_t connection) const {
  const auto it = connections_.find(connection);
  return it == connections_.end() || !it->second.seen ? nullptr : &it->second.view;
}

Story::Known& Story::known(std::uint32_t connection) {
  const auto [it, is_new] = connections_.try_emplace(connection);
  Known& c = it->second;
  if (!is_new) {
    order_.splice(order_.end(), order_, c.place);
    return c;
  }
  c.place = order_.insert(order_.end(), connection);
  if (connections_.size() > max_connections) forget(order_.front());
  return connections_.at(connection);
}

void Story::forget(std::uint32_t connection) {
  const auto it = connections_.find(connection);
  if (it == connections_.end()) return;
  order_.erase(it->second.place);
  connections_.erase(it);
}

// --- frames ---

void Story::frame_received(Instant now, const observe::FrameReceived& e) {
  handled(now);  // a source of events that does not say when a frame is dealt with
  frame_.assign(e.frame.begin(), e.frame.end());
  OpenFrame& open = open_.emplace(OpenFrame{});
  open.what.kind = Happening::Kind::FrameReceived;
  open.what.at = now;
  open.what.frame = frame_;
  open.what.gso_size = e.gso_size;
  open.what.tcp = tcp_facts(frame_);
}

void Story::close_frame() {
  OpenFrame open = std::move(*open_);
  open_.reset();
  sent_last_ = 0;
  if (open.has_before) open.what.before = &open.before;
  if (open.has_after) open.what.after = &open.after;
  open.what.events = open.events;
  reader_.on_happening(open.what);
}

/// The one made right now, else the oldest, which has waited. What is older than it has been dropped on its way.
std::optional<Story::MadeSegment> Story::take_made(Instant now, std::uint32_t connection) {
  const auto is_its = [&](const MadeSegment& m) { return m.connection == connection; };
  auto it = std::find_if(made_.begin(), made_.end(), [&](const MadeSegment& m) { return is_its(m) && m.at == now; });
  if (it == made_.end()) it = std::find_if(made_.begin(), made_.end(), is_its);
  if (connection == 0 || it == made_.end()) return std::nullopt;
  std::optional<MadeSegment> out{std::move(*it)};
  const Instant made_at = out->at;
  made_.erase(it);
  std::erase_if(made_, [&](const MadeSegment& m) { return is_its(m) && m.at < made_at; });
  return out;
}

Why Story::why(const observe::FrameSent& e, const std::optional<TcpFrameFacts>& tcp, const MadeSegment* made) {
  Why why;
  why.reason = e.reason;
  if (!tcp) return why;
  why.octets = static_cast<std::uint32_t>(tcp->payload_octets);
  why.segments = e.gso_size != 0 ? segments_in(why.octets, e.gso_size) : why.octets > 0 ? 1U : 0U;
  if (made == nullptr) return why;
  const ConnectionView& after = made->after;
  if (e.reason == TxReason::Data) {  // of which this frame may be the first part
    why.octets = span_octets(tcp->header.seq, after.snd_nxt) - (tcp->header.flags.fin ? 1U : 0U);
    why.segments = std::max(why.segments, segments_in(why.octets, after.mss));
  }
  if (const auto timer = timer_behind(e.reason)) why.timer = made->fired_for[place_of(*timer)];
  if (why.timer == Duration{0} && e.reason == TxReason::SynAckRetransmit && made->had_before) {
    why.timer = made->before.rto;  // the small record of a half-open connection tells of no timers
  }
  if (repairs_loss(e.reason)) why.loss = made->loss;
  why.count = e.reason == TxReason::ZeroWindowProbe ? after.probes
              : e.reason == TxReason::KeepAlive     ? after.keep_alives
                                                    : after.retransmissions;
  if (why.octets == 0) count_received(made->had_before ? made->before : after, after, why);
  return why;
}

void Story::frame_sent(Instant now, const observe::FrameSent& e) {
  if (open_) close_frame();
  frame_.assign(e.header.begin(), e.header.end());
  for (const ByteView run : e.payload) frame_.insert(frame_.end(), run.begin(), run.end());
  const auto made = take_made(now, e.connection);
  Happening h;
  h.kind = Happening::Kind::FrameSent;
  h.at = now;
  h.connection = e.connection;
  h.frame = frame_;
  h.gso_size = e.gso_size;
  h.tcp = tcp_facts(frame_);
  h.partial_checksum = e.checksum_partial;
  h.why = why(e, h.tcp, made ? &*made : nullptr);
  h.why.further_part = !made && e.connection != 0 && e.connection == sent_last_;
  if (made) {
    h.before = made->had_before ? &made->before : nullptr;
    h.after = &made->after;
    h.events = made->events;
  }
  sent_last_ = e.connection;
  reader_.on_happening(h);
}

// --- what happens between frames ---

/// Figures that later reasons need.
void Story::learn(Known& c, const observe::Event& event) {
  if (const auto* timer = std::get_if<observe::TimerChanged>(&event)) {
    const std::size_t k = place_of(timer->timer);
    if (timer->what == observe::TimerChanged::What::Set) c.set_for[k] = timer->in;
    if (timer->what == observe::TimerChanged::What::Fired) {
      c.fired_for[k] = c.set_for[k];
      if (!c.fired) c.fired = timer->timer;
    }
  } else if (const auto* loss = std::get_if<observe::LossFound>(&event)) {
    c.loss = *loss;
  } else if (const auto* state = std::get_if<observe::StateChanged>(&event)) {
    c.ended = state->to == TcpState::Closed;
  }
}

void Story::note(Instant now, const observe::Event& event) {
  const std::uint32_t connection = connection_of(event);
  if (connection != 0) learn(known(connection), event);
  if (open_) {
    if (open_->what.connection == 0) open_->what.connection = connection;
    if (open_->events.size() < max_pending) open_->events.push_back(event);
    return;
  }
  if (connection != 0) {
    Known& c = known(connection);
    if (c.pending.empty()) unfinished_.push_back(connection);
    if (c.pending.size() < max_pending) c.pending.push_back(event);
    return;
  }
  Happening h;
  h.at = now;
  h.events = {&event, 1};
  reader_.on_happening(h);
}

/// A step that is over, with what is pending of it.
void Story::tell_step(Instant now, Known& c, std::uint32_t connection, const ConnectionView* after,
                      Happening::Kind kind) {
  const ConnectionView before = c.view;
  const std::vector<observe::Event> events = std::exchange(c.pending, {});
  Happening h;
  h.kind = c.fired ? Happening::Kind::TimerFired : kind;
  h.at = now;
  h.connection = connection;
  h.before = c.seen ? &before : nullptr;
  h.after = after;
  h.events = events;
  if (c.fired) {
    h.timer = *c.fired;
    h.timer_after = c.fired_for[place_of(*c.fired)];
  }
  c.fired.reset();
  if (after != nullptr) c.view = *after;
  c.seen |= after != nullptr;
  reader_.on_happening(h);
}

void Story::changed(Instant now, const observe::ConnectionChanged& e) {
  const ConnectionView& view = *e.view;
  Known& c = known(view.connection);
  c.ended = false;
  if (view.recovery == observe::RecoveryPhase::Open && view.lost == 0) c.loss.reset();
  if (e.cause == observe::StepCause::SegmentSent) {
    MadeSegment& m = made_.emplace_back();
    m.at = now;
    m.connection = view.connection;
    m.had_before = c.seen;
    m.before = c.view;
    m.after = view;
    m.fired_for = c.fired_for;
    m.loss = c.loss;
    m.events = std::exchange(c.pending, {});
    if (made_.size() > max_waiting_steps) made_.pop_front();
  } else if (open_) {
    if (!open_->has_after || open_->after.connection == view.connection) {
      if (!open_->has_after) {
        open_->has_before = c.seen;
        open_->before = c.view;
      }
      open_->has_after = true;
      open_->after = view;
      open_->what.connection = view.connection;
    }
  } else {
    return tell_step(now, c, view.connection, &view, Happening::Kind::UserCall);
  }
  c.fired.reset();
  c.view = view;
  c.seen = true;
}

void Story::handled(Instant now) {
  if (open_) {
    const std::uint32_t connection = open_->what.connection;
    if (const auto it = connections_.find(connection); it != connections_.end() && !open_->has_after) {
      open_->has_before = it->second.seen;
      open_->before = it->second.view;
    }
    close_frame();
    if (const auto it = connections_.find(connection); it != connections_.end() && it->second.ended) forget(connection);
  }
  for (const std::uint32_t connection : std::exchange(unfinished_, {})) {
    const auto it = connections_.find(connection);
    if (it == connections_.end()) continue;
    if (!it->second.pending.empty()) tell_step(now, it->second, connection, nullptr, Happening::Kind::Other);
    if (it->second.ended) forget(connection);
  }
}

}  // namespace wireside

#include "reason_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "event_text.hpp"

namespace wireside {
namespace {

using observe::ConnectionView;
using observe::LossSign;
using observe::TxReason;

std::string octets(std::uint64_t n) { return fmt::format("{} octet{}", n, n == 1 ? "" : "s"); }

std::string after_timer(const Why& why) {
  return why.timer > Duration{0} ? fmt::format(" after {}", describe_duration(why.timer)) : std::string{};
}

/// What keeps the next octets from leaving, too.
std::string limit_of(const ConnectionView& v) {
  if (v.unsent == 0) return "nothing more is queued";
  if (v.pipe + v.mss > v.cwnd) return fmt::format("cwnd {} is full", v.cwnd);
  if (v.flight() + std::min<std::uint64_t>(v.mss, v.unsent) > v.snd_wnd) {
    return fmt::format("the peer's window {} is full", v.snd_wnd);
  }
  return v.unsent < v.mss ? "the rest waits for an ACK (Nagle)" : "more follows";
}

std::string data_text(const Happening& h) {
  const Why& why = h.why;
  std::string text = why.segments > 1 ? fmt::format("data: {} in {} segments", octets(why.octets), why.segments)
                                      : fmt::format("data: {}", octets(why.octets));
  if (h.after == nullptr) return text;
  return text + fmt::format("; {} in flight, {}", h.after->flight(), limit_of(*h.after));
}

std::string loss_text(const observe::LossFound& loss) {
  switch (loss.sign) {
    case LossSign::Time:
      return fmt::format("RACK: a later one was delivered, RTT {} and reordering window {} are over",
                         describe_duration(loss.rtt), describe_duration(loss.reordering));
    case LossSign::SackCount:
      return fmt::format("{} reported above it (RFC 6675)", octets(loss.sacked));
    case LossSign::DuplicateAcks:
      return fmt::format("{} duplicate ACKs", loss.dup_acks);
    case LossSign::PartialAck:
      return "the ACK ends at the next hole (RFC 6582)";
    case LossSign::Timeout:
      return "the retransmission timer ran out";
  }
  return {};
}

std::string retransmission_text(const Happening& h) {
  const Why& why = h.why;
  const std::string_view name = to_string(why.reason);
  if (why.reason != TxReason::RtoRetransmit) {
    return why.loss ? fmt::format("{}: {}", name, loss_text(*why.loss)) : std::string{name};
  }
  // After the first ACK that advances the timeouts in a row are over, but not what they found lost.
  if (why.count == 0) return fmt::format("{}: lost at the timeout, sent now that the window allows it", name);
  std::string text = fmt::format("{}{}: timeout {} in a row", name, after_timer(why), why.count);
  if (h.after != nullptr) text += fmt::format(", RTO now {}", describe_duration(h.after->rto));
  return text;
}

std::string ack_text(const Happening& h) {
  const Why& why = h.why;
  if (why.octets == 0) return "ACK";
  if (why.segments > 1) return fmt::format("ACK: {} in {} segments", octets(why.octets), why.segments);
  return fmt::format("ACK: {}", octets(why.octets));
}

std::string window_update_text(const Why& why) {
  if (why.segments > 0) return fmt::format("window update: {} MSS freed ({})", why.segments, octets(why.octets));
  return fmt::format("window update: {} freed", octets(why.octets));
}

std::string out_of_order_text(const Happening& h) {
  if (h.why.gap == 0) return "ACK at once: a gap was filled";
  std::string text = fmt::format("duplicate ACK: {} missing at rcv_nxt", octets(h.why.gap));
  if (h.after != nullptr) text += fmt::format(", {} held beyond", h.after->out_of_order);
  return text;
}

/// Reasons whose figures are a count and a time.
std::string counted_text(const Why& why) {
  switch (why.reason) {
    case TxReason::DelayedAck:
      return fmt::format("delayed ACK timer{}{}: {} waited for a second segment", why.timer > Duration{0} ? ", " : "",
                         why.timer > Duration{0} ? describe_duration(why.timer) : "", octets(why.octets));
    case TxReason::ZeroWindowProbe:
      return fmt::format("zero-window probe {}{}", why.count, after_timer(why));
    case TxReason::KeepAlive:
      return fmt::format("keep-alive {}: nothing heard{}", why.count,
                         why.timer > Duration{0} ? " for " + describe_duration(why.timer) : "");
    case TxReason::TailLossProbe:
      return fmt::format("tail loss probe: no ACK{}",
                         why.timer > Duration{0} ? " for " + describe_duration(why.timer) : "");
    default:  // SYN and SYN-ACK again
      return fmt::format("{}{}: try {}", to_string(why.reason), after_timer(why), why.count + 1);
  }
}

/// What a name alone says too little of.
std::string_view meaning_of(TxReason reason) {
  switch (reason) {
    case TxReason::Fin:
      return "FIN: closed by the application, and nothing is left to send";
    case TxReason::Syn:
      return "SYN: active open";
    case TxReason::SynAck:
      return "SYN-ACK: answers the SYN, acknowledges it";
    case TxReason::SynCookie:
      return "SYN-ACK with a cookie: nothing is kept of the SYN (RFC 4987)";
    case TxReason::DuplicateSegment:
      return "ACK of a duplicate segment: its octets are here already";
    case TxReason::ChallengeAck:
      return "challenge ACK: the segment may be forged (RFC 5961)";
    case TxReason::TimeWaitAck:
      return "ACK in TIME-WAIT: the peer has not seen the last one";
    case TxReason::UnacceptableSegment:
      return "ACK of an unacceptable segment: outside of the window";
    case TxReason::PathMtuRetransmit:
      return "path-MTU retransmit: the first time it was too large for the path";
    case TxReason::WindowRetransmit:
      return "closed-window retransmit: the peer had no room for it before";
    case TxReason::ResetNoConnection:
      return "reset: nobody listens there, and no connection has these ends";
    case TxReason::ResetBadAck:
      return "reset: the segment acknowledges what was never sent";
    case TxReason::ArpRequest:
      return "ARP request: the neighbour's MAC address is not known";
    case TxReason::ArpPoll:
      return "ARP poll: is the neighbour still there?";
    default:
      return to_string(reason);
  }
}

/// Among those shown without being asked for all.
bool is_main(Variable v) {
  switch (v) {
    case Variable::Pipe:
    case Variable::SendQueue:
    case Variable::Srtt:
    case Variable::Rttvar:
    case Variable::Unacknowledged:
      return false;
    default:
      return true;
  }
}

}  // namespace

std::string explain(const Happening& h) {
  if (h.kind != Happening::Kind::FrameSent) return {};
  if (h.why.further_part) return fmt::format("{}, continued: cut from the same segment", to_string(h.why.reason));
  switch (h.why.reason) {
    case TxReason::Data:
      return data_text(h);
    case TxReason::Ack:
      return ack_text(h);
    case TxReason::DelayedAck:
    case TxReason::ZeroWindowProbe:
    case TxReason::KeepAlive:
    case TxReason::TailLossProbe:
    case TxReason::SynRetransmit:
    case TxReason::SynAckRetransmit:
      return counted_text(h.why);
    case TxReason::WindowUpdate:
      return window_update_text(h.why);
    case TxReason::OutOfOrder:
      return out_of_order_text(h);
    case TxReason::FastRetransmit:
    case TxReason::PartialAckRetransmit:
    case TxReason::RtoRetransmit:
      return retransmission_text(h);
    default:
      return std::string{meaning_of(h.why.reason)};
  }
}

std::string describe_value(Variable v, const std::optional<std::int64_t>& value) {
  if (!value) return "-";
  switch (kind_of(v)) {
    case VariableKind::Time:
      return describe_duration(Duration{*value});
    case VariableKind::Phase:
      return std::string{to_string(static_cast<observe::RecoveryPhase>(*value))};
    default:
      return fmt::format("{}", *value);
  }
}

std::string describe_moved(const Moved& m) {
  if (!m.before) return fmt::format("{} {}", to_string(m.variable), describe_value(m.variable, m.after));
  return fmt::format("{} {} -> {}", to_string(m.variable), describe_value(m.variable, m.before),
                     describe_value(m.variable, m.after));
}

std::vector<Moved> shown_moves(const ConnectionView* before, const ConnectionView& after, bool all) {
  std::vector<Moved> out = moved(before, after);
  std::erase_if(out, [&](const Moved& m) {
    return (!all && !is_main(m.variable)) ||
           describe_value(m.variable, m.before) == describe_value(m.variable, m.after);
  });
  return out;
}

}  // namespace wireside

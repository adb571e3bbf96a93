// Urgent data (RFC 9293 section 3.8.5, RFC 6093): it stays in line, and both ends know where it ends.
#include "tcp/layer_state.hpp"

namespace wireside::tcp {

/// Sixth step of section 3.10.7.4. The application is told when urgent data is first announced and whenever its end
/// moves on (MUST-32).
void LayerState::check_urgent(const IncomingSegment& s, Connection& c) {
  if (!s.header.flags.urg || !(can_receive(c.state()) || c.fast_open_from.is_valid())) return;
  Receiver& r = c.rcv;
  const SeqNum up = s.header.seq + std::uint32_t{s.header.urgent_pointer};
  if (r.rcv_up && !up.after(*r.rcv_up)) return;
  if (!up.after(r.read_at())) return;  // all of it was read already
  r.rcv_up = up;
  raise(c, TcpEvent::Kind::Urgent);
}

/// Text, FIN and urgent pointer of a segment with SYN, counted from the octet behind the SYN.
IncomingSegment LayerState::behind_syn(IncomingSegment s) {
  s.header.seq += 1;
  if (s.header.urgent_pointer > 0) --s.header.urgent_pointer;
  return s;
}

/// What lies behind the next octet to be read would seem to lie ahead of it after 2^31 more.
void LayerState::forget_read_urgent(Receiver& r) {
  if (r.rcv_up && r.rcv_up->at_or_before(r.read_at())) r.rcv_up.reset();
}

/// The pointer names the octet behind the urgent data (MUST-62); what lies farther ahead than it reaches is told later.
void LayerState::point_to_urgent(const Connection& c, SeqNum seq, OutgoingSegment& out) {
  const auto& up = c.snd.snd_up;
  if (!up || !up->after(seq)) return;
  out.header.flags.urg = true;
  out.header.urgent_pointer = static_cast<std::uint16_t>(std::min<std::uint32_t>(span_octets(seq, *up), UINT16_MAX));
}

}  // namespace wireside::tcp

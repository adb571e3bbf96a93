#include "bblog.hpp"

#include <algorithm>
#include <limits>

namespace wireside::bblog {
namespace {

using observe::ConnectionView;
using observe::RecoveryPhase;

/// Writes little-endian fields one behind the other.
class Writer {
 public:
  explicit Writer(std::array<std::uint8_t, record_octets>& out) : out_{out} {}
  template <class T>
  void put(T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      out_[at_++] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i));
    }
  }
  /// Values that do not fit are told as the largest that does.
  void u32(std::uint64_t value) {
    put(static_cast<std::uint32_t>(std::min<std::uint64_t>(value, std::numeric_limits<std::uint32_t>::max())));
  }
  void seq(SeqNum s) { put(s.value()); }
  void microseconds(Duration d) { u32(static_cast<std::uint64_t>(std::max<std::int64_t>(d.count(), 0)) / 1000); }
  void to(std::size_t place) { at_ = place; }

 private:
  std::array<std::uint8_t, record_octets>& out_;
  std::size_t at_ = 0;
};

/// FreeBSD's numbers of the states (netinet/tcp_fsm.h).
std::uint32_t state_number(TcpState s) {
  switch (s) {
    case TcpState::Closed:
      return 0;
    case TcpState::Listen:
      return 1;
    case TcpState::SynSent:
      return 2;
    case TcpState::SynReceived:
      return 3;
    case TcpState::Established:
      return 4;
    case TcpState::CloseWait:
      return 5;
    case TcpState::FinWait1:
      return 6;
    case TcpState::Closing:
      return 7;
    case TcpState::LastAck:
      return 8;
    case TcpState::FinWait2:
      return 9;
    case TcpState::TimeWait:
      return 10;
  }
  return 0;
}

/// t_flags (netinet/tcp_var.h), as far as a view tells them.
std::uint32_t flags_of(const ConnectionView& v) {
  constexpr std::uint32_t delayed_ack = 0x2, sent_fin = 0x10, asked_scale = 0x20, got_scale = 0x40;
  constexpr std::uint32_t asked_timestamps = 0x80, got_timestamps = 0x100, sack_permitted = 0x200;
  constexpr std::uint32_t fast_recovery = 0x100000, congestion_recovery = 0x20000000;
  std::uint32_t flags = 0;
  if (v.due(observe::TimerKind::DelayedAck) != Instant::max()) flags |= delayed_ack;
  if (v.state == TcpState::FinWait1 || v.state == TcpState::Closing || v.state == TcpState::LastAck) flags |= sent_fin;
  if (v.window_scaling) flags |= asked_scale | got_scale;
  if (v.timestamps) flags |= asked_timestamps | got_timestamps;
  if (v.sack) flags |= sack_permitted;
  if (v.recovery == RecoveryPhase::FastRecovery) flags |= fast_recovery;
  if (v.recovery == RecoveryPhase::Loss || v.recovery == RecoveryPhase::WindowReduced) flags |= congestion_recovery;
  return flags;
}

/// t_flags2
std::uint32_t flags2_of(const ConnectionView& v) {
  constexpr std::uint32_t ecn_permitted = 0x20;
  return v.ecn ? ecn_permitted : 0;
}

void put_buffers(Writer& w, const ConnectionView& v) {
  w.u32(v.receive_queued);
  w.u32(v.receive_queued);
  w.u32(0);
  w.u32(v.send_queued);
  w.u32(v.send_queued);
  w.u32(0);
}

}  // namespace

std::array<std::uint8_t, dump_octets> dump_header() {
  constexpr std::uint8_t kind_bbr = 1;  // TCP_LOG_DEV_TYPE_BBR, the only kind there is
  constexpr std::size_t family_at = 200;
  constexpr std::uint8_t inet = 2;
  std::array<std::uint8_t, dump_octets> out{};
  out[0] = version;
  out[4] = kind_bbr;
  out[8] = dump_octets;
  out[family_at] = inet;
  return out;  // the offset between the log's clock and 1970 is 0
}

EventId event_of(const Happening& h) {
  const bool repaired_before = h.before != nullptr && h.before->recovery != RecoveryPhase::Open;
  const bool repairs_now = h.after != nullptr && h.after->recovery != RecoveryPhase::Open;
  switch (h.kind) {
    case Happening::Kind::FrameReceived:
      return repairs_now && !repaired_before   ? EventId::RecoveryEntered
             : repaired_before && !repairs_now ? EventId::RecoveryLeft
                                               : EventId::SegmentIn;
    case Happening::Kind::FrameSent:
      return EventId::SegmentOut;
    case Happening::Kind::TimerFired:
      return h.timer == observe::TimerKind::Retransmission ? EventId::RetransmissionTimeout : EventId::TimerProcessed;
    case Happening::Kind::UserCall:
      return EventId::UserSend;
    case Happening::Kind::Other:
      break;
  }
  return EventId::ConnectionEnd;
}

std::array<std::uint8_t, record_octets> record(const Happening& h, std::int64_t wall_ns, std::uint32_t serial) {
  constexpr std::uint16_t has_receive_buffer = 1, has_send_buffer = 2;
  constexpr std::size_t payload_length_at = 264;
  const ConnectionView& v = *h.after;
  std::array<std::uint8_t, record_octets> out{};
  Writer w{out};
  const std::int64_t microseconds = wall_ns / 1000;
  w.put<std::int64_t>(microseconds / 1'000'000);
  w.put<std::int64_t>(microseconds % 1'000'000);
  w.put(static_cast<std::uint32_t>(h.at.ns() / 1'000'000));  // ticks: milliseconds
  w.put(serial);
  w.put(std::uint8_t{0});
  w.put(static_cast<std::uint8_t>(event_of(h)));
  w.put(static_cast<std::uint16_t>(has_receive_buffer | has_send_buffer));
  w.u32(0);  // errno
  put_buffers(w, v);
  w.u32(state_number(v.state));
  w.u32(0);  // start time: not kept
  w.seq(v.iss);
  w.u32(flags_of(v));
  w.seq(v.snd_una);
  w.seq(v.snd_nxt);  // SND.MAX: SND.NXT never goes back here
  w.u32(v.cwnd);
  w.seq(v.snd_nxt);
  w.seq(v.recover);
  w.u32(v.snd_wnd);
  w.u32(v.ssthresh);
  w.microseconds(v.srtt);
  w.microseconds(v.rttvar);
  w.seq(v.rcv_nxt);  // RCV.UP
  w.seq(v.rcv_edge());
  w.u32(flags2_of(v));
  w.seq(v.rcv_nxt);
  w.u32(v.rcv_wnd);
  w.u32(v.dup_acks);
  w.u32(v.held.total);
  w.u32(v.missing.total);
  w.microseconds(v.rto);
  w.u32(v.flight());
  w.u32(0);  // first octet in
  w.u32(0);  // and out: not kept
  w.put(static_cast<std::uint8_t>((v.snd_wscale & 0x0fU) | (v.rcv_wscale & 0x0fU) << 4));
  w.to(payload_length_at);
  w.u32(h.tcp ? h.tcp->payload_octets : 0);
  return out;
}

}  // namespace wireside::bblog

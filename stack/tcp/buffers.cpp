// How much may be held for a connection: send and receive buffers follow what the path and the application make of
// them, and little is granted when memory is short.
#include "tcp/layer_state.hpp"

namespace wireside::tcp {

/// Grows the buffer to twice what the application takes per round trip, so that the window never limits a fast reader.
void LayerState::tune_receive_buffer(Instant now, Connection& c, std::size_t taken) {
  if (c.options.receive_buffer != 0 || under_memory_pressure()) return;
  Receiver& r = c.rcv;
  r.tune_taken += taken;
  const Duration measured = r.rtt > Duration{0} ? r.rtt : c.snd.rtt.srtt();
  const Duration rtt = std::max<Duration>(measured, std::chrono::milliseconds{1});
  if (now - r.tune_started < rtt) return;
  const std::size_t most = std::min(config.receive_buffer_max, std::size_t{65535} << c.negotiated.rcv_wscale.shift());
  const std::size_t wanted = std::min(most, 2 * r.tune_taken + 16 * std::size_t{r.rcv_mss});
  if (now - r.tune_started < 2 * rtt) r.limit = std::max(r.limit, wanted);
  r.tune_taken = 0;
  r.tune_started = now;
}

/// Twice the congestion window: one that is in flight, and one for the next round trip.
void LayerState::tune_send_buffer(Connection& c) const {
  if (c.options.send_buffer != 0 || under_memory_pressure()) return;
  const std::size_t wanted = std::min(config.send_buffer_max, 2 * std::size_t{c.snd.congestion.cwnd()});
  c.snd.buffer_limit = std::max(c.snd.buffer_limit, wanted);
}

/// Octets beyond RCV.NXT that may be granted now. What was granted stays: the right edge never moves left.
std::uint32_t LayerState::grantable(const Connection& c) const {
  const Receiver& r = c.rcv;
  const std::size_t held = r.queue.octets();
  const std::size_t space = r.limit > held ? r.limit - held : 0;
  constexpr std::size_t in_need = 4;  // segments: enough for fast retransmit to work
  const std::size_t most = under_memory_pressure() ? in_need * r.rcv_mss : space;
  return static_cast<std::uint32_t>(std::min(space, most));
}

}  // namespace wireside::tcp

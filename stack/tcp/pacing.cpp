// Which connections are paced, and at what rate.
#include "tcp/layer_state.hpp"

namespace wireside::tcp {
namespace {

// Of the window per round trip: fast enough for the window to grow (twofold in slow start), slow enough to keep bursts
// apart. Common hosts use the same two.
constexpr double slow_start_gain = 2.0;
constexpr double avoidance_gain = 1.2;
constexpr Duration shortest_paced_rtt = std::chrono::milliseconds{1};

}  // namespace

std::uint64_t LayerState::pacing_rate(const Connection& c) {
  const Sender& snd = c.snd;
  const std::uint64_t bound = c.options.max_pacing_rate;
  if (c.options.pacing == Pacing::Off) return 0;
  if (const std::uint64_t own = snd.congestion.pacing_rate(); own > 0) return bound == 0 ? own : std::min(own, bound);
  if (c.options.pacing == Pacing::Auto && bound == 0) {
    const Duration rtt = std::min(snd.rack.min_rtt().value(), snd.rtt.srtt());
    const bool first_flight = snd.octets_sent < initial_window(snd.mss);  // meant to leave at once (RFC 6928)
    if (rtt < shortest_paced_rtt || first_flight) return 0;
  }
  if (!snd.rtt.has_sample() || snd.rtt.srtt() <= Duration{0}) return bound;
  const double gain = snd.congestion.in_slow_start() ? slow_start_gain : avoidance_gain;
  const double window = std::max(snd.congestion.cwnd(), snd.board.in_flight());
  const double rate = std::max(1.0, gain * window * 1e9 / static_cast<double>(snd.rtt.srtt().count()));
  const auto whole = rate < 1e18 ? static_cast<std::uint64_t>(rate) : std::uint64_t{1'000'000'000'000'000'000};
  return bound == 0 ? whole : std::min(whole, bound);
}

/// Cuts a plan down to what may leave in one burst; false: it has to wait, and the timer is set.
bool LayerState::limit_burst(Instant now, Connection& c, SendPlan& plan) {
  Sender& snd = c.snd;
  const auto super = static_cast<std::uint32_t>(max_super_segment);
  std::uint32_t most = snd.pacer.allowance(now, pacing_rate(c), snd.mss, super);
  if (most == 0) {
    const Instant due = snd.pacer.release_at();
    if (c.timers.due(TimerKind::Pacing) != due) set_timer(now, c, TimerKind::Pacing, due);
    return false;
  }
  // CWR is for one segment, not for all of a super-segment.
  if (c.ecn.owes_cwr && !plan.seq.before(snd.snd_nxt)) most = std::min(most, snd.mss);
  if (plan.octets > most && !plan.path_probe) {
    plan.octets = most;
    plan.fin = false;
  }
  return true;
}

}  // namespace wireside::tcp

// NewReno's growth and decrease (RFC 5681), by octets acknowledged (RFC 3465).
#pragma once

#include "tcp/congestion_window.hpp"

namespace wireside::tcp {

class NewReno {
 public:
  [[nodiscard]] static std::string_view name() { return "newreno"; }
  void start() { acked_ = 0; }
  void grow(CongestionWindow& w, const GrowthSample& sample) {
    // RFC 5681 equation (2), or RFC 3465 section 2.2 with its L.
    if (w.in_slow_start()) return w.grow(slow_start_step(w, sample, w.abc_limit));
    acked_ += std::min(sample.acked, w.cwnd);
    if (acked_ < w.cwnd) return;
    acked_ -= w.cwnd;  // a window's worth acknowledged: one more segment per round trip
    w.grow(w.smss);
  }
  std::uint32_t reduced(const CongestionWindow& w, std::uint32_t flight, CongestionSignal signal, Instant /*now*/) {
    acked_ = 0;
    const bool smaller = signal == CongestionSignal::AlternativeEcn;
    const std::uint32_t kept = smaller ? flight - flight / 5 : flight / 2;  // RFC 8511 section 3: 0.8
    return std::max(kept, 2 * w.smss);                                      // RFC 5681 equation (4)
  }
  void limited(Instant /*now*/) {}
  void idle(Duration /*time*/) {}
  void undo() {}
  /// What a connection at rest keeps of it.
  template <class Codec>
  void at_rest(Codec& k, Instant /*near*/, bool /*undoable*/) {
    k.number(acked_);
  }

 private:
  std::uint32_t acked_ = 0;
};
static_assert(CongestionControl<NewReno>);

}  // namespace wireside::tcp

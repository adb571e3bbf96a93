// CUBIC (RFC 9438), with HyStart++ in slow start.
#pragma once

#include "tcp/congestion_window.hpp"
#include "tcp/hystart.hpp"

namespace wireside::tcp {

class Cubic {
 public:
  [[nodiscard]] static std::string_view name() { return "cubic"; }
  void start();
  void grow(CongestionWindow& w, const GrowthSample& sample);
  /// Sections 4.6 to 4.8: the new ssthresh; ECN and loss alike, but for ABE.
  std::uint32_t reduced(const CongestionWindow& w, std::uint32_t flight, CongestionSignal signal, Instant now);
  /// Sections 4.2 and 5.8: time in which the application or the peer's window limits does not count in the epoch.
  void limited(Instant now);
  /// Nor does time without data.
  void idle(Duration time);
  /// Section 4.9: the congestion event was spurious.
  void undo();

  [[nodiscard]] double w_max() const { return now_.w_max; }
  /// What a connection at rest keeps of it. `near` is an instant close to the others; `undoable`: the latest congestion
  /// event may yet turn out to have been none.
  template <class Codec>
  void at_rest(Codec& k, Instant near, bool undoable) {
    now_.at_rest(k, near);
    if (undoable) before_.at_rest(k, near);
    k.real(fraction_);
    hystart_.at_rest(k);
  }

 private:
  static constexpr double c = 0.4;          ///< segments per second cubed (section 5)
  static constexpr double beta = 0.7;       ///< multiplicative decrease (section 4.6)
  static constexpr double beta_ecn = 0.85;  ///< with ABE (RFC 8511 section 3.1 on CUBIC)

  /// All windows in segments, times in seconds (section 4.1.1 and 4.1.2).
  struct Epoch {
    double w_max = 0;
    double k = 0;
    double cwnd_prior = 0;
    double w_est = 0;
    double cwnd_epoch = 0;
    Instant start;
    Instant heard;  ///< the latest acknowledgement
    bool running = false;

    template <class Codec>
    void at_rest(Codec& codec, Instant near) {
      bool used = running || w_max != 0 || cwnd_prior != 0;
      codec.flags(used, running);
      if (!used) return;
      for (double* const value : {&w_max, &k, &cwnd_prior, &w_est, &cwnd_epoch}) codec.real(*value);
      codec.instant(start, near);
      codec.instant(heard, near);
    }
  };
  void begin_epoch(const CongestionWindow& w, Instant now);
  [[nodiscard]] double w_cubic(double t) const;
  void avoid_congestion(CongestionWindow& w, const GrowthSample& sample);

  Epoch now_;
  Epoch before_;
  double fraction_ = 0;  ///< octets of growth not yet in the window
  HyStart hystart_;
};
static_assert(CongestionControl<Cubic>);

}  // namespace wireside::tcp

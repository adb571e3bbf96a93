#include "tcp/cubic.hpp"

#include <cmath>

namespace wireside::tcp {
namespace {

double seconds(Duration d) { return static_cast<double>(d.count()) * 1e-9; }
double segments(const CongestionWindow& w, std::uint32_t octets) { return static_cast<double>(octets) / w.smss; }

}  // namespace

void Cubic::start() { *this = Cubic{}; }

/// Section 4.2.
double Cubic::w_cubic(double t) const {
  const double d = t - now_.k;
  return c * d * d * d + now_.w_max;
}

void Cubic::begin_epoch(const CongestionWindow& w, Instant now) {
  now_.start = now;
  now_.running = true;
  now_.cwnd_epoch = now_.w_est = segments(w, w.cwnd);
  if (now_.w_max <= now_.cwnd_epoch) {  // no reduction led here (section 4.10), or growth has passed it
    now_.w_max = now_.cwnd_epoch;
    now_.k = 0;
  } else {
    now_.k = std::cbrt((now_.w_max - now_.cwnd_epoch) / c);
  }
  fraction_ = 0;
}

void Cubic::grow(CongestionWindow& w, const GrowthSample& sample) {
  if (w.in_slow_start()) {
    const bool first = w.ssthresh == UINT32_MAX;  // later slow starts know where to end: RFC 9406 section 4.3
    return w.grow(first ? hystart_.growth(w, sample) : slow_start_step(w, sample, w.abc_limit));
  }
  avoid_congestion(w, sample);
}

/// Sections 4.3 to 4.5.
void Cubic::avoid_congestion(CongestionWindow& w, const GrowthSample& sample) {
  if (!now_.running) begin_epoch(w, sample.now);
  now_.heard = sample.now;
  const double cwnd = segments(w, w.cwnd) + fraction_ / w.smss;
  const double acked = segments(w, sample.acked);
  const double t = seconds(sample.now - now_.start);
  const double alpha = now_.w_est < now_.cwnd_prior ? 3 * (1 - beta) / (1 + beta) : 1;
  now_.w_est += alpha * acked / cwnd;
  double gain = 0;
  if (w_cubic(t) < now_.w_est) {
    gain = std::max(0.0, now_.w_est - cwnd);  // the Reno-friendly region
  } else {
    const double target = std::clamp(w_cubic(t + seconds(sample.srtt)), cwnd, 1.5 * cwnd);
    gain = (target - cwnd) / cwnd * acked;
  }
  fraction_ += gain * w.smss;
  const auto whole = static_cast<std::uint32_t>(std::min(fraction_, static_cast<double>(sample.acked)));
  fraction_ -= whole;
  w.grow(whole);
}

std::uint32_t Cubic::reduced(const CongestionWindow& w, std::uint32_t flight, CongestionSignal signal,
                             Instant /*now*/) {
  before_ = now_;
  const double cwnd = segments(w, w.cwnd);
  // Section 4.7: a window that stops below the last maximum leaves room to others.
  now_.w_max = cwnd < now_.w_max ? cwnd * (1 + beta) / 2 : cwnd;
  now_.cwnd_prior = cwnd;
  now_.running = false;
  if (signal == CongestionSignal::Timeout) now_.w_max = 0;  // section 4.8: what slow start reaches begins the epoch
  hystart_.start();
  const double kept = signal == CongestionSignal::AlternativeEcn ? beta_ecn : beta;
  const auto lower = static_cast<std::uint32_t>(kept * static_cast<double>(flight));
  return std::max(lower, 2 * w.smss);
}

void Cubic::limited(Instant now) {
  if (!now_.running) return;
  now_.start += now - now_.heard;
  now_.heard = now;
}

void Cubic::idle(Duration time) {
  if (!now_.running) return;
  now_.start += time;
  now_.heard += time;
}

void Cubic::undo() { now_ = before_; }

}  // namespace wireside::tcp

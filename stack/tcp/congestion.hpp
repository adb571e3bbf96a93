// The congestion control of a connection: one of the algorithms, chosen per socket, and the window they share.
#pragma once

#include <variant>

#include "tcp/cubic.hpp"
#include "tcp/custom_congestion.hpp"
#include "tcp/new_reno.hpp"
#include "tcp/tcp_types.hpp"

namespace wireside::tcp {

class Congestion {
 public:
  /// Takes effect at once; the window stays. `make` is asked for a custom one; where it has none the present one stays.
  void select(CongestionAlgorithm algorithm, const CongestionFactory& make = {});
  [[nodiscard]] CongestionAlgorithm algorithm() const { return static_cast<CongestionAlgorithm>(state_.index()); }
  [[nodiscard]] std::string_view name() const;

  [[nodiscard]] std::uint32_t cwnd() const { return window_.cwnd; }
  [[nodiscard]] std::uint32_t ssthresh() const { return window_.ssthresh; }
  [[nodiscard]] bool in_slow_start() const { return window_.in_slow_start(); }
  /// L (RFC 3465 section 2.2), segments per acknowledgement in slow start without pacing; not of HyStart++, which has
  /// its own.
  void set_abc_limit(unsigned segments) { window_.abc_limit = std::max(segments, 1U); }
  /// The window holds a segment at least, so one that was smaller grows with it.
  void set_smss(std::uint32_t smss) {
    window_.smss = smss;
    window_.cwnd = std::max(window_.cwnd, smss);
    initial_ = std::max(initial_, smss);
  }
  /// After a lost SYN the window starts at one segment (RFC 5681 section 3.1).
  void start(std::uint32_t smss, bool syn_lost);

  void on_ack(const GrowthSample& sample);
  /// An acknowledgement of what did not use the window.
  void on_limited(Instant now) {
    std::visit([&](auto& c) { c.limited(now); }, state_);
  }
  /// After everything else that an acknowledgement does to the window.
  void on_delivery(const DeliverySample& sample);
  /// Of a rate-based algorithm, octets per second; 0 = none.
  [[nodiscard]] std::uint64_t pacing_rate() const;
  /// Sets ssthresh for a congestion event; the window is led down by what follows.
  void reduce(std::uint32_t flight, CongestionSignal signal, Instant now);
  void set_cwnd(std::uint32_t cwnd) { window_.cwnd = std::clamp(cwnd, window_.smss, CongestionWindow::max_window); }
  /// RFC 5681 section 4.1: after more than one RTO without anything in flight.
  void on_idle_restart(Duration idle);
  /// The last reduce() answered to nothing real: the window it was taken from returns (RFC 4015).
  void undo(std::uint32_t cwnd, std::uint32_t ssthresh);

  // --- fast recovery without SACK (RFC 5681 section 3.2, RFC 6582) ---
  void inflate() { window_.grow(window_.smss); }
  void begin_fast_recovery() { set_cwnd(window_.ssthresh + 3 * window_.smss); }
  void deflate(std::uint32_t acked);
  /// RFC 6582 section 3.2 step 3 option (1), which avoids a burst.
  void end_fast_recovery(std::uint32_t flight) {
    set_cwnd(
        std::min(window_.ssthresh, std::max(flight, window_.smss) + window_.smss));  // ssthresh is of its time's MSS
  }

  /// What a connection at rest keeps of it; not of a custom algorithm, whose connections never rest.
  template <class Codec>
  void at_rest(Codec& k, Instant near, bool undoable) {
    bool cubic = algorithm() == CongestionAlgorithm::Cubic;
    k.flags(cubic);
    select(cubic ? CongestionAlgorithm::Cubic : CongestionAlgorithm::NewReno);
    for (auto* const value : {&window_.smss, &window_.abc_limit, &window_.cwnd, &initial_}) k.number(*value);
    std::uint32_t below_infinity = ~window_.ssthresh;
    k.number(below_infinity);
    window_.ssthresh = ~below_infinity;
    std::visit(
        [&]<class C>(C& c) {
          if constexpr (!std::is_same_v<C, Custom>) c.at_rest(k, near, undoable);
        },
        state_);
  }

 private:
  CongestionWindow window_;
  std::uint32_t initial_ = 0;
  std::variant<NewReno, Cubic, Custom> state_;  // in the order of CongestionAlgorithm
};

}  // namespace wireside::tcp

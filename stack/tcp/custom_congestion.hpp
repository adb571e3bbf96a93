// A congestion control from outside of the stack, such as a rate-based one: TcpConfig::custom_congestion makes it, and
// connections whose option `congestion` is Custom use it. It is told what the built-in ones are told, and beyond that
// what each acknowledgement says of the path, so that neither the window nor the rate need follow from losses.
#pragma once

#include <memory>
#include <utility>

#include "tcp/congestion_window.hpp"

namespace wireside::tcp {

/// One per connection. Calls come in the order of events; none may call back into the stack.
class CustomCongestion {
 public:
  virtual ~CustomCongestion() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// The connection is established; the window is the initial one (RFC 6928). Not called where it is chosen later.
  virtual void start() {}
  /// An acknowledgement outside of fast recovery, while the window was what held the sender back.
  virtual void grow(CongestionWindow& w, const GrowthSample& sample) = 0;
  /// Any acknowledgement that reports octets delivered, in recovery, too. It comes last: what is set here stays until
  /// the next one, but for what a loss takes.
  virtual void delivered(CongestionWindow& /*w*/, const DeliverySample& /*sample*/) {}
  /// A congestion event with so many octets in flight: the new ssthresh, to which the window is led down.
  [[nodiscard]] virtual std::uint32_t reduced(const CongestionWindow& w, std::uint32_t flight, CongestionSignal signal,
                                              Instant now) = 0;
  virtual void limited(Instant /*now*/) {}  ///< an acknowledgement of what did not use the window
  virtual void idle(Duration /*time*/) {}   ///< nothing was in flight for so long
  virtual void undo() {}                    ///< the last reduced() was a mistake
  /// Octets per second to pace at, whatever the option `pacing` says short of Off; 0 = by the stack's own rule.
  [[nodiscard]] virtual std::uint64_t pacing_rate(const CongestionWindow& /*w*/) const { return 0; }
};

/// Takes a place among the built-in algorithms.
class Custom {
 public:
  explicit Custom(std::unique_ptr<CustomCongestion> control) : control_{std::move(control)} {}
  [[nodiscard]] std::string_view name() const { return control_->name(); }
  void start() { control_->start(); }
  void grow(CongestionWindow& w, const GrowthSample& sample) { control_->grow(w, sample); }
  void delivered(CongestionWindow& w, const DeliverySample& sample) { control_->delivered(w, sample); }
  std::uint32_t reduced(const CongestionWindow& w, std::uint32_t flight, CongestionSignal signal, Instant now) {
    return control_->reduced(w, flight, signal, now);
  }
  void limited(Instant now) { control_->limited(now); }
  void idle(Duration time) { control_->idle(time); }
  void undo() { control_->undo(); }
  [[nodiscard]] std::uint64_t pacing_rate(const CongestionWindow& w) const { return control_->pacing_rate(w); }

 private:
  std::unique_ptr<CustomCongestion> control_;
};
static_assert(RateBased<Custom>);

}  // namespace wireside::tcp

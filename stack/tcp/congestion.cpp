#include "tcp/congestion.hpp"

namespace wireside::tcp {

void Congestion::select(CongestionAlgorithm algorithm, const CongestionFactory& make) {
  if (algorithm == this->algorithm()) return;
  if (algorithm == CongestionAlgorithm::Cubic) {
    state_.emplace<Cubic>();
  } else if (algorithm == CongestionAlgorithm::NewReno) {
    state_.emplace<NewReno>();
  } else if (auto control = make ? make() : nullptr; control != nullptr) {
    state_.emplace<Custom>(std::move(control));
  }
}

std::string_view Congestion::name() const {
  return std::visit([](const auto& c) { return c.name(); }, state_);
}

void Congestion::start(std::uint32_t smss, bool syn_lost) {
  window_.smss = smss;
  initial_ = syn_lost ? smss : initial_window(smss);
  window_.cwnd = initial_;
  window_.ssthresh = UINT32_MAX;
  std::visit([](auto& c) { c.start(); }, state_);
}

void Congestion::on_ack(const GrowthSample& sample) {
  std::visit([&](auto& c) { c.grow(window_, sample); }, state_);
}

void Congestion::on_delivery(const DeliverySample& sample) {
  std::visit(
      [&]<class C>(C& c) {
        if constexpr (RateBased<C>) {
          c.delivered(window_, sample);
          set_cwnd(window_.cwnd);  // within its bounds
        }
      },
      state_);
}

std::uint64_t Congestion::pacing_rate() const {
  return std::visit(
      [&]<class C>(const C& c) -> std::uint64_t {
        if constexpr (RateBased<C>) return c.pacing_rate(window_);
        return 0;
      },
      state_);
}

void Congestion::reduce(std::uint32_t flight, CongestionSignal signal, Instant now) {
  window_.ssthresh = std::visit([&](auto& c) { return c.reduced(window_, flight, signal, now); }, state_);
}

void Congestion::on_idle_restart(Duration idle) {
  window_.cwnd = std::min(window_.cwnd, initial_);
  std::visit([&](auto& c) { c.idle(idle); }, state_);
}

void Congestion::undo(std::uint32_t cwnd, std::uint32_t ssthresh) {
  window_.cwnd = std::max(window_.cwnd, cwnd);
  window_.ssthresh = std::max(window_.ssthresh, ssthresh);
  std::visit([](auto& c) { c.undo(); }, state_);
}

void Congestion::deflate(std::uint32_t acked) {
  window_.cwnd -= std::min(acked, window_.cwnd - window_.smss);
  if (acked >= window_.smss) inflate();
}

}  // namespace wireside::tcp

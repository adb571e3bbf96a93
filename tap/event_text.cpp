#include "event_text.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "wire/frame_description.hpp"

namespace wireside {
namespace {

using observe::TimerChanged;
using observe::WindowCause;

/// Words for each event; the overload set of a visitor.
struct Describer {
  EventDetail detail;
  [[nodiscard]] bool everything() const { return detail == EventDetail::All; }

  std::string operator()(const observe::FrameReceived&) const { return {}; }
  std::string operator()(const observe::FrameSent&) const { return {}; }
  std::string operator()(const observe::Dropped& e) const { return fmt::format("dropped: {}", to_string(e.reason)); }
  std::string operator()(const observe::StateChanged& e) const {
    return fmt::format("{} -> {} ({})", to_string(e.from), to_string(e.to), to_string(e.cause));
  }
  std::string operator()(const TimerChanged& e) const {
    switch (e.what) {
      case TimerChanged::What::Fired:
        return fmt::format("{} timer fired", to_string(e.timer));
      case TimerChanged::What::Set:
        return everything() ? fmt::format("{} timer set to {}", to_string(e.timer), describe_duration(e.in)) : "";
      case TimerChanged::What::Cancelled:
        return everything() ? fmt::format("{} timer cancelled", to_string(e.timer)) : "";
    }
    return {};
  }
  std::string operator()(const observe::WindowChanged& e) const {
    const bool growth = e.cause == WindowCause::SlowStart || e.cause == WindowCause::CongestionAvoidance ||
                        e.cause == WindowCause::RecoveryInflation || e.cause == WindowCause::Initial;
    if (growth && !everything()) return {};
    std::string text = fmt::format("cwnd {} -> {}", e.cwnd_before, e.cwnd);
    if (e.ssthresh != e.ssthresh_before) {
      text += e.ssthresh_before == UINT32_MAX ? fmt::format(", ssthresh {}", e.ssthresh)
                                              : fmt::format(", ssthresh {} -> {}", e.ssthresh_before, e.ssthresh);
    }
    return text + fmt::format(" ({})", to_string(e.cause));
  }
  std::string operator()(const observe::RttSampled& e) const {
    if (!everything()) return {};
    return fmt::format("RTT {}, srtt {}, rttvar {}, RTO {}", describe_duration(e.sample), describe_duration(e.srtt),
                       describe_duration(e.rttvar), describe_duration(e.rto));
  }
  std::string operator()(const observe::RtoChanged& e) const {
    return fmt::format("RTO {} -> {}", describe_duration(e.rto_before), describe_duration(e.rto));
  }
  /// What is sent again says so by its reason.
  std::string operator()(const observe::LossFound& e) const {
    if (!everything()) return {};
    return fmt::format("{} octets found lost ({})", e.octets, to_string(e.sign));
  }
  std::string operator()(const observe::ConnectionChanged&) const { return {}; }
  std::string operator()(const observe::Handled&) const { return {}; }
  std::string operator()(const observe::NeighbourChanged& e) const {
    std::string text = fmt::format("neighbour {}", e.address.to_string());
    if (!e.mac.is_zero()) text += fmt::format(" at {}", e.mac.to_string());
    return e.existed ? text + fmt::format(": {} -> {}", to_string(e.from), to_string(e.to))
                     : text + fmt::format(": {}", to_string(e.to));
  }
  std::string operator()(const observe::GatewayChanged& e) const {
    if (e.usable) return fmt::format("gateway {} is used again ({})", e.gateway.to_string(), to_string(e.why));
    const std::string text = fmt::format("gateway {} given up ({})", e.gateway.to_string(), to_string(e.why));
    return e.instead.is_unspecified() ? text + ", but there is no other"
                                      : text + fmt::format(", {} instead", e.instead.to_string());
  }
  std::string operator()(const observe::DnsProgress& e) const {
    std::string text = fmt::format("DNS {} at {}{}: {}", e.name, e.server.to_string(), e.over_tcp ? " over TCP" : "",
                                   to_string(e.step));
    return e.step == observe::DnsStep::Asked ? text : text + fmt::format(" after {}", describe_duration(e.after));
  }
  std::string operator()(const observe::AddressChanged& e) const {
    std::string text = fmt::format("address {}: {}", e.address.to_string(), to_string(e.news));
    return e.other.is_zero() ? text : text + fmt::format(" ({})", e.other.to_string());
  }
  std::string operator()(const observe::DhcpStateChanged& e) const {
    std::string text = fmt::format("DHCP {} -> {} ({})", to_string(e.from), to_string(e.to), to_string(e.cause));
    return e.address.is_unspecified() ? text : text + fmt::format(", address {}", e.address.to_string());
  }
  /// What is sent says so by the reason of its frame.
  std::string operator()(const observe::DhcpMessageSeen& e) const {
    if (e.sent && !everything()) return {};
    std::string text = fmt::format("{} {} (option 53 = {})", e.sent ? "sends" : "took", e.name, e.type);
    if (!e.address.is_unspecified()) text += fmt::format(", address {}", e.address.to_string());
    if (!e.server.is_unspecified()) text += fmt::format(", server {}", e.server.to_string());
    return e.text.empty() ? text : text + fmt::format(", \"{}\"", e.text);
  }
  /// What was sent stands above; what came in did not, or only later.
  std::string operator()(const observe::Impaired& e) const {
    const std::string_view verb = is_loss(e.action) ? "dropped by impairment" : "impairment";
    if (e.direction == observe::Direction::Out) return fmt::format("{} on the way out: {}", verb, to_string(e.action));
    return fmt::format("{} on the way in: {}: {}", verb, to_string(e.action), wire::describe_frame(e.frame));
  }
  std::string operator()(const observe::DhcpUnanswered& e) const {
    return fmt::format("no DHCP server answered {} (try {}): sent again, then in {}", e.name, e.tries,
                       describe_duration(e.next_in));
  }
};

}  // namespace

std::string describe_event(const observe::Event& event, EventDetail detail) {
  return std::visit(Describer{detail}, event);
}

std::uint32_t connection_of(const observe::Event& event) {
  return std::visit(
      [](const auto& e) -> std::uint32_t {
        if constexpr (requires { e.connection; }) {
          return e.connection;
        } else {
          return 0;
        }
      },
      event);
}

std::string describe_duration(Duration d) {
  const std::int64_t ns = d.count();
  const std::int64_t magnitude = std::abs(ns);
  if (magnitude >= 1'000'000'000) return fmt::format("{:.4g} s", static_cast<double>(ns) / 1e9);
  if (magnitude >= 1'000'000) return fmt::format("{:.4g} ms", static_cast<double>(ns) / 1e6);
  return fmt::format("{:.4g} us", static_cast<double>(ns) / 1e3);
}

}  // namespace wireside

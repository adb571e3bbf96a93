#include "sim_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <type_traits>
#include <variant>

#include "impair/quantity.hpp"

namespace wireside::sim {
namespace {

template <class T>
struct Setting {
  std::string_view name;
  std::variant<bool T::*, Duration T::*, std::size_t T::*, std::uint16_t T::*, tcp::CongestionAlgorithm T::*,
               tcp::LossDetection T::*, tcp::EcnMode T::*, tcp::Pacing T::*>
      member;
};

using Config = tcp::TcpConfig;
constexpr Setting<Config> host_settings[] = {
    {"window-scaling", &Config::window_scaling},
    {"timestamps", &Config::timestamps},
    {"sack", &Config::sack},
    {"receive-buffer-initial", &Config::receive_buffer_initial},
    {"receive-buffer-max", &Config::receive_buffer_max},
    {"rto-initial", &Config::rto_initial},
    {"rto-min", &Config::rto_min},
    {"rto-max", &Config::rto_max},
    {"delayed-ack", &Config::delayed_ack},
    {"dsack", &Config::dsack},
    {"loss-detection", &Config::loss_detection},
    {"tail-loss-probe", &Config::tail_loss_probe},
};

using Options = tcp::ConnectionOptions;
constexpr Setting<Options> flow_settings[] = {
    {"no-delay", &Options::no_delay},
    {"quick-ack", &Options::quick_ack},
    {"send-buffer", &Options::send_buffer},
    {"receive-buffer", &Options::receive_buffer},
    {"mss", &Options::max_segment},
    {"congestion", &Options::congestion},
    {"ecn", &Options::ecn},
    {"abe", &Options::abe},
    {"pacing", &Options::pacing},
};

std::string_view name_of(tcp::EcnMode mode) {
  return mode == tcp::EcnMode::Off ? "off" : mode == tcp::EcnMode::Accept ? "accept" : "ask";
}
std::string_view name_of(tcp::Pacing mode) {
  return mode == tcp::Pacing::Off ? "off" : mode == tcp::Pacing::Auto ? "auto" : "on";
}

/// What a value may be; empty when it was taken.
std::string_view assign(std::string_view value, bool& field) {
  if (value != "on" && value != "off") return "on or off";
  field = value == "on";
  return {};
}
std::string_view assign(std::string_view value, Duration& field) {
  const auto d = impair::parse_duration(value);
  // Timers that run within a millisecond would only burn processor time, without end where nothing is ever delivered.
  if (!d || *d < std::chrono::milliseconds{1} || *d > std::chrono::hours{1}) {
    return "a duration such as 40ms, from 1ms to an hour";
  }
  field = *d;
  return {};
}
std::string_view assign(std::string_view value, std::size_t& field) {
  const auto octets = impair::parse_octets(value);
  if (!octets || *octets < 1000 || *octets > (std::uint64_t{1} << 30)) return "an amount such as 256KiB, up to 1024MiB";
  field = *octets;
  return {};
}
std::string_view assign(std::string_view value, std::uint16_t& field) {
  const auto n = impair::parse_number(value);
  if (!n || *n < 48 || *n > 65495) return "a number of octets from 48 to 65495";
  field = static_cast<std::uint16_t>(*n);
  return {};
}

std::string_view assign(std::string_view value, tcp::CongestionAlgorithm& field) {
  for (const auto algorithm : {tcp::CongestionAlgorithm::NewReno, tcp::CongestionAlgorithm::Cubic}) {
    if (value != to_string(algorithm)) continue;
    field = algorithm;
    return {};
  }
  return "newreno or cubic";
}
std::string_view assign(std::string_view value, tcp::LossDetection& field) {
  if (value != "rack" && value != "rfc6675") return "rack or rfc6675";
  field = value == "rack" ? tcp::LossDetection::Rack : tcp::LossDetection::Rfc6675;
  return {};
}
std::string_view assign(std::string_view value, tcp::EcnMode& field) {
  for (const auto mode : {tcp::EcnMode::Off, tcp::EcnMode::Accept, tcp::EcnMode::Ask}) {
    if (value != name_of(mode)) continue;
    field = mode;
    return {};
  }
  return "off, accept or ask";
}
std::string_view assign(std::string_view value, tcp::Pacing& field) {
  for (const auto mode : {tcp::Pacing::Off, tcp::Pacing::Auto, tcp::Pacing::On}) {
    if (value != name_of(mode)) continue;
    field = mode;
    return {};
  }
  return "off, auto or on";
}

std::string text_of(bool value) { return value ? "on" : "off"; }
std::string text_of(Duration value) { return impair::duration_text(value); }
std::string text_of(std::size_t value) { return impair::octets_text(value); }
std::string text_of(std::uint16_t value) { return std::to_string(value); }
std::string text_of(tcp::CongestionAlgorithm value) { return std::string{to_string(value)}; }
std::string text_of(tcp::LossDetection value) { return value == tcp::LossDetection::Rack ? "rack" : "rfc6675"; }
std::string text_of(tcp::EcnMode value) { return std::string{name_of(value)}; }
std::string text_of(tcp::Pacing value) { return std::string{name_of(value)}; }

template <class T>
std::string names(std::span<const Setting<T>> settings) {
  std::string text;
  for (const auto& s : settings) text += fmt::format("{}{}", text.empty() ? "" : ", ", s.name);
  return text;
}

template <class T>
std::optional<SettingError> set(std::span<const Setting<T>> settings, std::string_view name, std::string_view value,
                                T& out) {
  const auto found = std::ranges::find(settings, name, &Setting<T>::name);
  if (found == settings.end()) {
    return SettingError{fmt::format("there is no option {}", name), "one of " + names(settings)};
  }
  const std::string_view wanted = std::visit([&](auto member) { return assign(value, out.*member); }, found->member);
  if (wanted.empty()) return std::nullopt;
  return SettingError{fmt::format("{}={} is not understood", name, value), fmt::format("{} and {}", name, wanted)};
}

template <class T>
std::string text(std::span<const Setting<T>> settings, const T& value) {
  const T defaults{};
  std::string out;
  for (const auto& s : settings) {
    std::visit(
        [&](auto member) {
          if (value.*member != defaults.*member) out += fmt::format(" {}={}", s.name, text_of(value.*member));
        },
        s.member);
  }
  return out;
}

}  // namespace

std::optional<SettingError> set_host_option(std::string_view name, std::string_view value, tcp::TcpConfig& out) {
  return set<Config>(host_settings, name, value, out);
}
std::optional<SettingError> set_flow_option(std::string_view name, std::string_view value,
                                            tcp::ConnectionOptions& out) {
  return set<Options>(flow_settings, name, value, out);
}
std::string host_options_text(const tcp::TcpConfig& config) { return text<Config>(host_settings, config); }
std::string flow_options_text(const tcp::ConnectionOptions& options) { return text<Options>(flow_settings, options); }

}  // namespace wireside::sim

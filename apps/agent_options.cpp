#include "agent_options.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cmath>
#include <limits>
#include <span>
#include <type_traits>
#include <variant>

#include "agent_json.hpp"

namespace wireside::agent {
namespace {

namespace json = boost::json;

template <class T>
struct Named {
  std::string_view name;
  std::variant<bool T::*, Duration T::*, unsigned T::*, std::size_t T::*, std::uint8_t T::*, std::uint16_t T::*,
               std::optional<Duration> T::*, PathMtuDiscovery T::*, wire::Ipv4Options T::*,
               tcp::CongestionAlgorithm T::*, tcp::LossDetection T::*, tcp::Pacing T::*, tcp::EcnMode T::*,
               tcp::SynCookieUse T::*>
      member;
};

using Connection = tcp::ConnectionOptions;
constexpr Named<Connection> connection_names[] = {
    {"no_delay", &Connection::no_delay},
    {"keep_alive", &Connection::keep_alive},
    {"keep_alive_idle_ms", &Connection::keep_alive_idle},
    {"keep_alive_interval_ms", &Connection::keep_alive_interval},
    {"keep_alive_probes", &Connection::keep_alive_probes},
    {"user_timeout_ms", &Connection::user_timeout},
    {"user_timeout_option", &Connection::user_timeout_option},
    {"send_buffer", &Connection::send_buffer},
    {"notsent_lowat", &Connection::notsent_lowat},
    {"cork", &Connection::cork},
    {"receive_buffer", &Connection::receive_buffer},
    {"ttl", &Connection::ttl},
    {"tos", &Connection::tos},
    {"linger_ms", &Connection::linger},
    {"max_segment", &Connection::max_segment},
    {"quick_ack", &Connection::quick_ack},
    {"congestion", &Connection::congestion},
    {"ecn", &Connection::ecn},
    {"abe", &Connection::abe},
    {"pacing", &Connection::pacing},
    {"max_pacing_rate", &Connection::max_pacing_rate},
    {"report_errors", &Connection::report_errors},
    {"defer_accept_ms", &Connection::defer_accept},
    {"reuse_address", &Connection::reuse_address},
    {"reuse_port", &Connection::reuse_port},
    {"fast_open", &Connection::fast_open},
    {"fast_open_queue", &Connection::fast_open_queue},
};

constexpr Named<DatagramOptions> datagram_names[] = {
    {"ttl", &DatagramOptions::ttl},
    {"multicast_ttl", &DatagramOptions::multicast_ttl},
    {"tos", &DatagramOptions::tos},
    {"broadcast", &DatagramOptions::broadcast},
    {"mtu_discovery", &DatagramOptions::mtu_discovery},
    {"report_errors", &DatagramOptions::report_errors},
    {"receive_buffer", &DatagramOptions::receive_buffer},
    {"echo_sequence", &DatagramOptions::echo_sequence},
    {"ip_options", &DatagramOptions::ip_options},
    {"reuse_port", &DatagramOptions::reuse_port},
};

using Config = tcp::TcpConfig;
constexpr Named<Config> config_names[] = {
    {"window_scaling", &Config::window_scaling},
    {"timestamps", &Config::timestamps},
    {"sack", &Config::sack},
    {"dsack", &Config::dsack},
    {"loss_detection", &Config::loss_detection},
    {"tail_loss_probe", &Config::tail_loss_probe},
    {"mtu_probing", &Config::mtu_probing},
    {"send_buffer_initial", &Config::send_buffer_initial},
    {"send_buffer_max", &Config::send_buffer_max},
    {"quick_acks", &Config::quick_acks},
    {"abc_limit", &Config::abc_limit},
    {"memory_pressure", &Config::memory_pressure},
    {"receive_buffer_initial", &Config::receive_buffer_initial},
    {"receive_buffer_max", &Config::receive_buffer_max},
    {"msl_ms", &Config::msl},
    {"rto_initial_ms", &Config::rto_initial},
    {"rto_min_ms", &Config::rto_min},
    {"rto_max_ms", &Config::rto_max},
    {"r1_retransmissions", &Config::r1_retransmissions},
    {"r2_timeout_ms", &Config::r2_timeout},
    {"syn_timeout_ms", &Config::syn_timeout},
    {"delayed_ack_ms", &Config::delayed_ack},
    {"delayed_ack_min_ms", &Config::delayed_ack_min},
    {"fin_wait_2_timeout_ms", &Config::fin_wait_2_timeout},
    {"max_syn_queue", &Config::max_syn_queue},
    {"syn_cookies", &Config::syn_cookies},
    {"fast_open_key_lifetime_ms", &Config::fast_open_key_lifetime},
    {"fast_open_cache", &Config::fast_open_cache},
    {"max_time_wait", &Config::max_time_wait},
    {"max_connections", &Config::max_connections},
    {"max_reassembly_slices", &Config::max_reassembly_slices},
    {"ephemeral_first", &Config::ephemeral_first},
    {"ephemeral_last", &Config::ephemeral_last},
};

std::optional<double> number_of(const json::value& value) {
  if (!value.is_number()) return std::nullopt;
  const double number = value.to_number<double>();
  if (!std::isfinite(number)) return std::nullopt;
  return number;
}

std::optional<Duration> duration_of(const json::value& value) {
  const auto ms = number_of(value);
  constexpr double longest_ms = 1e12;  // keeps the nanoseconds far from overflow
  if (!ms || *ms < 0 || *ms > longest_ms) return std::nullopt;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>{*ms});
}

std::optional<std::string> assign(bool& field, const json::value& value) {
  if (value.is_bool()) {
    field = value.get_bool();
    return std::nullopt;
  }
  const auto number = number_of(value);
  if (!number || (*number != 0 && *number != 1)) return "must be true or false";
  field = *number == 1;
  return std::nullopt;
}

std::optional<std::string> assign(Duration& field, const json::value& value) {
  const auto duration = duration_of(value);
  if (!duration) return "must be a number of milliseconds, 0 or more";
  field = *duration;
  return std::nullopt;
}

std::optional<std::string> assign(std::optional<Duration>& field, const json::value& value) {
  if (value.is_null()) {
    field.reset();
    return std::nullopt;
  }
  const auto duration = duration_of(value);
  if (!duration) return "must be null or a number of milliseconds, 0 or more";
  field = *duration;
  return std::nullopt;
}

/// Names of an enumeration's values, in their order.
template <class E>
constexpr std::span<const std::string_view> value_names() {
  if constexpr (std::is_same_v<E, PathMtuDiscovery>) {
    static constexpr std::string_view names[] = {"dont", "want", "do", "probe"};
    return names;
  } else if constexpr (std::is_same_v<E, tcp::CongestionAlgorithm>) {
    static constexpr std::string_view names[] = {"newreno", "cubic"};
    return names;
  } else if constexpr (std::is_same_v<E, tcp::EcnMode>) {
    static constexpr std::string_view names[] = {"off", "accept", "ask"};
    return names;
  } else if constexpr (std::is_same_v<E, tcp::Pacing>) {
    static constexpr std::string_view names[] = {"off", "auto", "on"};
    return names;
  } else if constexpr (std::is_same_v<E, tcp::SynCookieUse>) {
    static constexpr std::string_view names[] = {"never", "when_full", "always"};
    return names;
  } else {
    static_assert(std::is_same_v<E, tcp::LossDetection>);
    static constexpr std::string_view names[] = {"rack", "rfc6675"};
    return names;
  }
}

template <class E>
requires std::is_enum_v<E> std::optional<std::string> assign(E& field, const json::value& value) {
  const auto names = value_names<E>();
  const auto* text = value.if_string();
  for (std::size_t i = 0; text != nullptr && i < names.size(); ++i) {
    if (*text != names[i]) continue;
    field = static_cast<E>(i);
    return std::nullopt;
  }
  std::string problem = "must be";
  for (std::size_t i = 0; i < names.size(); ++i) {
    problem += std::string{i == 0 ? " \"" : i + 1 == names.size() ? " or \"" : ", \""} + std::string{names[i]} + "\"";
  }
  return problem;
}

std::optional<std::string> assign(wire::Ipv4Options& field, const json::value& value) {
  constexpr const char* rule = "must be at most 40 octets in hex";
  if (!value.is_string()) return rule;
  try {
    const std::string octets = from_hex(value.get_string());
    if (octets.size() > wire::Ipv4Options::max_octets) return rule;
    field = wire::Ipv4Options::copy_of({reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size()});
  } catch (const Refusal&) {
    return rule;
  }
  return std::nullopt;
}

template <class Integer>
requires(std::is_unsigned_v<Integer> &&
         !std::is_same_v<Integer, bool>) std::optional<std::string> assign(Integer& field, const json::value& value) {
  const auto number = number_of(value);
  constexpr double largest = std::is_same_v<Integer, std::size_t>
                                 ? 9007199254740992.0  // 2^53: JSON numbers are exact up to there
                                 : static_cast<double>(std::numeric_limits<std::uint32_t>::max());
  const double bound = sizeof(Integer) < 4 ? static_cast<double>(std::numeric_limits<Integer>::max()) : largest;
  if (!number || *number < 0 || *number > bound || *number != std::floor(*number)) {
    return "must be a whole number from 0 to " + std::to_string(static_cast<std::uint64_t>(bound));
  }
  field = static_cast<Integer>(*number);
  return std::nullopt;
}

json::value as_json(bool field) { return field; }
template <class E>
requires std::is_enum_v<E> json::value as_json(E field) {
  return json::string_view(value_names<E>()[static_cast<std::size_t>(field)]);
}
json::value as_json(const wire::Ipv4Options& field) { return json::value(to_hex(field.view())); }
json::value as_json(Duration field) { return milliseconds(field); }
json::value as_json(const std::optional<Duration>& field) {
  return field ? milliseconds(*field) : json::value(nullptr);
}
template <class Integer>
requires(std::is_unsigned_v<Integer> && !std::is_same_v<Integer, bool>) json::value as_json(Integer field) {
  return static_cast<std::uint64_t>(field);
}

template <class T>
std::string names_of(std::span<const Named<T>> names) {
  std::string text;
  for (const auto& n : names) text.append(text.empty() ? "" : ", ").append(n.name);
  return text;
}

template <class T>
std::optional<std::string> set_in(std::span<const Named<T>> names, T& target, std::string_view name,
                                  const json::value& value) {
  for (const auto& n : names) {
    if (n.name != name) continue;
    auto problem = std::visit([&](auto member) { return assign(target.*member, value); }, n.member);
    if (problem) return std::string{name} + " " + *problem + ", not " + json::serialize(value);
    return std::nullopt;
  }
  return "no option \"" + std::string{name} + "\"; there are: " + names_of(names);
}

template <class T>
json::object all_in(std::span<const Named<T>> names, const T& source) {
  json::object all;
  for (const auto& n : names) {
    std::visit([&](auto member) { all[n.name] = as_json(source.*member); }, n.member);
  }
  return all;
}

}  // namespace

std::optional<std::string> set_named(Connection& options, std::string_view name, const json::value& value) {
  return set_in<Connection>(connection_names, options, name, value);
}
std::optional<std::string> set_named(DatagramOptions& options, std::string_view name, const json::value& value) {
  return set_in<DatagramOptions>(datagram_names, options, name, value);
}
std::optional<std::string> set_named(Config& config, std::string_view name, const json::value& value) {
  return set_in<Config>(config_names, config, name, value);
}

json::object all_named(const Connection& options) { return all_in<Connection>(connection_names, options); }
json::object all_named(const DatagramOptions& options) { return all_in<DatagramOptions>(datagram_names, options); }
json::object all_named(const Config& config) {
  json::object all = all_in<Config>(config_names, config);
  all["defaults"] = all_named(config.defaults);
  return all;
}

std::optional<std::string> apply_tcp_option(Config& config, std::string_view assignment) {
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos) return "expected NAME=VALUE, got \"" + std::string{assignment} + "\"";
  const auto name = assignment.substr(0, equals);
  const auto text = assignment.substr(equals + 1);
  boost::system::error_code bad;
  json::value value = json::parse(json::string_view{text.data(), text.size()}, bad);
  if (bad) value = json::string_view{text.data(), text.size()};  // a word, such as cubic, needs no quotes here
  for (const auto& n : connection_names) {
    if (n.name == name) return set_named(config.defaults, name, value);
  }
  auto problem = set_named(config, name, value);
  if (problem && problem->starts_with("no option")) {
    return *problem + ", " + names_of(std::span<const Named<Connection>>{connection_names});
  }
  return problem;
}

}  // namespace wireside::agent

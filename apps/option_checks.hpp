// Checks of option values, with messages that name the fault.
#pragma once

#include <fmt/format.h>
#include <sys/un.h>

#include <CLI/CLI.hpp>
#include <string>
#include <type_traits>

namespace wireside::apps {

/// A number of type T from `least` to `most`; never "nan", which is in no range.
template <class T>
CLI::Validator in_range(T least, T most) {
  const auto check = [least, most](std::string& text) -> std::string {
    T value{};
    if (CLI::detail::lexical_cast(text, value) && value >= least && value <= most) return {};
    return fmt::format("'{}' is not a {} from {} to {}", text, std::is_floating_point_v<T> ? "number" : "whole number",
                       least, most);
  };
  return {check, fmt::format("{} in [{} - {}]", CLI::detail::type_name<T>(), least, most)};
}

/// Something must be there: an empty value is a mistake, as of a shell variable that is not set.
inline CLI::Validator not_empty() {
  return {[](std::string& text) -> std::string { return text.empty() ? "the value is empty" : ""; }, ""};
}

/// A path that fits into the address of a Unix socket.
inline CLI::Validator socket_path() {
  return {[](std::string& text) -> std::string {
            constexpr std::size_t most = sizeof(sockaddr_un::sun_path) - 1;
            if (text.size() <= most) return {};
            return fmt::format("the path of a socket has {} octets at most, and this one {}", most, text.size());
          },
          ""};
}

}  // namespace wireside::apps

#include "host_problem.hpp"

#include <fmt/format.h>

#include "base/address.hpp"
#include "dns/name.hpp"
#include "text.hpp"

namespace wireside::apps {

std::optional<std::string> host_problem(const std::string& host) {
  if (Ipv4Address::parse(host)) return std::nullopt;
  const auto name = dns::parse_host_name(host);
  if (name) return std::nullopt;
  return fmt::format("'{}': {}", printable(host), dns::describe(name.error()));
}

}  // namespace wireside::apps

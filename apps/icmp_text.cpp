#include "icmp_text.hpp"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <string_view>

#include "wire/icmp.hpp"

namespace wireside::apps {
namespace {

struct Wording {
  std::string_view text;
  std::string_view mark;
};

// By code of destination unreachable (RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1).
constexpr auto unreachable = std::to_array<Wording>({
    {"Destination Net Unreachable", "!N"},
    {"Destination Host Unreachable", "!H"},
    {"Destination Protocol Unreachable", "!P"},
    {"Destination Port Unreachable", ""},
    {"Frag needed and DF set", "!F"},
    {"Source Route Failed", "!S"},
    {"Destination Net Unknown", "!U"},
    {"Destination Host Unknown", "!W"},
    {"Source Host Isolated", "!I"},
    {"Destination Net Prohibited", "!A"},
    {"Destination Host Prohibited", "!Z"},
    {"Destination Net Unreachable for Type of Service", "!Q"},
    {"Destination Host Unreachable for Type of Service", "!T"},
    {"Packet filtered", "!X"},
    {"Precedence Violation", "!V"},
    {"Precedence Cutoff", "!C"},
});

constexpr std::uint8_t fragmentation_needed = 4;

}  // namespace

std::string icmp_error_text(const ErrorReport& report) {
  switch (static_cast<wire::IcmpType>(report.icmp_type)) {
    case wire::IcmpType::DestinationUnreachable:
      if (report.icmp_code >= unreachable.size())
        return fmt::format("Dest Unreachable, Bad Code: {}", report.icmp_code);
      if (report.icmp_code == fragmentation_needed) return fmt::format("Frag needed and DF set (mtu = {})", report.mtu);
      return std::string{unreachable[report.icmp_code].text};
    case wire::IcmpType::TimeExceeded:
      if (report.icmp_code > 1) return fmt::format("Time exceeded, Bad Code: {}", report.icmp_code);
      return report.icmp_code == 0 ? "Time to live exceeded" : "Frag reassembly time exceeded";
    case wire::IcmpType::ParameterProblem:
      return "Parameter problem";
    default:
      return std::string{describe(report.error)};
  }
}

std::string icmp_error_phrase(const ErrorReport& report) {
  if (report.local && report.error == Error::HostUnreachable) return "host unreachable (no answer to ARP)";
  if (report.local) return std::string{describe(report.error)};
  std::string text = icmp_error_text(report);
  constexpr std::string_view what = "Destination ";
  if (text.starts_with(what)) text.erase(0, what.size());
  text.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i - 1] == ' ' && text.substr(i, 2) != "DF") text[i] = static_cast<char>(std::tolower(text[i]));
  }
  return fmt::format("{} (from {})", text, report.reporter.to_string());
}

std::string traceroute_mark(const ErrorReport& report) {
  const auto type = static_cast<wire::IcmpType>(report.icmp_type);
  if (type != wire::IcmpType::DestinationUnreachable) return type == wire::IcmpType::TimeExceeded ? "" : "!?";
  if (report.icmp_code >= unreachable.size()) return fmt::format("!<{}>", report.icmp_code);
  if (report.icmp_code == fragmentation_needed) return fmt::format("!F-{}", report.mtu);
  return std::string{unreachable[report.icmp_code].mark};
}

}  // namespace wireside::apps

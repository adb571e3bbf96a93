// ICMP errors in the words of ping and in the marks of traceroute.
#pragma once

#include <string>

#include "socket/socket_types.hpp"

namespace wireside::apps {

/// As iputils' ping says it: "Destination Host Unreachable", "Time to live exceeded".
[[nodiscard]] std::string icmp_error_text(const ErrorReport& report);

/// In a sentence: "host unreachable (from 10.0.0.1)", "host unreachable (no answer to ARP)".
[[nodiscard]] std::string icmp_error_phrase(const ErrorReport& report);

/// What traceroute prints behind the time: "" where the report is what a probe is expected to bring (time exceeded,
/// port unreachable), else "!H", "!N", "!P", "!F-1400", "!X" and so on.
[[nodiscard]] std::string traceroute_mark(const ErrorReport& report);

}  // namespace wireside::apps

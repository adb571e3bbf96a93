// The rules for names that people and programs write.
#pragma once

#include <expected>
#include <span>
#include <string_view>
#include <vector>

#include "dns/failure.hpp"
#include "wire/dns_name.hpp"

namespace wireside::dns {

struct HostName {
  wire::DnsName name;
  bool absolute = false;  ///< written with a dot at its end: never searched for elsewhere
};

/// Letters, digits, hyphens inside labels (RFC 1123 section 2.1), and underscores because they are in use; labels of
/// 1 to 63 characters, 253 in all. A last label of digits alone is a mistyped address: BadAddress.
[[nodiscard]] std::expected<HostName, Failure> parse_host_name(std::string_view text);

/// The names to ask for, in order: with `ndots` dots or more first as written, else first behind each search domain.
/// Combinations that are too long are left out.
[[nodiscard]] std::vector<wire::DnsName> candidates(const HostName& name, std::span<const wire::DnsName> search,
                                                    unsigned ndots);

/// "localhost" and names below it: 127.0.0.1 without asking anybody (RFC 6761 section 6.3).
[[nodiscard]] bool is_localhost(const wire::DnsName& name);
/// "invalid" and names below it never exist (RFC 6761 section 6.4).
[[nodiscard]] bool is_invalid(const wire::DnsName& name);

}  // namespace wireside::dns

#include "dns/name.hpp"

#include <algorithm>
#include <optional>

namespace wireside::dns {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_host_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

std::optional<Failure> problem_of(std::string_view label) {
  if (label.empty()) return Failure::EmptyLabel;
  if (!std::ranges::all_of(label, is_host_character)) return Failure::BadCharacter;
  if (label.size() > wire::max_dns_label) return Failure::LabelTooLong;
  if (label.front() == '-' || label.back() == '-') return Failure::BadHyphen;
  return std::nullopt;
}

bool last_label_is(const wire::DnsName& name, std::string_view wanted) {
  wire::DnsName domain;
  return domain.append(wanted) && name.is_within(domain);
}

}  // namespace

std::expected<HostName, Failure> parse_host_name(std::string_view text) {
  if (text.empty()) return std::unexpected{Failure::EmptyName};
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
    return std::unexpected{Failure::International};
  }
  HostName out;
  out.absolute = text.ends_with('.');
  if (out.absolute) text.remove_suffix(1);
  std::string_view label;
  for (bool more = true; more;) {
    const auto dot = text.find('.');
    more = dot != std::string_view::npos;
    label = text.substr(0, dot);
    if (const auto problem = problem_of(label)) return std::unexpected{*problem};
    if (!out.name.append(label)) return std::unexpected{Failure::NameTooLong};
    if (more) text.remove_prefix(dot + 1);
  }
  if (std::ranges::all_of(label, is_digit)) return std::unexpected{Failure::BadAddress};
  return out;
}

std::vector<wire::DnsName> candidates(const HostName& name, std::span<const wire::DnsName> search, unsigned ndots) {
  std::vector<wire::DnsName> out;
  if (name.absolute || is_localhost(name.name) || is_invalid(name.name)) return {name.name};
  for (const auto& domain : search) {
    wire::DnsName whole = name.name;
    if (whole.append(domain)) out.push_back(std::move(whole));
  }
  const bool as_written_first = name.name.labels().size() > ndots;
  out.insert(as_written_first ? out.begin() : out.end(), name.name);
  return out;
}

bool is_localhost(const wire::DnsName& name) { return last_label_is(name, "localhost"); }
bool is_invalid(const wire::DnsName& name) { return last_label_is(name, "invalid"); }

}  // namespace wireside::dns

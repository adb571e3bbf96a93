#include "wire/dns_name.hpp"

#include <algorithm>

#include "wire/text.hpp"

namespace wireside::wire {
namespace {

constexpr std::size_t header_octets = 12;
constexpr std::uint8_t pointer_bits = 0xc0;

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_ignoring_case(std::string_view a, std::string_view b) {
  // A length octet is at most 63 and so never takes part in folding.
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

void append_escaped(std::string& out, char c) {
  const auto octet = static_cast<std::uint8_t>(c);
  if (c == '.' || c == '\\' || c == '"' || c == ';' || c == '(' || c == ')' || c == '@' || c == '$') {
    out += '\\';
    out += c;
  } else if (octet > ' ' && octet <= '~') {
    out += c;
  } else {
    out += '\\';
    for (const unsigned digit : {octet / 100U, octet / 10U % 10U, octet % 10U}) out += static_cast<char>('0' + digit);
  }
}

}  // namespace

bool DnsName::append(std::string_view label) {
  if (label.empty() || label.size() > max_dns_label || wire_length() + label.size() + 1 > max_dns_name) return false;
  labels_ += static_cast<char>(label.size());
  labels_ += label;
  return true;
}

bool DnsName::append(const DnsName& suffix) {
  if (wire_length() + suffix.labels_.size() > max_dns_name) return false;
  labels_ += suffix.labels_;
  return true;
}

std::vector<std::string_view> DnsName::labels() const {
  std::vector<std::string_view> out;
  const std::string_view all = labels_;
  for (std::size_t at = 0; at < all.size();) {
    const auto length = static_cast<std::size_t>(all[at]);
    out.push_back(all.substr(at + 1, length));
    at += 1 + length;
  }
  return out;
}

bool DnsName::equals(const DnsName& other) const { return same_ignoring_case(labels_, other.labels_); }

bool DnsName::is_within(const DnsName& ancestor) const {
  const std::string_view all = labels_;
  std::size_t at = 0;
  while (all.size() - at > ancestor.labels_.size()) at += 1 + static_cast<std::size_t>(all[at]);
  return same_ignoring_case(all.substr(at), ancestor.labels_);
}

DnsName DnsName::folded() const {
  DnsName out = *this;
  std::ranges::transform(out.labels_, out.labels_.begin(), lower);
  return out;
}

std::string DnsName::to_string() const {
  if (is_root()) return ".";
  std::string out;
  for (const std::string_view label : labels()) {
    for (const char c : label) append_escaped(out, c);
    out += '.';
  }
  return out;
}

Result<DnsNameAt> parse_dns_name(ByteView message, std::size_t at) {
  DnsNameAt out;
  std::size_t run_start = at;
  bool followed = false;
  while (true) {
    if (at >= message.size()) return fail(Error::Truncated);
    const std::uint8_t length = message[at];
    if (length == 0) break;
    if ((length & pointer_bits) == pointer_bits) {
      if (at + 2 > message.size()) return fail(Error::Truncated);
      const std::size_t target = load_be16(message.data() + at) & 0x3fffU;
      if (target >= run_start || target < header_octets) return fail(Error::Malformed);
      if (!followed) out.next = at + 2;
      followed = true;
      run_start = at = target;
      continue;
    }
    if ((length & pointer_bits) != 0) return fail(Error::Malformed);
    if (at + 1 + length > message.size()) return fail(Error::Truncated);
    const auto* label = reinterpret_cast<const char*>(message.data() + at + 1);
    if (!out.name.append(std::string_view{label, length})) return fail(Error::Malformed);
    at += 1U + length;
  }
  if (!followed) out.next = at + 1;
  return out;
}

void emit_dns_name(const DnsName& name, std::vector<std::uint8_t>& out) {
  const std::string& labels = name.wire_labels();
  out.insert(out.end(), labels.begin(), labels.end());
  out.push_back(0);
}

}  // namespace wireside::wire

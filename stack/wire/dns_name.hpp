// Domain names as the wire carries them: labels of octets, compared without regard to ASCII case.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace wireside::wire {

inline constexpr std::size_t max_dns_label = 63;  ///< RFC 1035 section 2.3.4
inline constexpr std::size_t max_dns_name = 255;  ///< octets of the wire form, with the root's zero octet

/// A whole domain name; the default value is the root. Any octet may stand in a label (RFC 2181 section 11).
class DnsName {
 public:
  /// Adds a label at the right-hand end. False, and nothing changes, when it is empty, longer than 63 octets, or makes
  /// the name longer than 255.
  bool append(std::string_view label);
  /// Adds all labels of `suffix`; false as for one label.
  bool append(const DnsName& suffix);

  [[nodiscard]] bool is_root() const { return labels_.empty(); }
  [[nodiscard]] std::vector<std::string_view> labels() const;
  /// Octets of the uncompressed wire form.
  [[nodiscard]] std::size_t wire_length() const { return labels_.size() + 1; }
  /// Length octets and labels without the root's zero octet.
  [[nodiscard]] const std::string& wire_labels() const { return labels_; }

  /// Octet by octet. DNS itself compares without case: equals().
  friend bool operator==(const DnsName&, const DnsName&) = default;
  /// ASCII letters compare without case (RFC 4343).
  [[nodiscard]] bool equals(const DnsName& other) const;
  /// This name is `ancestor` or lies below it.
  [[nodiscard]] bool is_within(const DnsName& ancestor) const;
  /// With ASCII letters in lower case: the key to look it up by.
  [[nodiscard]] DnsName folded() const;
  /// "www.example.com." as in zone files; "." for the root. Unusual octets are escaped (RFC 1035 section 5.1).
  [[nodiscard]] std::string to_string() const;

 private:
  std::string labels_;
};

struct DnsNameAt {
  DnsName name;
  std::size_t next = 0;  ///< offset of what follows the name
};

/// Reads the name at offset `at` of a whole message. A compression pointer must lead to an earlier place than the run
/// of labels it ends (RFC 1035 section 4.1.4), so no chain of pointers can be circular.
/// Errors: Truncated; Malformed (pointer forward or into the header, unknown label type, longer than 255 octets).
[[nodiscard]] Result<DnsNameAt> parse_dns_name(ByteView message, std::size_t at);
/// Appends the uncompressed wire form.
void emit_dns_name(const DnsName& name, std::vector<std::uint8_t>& out);

}  // namespace wireside::wire

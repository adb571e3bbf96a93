// DNS messages (RFC 1035 section 4), as far as a resolver of addresses needs to understand them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/dns_name.hpp"

namespace wireside::wire {

/// Types with a meaning here; every other value is kept as it is.
enum class DnsType : std::uint16_t { A = 1, Ns = 2, Cname = 5, Soa = 6, Ptr = 12, Opt = 41 };
enum class DnsClass : std::uint16_t { In = 1 };
enum class DnsRcode : std::uint8_t {
  NoError = 0,
  FormatError = 1,
  ServerFailure = 2,
  NameError = 3,  ///< NXDOMAIN
  NotImplemented = 4,
  Refused = 5,
};

struct DnsHeader {
  std::uint16_t id = 0;
  bool response = false;
  std::uint8_t opcode = 0;  ///< 4 bits; 0 = standard query
  bool authoritative = false;
  bool truncated = false;
  bool recursion_desired = false;
  bool recursion_available = false;
  std::uint8_t reserved = 0;  ///< the 3 bits Z, AD, CD
  DnsRcode rcode = DnsRcode::NoError;
  friend constexpr bool operator==(const DnsHeader&, const DnsHeader&) = default;
};

struct DnsQuestion {
  DnsName name;
  DnsType type = DnsType::A;
  DnsClass dns_class = DnsClass::In;
  friend bool operator==(const DnsQuestion&, const DnsQuestion&) = default;
};

struct DnsSoa {
  DnsName primary;  ///< MNAME
  DnsName mailbox;  ///< RNAME
  std::uint32_t serial = 0;
  std::uint32_t refresh = 0;
  std::uint32_t retry = 0;
  std::uint32_t expire = 0;
  std::uint32_t minimum = 0;  ///< TTL of negative answers, in seconds (RFC 2308 section 4)
  friend bool operator==(const DnsSoa&, const DnsSoa&) = default;
};

using DnsOctets = std::vector<std::uint8_t>;

struct DnsRecord {
  DnsName name;
  DnsType type = DnsType::A;
  DnsClass dns_class = DnsClass::In;
  std::uint32_t ttl = 0;  ///< seconds, as sent
  /// Class IN: Ipv4Address for A, DnsName for NS, CNAME and PTR, DnsSoa for SOA. The octets for everything else.
  std::variant<DnsOctets, Ipv4Address, DnsName, DnsSoa> data;
  friend bool operator==(const DnsRecord&, const DnsRecord&) = default;
};

struct DnsMessage {
  DnsHeader header;
  std::vector<DnsQuestion> questions;
  std::vector<DnsRecord> answers;
  std::vector<DnsRecord> authorities;
  std::vector<DnsRecord> additionals;
  friend bool operator==(const DnsMessage&, const DnsMessage&) = default;
};

inline constexpr std::size_t dns_header_length = 12;
/// More questions and records than this make a message Malformed: no answer about addresses needs them.
inline constexpr std::size_t max_dns_entries = 4096;

/// Header and questions alone: all that counts in a truncated message. Records in the result are empty.
[[nodiscard]] Result<DnsMessage> parse_dns_head(ByteView message);
/// The whole message; octets behind it are ignored. Errors: Truncated, Malformed.
[[nodiscard]] Result<DnsMessage> parse_dns(ByteView message);
/// Without compression. Record data must fit its type.
[[nodiscard]] std::vector<std::uint8_t> emit_dns(const DnsMessage& message);

/// "NXDomain"; empty for NoError.
[[nodiscard]] std::string dns_rcode_text(DnsRcode rcode);
/// "CNAME", or "Type65" where there is no name.
[[nodiscard]] std::string dns_type_text(DnsType type);
/// As tcpdump words it: "4711+ A? www.example.com. (33)", "4711 2/0/0 CNAME web.example.com., A 10.0.0.1 (75)".
[[nodiscard]] std::string describe_dns(ByteView message);

}  // namespace wireside::wire

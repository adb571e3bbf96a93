#include "dns/response.hpp"

#include <algorithm>

namespace wireside::dns {
namespace {

using wire::DnsMessage;
using wire::DnsName;
using wire::DnsRcode;
using wire::DnsRecord;
using wire::DnsType;

void collect_addresses(const DnsMessage& message, const DnsName& owner, std::vector<AddressRecord>& out) {
  for (const DnsRecord& r : message.answers) {
    const auto* address = std::get_if<Ipv4Address>(&r.data);
    if (address == nullptr || !r.name.equals(owner)) continue;
    const bool known = std::ranges::any_of(out, [&](const AddressRecord& a) { return a.address == *address; });
    if (!known) out.push_back({*address, usable_ttl(r.ttl)});
  }
}

const DnsRecord* alias_of(const DnsMessage& message, const DnsName& owner) {
  const auto found = std::ranges::find_if(message.answers, [&](const DnsRecord& r) {
    return r.type == DnsType::Cname && std::holds_alternative<DnsName>(r.data) && r.name.equals(owner);
  });
  return found == message.answers.end() ? nullptr : &*found;
}

/// The lesser of the SOA record's TTL and its MINIMUM field, if the zone is one that holds the name.
std::optional<std::uint32_t> negative_ttl(const DnsMessage& message, const DnsName& name) {
  for (const DnsRecord& r : message.authorities) {
    const auto* soa = std::get_if<wire::DnsSoa>(&r.data);
    if (soa != nullptr && name.is_within(r.name)) return std::min(usable_ttl(r.ttl), usable_ttl(soa->minimum));
  }
  return std::nullopt;
}

bool has_type(const std::vector<DnsRecord>& records, DnsType type) {
  return std::ranges::any_of(records, [&](const DnsRecord& r) { return r.type == type; });
}

/// What NOERROR without an address for the end of the chain means (RFC 2308 section 2.2).
Reading::Kind kind_without_addresses(const DnsMessage& message, bool has_aliases) {
  if (has_type(message.authorities, DnsType::Soa)) return Reading::Kind::NoData;
  if (has_aliases) return Reading::Kind::Alias;
  const bool referral = has_type(message.authorities, DnsType::Ns) && !message.header.authoritative;
  return referral ? Reading::Kind::ServerFailed : Reading::Kind::NoData;
}

}  // namespace

Reading read_response(const DnsMessage& message, const DnsName& name, unsigned max_chain) {
  Reading out;
  out.last = name;
  const DnsRcode rcode = message.header.rcode;
  if (rcode != DnsRcode::NoError && rcode != DnsRcode::NameError) return out;
  while (true) {
    collect_addresses(message, out.last, out.addresses);
    if (!out.addresses.empty()) {
      out.kind = Reading::Kind::Addresses;
      return out;
    }
    const DnsRecord* alias = alias_of(message, out.last);
    if (alias == nullptr) break;
    if (out.aliases.size() >= max_chain) {
      out.kind = Reading::Kind::ChainTooLong;
      return out;
    }
    const auto& target = std::get<DnsName>(alias->data);
    out.aliases.push_back({out.last, target, usable_ttl(alias->ttl)});
    out.last = target;
  }
  // With aliases, the response code speaks of the last one (RFC 6604 section 3).
  out.kind =
      rcode == DnsRcode::NameError ? Reading::Kind::NotFound : kind_without_addresses(message, !out.aliases.empty());
  const bool negative = out.kind == Reading::Kind::NotFound || out.kind == Reading::Kind::NoData;
  if (negative) out.negative_ttl = negative_ttl(message, out.last);
  return out;
}

}  // namespace wireside::dns

#include "wire/dns.hpp"

#include <array>
#include <cassert>
#include <optional>

#include "wire/text.hpp"

namespace wireside::wire {
namespace {

constexpr std::size_t fixed_record_octets = 10;  // type, class, TTL, data length
constexpr std::size_t fixed_soa_octets = 20;

DnsHeader parse_dns_header(const std::uint8_t* p) {
  const std::uint16_t flags = load_be16(p + 2);
  const auto bit = [&](unsigned n) { return (flags >> n & 1U) != 0; };
  return {.id = load_be16(p),
          .response = bit(15),
          .opcode = static_cast<std::uint8_t>(flags >> 11 & 0xfU),
          .authoritative = bit(10),
          .truncated = bit(9),
          .recursion_desired = bit(8),
          .recursion_available = bit(7),
          .reserved = static_cast<std::uint8_t>(flags >> 4 & 7U),
          .rcode = static_cast<DnsRcode>(flags & 0xfU)};
}

std::uint16_t flags_of(const DnsHeader& h) {
  const auto bit = [](bool on, unsigned n) { return on ? 1U << n : 0U; };
  const unsigned rcode = static_cast<unsigned>(h.rcode) & 0xfU;
  return static_cast<std::uint16_t>(bit(h.response, 15) | (h.opcode & 0xfU) << 11 | bit(h.authoritative, 10) |
                                    bit(h.truncated, 9) | bit(h.recursion_desired, 8) | bit(h.recursion_available, 7) |
                                    (h.reserved & 7U) << 4 | rcode);
}

/// Reads one message from front to back; the first error sticks.
class MessageReader {
 public:
  explicit MessageReader(ByteView message) : message_{message} {}

  [[nodiscard]] Result<DnsMessage> head() {
    if (message_.size() < dns_header_length) return fail(Error::Truncated);
    DnsMessage out;
    out.header = parse_dns_header(message_.data());
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] = load_be16(message_.data() + 4 + 2 * i);
    if (std::size_t{counts_[0]} + counts_[1] + counts_[2] + counts_[3] > max_dns_entries) return fail(Error::Malformed);
    at_ = dns_header_length;
    for (std::size_t i = 0; i < counts_[0] && !error_; ++i) out.questions.push_back(question());
    if (error_) return fail(*error_);
    return out;
  }

  [[nodiscard]] Result<DnsMessage> whole() {
    auto out = head();
    if (!out) return out;
    for (std::size_t i = 0; i < counts_[1] && !error_; ++i) out->answers.push_back(record());
    for (std::size_t i = 0; i < counts_[2] && !error_; ++i) out->authorities.push_back(record());
    for (std::size_t i = 0; i < counts_[3] && !error_; ++i) out->additionals.push_back(record());
    if (error_) return fail(*error_);
    return out;
  }

 private:
  /// The next octets, or nullptr with an error noted.
  const std::uint8_t* take(std::size_t octets) {
    if (error_) return nullptr;
    if (message_.size() - at_ < octets) {
      error_ = Error::Truncated;
      return nullptr;
    }
    at_ += octets;
    return message_.data() + at_ - octets;
  }

  DnsName name() {
    if (error_) return {};
    auto parsed = parse_dns_name(message_, at_);
    if (!parsed) {
      error_ = parsed.error();
      return {};
    }
    at_ = parsed->next;
    return std::move(parsed->name);
  }

  DnsQuestion question() {
    DnsQuestion out;
    out.name = name();
    if (const auto* p = take(4)) {
      out.type = static_cast<DnsType>(load_be16(p));
      out.dns_class = static_cast<DnsClass>(load_be16(p + 2));
    }
    return out;
  }

  DnsRecord record() {
    DnsRecord out;
    out.name = name();
    const auto* p = take(fixed_record_octets);
    if (p == nullptr) return out;
    out.type = static_cast<DnsType>(load_be16(p));
    out.dns_class = static_cast<DnsClass>(load_be16(p + 2));
    out.ttl = load_be32(p + 4);
    const std::size_t length = load_be16(p + 8);
    if (message_.size() - at_ < length) {
      error_ = Error::Truncated;
      return out;
    }
    const std::size_t end = at_ + length;
    data(out, length);
    if (!error_ && at_ != end) error_ = Error::Malformed;
    return out;
  }

  void data(DnsRecord& out, std::size_t length) {
    const DnsType type = out.dns_class == DnsClass::In ? out.type : DnsType::Opt;
    switch (type) {
      case DnsType::A:
        if (const auto* p = take(4)) out.data = Ipv4Address{load_be32(p)};
        return;
      case DnsType::Ns:
      case DnsType::Cname:
      case DnsType::Ptr:
        out.data = name();
        return;
      case DnsType::Soa:
        out.data = soa();
        return;
      case DnsType::Opt:
        break;
    }
    if (const auto* p = take(length)) out.data = DnsOctets(p, p + length);
  }

  DnsSoa soa() {
    DnsSoa out;
    out.primary = name();
    out.mailbox = name();
    if (const auto* p = take(fixed_soa_octets)) {
      out.serial = load_be32(p);
      out.refresh = load_be32(p + 4);
      out.retry = load_be32(p + 8);
      out.expire = load_be32(p + 12);
      out.minimum = load_be32(p + 16);
    }
    return out;
  }

  ByteView message_;
  std::size_t at_ = 0;
  std::array<std::uint16_t, 4> counts_{};
  std::optional<Error> error_;
};

class NameWriter {
 public:
  void u16(std::size_t value) {
    out.resize(out.size() + 2);
    store_be16(out.data() + out.size() - 2, static_cast<std::uint16_t>(value));
  }
  void u32(std::uint32_t value) {
    out.resize(out.size() + 4);
    store_be32(out.data() + out.size() - 4, value);
  }
  void record(const DnsRecord& r) {
    emit_dns_name(r.name, out);
    u16(static_cast<std::size_t>(r.type));
    u16(static_cast<std::size_t>(r.dns_class));
    u32(r.ttl);
    u16(0);
    const std::size_t start = out.size();
    std::visit(*this, r.data);
    assert(out.size() - start <= 0xffff);
    store_be16(out.data() + start - 2, static_cast<std::uint16_t>(out.size() - start));
  }
  void operator()(const DnsOctets& octets) { out.insert(out.end(), octets.begin(), octets.end()); }
  void operator()(Ipv4Address address) { u32(address.value()); }
  void operator()(const DnsName& name) { emit_dns_name(name, out); }
  void operator()(const DnsSoa& soa) {
    emit_dns_name(soa.primary, out);
    emit_dns_name(soa.mailbox, out);
    for (const std::uint32_t n : {soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum}) u32(n);
  }

  std::vector<std::uint8_t> out;
};

struct TypeName {
  std::uint16_t type;
  std::string_view name;
};
constexpr auto type_names = std::to_array<TypeName>({
    {1, "A"},      {2, "NS"},    {5, "CNAME"},   {6, "SOA"},    {12, "PTR"},   {13, "HINFO"}, {15, "MX"},
    {16, "TXT"},   {28, "AAAA"}, {33, "SRV"},    {35, "NAPTR"}, {39, "DNAME"}, {41, "OPT"},   {43, "DS"},
    {46, "RRSIG"}, {47, "NSEC"}, {48, "DNSKEY"}, {64, "SVCB"},  {65, "HTTPS"}, {255, "ANY"},
});

std::string record_text(const DnsRecord& r) {
  std::string out = dns_type_text(r.type);
  if (const auto* address = std::get_if<Ipv4Address>(&r.data)) out += ' ' + address->to_string();
  if (const auto* name = std::get_if<DnsName>(&r.data)) out += ' ' + name->to_string();
  return out;
}

std::string response_text(const DnsMessage& m) {
  std::string out;
  if (m.header.authoritative) out += '*';
  if (!m.header.recursion_available) out += '-';
  if (m.header.truncated) out += '|';
  if (const auto rcode = dns_rcode_text(m.header.rcode); !rcode.empty()) out += ' ' + rcode;
  out += numbered(" ", m.answers.size()) + numbered("/", m.authorities.size()) + numbered("/", m.additionals.size());
  for (std::size_t i = 0; i < m.answers.size(); ++i) out += (i == 0 ? " " : ", ") + record_text(m.answers[i]);
  return out;
}

}  // namespace

Result<DnsMessage> parse_dns_head(ByteView message) { return MessageReader{message}.head(); }
Result<DnsMessage> parse_dns(ByteView message) { return MessageReader{message}.whole(); }

std::vector<std::uint8_t> emit_dns(const DnsMessage& message) {
  NameWriter writer;
  writer.u16(message.header.id);
  writer.u16(flags_of(message.header));
  writer.u16(message.questions.size());
  writer.u16(message.answers.size());
  writer.u16(message.authorities.size());
  writer.u16(message.additionals.size());
  for (const auto& q : message.questions) {
    emit_dns_name(q.name, writer.out);
    writer.u16(static_cast<std::size_t>(q.type));
    writer.u16(static_cast<std::size_t>(q.dns_class));
  }
  for (const auto* section : {&message.answers, &message.authorities, &message.additionals}) {
    for (const auto& r : *section) writer.record(r);
  }
  return std::move(writer.out);
}

std::string dns_rcode_text(DnsRcode rcode) {
  static constexpr auto names =
      std::to_array<std::string_view>({"", "FormErr", "ServFail", "NXDomain", "NotImp", "Refused"});
  const auto value = static_cast<std::size_t>(rcode);
  return value < names.size() ? std::string{names[value]} : numbered("Resp", value);
}

std::string dns_type_text(DnsType type) {
  for (const auto& row : type_names) {
    if (row.type == static_cast<std::uint16_t>(type)) return std::string{row.name};
  }
  return numbered("Type", static_cast<std::size_t>(type));
}

std::string describe_dns(ByteView message) {
  const std::string length = numbered(" (", message.size()) + ')';
  auto parsed = parse_dns(message);
  const bool whole = parsed.has_value();
  if (!whole) parsed = parse_dns_head(message);
  if (!parsed) return "DNS, malformed" + length;
  std::string out = numbered("", parsed->header.id);
  if (parsed->header.response) {
    out += response_text(*parsed);
  } else {
    if (parsed->header.recursion_desired) out += '+';
    if (!parsed->additionals.empty()) out += numbered(" [", parsed->additionals.size()) + "au]";
    for (const auto& q : parsed->questions) out += ' ' + dns_type_text(q.type) + "? " + q.name.to_string();
  }
  return out + (whole ? "" : " [malformed]") + length;
}

}  // namespace wireside::wire

#include "wire/dns.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "unit/wire/generators.hpp"
#include "unit/wire/octets.hpp"

namespace wireside::wire {
namespace {

DnsName name(std::initializer_list<std::string_view> labels) {
  DnsName out;
  for (const auto label : labels) EXPECT_TRUE(out.append(label));
  return out;
}

// An answer as dnsmasq sends it: www.lab. is an alias for web.lab., both names compressed.
const auto alias_answer = octets(
    "1267 8580 0001 0002 0000 0000"
    "03 777777 03 6c6162 00 0001 0001"
    "c00c 0005 0001 0000012c 0006 03 776562 c010"
    "c025 0001 0001 0000003c 0004 0a000001");

TEST(Dns, KnownOctets) {
  const auto m = parse_dns(alias_answer);
  ASSERT_TRUE(m);
  EXPECT_EQ(m->header.id, 0x1267);
  EXPECT_TRUE(m->header.response && m->header.authoritative && m->header.recursion_desired);
  EXPECT_FALSE(m->header.truncated);
  ASSERT_EQ(m->questions.size(), 1U);
  EXPECT_EQ(m->questions[0], (DnsQuestion{name({"www", "lab"}), DnsType::A, DnsClass::In}));
  ASSERT_EQ(m->answers.size(), 2U);
  EXPECT_EQ(m->answers[0].ttl, 300U);
  EXPECT_EQ(std::get<DnsName>(m->answers[0].data), name({"web", "lab"}));
  EXPECT_EQ(m->answers[1].name, name({"web", "lab"}));
  EXPECT_EQ(std::get<Ipv4Address>(m->answers[1].data), (Ipv4Address{10, 0, 0, 1}));
}

TEST(Dns, Words) {
  EXPECT_EQ(describe_dns(alias_answer), "4711* 2/0/0 CNAME web.lab., A 10.0.0.1 (59)");
  EXPECT_EQ(describe_dns(octets("1267 0100 0001 0000 0000 0000 03 777777 03 6c6162 00 0001 0001")),
            "4711+ A? www.lab. (25)");
  EXPECT_EQ(describe_dns(octets("1267 8183 0001 0000 0000 0000 01 78 00 001c 0001")), "4711 NXDomain 0/0/0 (19)");
  EXPECT_EQ(describe_dns(octets("1267 0100 0001")), "DNS, malformed (6)");
}

// RFC 1035 section 4.1.4: a pointer names a prior occurrence. Circles, forward pointers and pointers into the header
// are refused, whatever they would lead to.
TEST(DnsName, PointersOnlyLeadBack) {
  const std::string header = "0000 8000 0000 0000 0000 0000";
  const auto parse = [&](const char* tail, std::size_t at) { return parse_dns_name(octets(header + tail), at); };
  EXPECT_EQ(parse("c00c", 12).error(), Error::Malformed);        // to itself
  EXPECT_EQ(parse("c00e c00c", 12).error(), Error::Malformed);   // forward
  EXPECT_EQ(parse("01 61 c00c", 12).error(), Error::Malformed);  // to the labels that lead to it
  EXPECT_EQ(parse("c00e c00c", 14).error(), Error::Malformed);   // two that lead to each other
  EXPECT_EQ(parse("c000", 12).error(), Error::Malformed);        // into the header
  EXPECT_EQ(parse("01 61 00 01 62 c00c", 15)->name.to_string(), "b.a.");
  EXPECT_EQ(parse("01 61 00 01 62 c00c", 15)->next, 19U);
}

TEST(DnsName, Limits) {                                                     // RFC 1035 section 2.3.4
  EXPECT_EQ(parse_dns_name(octets("40 61"), 0).error(), Error::Malformed);  // label types 01 and 10 do not exist
  EXPECT_EQ(parse_dns_name(octets("80 61"), 0).error(), Error::Malformed);
  EXPECT_EQ(parse_dns_name(octets("02 61"), 0).error(), Error::Truncated);
  EXPECT_EQ(parse_dns_name(octets("01 61"), 0).error(), Error::Truncated);
  EXPECT_EQ(parse_dns_name(octets("c0"), 0).error(), Error::Truncated);
  DnsName long_name;
  EXPECT_FALSE(long_name.append(std::string(64, 'x')));
  EXPECT_FALSE(long_name.append(""));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(long_name.append(std::string(63, 'x')));
  EXPECT_FALSE(long_name.append(std::string(62, 'x')));
  EXPECT_TRUE(long_name.append(std::string(61, 'x')));
  EXPECT_EQ(long_name.wire_length(), 255U);
}

TEST(DnsName, ComparesWithoutCase) {  // RFC 4343
  EXPECT_TRUE(name({"WWW", "Lab"}).equals(name({"www", "lAB"})));
  EXPECT_FALSE(name({"WWW", "Lab"}) == name({"www", "lab"}));
  EXPECT_TRUE(name({"a", "LAB"}).is_within(name({"lab"})));
  EXPECT_TRUE(name({"lab"}).is_within(name({"lab"})));
  EXPECT_TRUE(name({"lab"}).is_within(DnsName{}));
  EXPECT_FALSE(name({"alab"}).is_within(name({"lab"})));
  EXPECT_FALSE(name({"lab"}).is_within(name({"a", "lab"})));
  EXPECT_EQ(name({"a.b", "c d"}).to_string(), "a\\.b.c\\032d.");
}

TEST(Dns, EveryPrefixIsRefused) {
  for (std::size_t n = 0; n < alias_answer.size(); ++n) {
    EXPECT_FALSE(parse_dns(ByteView{alias_answer}.first(n))) << n;
  }
}

// RFC 1035 section 4.1.3: RDLENGTH is the length of the data, no more and no less.
TEST(Dns, DataMustFillItsLength) {
  const std::string head = "0001 8180 0000 0001 0000 0000 00 0001 0001 00000000 ";
  EXPECT_TRUE(parse_dns(octets(head + "0004 0a000001")));
  EXPECT_EQ(parse_dns(octets(head + "0005 0a00000100")).error(), Error::Malformed);
  EXPECT_EQ(parse_dns(octets(head + "0003 0a000001")).error(), Error::Malformed);
}

TEST(Dns, TooManyRecordsAreRefusedBeforeTheyAreRead) {
  EXPECT_EQ(parse_dns(octets("0001 8180 0000 ffff 0000 0000")).error(), Error::Malformed);
}

DnsName any_name() {
  DnsName out;
  const auto count = *rc::gen::inRange(0, 5);
  for (int i = 0; i < count; ++i) {
    const auto label = *rc::gen::resize(20, rc::gen::nonEmpty<std::string>());
    (void)out.append(label);
  }
  return out;
}

DnsRecord any_record() {
  DnsRecord r{any_name(), DnsType::A, DnsClass::In, arbitrary::any<std::uint32_t>(), {}};
  const auto n = [] { return arbitrary::any<std::uint32_t>(); };
  switch (*rc::gen::inRange(0, 4)) {
    case 0:
      r.data = arbitrary::ipv4_address();
      break;
    case 1:
      r.type = *rc::gen::element(DnsType::Ns, DnsType::Cname, DnsType::Ptr);
      r.data = any_name();
      break;
    case 2:
      r.type = DnsType::Soa;
      r.data = DnsSoa{any_name(), any_name(), n(), n(), n(), n(), n()};
      break;
    default:
      r.type = static_cast<DnsType>(*rc::gen::inRange<std::uint16_t>(64, 300));
      r.dns_class = static_cast<DnsClass>(arbitrary::any<std::uint16_t>());
      r.data = arbitrary::any<DnsOctets>();
  }
  return r;
}

RC_GTEST_PROP(Dns, ParsesWhatItEmits, ()) {
  DnsMessage m;
  m.header = {.id = arbitrary::any<std::uint16_t>(),
              .response = arbitrary::any<bool>(),
              .opcode = *rc::gen::inRange<std::uint8_t>(0, 16),
              .authoritative = arbitrary::any<bool>(),
              .truncated = arbitrary::any<bool>(),
              .recursion_desired = arbitrary::any<bool>(),
              .recursion_available = arbitrary::any<bool>(),
              .reserved = *rc::gen::inRange<std::uint8_t>(0, 8),
              .rcode = static_cast<DnsRcode>(*rc::gen::inRange<std::uint8_t>(0, 16))};
  for (int i = *rc::gen::inRange(0, 3); i > 0; --i) m.questions.push_back({any_name(), DnsType::A, DnsClass::In});
  for (auto* section : {&m.answers, &m.authorities, &m.additionals}) {
    for (int i = *rc::gen::inRange(0, 4); i > 0; --i) section->push_back(any_record());
  }
  const auto parsed = parse_dns(emit_dns(m));
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(*parsed == m);
}

}  // namespace
}  // namespace wireside::wire

#include "dns/cache.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dns/name.hpp"

namespace wireside::dns {
namespace {

using Kind = Reading::Kind;

wire::DnsName name(std::string_view text) { return parse_host_name(text)->name; }
Instant at(std::int64_t s) { return Instant::from_ns(s * 1'000'000'000); }

Reading addresses(std::string_view owner, std::uint32_t ttl, std::uint32_t other_ttl = UINT32_MAX) {
  Reading out;
  out.kind = Kind::Addresses;
  out.last = name(owner);
  out.addresses = {{Ipv4Address{10, 0, 0, 1}, ttl}};
  if (other_ttl != UINT32_MAX) out.addresses.push_back({Ipv4Address{10, 0, 0, 2}, other_ttl});
  return out;
}

TEST(DnsCache, TtlsCountDownToTheEnd) {
  Cache cache{CacheConfig{}};
  cache.add(at(0), addresses("Web.lab", 60));
  EXPECT_EQ(cache.find(at(0), name("web.LAB"))->addresses[0].ttl, 60U);
  EXPECT_EQ(cache.find(at(59), name("web.lab"))->addresses[0].ttl, 1U);
  EXPECT_FALSE(cache.find(at(60), name("web.lab")));
  EXPECT_EQ(cache.size(), 0U);
  EXPECT_EQ(cache.octets(), 0U);
}

TEST(DnsCache, ASetOfAddressesLivesAsLongAsItsFirstToGo) {  // RFC 2181 section 5.2
  Cache cache{CacheConfig{}};
  cache.add(at(0), addresses("web.lab", 60, 20));
  EXPECT_EQ(cache.find(at(5), name("web.lab"))->addresses.size(), 2U);
  EXPECT_FALSE(cache.find(at(20), name("web.lab")));
}

TEST(DnsCache, ZeroIsNotRememberedAndLongTtlsAreCut) {  // RFC 1035 section 3.2.1
  Cache cache{CacheConfig{}};
  cache.add(at(0), addresses("zero.lab", 0));
  cache.add(at(0), addresses("long.lab", 0x7fffffff));
  EXPECT_FALSE(cache.find(at(0), name("zero.lab")));
  EXPECT_EQ(cache.find(at(0), name("long.lab"))->addresses[0].ttl, 86400U);
}

TEST(DnsCache, NegativeAnswers) {  // RFC 2308 section 5: only with a TTL from an SOA record
  Cache cache{CacheConfig{}};
  cache.add(at(0), {Kind::NotFound, {}, name("a.lab"), {}, std::nullopt});
  cache.add(at(0), {Kind::NotFound, {}, name("b.lab"), {}, 30});
  cache.add(at(0), {Kind::NoData, {}, name("c.lab"), {}, 1'000'000});
  EXPECT_FALSE(cache.find(at(0), name("a.lab")));
  EXPECT_EQ(cache.find(at(29), name("b.lab"))->kind, Kind::NotFound);
  EXPECT_FALSE(cache.find(at(30), name("b.lab")));
  EXPECT_EQ(cache.find(at(0), name("c.lab"))->negative_ttl, 10'800U);
}

TEST(DnsCache, AliasesAreEntriesOfTheirOwn) {
  Cache cache{CacheConfig{}};
  Reading reading = addresses("web.lab", 60);
  reading.aliases = {{name("www.lab"), name("web.lab"), 10}};
  cache.add(at(0), reading);
  EXPECT_EQ(cache.find(at(0), name("www.lab"))->last, name("web.lab"));
  EXPECT_FALSE(cache.find(at(10), name("www.lab")));
  EXPECT_TRUE(cache.find(at(10), name("web.lab")));
}

TEST(DnsCache, ListsWhatFindWouldGive) {
  Cache cache{CacheConfig{}};
  Reading reading = addresses("web.lab", 60);
  reading.aliases = {{name("www.lab"), name("web.lab"), 10}};
  cache.add(at(0), reading);
  cache.add(at(0), {Kind::NotFound, {}, name("b.lab"), {}, 30});
  const auto all = cache.list(at(9));
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].name, name("b.lab"));
  EXPECT_EQ(all[0].reading.kind, Kind::NotFound);
  EXPECT_EQ(all[0].ttl, 21U);
  EXPECT_EQ(all[1].name, name("web.lab"));
  EXPECT_EQ(all[1].reading.addresses[0].ttl, 51U);
  EXPECT_EQ(all[2].name, name("www.lab"));
  EXPECT_EQ(all[2].reading.last, name("web.lab"));
  EXPECT_EQ(cache.list(at(10)).size(), 2U) << "the alias has ended";
}

TEST(DnsCache, TheLeastRecentlyUsedGoesFirst) {
  CacheConfig config;
  config.max_entries = 2;
  Cache cache{config};
  cache.add(at(0), addresses("a.lab", 60));
  cache.add(at(0), addresses("b.lab", 60));
  EXPECT_TRUE(cache.find(at(1), name("a.lab")));
  cache.add(at(1), addresses("c.lab", 60));
  EXPECT_TRUE(cache.find(at(1), name("a.lab")));
  EXPECT_FALSE(cache.find(at(1), name("b.lab")));
}

RC_GTEST_PROP(DnsCache, IsBounded, ()) {
  CacheConfig config;
  config.max_entries = 16;
  config.max_octets = 6000;
  Cache cache{config};
  std::int64_t now = 0;
  for (int i = 0; i < 200; ++i) {
    now += *rc::gen::inRange(0, 5);
    const auto label = "n" + std::to_string(*rc::gen::inRange(0, 40)) + ".lab";
    cache.add(at(now), addresses(label, *rc::gen::inRange<std::uint32_t>(0, 50)));
    RC_ASSERT(cache.size() <= 16U);
    RC_ASSERT(cache.octets() <= 6000U);
  }
}

}  // namespace
}  // namespace wireside::dns

// The lease in a file: what is written is read again, and what cannot be believed is refused.
#include "lease_file.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <cstdio>

namespace wireside::apps {
namespace {

using namespace std::chrono_literals;

constexpr Duration wall = 1'700'000'000s;

StoredLease example() {
  StoredLease s;
  s.mac = MacAddress{{2, 0, 0x5e, 0, 0x53, 1}};
  s.lease.prefix = {Ipv4Address{10, 0, 0, 57}, 24};
  s.lease.server = Ipv4Address{10, 0, 0, 1};
  s.lease.obtained = Instant::from_ns(5'000'000'000);
  s.lease.duration = 3600s;
  s.lease.t1 = 1800s;
  s.lease.t2 = 3150s;
  s.lease.configuration.routers = {Ipv4Address{10, 0, 0, 1}};
  s.lease.configuration.routes = {{{Ipv4Address{172, 16, 0, 0}, 12}, Ipv4Address{10, 0, 0, 2}}};
  s.lease.configuration.dns_servers = {Ipv4Address{10, 0, 0, 53}};
  s.lease.configuration.domain_name = "example.net";
  s.lease.configuration.host_name = "printer";
  s.lease.configuration.broadcast_address = Ipv4Address{10, 0, 0, 255};
  s.lease.configuration.mtu = 1400;
  return s;
}

TEST(LeaseFile, ReadsWhatItWrites) {
  const auto back = lease_from_json(lease_to_json(example(), wall), wall);
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(back->mac, example().mac);
  EXPECT_EQ(back->lease, example().lease);
  // The machine started anew: its monotonic clock began elsewhere.
  const auto later = lease_from_json(lease_to_json(example(), wall), wall + 100s);
  EXPECT_EQ(later->lease.obtained, example().lease.obtained - 100s);
}

/// Any lease that a server could have given, in the whole seconds and milliseconds that a file keeps.
StoredLease any_lease() {
  const auto address = [] { return Ipv4Address{*rc::gen::arbitrary<std::uint32_t>()}; };
  const auto addresses = [&] {
    return std::vector<Ipv4Address>{*rc::gen::container<std::vector<Ipv4Address>>(
        rc::gen::map(rc::gen::arbitrary<std::uint32_t>(), [](std::uint32_t v) { return Ipv4Address{v}; }))};
  };
  StoredLease s;
  s.mac = MacAddress{{2, 0, 0, 0, *rc::gen::arbitrary<std::uint8_t>(), *rc::gen::arbitrary<std::uint8_t>()}};
  dhcp::Lease& lease = s.lease;
  lease.prefix = {address(), static_cast<std::uint8_t>(*rc::gen::inRange(0, 33))};
  lease.server = address();
  lease.obtained = Instant::from_ns(0) + std::chrono::milliseconds{*rc::gen::inRange<std::int64_t>(0, 1LL << 40)};
  lease.infinite = *rc::gen::arbitrary<bool>();
  if (!lease.infinite) {
    lease.duration = std::chrono::seconds{*rc::gen::inRange<std::int64_t>(3, 0x100000000)};
    lease.t2 = std::chrono::milliseconds{*rc::gen::inRange<std::int64_t>(2, lease.duration / 1ms)};
    lease.t1 = std::chrono::milliseconds{*rc::gen::inRange<std::int64_t>(1, lease.t2 / 1ms)};
  }
  dhcp::Configuration& c = lease.configuration;
  c.routers = addresses();
  c.dns_servers = addresses();
  c.ntp_servers = addresses();
  c.domain_name = *rc::gen::container<std::string>(rc::gen::element('a', 'z', '.', '-', '"', '\\', ' '));
  c.host_name = *rc::gen::container<std::string>(rc::gen::element('a', 'z', '.', '-', '"', '\\', ' '));
  if (*rc::gen::arbitrary<bool>()) c.broadcast_address = address();
  if (*rc::gen::arbitrary<bool>()) c.mtu = static_cast<std::uint16_t>(*rc::gen::inRange(576, 65536));
  for (int routes = *rc::gen::inRange(0, 4); routes > 0; --routes) {
    c.routes.push_back({{address(), static_cast<std::uint8_t>(*rc::gen::inRange(0, 33))}, address()});
  }
  return s;
}

RC_GTEST_PROP(LeaseFile, AnyLeaseComesBack, ()) {
  const StoredLease stored = any_lease();
  const auto back = lease_from_text(lease_to_text(stored, wall), wall);
  RC_ASSERT(back.has_value());
  RC_ASSERT(back->mac == stored.mac);
  RC_ASSERT((back->lease == stored.lease));
}

TEST(LeaseFile, WhatTheServerToldIsShown) {
  const auto json = lease_to_json(example(), wall);
  EXPECT_EQ(json.at("broadcast").as_string(), "10.0.0.255");
  EXPECT_EQ(json.at("host_name").as_string(), "printer");
  const std::string text = describe_lease(example().lease);
  EXPECT_NE(text.find("broadcast  10.0.0.255\n"), std::string::npos) << text;
  EXPECT_NE(text.find("host name  printer\n"), std::string::npos) << text;
}

TEST(LeaseFile, TimesBeyondAllYearsAreRefused) {  // nanoseconds of the year 2900 do not fit 64 bits
  auto o = lease_to_json(example(), wall);
  o["obtained_ms"] = std::int64_t{29'000'000'000'000};
  const auto refused = lease_from_json(o, wall);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().find("obtained_ms"), std::string::npos);
}

TEST(LeaseFile, InfiniteLease) {
  auto stored = example();
  stored.lease.infinite = true;
  stored.lease.duration = stored.lease.t1 = stored.lease.t2 = {};
  const auto back = lease_from_json(lease_to_json(stored, wall), wall);
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(back->lease, stored.lease);
}

TEST(LeaseFile, WhatCannotBeBelievedIsRefused) {
  const auto good = lease_to_json(example(), wall);
  for (const char* field : {"mac", "address", "server", "obtained_ms", "lease_s", "t1_ms", "t2_ms"}) {
    auto without = good;
    without.erase(field);
    EXPECT_FALSE(lease_from_json(without, wall)) << field;
    auto wrong = good;
    wrong[field] = -1;
    const auto refused = lease_from_json(wrong, wall);
    ASSERT_FALSE(refused) << field;
    EXPECT_NE(refused.error().find(field), std::string::npos) << refused.error();
  }
  for (const char* text : {R"({"t1_ms":3600000})", R"({"lease_s":99999999999})", R"({"mac":"ff:ff:ff:ff:ff:ff"})",
                           R"({"routes":[{"to":"x","via":"10.0.0.1"}]})", R"({"dns":["10.0.0"]})",
                           R"({"broadcast":"x"})", R"({"host_name":7})"}) {
    auto o = good;
    const auto change = boost::json::parse(text);
    for (const auto& [key, value] : change.get_object()) o[key] = value;
    EXPECT_FALSE(lease_from_json(o, wall)) << text;
  }
  EXPECT_FALSE(lease_from_json(boost::json::parse("[]"), wall));
}

TEST(LeaseFile, FileOnDisk) {
  const std::string path = ::testing::TempDir() + "wireside-lease-" + std::to_string(::getpid());
  const auto none = read_lease_file(path, wall);
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->has_value()) << "no file is no error";
  EXPECT_EQ(write_lease_file(path, example(), wall), std::nullopt);
  const auto back = read_lease_file(path, wall);
  ASSERT_TRUE(back && *back);
  EXPECT_EQ((*back)->lease, example().lease);
  std::remove(path.c_str());
  EXPECT_TRUE(write_lease_file("/nonexistent/lease", example(), wall).has_value());
}

}  // namespace
}  // namespace wireside::apps

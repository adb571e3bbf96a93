#include "sim_scenario.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace wireside::sim {
namespace {

Scenario parsed(std::string_view text) {
  const auto scenario = parse_scenario(text);
  EXPECT_TRUE(scenario) << (scenario ? "" : scenario.error().what);
  return scenario.value_or(Scenario{});
}

TEST(SimScenario, ReadsEveryStatement) {
  const Scenario s = parsed(R"(# two hosts behind a router
seed 7
stop 90s
host a sack=off rto-min=1s receive-buffer-max=2MiB loss-detection=rfc6675
host b	delayed-ack=100ms   # a tab, and a comment
router r
link a r both=delay=1ms
link r b forth=rate=10mbit,queue=50,delay=9ms back=loss=1% mtu=1400
flow first a b octets=1.5MB congestion=newreno no-delay=on
flow second b a for=20s start=500ms mss=1000
)");
  EXPECT_EQ(s.seed, 7U);
  EXPECT_EQ(s.stop, 90s);
  ASSERT_EQ(s.hosts.size(), 2U);
  EXPECT_FALSE(s.hosts[0].tcp.sack);
  EXPECT_EQ(s.hosts[0].tcp.rto_min, 1s);
  EXPECT_EQ(s.hosts[0].tcp.receive_buffer_max, std::size_t{2} << 20);
  EXPECT_EQ(s.hosts[0].tcp.loss_detection, tcp::LossDetection::Rfc6675);
  EXPECT_EQ(s.hosts[1].tcp.delayed_ack, 100ms);
  ASSERT_EQ(s.routers.size(), 1U);
  ASSERT_EQ(s.links.size(), 2U);
  EXPECT_EQ(s.links[0].forth.delay, 1ms);
  EXPECT_EQ(s.links[0].back.delay, 1ms);
  EXPECT_EQ(s.links[1].forth.rate, 10'000'000U);
  EXPECT_EQ(s.links[1].back.loss, impair::Probability::of(0.01));
  EXPECT_EQ(s.links[1].mtu, 1400);
  ASSERT_EQ(s.flows.size(), 2U);
  EXPECT_EQ(s.flows[0].octets, 1'500'000U);
  EXPECT_EQ(s.flows[0].options.congestion, tcp::CongestionAlgorithm::NewReno);
  EXPECT_TRUE(s.flows[0].options.no_delay);
  EXPECT_EQ(s.flows[1].octets, std::nullopt);
  EXPECT_EQ(s.flows[1].run_for, 20s);
  EXPECT_EQ(s.flows[1].start, 500ms);
  EXPECT_EQ(s.flows[1].options.max_segment, 1000);
}

TEST(SimScenario, ErrorsNameTheLineTheReasonAndTheRemedy) {
  struct Case {
    const char* text;
    std::size_t line;
    const char* what;
    const char* remedy;
  };
  constexpr Case cases[] = {
      {"", 0, "no flow", "flow f1 a b"},
      {"# nothing\n\nhots a", 3, "'hots' is not understood", "host"},
      {"seed", 1, "something is missing", "seed N"},
      {"seed 1x", 1, "not a number", "seed N"},
      {"seed 1\nseed 2", 2, "seed is given twice", "one"},
      {"seed 1 2", 1, "'2' is too much", "seed N"},
      {"stop 5", 1, "not a duration", "stop 60s"},
      {"stop 25h", 1, "not a duration", "stop 60s"},
      {"host a.b", 1, "not a name", "host NAME"},
      {"host a\nrouter a", 2, "there already", "another name"},
      {"host a speed=3", 1, "no option speed", "timestamps"},
      {"host a sack=perhaps", 1, "sack=perhaps", "on or off"},
      {"host a rto-min=1ns", 1, "rto-min=1ns", "from 1ms to an hour"},
      {"host a rto-initial=999us", 1, "rto-initial=999us", "from 1ms"},
      {"host a rto-max=0s", 1, "rto-max=0s", "from 1ms"},
      {"host a delayed-ack=3601s", 1, "delayed-ack=3601s", "to an hour"},
      {"host a sack=on sack=off", 1, "sack is given twice", "one"},
      {"host a\nlink a b", 2, "b is neither a host nor a router", "host b"},
      {"router r\nlink r r", 2, "to itself", "link A B"},
      {"host a\nhost b\nhost c\nlink a b\nlink a c", 5, "second link", "a router"},
      {"host a\nhost b\nlink a b both=loss=1", 3, "not a percentage", "loss=1%"},
      {"host a\nhost b\nlink a b both=loss=1% forth=none", 3, "both says", "either both"},
      {"host a\nhost b\nlink a b mtu=100", 3, "from 576", "mtu=1500"},
      {"host a\nhost b\nlink a b fast", 3, "'fast' is not understood", "link A B"},
      {"host a\nhost b\nlink a b\nflow f a b", 4, "something is missing", "octets=AMOUNT"},
      {"host a\nhost b\nlink a b\nflow f a b octets=1MB for=1s", 4, "some octets or after some time", "either"},
      {"host a\nhost b\nlink a b\nflow f a b start=1s", 4, "some octets or after some time", "either"},
      {"host a\nhost b\nlink a b\nflow f a b octets=1", 4, "amount with its unit", "octets=1MB"},
      {"host a\nhost b\nlink a b\nflow f a b octets=0B", 4, "amount with its unit", "octets=1MB"},
      {"host a\nhost b\nlink a b\nflow f a a octets=1MB", 4, "to itself", "flow NAME"},
      {"host a\nhost b\nlink a b\nflow f a c octets=1MB", 4, "c is not a host", "host c"},
      {"host a\nhost b\nlink a b\nflow f a b octets=1MB congestion=bbr", 4, "congestion=bbr", "newreno or cubic"},
      {"host a\nhost b\nlink a b\nflow f a b octets=1MB\nflow f b a octets=1MB", 5, "second flow f", "another name"},
      {"host a\nhost b\nhost c\nlink a b\nflow f a b octets=1MB", 3, "the host c has no link", "link c"},
      {"host a\nhost b\nhost c\nhost d\nlink a b\nlink c d\nflow f a c octets=1MB", 7, "no links lead from a to c",
       "link a c"},
      {"host a rto-min=5s rto-max=1s\nhost b\nlink a b\nflow f a b octets=1MB", 1, "rto-min is above rto-max",
       "rto-min=200ms"},
      {"stop 5s\nhost a\nhost b\nlink a b\nflow f a b for=10s", 5, "beyond the scenario's stop, which is at 5s",
       "stop 20s"},
      {"host a\nhost b\nlink a b\nflow f a b octets=1MB start=700s", 4, "starts after the scenario's stop", "stop"},
  };
  for (const Case& c : cases) {
    const auto scenario = parse_scenario(c.text);
    ASSERT_FALSE(scenario) << c.text;
    EXPECT_EQ(scenario.error().line, c.line) << c.text << " -> " << scenario.error().what;
    EXPECT_NE(scenario.error().what.find(c.what), std::string::npos) << c.text << " -> " << scenario.error().what;
    EXPECT_NE(scenario.error().remedy.find(c.remedy), std::string::npos) << c.text << " -> " << scenario.error().remedy;
  }
}

TEST(SimScenario, LineEndsOfOtherSystems) {
  EXPECT_EQ(parsed("host a\r\nhost b\r\nlink a b\r\nflow f a b octets=1kB").flows.size(), 1U);
}

impair::Settings any_impairment() {
  impair::Settings s;
  s.loss = {*rc::gen::inRange<std::uint32_t>(0, impair::Probability::certain + 1)};
  s.delay = Duration{*rc::gen::inRange<std::int64_t>(0, impair::max_delay.count())};
  if (*rc::gen::arbitrary<bool>()) s.rate = *rc::gen::inRange(impair::min_rate, impair::max_rate);
  return s;
}

Duration any_duration(Duration least, Duration most) {
  return Duration{*rc::gen::inRange<std::int64_t>(least.count(), most.count())};
}

Flow any_flow(std::size_t number, std::size_t hosts) {
  const auto from = *rc::gen::inRange<std::size_t>(0, hosts);
  const auto to = (from + *rc::gen::inRange<std::size_t>(1, hosts)) % hosts;
  Flow flow;
  flow.name = "f" + std::to_string(number);
  flow.from = "h" + std::to_string(from);
  flow.to = "h" + std::to_string(to);
  if (*rc::gen::arbitrary<bool>()) {
    flow.octets = *rc::gen::inRange<std::uint64_t>(1, max_flow_octets);
  } else {
    flow.run_for = any_duration(1ns, max_stop / 4);
  }
  flow.start = any_duration(0ns, max_stop / 4);
  flow.options.no_delay = *rc::gen::arbitrary<bool>();
  flow.options.send_buffer = *rc::gen::inRange<std::size_t>(1000, 1 << 30);
  if (*rc::gen::arbitrary<bool>()) flow.options.congestion = tcp::CongestionAlgorithm::NewReno;
  return flow;
}

// What is told reads back and is told the same again.
RC_GTEST_PROP(SimScenario, RoundTrip, ()) {
  Scenario s;
  s.seed = *rc::gen::arbitrary<std::uint64_t>();
  s.stop = any_duration(max_stop / 2 + 1ns, max_stop);
  const auto hosts = *rc::gen::inRange<std::size_t>(2, 8);
  s.routers.push_back({"r"});
  for (std::size_t i = 0; i < hosts; ++i) {
    s.hosts.push_back({"h" + std::to_string(i), {}});
    s.hosts[i].tcp.sack = *rc::gen::arbitrary<bool>();
    s.hosts[i].tcp.rto_min = any_duration(1ms, 100s);
    s.links.push_back(
        {s.hosts[i].name, "r", any_impairment(), any_impairment(), *rc::gen::inRange<std::uint16_t>(576, 65521)});
  }
  const auto flows = *rc::gen::inRange<std::size_t>(1, 5);
  for (std::size_t i = 0; i < flows; ++i) s.flows.push_back(any_flow(i, hosts));
  const auto back = parse_scenario(describe(s));
  RC_ASSERT(back.has_value());
  RC_ASSERT(describe(*back) == describe(s));
  RC_ASSERT(back->seed == s.seed);
  RC_ASSERT(back->stop == s.stop);
  for (std::size_t i = 0; i < hosts; ++i) {
    RC_ASSERT(back->hosts[i].name == s.hosts[i].name);
    RC_ASSERT(back->hosts[i].tcp.rto_min == s.hosts[i].tcp.rto_min);
    RC_ASSERT(back->hosts[i].tcp.sack == s.hosts[i].tcp.sack);
    RC_ASSERT(back->links[i].forth == s.links[i].forth);
    RC_ASSERT(back->links[i].back == s.links[i].back);
    RC_ASSERT(back->links[i].mtu == s.links[i].mtu);
  }
  for (std::size_t i = 0; i < flows; ++i) {
    RC_ASSERT(back->flows[i].octets == s.flows[i].octets);
    RC_ASSERT(back->flows[i].run_for == s.flows[i].run_for);
    RC_ASSERT(back->flows[i].start == s.flows[i].start);
    RC_ASSERT(back->flows[i].options == s.flows[i].options);
  }
}

}  // namespace
}  // namespace wireside::sim

#include "impair/settings.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace wireside::impair {
namespace {

Settings parsed(std::string_view text) {
  const auto settings = parse_settings(text);
  EXPECT_TRUE(settings) << text << ": " << (settings ? "" : settings.error().what);
  return settings.value_or(Settings{});
}

TEST(ImpairmentText, TheExampleOfTheManual) {
  const Settings s = parsed("loss=1%,delay=20ms,jitter=5ms,rate=50mbit,queue=100");
  EXPECT_EQ(s.loss.per_billion, 10'000'000U);
  EXPECT_EQ(s.delay, 20ms);
  EXPECT_EQ(s.jitter, 5ms);
  EXPECT_EQ(s.rate, 50'000'000U);
  EXPECT_EQ(s.queue, (QueueAmount{100, false}));
  EXPECT_TRUE(s.keeps_order());
  EXPECT_TRUE(s.active());
}

// Frames are lost at random, and in bursts besides.
TEST(ImpairmentText, BothKindsOfLoss) {
  const Settings s = parsed("loss=1%,loss=ge:2%/30%");
  EXPECT_EQ(s.loss, Probability::of(0.01));
  ASSERT_TRUE(s.bursts);
  EXPECT_EQ(parsed(describe(s)), s);
  EXPECT_FALSE(impair::parse_settings("loss=ge:1%/2%,loss=ge:1%/2%"));
}

TEST(ImpairmentText, EveryKey) {
  const Settings s = parsed(
      "drop=data:3,drop=ack:2-4/7/9-,drop=syn,drop=udp:*10,drop=arp:all,mtu=1400,loss=ge:1%/30%/90%/0.5%,"
      "corrupt=payload:0.25%,duplicate=2%,rate=1.5mbit,queue=64KiB,ecn=30kB,delay=0.02s,reorder=10%/5,order=free");
  ASSERT_EQ(s.drops.size(), 5U);
  EXPECT_EQ(s.drops[0], (DropRule{FrameKind::Data, {{3, 3, 1}}}));
  EXPECT_EQ(s.drops[1], (DropRule{FrameKind::Ack, {{2, 4, 1}, {7, 7, 1}, {9, Numbers::no_end, 1}}}));
  EXPECT_EQ(s.drops[2], (DropRule{FrameKind::Syn, {{1, 1, 1}}}));
  EXPECT_EQ(s.drops[3], (DropRule{FrameKind::Udp, {{10, Numbers::no_end, 10}}}));
  EXPECT_EQ(s.drops[4], (DropRule{FrameKind::Arp, {{1, Numbers::no_end, 1}}}));
  EXPECT_EQ(s.mtu, 1400);
  ASSERT_TRUE(s.bursts);
  EXPECT_EQ(s.bursts->to_bad, Probability::of(0.01));
  EXPECT_EQ(s.bursts->to_good, Probability::of(0.3));
  EXPECT_EQ(s.bursts->loss_in_bad, Probability::of(0.9));
  EXPECT_EQ(s.bursts->loss_in_good, Probability::of(0.005));
  EXPECT_EQ(s.corrupt, Probability::of(0.0025));
  EXPECT_EQ(s.corrupt_where, BitErrors::InPayload);
  EXPECT_EQ(s.duplicate, Probability::of(0.02));
  EXPECT_EQ(s.rate, 1'500'000U);
  EXPECT_EQ(s.queue, (QueueAmount{65536, true}));
  EXPECT_EQ(s.ecn, (QueueAmount{30'000, true}));
  EXPECT_EQ(s.delay, 20ms);
  EXPECT_EQ(s.reorder, Probability::of(0.1));
  EXPECT_EQ(s.reorder_gap, 5U);
  EXPECT_FALSE(s.keeps_order());
}

TEST(ImpairmentText, NoneImpairsNothing) {
  EXPECT_FALSE(parsed("none").active());
  EXPECT_EQ(describe(Settings{}), "none");
}

TEST(ImpairmentText, ErrorsSayWhatIsWrongAndWhatToWrite) {
  struct Case {
    const char* text;
    const char* what;
    const char* remedy;
  };
  constexpr Case cases[] = {
      {"", "it is empty", "loss=1%"},
      {"lost=1%", "'lost=1%' is not understood", "one of drop, mtu, loss"},
      {"loss", "'loss' is not understood", "NAME=VALUE"},
      {"loss=1%,", "'' is not understood", "NAME=VALUE"},
      {"loss=1", "loss=1: the value is not a percentage", "loss=1%"},
      {"loss=101%", "not a percentage", "loss=1%"},
      {"loss=0.00000001%", "7 decimals", "loss=1%"},
      {"loss=-1%", "not a percentage", "loss=1%"},
      {"loss=1.%", "not a percentage", "loss=1%"},
      {"loss=%", "not a percentage", "loss=1%"},
      {"loss=ge:1%", "not ge:P/R", "loss=ge:1%/30%"},
      {"loss=ge:1%/2%/3%/4%/5%", "not ge:P/R", "loss=ge:1%/30%"},
      {"delay=20", "not a duration with its unit", "delay=20ms"},
      {"delay=20min", "not a duration with its unit", "delay=20ms"},
      {"delay=11000s", "longer than ten minutes", "delay=20ms"},
      {"delay=1ms,delay=2ms", "delay is given twice", "once"},
      {"delay=1ms,jitter=2ms", "jitter is longer than delay", "delay=20ms,jitter=5ms"},
      {"rate=50", "not a rate with its unit", "rate=50mbit"},
      {"rate=1bit", "from 1kbit", "rate=50mbit"},
      {"queue=10", "queue without rate", "rate=50mbit,queue=100"},
      {"ecn=10", "ecn without rate", "rate=50mbit"},
      {"rate=1mbit,queue=10x", "neither a number of frames", "queue=100"},
      {"reorder=5%", "reorder without delay", "delay=20ms"},
      {"delay=1ms,reorder=5%/0", "gap", "reorder=50%/5"},
      {"mtu=67", "from 68 to 65535", "mtu=1400"},
      {"corrupt=trailer:1%", "not a percentage", "corrupt=payload:0.1%"},
      {"order=any", "neither keep nor free", "order=keep"},
      {"drop=psh", "none of frame, tcp, data", "drop=data:3"},
      {"drop=data:0", "none of N, N-M", "drop=data:3"},
      {"drop=data:5-3", "none of N, N-M", "drop=data:3"},
      {"drop=data:", "none of N, N-M", "drop=data:3"},
      {"drop=data:*0", "none of N, N-M", "drop=data:3"},
  };
  for (const Case& c : cases) {
    const auto settings = parse_settings(c.text);
    ASSERT_FALSE(settings) << c.text;
    EXPECT_NE(settings.error().what.find(c.what), std::string::npos) << c.text << " -> " << settings.error().what;
    EXPECT_NE(settings.error().remedy.find(c.remedy), std::string::npos) << c.text << " -> " << settings.error().remedy;
  }
}

TEST(ImpairmentText, TooManyRulesAndNumbersAreRefused) {
  std::string rules = "drop=data";
  for (std::size_t i = 1; i < max_drop_rules; ++i) rules += ",drop=data";
  EXPECT_TRUE(parse_settings(rules));
  EXPECT_FALSE(parse_settings(rules + ",drop=data"));
  std::string numbers = "drop=data:1";
  for (std::size_t i = 1; i < max_numbers; ++i) numbers += "/1";
  EXPECT_TRUE(parse_settings(numbers));
  EXPECT_FALSE(parse_settings(numbers + "/1"));
}

TEST(ImpairmentText, ValuesAreToldInTheirLargestUnit) {
  EXPECT_EQ(describe(parsed("delay=1500us")), "delay=1500us");
  EXPECT_EQ(describe(parsed("delay=2000ms,rate=1000kbit,queue=2048B")), "rate=1mbit,queue=2KiB,delay=2s");
  EXPECT_EQ(describe(parsed("loss=0.0000001%")), "loss=0.0000001%");
  EXPECT_EQ(describe(parsed("loss=12.50%")), "loss=12.5%");
}

Probability any_probability() {
  return {*rc::gen::oneOf(rc::gen::inRange<std::uint32_t>(0, Probability::certain + 1),
                          rc::gen::element<std::uint32_t>(0, Probability::certain, Probability::certain / 100))};
}

std::vector<DropRule> any_rules() {
  const auto numbers = rc::gen::exec([] {
    const auto a = *rc::gen::inRange<std::uint64_t>(1, 1000);
    const auto b = *rc::gen::inRange<std::uint64_t>(0, 1000);
    return *rc::gen::element(Numbers{a, a, 1}, Numbers{a, a + b, 1}, Numbers{a, Numbers::no_end, 1},
                             Numbers{a, Numbers::no_end, a});
  });
  const auto rule = rc::gen::exec([&] {
    const auto kind = *rc::gen::inRange(0, static_cast<int>(FrameKind::Count));
    auto list = *rc::gen::container<std::vector<Numbers>>(numbers);
    if (list.empty()) list.push_back(Numbers{});
    list.resize(std::min(list.size(), max_numbers));
    return DropRule{static_cast<FrameKind>(kind), std::move(list)};
  });
  auto rules = *rc::gen::container<std::vector<DropRule>>(rule);
  rules.resize(std::min(rules.size(), max_drop_rules));
  return rules;
}

std::optional<QueueAmount> any_queue() {
  if (*rc::gen::arbitrary<bool>()) return std::nullopt;
  return QueueAmount{*rc::gen::inRange<std::uint64_t>(0, max_queue + 1), *rc::gen::arbitrary<bool>()};
}

// What is told reads back as the same settings.
RC_GTEST_PROP(ImpairmentText, RoundTrip, ()) {
  Settings s;
  s.drops = any_rules();
  if (*rc::gen::arbitrary<bool>()) s.mtu = *rc::gen::inRange<std::uint16_t>(68, 65535);
  if (*rc::gen::arbitrary<bool>()) {
    s.loss = any_probability();
  } else {
    s.bursts = Bursts{any_probability(), any_probability(), any_probability(), any_probability()};
  }
  s.corrupt = any_probability();
  s.corrupt_where = static_cast<BitErrors>(*rc::gen::inRange(0, 3));
  s.duplicate = any_probability();
  if (*rc::gen::arbitrary<bool>()) {
    s.rate = *rc::gen::inRange(min_rate, max_rate + 1);
    s.queue = any_queue();
    s.ecn = any_queue();
  }
  s.delay = Duration{*rc::gen::inRange<std::int64_t>(1, max_delay.count() + 1)};
  s.jitter = Duration{*rc::gen::inRange<std::int64_t>(0, s.delay.count() + 1)};
  s.reorder = any_probability();
  s.reorder_gap = *rc::gen::inRange<std::uint32_t>(1, 1'000'001);
  if (*rc::gen::arbitrary<bool>()) s.keep_order = *rc::gen::arbitrary<bool>();
  const auto back = parse_settings(describe(s));
  RC_ASSERT(back.has_value());
  RC_ASSERT(*back == s);
}

}  // namespace
}  // namespace wireside::impair

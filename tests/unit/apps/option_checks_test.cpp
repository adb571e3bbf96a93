// Values of options, and what the agent refuses before it acts.
#include "option_checks.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>

#include "agent_json.hpp"
#include "sim_scenario.hpp"

namespace wireside::apps {
namespace {

std::string says(const CLI::Validator& check, std::string text) { return check(text); }

TEST(OptionChecks, ARangeHoldsNumbersOnly) {
  const auto seconds = in_range(0.001, 86400.0);
  for (const char* good : {"0.001", "1", "86400", "1e3"}) EXPECT_EQ(says(seconds, good), "") << good;
  for (const char* bad : {"nan", "NAN", "-nan", "inf", "0", "-1", "86401", "1s", "abc", ""}) {
    EXPECT_NE(says(seconds, bad), "") << bad;
  }
  EXPECT_EQ(says(seconds, "nan"), "'nan' is not a number from 0.001 to 86400");
  EXPECT_EQ(says(in_range(1, 65535), "abc"), "'abc' is not a whole number from 1 to 65535");
  EXPECT_EQ(says(in_range(std::uint16_t{576}, std::uint16_t{9000}), "70000"),
            "'70000' is not a whole number from 576 to 9000");
  EXPECT_NE(says(in_range(0U, 100U), "-1"), "");
}

TEST(OptionChecks, AnEmptyValueIsAMistake) {
  EXPECT_EQ(says(not_empty(), ""), "the value is empty");
  EXPECT_EQ(says(not_empty(), "x"), "");
}

TEST(OptionChecks, TheAddressOfASocketHoldsAShortPathOnly) {
  EXPECT_EQ(says(socket_path(), std::string(107, 'a')), "");
  EXPECT_EQ(says(socket_path(), std::string(108, 'a')),
            "the path of a socket has 107 octets at most, and this one 108");
}

TEST(OptionChecks, AScenarioThatStopsAtOnceIsRefusedInItsLine) {
  const auto wrong = sim::parse_scenario("host a\nhost b\nlink a b\nstop 0s\nflow f a b octets=1MB\n");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().line, 4U);
  EXPECT_EQ(wrong.error().what, "stop 0s simulates nothing");
  EXPECT_EQ(wrong.error().remedy, "stop 60s");
}

}  // namespace
}  // namespace wireside::apps

namespace wireside::agent {
namespace {

namespace json = boost::json;

TEST(AgentJson, NumbersThatJsonCannotWriteAreFoundAtAnyDepth) {
  EXPECT_TRUE(can_be_written(json::parse(R"({"a":[1,2.5,null,"x",{"b":-1e300}]})")));
  EXPECT_FALSE(can_be_written(json::parse("1e400")));
  EXPECT_FALSE(can_be_written(json::parse(R"({"a":[{"b":-1e400}]})")));
}

TEST(AgentJson, EveryKindOfEventIsListed) {
  EXPECT_NE(event_kinds().find("received, sent"), std::string::npos);
  EXPECT_TRUE(event_kinds().ends_with(" and loss")) << event_kinds();
}

TEST(AgentJson, AConnectionInTimeWaitShowsOnlyWhatIsKept) {
  tcp::ConnectionStatus status;
  status.state = TcpState::TimeWait;
  status.snd_nxt = SeqNum{7};
  const auto line = to_json(status);
  EXPECT_EQ(line.at("snd_nxt").to_number<int>(), 7);
  for (const char* gone : {"mss", "cwnd", "rto_ms", "iss", "snd_wscale"}) EXPECT_FALSE(line.contains(gone)) << gone;
  status.send_buffer = status.receive_buffer = 1;  // of a whole connection
  EXPECT_TRUE(to_json(status).contains("mss"));
}

}  // namespace
}  // namespace wireside::agent

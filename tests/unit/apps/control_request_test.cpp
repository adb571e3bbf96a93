// What goes over a control socket: requests and answers, whole, broken and of a stranger's making.
#include "control_request.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "control_text.hpp"

namespace wireside::apps {
namespace {

namespace json = boost::json;

ControlQuestion any_question() { return static_cast<ControlQuestion>(*rc::gen::inRange<int>(0, control_questions)); }

/// Letters, digits and what JSON has to escape.
std::string any_text() {
  return *rc::gen::container<std::string>(rc::gen::element('a', 'Z', '0', '.', ':', ' ', '"', '\\', '\n', '\x01', '{'));
}

TEST(ControlRequest, NamesAreThoseOfTheSubcommands) {
  EXPECT_EQ(control_request(ControlQuestion::Neigh), R"({"op":"neigh"})");
  for (std::uint8_t i = 0; i < control_questions; ++i) {
    const auto question = static_cast<ControlQuestion>(i);
    EXPECT_EQ(control_question(to_string(question)), question);
  }
  EXPECT_EQ(control_question("Neigh"), std::nullopt);
}

RC_GTEST_PROP(ControlRequest, ReadsWhatItWrites, ()) {
  const ControlQuestion question = any_question();
  RC_ASSERT((parse_control_request(control_request(question)) == question));
  const ControlRequest way{ControlQuestion::Route, Ipv4Address{*rc::gen::arbitrary<std::uint32_t>()}};
  RC_ASSERT((parse_control_request(control_request(way)) == way));
}

TEST(ControlRequest, TheWayToOneAddress) {
  const ControlRequest way{ControlQuestion::Route, Ipv4Address{192, 0, 2, 7}};
  EXPECT_EQ(control_request(way), R"({"op":"route","get":"192.0.2.7"})");
  EXPECT_EQ(parse_control_request(R"({"op":"route","get":"192.0.2.x"})").error(), "\"get\" is no IPv4 address");
  EXPECT_EQ(parse_control_request(R"({"op":"ss","get":7})"), ControlQuestion::Ss) << "a field of another question";
}

TEST(ControlRequest, FieldsOfALaterVersionAreIgnored) {
  EXPECT_EQ(parse_control_request("{\"verbose\":1,\"op\":\"ss\"}\n"), ControlQuestion::Ss);
}

TEST(ControlRequest, WhatIsNoRequestIsRefusedWithAReason) {
  for (const char* line : {"", "ss", "[]", "7", R"({"op":"ss")", R"({"op":"ss"}{})", "\xff\xfe"}) {
    EXPECT_EQ(parse_control_request(line).error(), "the request is no JSON object") << line;
  }
  EXPECT_EQ(parse_control_request("{}").error(), "the request has no \"op\"");
  EXPECT_EQ(parse_control_request(R"({"op":5})").error(), "the request has no \"op\"");
  EXPECT_NE(parse_control_request(R"({"op":"reboot"})").error().find("are known"), std::string::npos);
}

TEST(ControlAnswer, ARefusalIsTold) {
  EXPECT_EQ(parse_control_answer(json::serialize(control_refusal("not today"))).error(), "not today");
  EXPECT_EQ(parse_control_answer("{}").error(), "it refuses");
  EXPECT_EQ(parse_control_answer("[]").error(), "the answer is no JSON object");
}

RC_GTEST_PROP(ControlAnswer, ReadsWhatItWrites, ()) {
  const ControlQuestion question = any_question();
  json::array table;
  for (int lines = *rc::gen::inRange(0, 5); lines > 0; --lines) table.push_back(json::object{{"dst", any_text()}});
  const json::object answer{{"ok", true}, {"command", any_text()}, {to_string(question), table}};
  const std::string line = json::serialize(answer);
  RC_ASSERT(line.find('\n') == std::string::npos);
  const auto read = parse_control_answer(line);
  RC_ASSERT(read.has_value());
  RC_ASSERT((*read == answer));
  RC_ASSERT((control_table(*read, question) == table));
}

TEST(ControlAnswer, ATableIsAnArrayOfObjects) {
  for (const char* line : {R"({"ok":true})", R"({"ok":true,"ss":{}})", R"({"ok":true,"ss":[{},3]})"}) {
    EXPECT_FALSE(control_table(*parse_control_answer(line), ControlQuestion::Ss)) << line;
  }
}

TEST(ControlAnswer, OddValuesAreShownWithoutHarm) {
  const auto answer = parse_control_answer(
      R"({"ok":true,"addr":[{"mtu":1e300,"ifname":5,"addr_info":[3,{"local":null,"prefixlen":-4}]}]})");
  const std::string shown = format_addresses(control_table(*answer, ControlQuestion::Addr).value());
  EXPECT_NE(shown.find("inet null/0"), std::string::npos) << shown;
}

}  // namespace
}  // namespace wireside::apps

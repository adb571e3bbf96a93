// Ping's closing lines, as iputils prints them.
#include "ping_statistics.hpp"

#include <gtest/gtest.h>

#include "icmp_text.hpp"

namespace wireside::apps {
namespace {

using namespace std::chrono_literals;

TEST(PingStatistics, RepliesInTurn) {
  PingStatistics s;
  for (std::uint16_t i = 1; i <= 2; ++i) {
    s.sent(i);
    EXPECT_FALSE(s.reply(i, 2ms * i));
  }
  EXPECT_EQ(s.summary("10.0.0.1", 1001ms),
            "--- 10.0.0.1 ping statistics ---\n"
            "2 packets transmitted, 2 received, 0% packet loss, time 1001ms\n"
            "rtt min/avg/max/mdev = 2.000/3.000/4.000/1.000 ms\n");
}

TEST(PingStatistics, AnswersThatComeLateMakeAPipe) {
  PingStatistics s;
  for (std::uint16_t i = 1; i <= 3; ++i) s.sent(i);
  s.reply(1, 5ms);  // three were on their way
  s.reply(2, 5ms);
  s.reply(3, 5ms);
  EXPECT_NE(s.summary("x", 0ms).find("/0.000 ms, pipe 3\n"), std::string::npos) << s.summary("x", 0ms);
}

TEST(PingStatistics, ErrorsAnswerTheirRequestsToo) {
  PingStatistics s;
  for (std::uint16_t i = 1; i <= 3; ++i) s.sent(i);
  for (std::uint16_t i = 1; i <= 3; ++i) s.error(i);
  EXPECT_EQ(s.summary("10.0.0.77", 2040ms),
            "--- 10.0.0.77 ping statistics ---\n"
            "3 packets transmitted, 0 received, +3 errors, 100% packet loss, time 2040ms\n"
            "pipe 3\n");
}

TEST(PingStatistics, WhatNeverLeftIsNoPipe) {
  PingStatistics s;
  s.sent(1);
  s.sent(2);
  s.error();
  EXPECT_EQ(s.summary("x", 0ms).find("pipe"), std::string::npos);
}

TEST(PingStatistics, NumbersComeRound) {
  PingStatistics s;
  for (unsigned i = 1; i <= 65537; ++i) {
    s.sent(static_cast<std::uint16_t>(i));
    EXPECT_FALSE(s.reply(static_cast<std::uint16_t>(i), 1ms));
  }
  EXPECT_EQ(s.summary("x", 0ms).find("pipe"), std::string::npos);
}

TEST(IcmpText, InASentence) {
  ErrorReport report;
  report.reporter = Ipv4Address{10, 0, 0, 1};
  EXPECT_EQ(icmp_error_phrase(report), "host unreachable (from 10.0.0.1)");
  report.icmp_code = 4;
  report.mtu = 1400;
  EXPECT_EQ(icmp_error_phrase(report), "frag needed and DF set (mtu = 1400) (from 10.0.0.1)");
  report.icmp_type = 11;
  report.icmp_code = 0;
  EXPECT_EQ(icmp_error_phrase(report), "time to live exceeded (from 10.0.0.1)");
  report.local = true;
  EXPECT_EQ(icmp_error_phrase(report), "host unreachable (no answer to ARP)");
}

}  // namespace
}  // namespace wireside::apps

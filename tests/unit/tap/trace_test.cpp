// Trace lines and captures are made of events alone, so events are what these tests feed.
#include "trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

#include "event_text.hpp"
#include "observer_list.hpp"
#include "wire/ethernet.hpp"
#include "wire/frame_description.hpp"
#include "wire/ipv4.hpp"
#include "wire/tcp.hpp"

namespace wireside {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using wire::TcpFlags;

constexpr Ipv4Address host{10, 0, 0, 1};
constexpr Ipv4Address ours{10, 0, 0, 2};

std::vector<std::uint8_t> tcp_frame(bool from_host, TcpFlags flags, std::uint32_t seq, std::uint32_t ack,
                                    std::size_t payload = 0) {
  wire::TcpHeader tcp;
  tcp.source = Port{static_cast<std::uint16_t>(from_host ? 43210 : 80)};
  tcp.destination = Port{static_cast<std::uint16_t>(from_host ? 80 : 43210)};
  tcp.seq = SeqNum{seq};
  tcp.ack = SeqNum{ack};
  tcp.flags = flags;
  tcp.window = 1000;
  wire::Ipv4Header ip;
  ip.protocol = 6;
  ip.source = from_host ? host : ours;
  ip.destination = from_host ? ours : host;
  ip.total_length = static_cast<std::uint16_t>(40 + payload);
  std::vector<std::uint8_t> frame(54 + payload);
  wire::emit_ethernet({MacAddress{{2, 0, 0, 0, 0, 1}}, MacAddress{{2, 0, 0, 0, 0, 2}}, 0x0800}, frame);
  wire::emit_ipv4(ip, std::span{frame}.subspan(14));
  wire::emit_tcp(tcp, std::span{frame}.subspan(34));
  return frame;
}

struct Transcript {
  std::vector<std::string> lines;
  TracePrinter printer;
  explicit Transcript(TraceOptions options = {.time = TraceTime::None})
      : printer{[this](std::string_view text) { take(text); }, options, Duration{}} {}
  void take(std::string_view text) {
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      lines.emplace_back(text.substr(0, end));
      text.remove_prefix(end + 1);
    }
  }
  void in(const std::vector<std::uint8_t>& frame, std::uint16_t gso = 0) {
    tell(observe::FrameReceived{frame, gso, false});
  }
  /// A stack says when what it was given has been dealt with.
  void tell(const observe::Event& event) {
    printer.on_event(Instant{}, event);
    printer.on_event(Instant{}, observe::Handled{});
  }
  void out(const std::vector<std::uint8_t>& frame, observe::TxReason reason, std::uint16_t gso = 0) {
    const ByteView all{frame};
    const std::array<ByteView, 2> payload{all.subspan(54, (frame.size() - 54) / 2),
                                          all.subspan(54 + (frame.size() - 54) / 2)};
    tell(observe::FrameSent{all.first(54), payload, gso, false, reason, 1});
  }
};

TEST(Trace, PrintsAConnectionAsTcpdumpDoesWithTheReasons) {
  Transcript t;
  t.in(tcp_frame(true, {.syn = true}, 1000, 0));
  t.tell(observe::StateChanged{.connection = 1,
                               .tuple = {},
                               .from = TcpState::Listen,
                               .to = TcpState::SynReceived,
                               .cause = observe::StateCause::SynReceived});
  t.out(tcp_frame(false, {.syn = true, .ack = true}, 7000, 1001), observe::TxReason::SynAck);
  t.in(tcp_frame(true, {.ack = true}, 1001, 7001));
  t.in(tcp_frame(true, {.psh = true, .ack = true}, 1001, 7001, 10));
  t.out(tcp_frame(false, {.ack = true}, 7001, 1011), observe::TxReason::DelayedAck);
  EXPECT_THAT(
      t.lines,
      ElementsAre("In  IP 10.0.0.1.43210 > 10.0.0.2.80: Flags [S], seq 1000, win 1000, length 0",
                  "    #1 LISTEN -> SYN-RECEIVED (SYN received)",
                  "Out IP 10.0.0.2.80 > 10.0.0.1.43210: Flags [S.], seq 7000, ack 1001, win 1000, length 0  <- SYN-ACK",
                  "In  IP 10.0.0.1.43210 > 10.0.0.2.80: Flags [.], ack 1, win 1000, length 0",
                  "In  IP 10.0.0.1.43210 > 10.0.0.2.80: Flags [P.], seq 1:11, ack 1, win 1000, length 10",
                  "Out IP 10.0.0.2.80 > 10.0.0.1.43210: Flags [.], ack 11, win 1000, length 0  <- delayed ACK"));
}

TEST(Trace, MarksSuperSegments) {
  Transcript t;
  t.in(tcp_frame(true, {.syn = true}, 0, 0));
  t.out(tcp_frame(false, {.syn = true, .ack = true}, 0, 1), observe::TxReason::SynAck);
  t.out(tcp_frame(false, {.ack = true}, 1, 1, 4001), observe::TxReason::Data, 1000);
  t.in(tcp_frame(true, {.ack = true}, 1, 4002, 1000), 1000);
  EXPECT_THAT(t.lines[2], HasSubstr("seq 1:4002, ack 1, win 1000, length 4001 [gso 5 x 1000]  <- data"));
  EXPECT_THAT(t.lines[3], Not(HasSubstr("gso")));
}

TEST(Trace, CountsFromTheFirstSegmentSeenWhereTheSynWasMissed) {
  Transcript t;
  t.in(tcp_frame(true, {.ack = true}, 5000, 9000, 10));
  t.in(tcp_frame(true, {.ack = true}, 5010, 9000, 10));
  EXPECT_THAT(t.lines[0], HasSubstr("seq 5000:5010, ack 9000"));
  EXPECT_THAT(t.lines[1], HasSubstr("seq 11:21, ack 1,"));
}

TEST(Trace, ANewSynOnTheSamePortsCountsAnew) {
  Transcript t;
  for (const std::uint32_t isn : {100U, 0xfffffff0U}) {
    t.in(tcp_frame(true, {.syn = true}, isn, 0));
    t.out(tcp_frame(false, {.syn = true, .ack = true}, 1, isn + 1), observe::TxReason::SynAck);
    t.in(tcp_frame(true, {.ack = true}, isn + 1, 2, 100));
    EXPECT_THAT(t.lines.back(), HasSubstr("seq 1:101, ack 1,"));
  }
}

TEST(Trace, MemoryForConnectionsIsBounded) {
  FlowBases flows;
  TcpFrameFacts facts;
  facts.header.flags.syn = true;
  for (std::uint32_t i = 0; i < 5 * FlowBases::max_young; ++i) {
    facts.direction.local = {Ipv4Address{i}, Port{1}};
    (void)flows.update(facts);
  }
  EXPECT_LE(flows.size(), 2 * FlowBases::max_young);
}

TEST(Trace, SaysWhyAFrameWasDropped) {
  Transcript t;
  t.printer.on_event(Instant{}, observe::Dropped{observe::DropReason::TcpBadChecksum, 0});
  EXPECT_THAT(t.lines, ElementsAre("    dropped: bad TCP checksum"));
}

TEST(Trace, TimersAndSamplesOnlyWithAllDetail) {
  const observe::TimerChanged set{.connection = 2, .timer = observe::TimerKind::Retransmission, .in = 200ms};
  const observe::RttSampled sample{.connection = 2, .sample = 1500us, .srtt = 1500us, .rttvar = 750us, .rto = 200ms};
  Transcript brief;
  Transcript full{{.time = TraceTime::None, .detail = EventDetail::All}};
  for (Transcript* t : {&brief, &full}) {
    t->tell(set);
    t->tell(sample);
  }
  EXPECT_TRUE(brief.lines.empty());
  EXPECT_THAT(full.lines, ElementsAre("    #2 retransmission timer set to 200 ms",
                                      "    #2 RTT 1.5 ms, srtt 1.5 ms, rttvar 750 us, RTO 200 ms"));
}

TEST(Trace, TellsWhatTheNetworkLayerCannotRead) {
  Transcript t;
  t.in(std::vector<std::uint8_t>(5, 0));
  t.in({});
  EXPECT_EQ(t.lines.size(), 2U);
}

TEST(Trace, RelativeTimeStartsAtTheFirstEvent) {
  Transcript t{{.time = TraceTime::Relative}};
  const observe::Dropped drop{observe::DropReason::NoRoute, 0};
  t.printer.on_event(Instant::from_ns(5'000'000'000), drop);
  t.printer.on_event(Instant::from_ns(6'000'123'000), drop);
  EXPECT_THAT(t.lines, ElementsAre("   0.000000     dropped: no route", "   1.000123     dropped: no route"));
}

TEST(Trace, ColoursOnlyWhenAsked) {
  Transcript t{{.time = TraceTime::None, .colour = true}};
  t.printer.on_event(Instant{}, observe::Dropped{observe::DropReason::NoRoute, 0});
  EXPECT_THAT(t.lines[0], HasSubstr("\x1b[31mdropped: no route\x1b[0m"));
}

TEST(Trace, NoColourIntoFilesOrAgainstTheUsersWish) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  EXPECT_FALSE(wants_colour(file));
  std::fclose(file);
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(wants_colour(stdout));
  ::unsetenv("NO_COLOR");
}

TEST(Trace, AbsoluteNumbersLinkHeadersAndOctets) {
  Transcript t{{.time = TraceTime::None, .absolute = true, .link = true, .hex = true}};
  t.in(tcp_frame(true, {.syn = true}, 1000, 0));
  t.in(tcp_frame(true, {.ack = true}, 1001, 7001, 1));
  ASSERT_EQ(t.lines.size(), 8U);
  EXPECT_EQ(t.lines[4],
            "In  02:00:00:00:00:02 > 02:00:00:00:00:01, ethertype IPv4 (0x0800), length 55: 10.0.0.1.43210 > "
            "10.0.0.2.80: Flags [.], seq 1001:1002, ack 7001, win 1000, length 1");
  EXPECT_THAT(t.lines[5], ::testing::StartsWith("\t0x0000:  4500 0029 "));
  EXPECT_EQ(t.lines[7], "\t0x0020:  5010 03e8 0000 0000 00");
}

TEST(Trace, OfASuperSegmentTheFirstSegmentsOctets) {
  Transcript t{{.time = TraceTime::None, .hex = true}};
  t.in(tcp_frame(true, {.ack = true}, 1001, 7001, 4001), 8);
  ASSERT_EQ(t.lines.size(), 5U);
  EXPECT_EQ(t.lines[3], "\t0x0020:  5010 03e8 0000 0000 0000 0000 0000 0000");
  EXPECT_EQ(t.lines[4], "\t... 3993 octets more");
}

TEST(Trace, HeadersAsWithVerboseTcpdump) {
  Transcript t{{.time = TraceTime::None, .headers = true}};
  t.in(tcp_frame(true, {.syn = true}, 1000, 0));
  ASSERT_EQ(t.lines.size(), 2U);
  EXPECT_EQ(t.lines[0], "In  IP (tos 0x0, ttl 64, id 0, offset 0, flags [none], proto TCP (6), length 40)");
  EXPECT_THAT(t.lines[1],
              ::testing::StartsWith("    10.0.0.1.43210 > 10.0.0.2.80: Flags [S], cksum 0x0000 (incorrect -> 0x"));
}

TEST(Trace, ReasonAndWhatMovedStandUnderTheFrame) {
  Transcript t{{.time = TraceTime::None, .why = true}};
  observe::ConnectionView view;
  view.connection = 1;
  view.state = TcpState::Established;
  view.mss = 1000;
  view.cwnd = 10000;
  view.snd_wnd = 20000;
  view.rto = 212ms;
  view.snd_nxt = SeqNum{1};
  t.tell(observe::ConnectionChanged{observe::StepCause::UserCall, &view});
  view.retransmissions = 1;
  view.rto = 424ms;
  view.cwnd = 1000;
  view.ssthresh = 5000;
  t.printer.on_event(Instant{},
                     observe::TimerChanged{.connection = 1, .what = observe::TimerChanged::What::Set, .in = 212ms});
  t.printer.on_event(Instant{}, observe::TimerChanged{.connection = 1, .what = observe::TimerChanged::What::Fired});
  t.tell(observe::ConnectionChanged{observe::StepCause::TimerFired, &view});
  t.printer.on_event(Instant{}, observe::ConnectionChanged{observe::StepCause::SegmentSent, &view});
  t.out(tcp_frame(false, {.ack = true}, 7001, 1, 10), observe::TxReason::RtoRetransmit);
  EXPECT_THAT(
      t.lines,
      ElementsAre("    #1 retransmission timer fired",
                  "    #1   cwnd 10000 -> 1000                ssthresh 5000                     back-offs 0 -> 1",
                  "    #1   rto 212 ms -> 424 ms",
                  "Out IP 10.0.0.2.80 > 10.0.0.1.43210: Flags [.], seq 7001:7011, ack 1, win 1000, length 10",
                  "    #1 RTO retransmit after 212 ms: timeout 1 in a row, RTO now 424 ms"));
}

TEST(Trace, AFilterKeepsWhatBelongsToOtherFramesBack) {
  Transcript t{{.time = TraceTime::None, .filter = [](ByteView f) { return f.size() > 60; }}};
  const observe::TimerChanged fired{.connection = 1, .what = observe::TimerChanged::What::Fired};
  t.tell(fired);
  t.out(tcp_frame(false, {.ack = true}, 1, 1), observe::TxReason::Ack);
  t.tell(fired);
  t.tell(observe::Dropped{observe::DropReason::NoRoute, 0});
  EXPECT_TRUE(t.lines.empty());
  t.out(tcp_frame(false, {.ack = true}, 1, 1, 10), observe::TxReason::Data);
  t.tell(fired);
  EXPECT_THAT(t.lines, ElementsAre(HasSubstr("length 10  <- data"), "    #1 retransmission timer fired"));
  // What an impairment did follows the frame that it did it to.
  t.lines.clear();
  for (const std::size_t payload : {0U, 10U}) {
    const auto frame = tcp_frame(false, {.ack = true}, 1, 1, payload);
    t.tell(observe::Impaired{observe::ImpairmentAction::LostByRule, observe::Direction::Out, frame});
  }
  EXPECT_THAT(t.lines, ElementsAre("    dropped by impairment on the way out: drop rule"));
}

TEST(ObserverList, PassesEventsOnInOrder) {
  struct Counter : observe::Observer {
    int seen = 0;
    void on_event(Instant, const observe::Event&) override { ++seen; }
  };
  Counter a;
  Counter b;
  ObserverList list;
  EXPECT_TRUE(list.empty());
  list.add(&a);
  list.add(&b);
  list.on_event(Instant{}, observe::Dropped{});
  list.remove(&a);
  list.on_event(Instant{}, observe::Dropped{});
  EXPECT_EQ(a.seen, 1);
  EXPECT_EQ(b.seen, 2);
}

TEST(EventText, Dhcp) {
  using observe::DhcpCause;
  using observe::DhcpState;
  EXPECT_EQ(describe_event(observe::DhcpStateChanged{DhcpState::InitReboot, DhcpState::Rebooting,
                                                     DhcpCause::RequestSent, Ipv4Address{10, 0, 0, 57}},
                           EventDetail::Decisions),
            "DHCP INIT-REBOOT -> REBOOTING (DHCPREQUEST sent), address 10.0.0.57");
  observe::DhcpMessageSeen offer{false, 2, "DHCPOFFER", 7, Ipv4Address{10, 0, 0, 57}, Ipv4Address{10, 0, 0, 1}, {}};
  EXPECT_EQ(describe_event(offer, EventDetail::Decisions),
            "took DHCPOFFER (option 53 = 2), address 10.0.0.57, server 10.0.0.1");
  offer.sent = true;  // the frame's reason says it
  EXPECT_EQ(describe_event(offer, EventDetail::Decisions), "");
  EXPECT_EQ(
      describe_event(observe::DhcpUnanswered{"DHCPDISCOVER", 2, std::chrono::seconds{16}}, EventDetail::Decisions),
      "no DHCP server answered DHCPDISCOVER (try 2): sent again, then in 16 s");
}

TEST(EventText, WhatAnImpairmentDid) {
  using observe::Direction;
  using observe::ImpairmentAction;
  const std::vector<std::uint8_t> frame(14);
  EXPECT_EQ(
      describe_event(observe::Impaired{ImpairmentAction::LostByRule, Direction::Out, frame}, EventDetail::Decisions),
      "dropped by impairment on the way out: drop rule");
  // What was lost before it came in is in no line above.
  EXPECT_EQ(
      describe_event(observe::Impaired{ImpairmentAction::Duplicated, Direction::In, frame}, EventDetail::Decisions),
      "impairment on the way in: duplicated: " + wire::describe_frame(frame));
}

}  // namespace
}  // namespace wireside

// Probes of the path's MTU after a black hole was suspected (RFC 4821, RFC 8899): what their loss costs.
#include <gtest/gtest.h>

#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

constexpr std::uint32_t probe_octets = 1460, segment_octets = 984;

struct Probe {
  std::uint32_t front = 0;  ///< segment before it, where one was asked for
  std::uint32_t start = 0;  ///< relative sequence number
  std::uint32_t end = 0;    ///< of everything sent so far
};

PeerSetup without_tail_probes() {
  PeerSetup s;
  s.config.tail_loss_probe = false;
  return s;
}

/// Two timeouts make segments smaller. Returns the end of what is acknowledged then.
std::uint32_t suspect_black_hole(TcpPeer& t, std::string_view options) {
  t.establish(options);
  t.send(probe_octets);
  t.wait(1s);
  t.discard();
  t.in(". 1 ack " + std::to_string(1 + probe_octets));
  return 1 + probe_octets;
}

/// Ten seconds after that a full-sized one has just left, with others behind it.
Probe send_probe(TcpPeer& t, std::string_view options) {
  Probe probe{.end = suspect_black_hole(t, options)};
  t.wait(30s);
  EXPECT_EQ(t.status().mss, segment_octets);
  for (int round = 0; round < 50 && probe.start == 0 && !t.broken(); ++round) {
    t.in(". 1 ack " + std::to_string(probe.end));
    t.send(9840);
    while (t.pending() > 0) {
      const auto s = t.any();
      const auto start = static_cast<std::uint32_t>(s.header.seq - t.our_iss());
      const auto octets = static_cast<std::uint32_t>(s.payload.octets());
      if (octets == probe_octets) probe.start = start;
      probe.end = start + octets;
    }
  }
  EXPECT_NE(probe.start, 0U);
  EXPECT_GE(probe.end, probe.start + probe_octets + 3 * segment_octets);
  t.wait(20ms);
  return probe;
}

/// The same with a segment in flight before the probe.
Probe send_probe_behind_a_segment(TcpPeer& t, std::string_view options) {
  Probe probe{.end = suspect_black_hole(t, options)};
  t.wait(9s);
  const auto take = [&](bool acknowledge) {
    while (t.pending() > 0) {
      const auto s = t.any();
      const auto start = static_cast<std::uint32_t>(s.header.seq - t.our_iss());
      if (s.payload.octets() == probe_octets) probe.start = start;
      probe.end = start + static_cast<std::uint32_t>(s.payload.octets());
      if (acknowledge) t.in(". 1 ack " + std::to_string(probe.end));
    }
  };
  for (int round = 0; round < 12; ++round, t.wait(10ms)) {
    t.send(20 * segment_octets);
    take(true);
  }
  t.wait(30s);
  probe.front = probe.end;
  t.send(segment_octets);  // too little for a probe
  t.wait(1ms);
  t.send(10 * segment_octets);
  take(false);
  EXPECT_EQ(probe.start, probe.front + segment_octets);
  t.wait(20ms);
  return probe;
}

std::string text(std::uint32_t n) { return std::to_string(n); }

/// What the probe carried goes out again in segments that the path is known to carry.
void expect_probe_again(TcpPeer& t, const Probe& p) {
  EXPECT_EQ(t.out(". " + text(p.start) + "+984").reason, observe::TxReason::PathMtuRetransmit);
  t.out(". " + text(p.start + 984) + "+476");
}

TEST(TcpPathProbe, WhatIsLostAloneIsNoSignOfCongestion) {  // RFC 4821 section 3; RFC 8899 section 3; PMTU-06
  TcpPeer t{without_tail_probes()};
  const Probe p = send_probe(t, "<mss 1460,sackOK>");
  const auto before = t.status();
  t.in(". 1 ack " + text(p.start) + " <sack " + text(p.start + probe_octets) + ":" + text(p.end) + ">");
  expect_probe_again(t, p);
  EXPECT_GE(t.status().cwnd, before.cwnd);
  EXPECT_EQ(t.status().ssthresh, before.ssthresh);
  EXPECT_EQ(t.status().recovery, tcp::LossRecovery::Open);
  t.ignore_rest();
}

TEST(TcpPathProbe, WhatIsLostWithOthersIs) {  // RFC 4821 section 3
  TcpPeer t{without_tail_probes()};
  const Probe p = send_probe(t, "<mss 1460,sackOK>");
  const auto before = t.status();
  t.in(". 1 ack " + text(p.start) + " <sack " + text(p.start + probe_octets + segment_octets) + ":" + text(p.end) +
       ">");
  EXPECT_LT(t.status().ssthresh, before.cwnd);
  EXPECT_EQ(t.status().recovery, tcp::LossRecovery::Fast);
  t.ignore_rest();
}

TEST(TcpPathProbe, ItsRepetitionIsJudgedLikeAnyData) {  // RFC 8985 RACK-08
  TcpPeer t{without_tail_probes()};
  const Probe p = send_probe(t, "<mss 1460,sackOK>");
  const auto before = t.status();
  t.in(". 1 ack " + text(p.start) + " <sack " + text(p.start + probe_octets) + ":" + text(p.end) + ">");
  expect_probe_again(t, p);
  std::uint32_t end = p.end;
  while (t.pending() > 0) end += static_cast<std::uint32_t>(t.any().payload.octets());
  ASSERT_GT(end, p.end);
  t.wait(100ms);
  t.in(". 1 ack " + text(p.start) + " <sack " + text(p.start + probe_octets) + ":" + text(end) + ">");
  EXPECT_LT(t.status().ssthresh, before.cwnd);
  t.ignore_rest();
}

TEST(TcpPathProbe, WithoutSackThreeDuplicatesAskForItAlone) {  // RFC 4821 section 3; PMTU-06
  TcpPeer t{without_tail_probes()};
  const Probe p = send_probe(t, "<mss 1460>");
  const auto before = t.status();
  t.in(". 1 ack " + text(p.start));
  t.in(". 1 ack " + text(p.start));
  t.discard();  // limited transmit
  t.in(". 1 ack " + text(p.start));
  EXPECT_EQ(t.out(". " + text(p.start) + "+984").reason, observe::TxReason::PathMtuRetransmit);
  EXPECT_EQ(t.status().cwnd, before.cwnd);
  EXPECT_EQ(t.status().ssthresh, before.ssthresh);
  t.in(". 1 ack " + text(p.start + 984));
  t.out(". " + text(p.start + 984) + "+984");
  t.in(". 1 ack " + text(p.end));
  EXPECT_GE(t.status().cwnd, before.cwnd);
  EXPECT_EQ(t.status().ssthresh, before.ssthresh);
  t.ignore_rest();
}

// RFC 4821 section 7.6.4: the path does not carry the probe. What it held is acknowledged in smaller segments, with the
// lost segment before it: that proves nothing.
TEST(TcpPathProbe, LostWithTheSegmentBeforeItTheRepetitionsProveNothing) {
  for (const bool sack : {true, false}) {
    TcpPeer t{without_tail_probes()};
    const Probe p = send_probe_behind_a_segment(t, sack ? "<mss 1460,sackOK>" : "<mss 1460>");
    for (int i = 0; i < 5; ++i) {
      t.in(". 1 ack " + text(p.front) +
           (sack ? " <sack " + text(p.start + probe_octets) + ":" + text(p.end) + ">" : ""));
    }
    for (int round = 0; round < 20 && t.status().snd_una != t.status().snd_nxt; ++round) {
      std::uint32_t reached = 0;
      while (t.pending() > 0) {
        const auto s = t.any();
        EXPECT_LE(s.payload.octets(), segment_octets);
        reached =
            static_cast<std::uint32_t>(s.header.seq - t.our_iss() + static_cast<std::int32_t>(s.payload.octets()));
      }
      t.wait(20ms);
      if (reached == 0) t.wait(300ms);
      if (reached >= p.start + probe_octets) reached = std::max(reached, p.end);
      if (reached != 0) t.in(". 1 ack " + text(reached));
      EXPECT_EQ(t.status().mss, segment_octets);
    }
    EXPECT_EQ(t.status().snd_una, t.status().snd_nxt);
    t.ignore_rest();
  }
}

TEST(TcpPathProbe, ATimeoutStaysATimeout) {  // RFC 4821 section 7.6.3
  TcpPeer t{without_tail_probes()};
  const Probe p = send_probe(t, "<mss 1460,sackOK>");
  t.in(". 1 ack " + text(p.start));
  t.discard();
  const auto before = t.status();
  const Duration passed = t.out_within(2s, ". " + text(p.start) + "+984");
  EXPECT_GE(passed, 200ms - 20ms);
  EXPECT_EQ(t.status().cwnd, segment_octets);
  EXPECT_LT(t.status().ssthresh, before.cwnd);
  t.ignore_rest();
}

}  // namespace
}  // namespace wireside::testing

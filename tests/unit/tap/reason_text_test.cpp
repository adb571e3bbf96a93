// The words for reasons, from the figures of a happening.
#include "reason_text.hpp"

#include <gtest/gtest.h>

namespace wireside {
namespace {

using observe::LossSign;
using observe::TxReason;

Happening sent(TxReason reason) {
  Happening h;
  h.kind = Happening::Kind::FrameSent;
  h.why.reason = reason;
  return h;
}

TEST(Explain, TimersSayHowLongTheyRan) {
  Happening h = sent(TxReason::DelayedAck);
  h.why.timer = 40ms;
  h.why.octets = 100;
  EXPECT_EQ(explain(h), "delayed ACK timer, 40 ms: 100 octets waited for a second segment");
  h = sent(TxReason::ZeroWindowProbe);
  h.why.timer = 424ms;
  h.why.count = 2;
  EXPECT_EQ(explain(h), "zero-window probe 2 after 424 ms");
  h = sent(TxReason::KeepAlive);
  h.why.timer = 75s;
  h.why.count = 3;
  EXPECT_EQ(explain(h), "keep-alive 3: nothing heard for 75 s");
  h = sent(TxReason::TailLossProbe);
  h.why.timer = 20ms;
  EXPECT_EQ(explain(h), "tail loss probe: no ACK for 20 ms");
  h = sent(TxReason::SynRetransmit);
  h.why.timer = 1s;
  h.why.count = 1;
  EXPECT_EQ(explain(h), "SYN retransmit after 1 s: try 2");
}

TEST(Explain, WindowUpdatesCountWhatWasFreed) {
  Happening h = sent(TxReason::WindowUpdate);
  h.why.octets = 2920;
  h.why.segments = 2;
  EXPECT_EQ(explain(h), "window update: 2 MSS freed (2920 octets)");
  h.why = {.reason = TxReason::WindowUpdate, .octets = 1, .loss = {}};
  EXPECT_EQ(explain(h), "window update: 1 octet freed");
}

TEST(Explain, LossesSayWhatShowedThem) {
  Happening h = sent(TxReason::FastRetransmit);
  h.why.loss = observe::LossFound{.sign = LossSign::DuplicateAcks, .first = {}, .dup_acks = 3};
  EXPECT_EQ(explain(h), "fast retransmit: 3 duplicate ACKs");
  h.why.loss = observe::LossFound{.sign = LossSign::SackCount, .first = {}, .sacked = 4344};
  EXPECT_EQ(explain(h), "fast retransmit: 4344 octets reported above it (RFC 6675)");
  h.why.loss = observe::LossFound{.sign = LossSign::Time, .first = {}, .rtt = 10ms, .reordering = 2500us};
  EXPECT_EQ(explain(h),
            "fast retransmit: RACK: a later one was delivered, RTT 10 ms and reordering window 2.5 ms are over");
  h = sent(TxReason::RtoRetransmit);
  h.why.timer = 212ms;
  h.why.count = 1;
  observe::ConnectionView after;
  after.rto = 424ms;
  h.after = &after;
  EXPECT_EQ(explain(h), "RTO retransmit after 212 ms: timeout 1 in a row, RTO now 424 ms");
  h.why.count = 0;
  EXPECT_EQ(explain(h), "RTO retransmit: lost at the timeout, sent now that the window allows it");
}

TEST(Explain, DataSaysWhatHoldsTheRestBack) {
  Happening h = sent(TxReason::Data);
  h.why.octets = 2896;
  h.why.segments = 2;
  observe::ConnectionView after;
  after.mss = 1448;
  after.cwnd = 14480;
  after.snd_wnd = 65535;
  after.snd_nxt = SeqNum{2896};
  after.pipe = 2896;
  h.after = &after;
  EXPECT_EQ(explain(h), "data: 2896 octets in 2 segments; 2896 in flight, nothing more is queued");
  after.unsent = 5000;
  after.cwnd = 2896;
  EXPECT_EQ(explain(h), "data: 2896 octets in 2 segments; 2896 in flight, cwnd 2896 is full");
  after.cwnd = 14480;
  after.snd_wnd = 3000;
  EXPECT_EQ(explain(h), "data: 2896 octets in 2 segments; 2896 in flight, the peer's window 3000 is full");
  after.snd_wnd = 65535;
  after.unsent = 10;
  EXPECT_EQ(explain(h), "data: 2896 octets in 2 segments; 2896 in flight, the rest waits for an ACK (Nagle)");
}

TEST(Explain, GapsAreMeasured) {
  Happening h = sent(TxReason::OutOfOrder);
  h.why.gap = 1448;
  observe::ConnectionView after;
  after.out_of_order = 2896;
  h.after = &after;
  EXPECT_EQ(explain(h), "duplicate ACK: 1448 octets missing at rcv_nxt, 2896 held beyond");
  h.why.gap = 0;
  EXPECT_EQ(explain(h), "ACK at once: a gap was filled");
}

TEST(Explain, EveryReasonHasWords) {
  for (int r = 0; r <= static_cast<int>(TxReason::Raw); ++r) {
    EXPECT_FALSE(explain(sent(static_cast<TxReason>(r))).empty()) << r;
  }
  Happening part = sent(TxReason::Data);
  part.why.further_part = true;
  EXPECT_EQ(explain(part), "data, continued: cut from the same segment");
  EXPECT_EQ(explain(Happening{}), "");
}

TEST(DescribeMoved, ByKind) {
  EXPECT_EQ(describe_moved({Variable::Cwnd, 14480, 7240}), "cwnd 14480 -> 7240");
  EXPECT_EQ(describe_moved({Variable::Rto, 212'000'000, 424'000'000}), "rto 212 ms -> 424 ms");
  EXPECT_EQ(describe_moved({Variable::Ssthresh, std::nullopt, 7240}), "ssthresh 7240");
  EXPECT_EQ(describe_moved({Variable::Recovery, 0, 2}), "recovery open -> fast recovery");
}

}  // namespace
}  // namespace wireside

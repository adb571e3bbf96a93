// What a story tells of two stacks that talk: each frame with its reason, in figures, and what it changed.
#include "story.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/two_hosts.hpp"
#include "variables.hpp"

namespace wireside {
namespace {

using observe::ConnectionView;
using observe::StepCause;
using observe::TxReason;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;
using testing::TwoHosts;
using Kind = Happening::Kind;
using Way = TwoHosts::Way;

struct Told {
  Kind kind = Kind::Other;
  std::uint32_t connection = 0;
  Why why;
  observe::TimerKind timer = observe::TimerKind::Retransmission;
  Duration timer_after{};
  std::vector<TcpState> states;
  std::vector<observe::DropReason> drops;
  std::size_t payload = 0;
  wire::TcpFlags flags;
  std::optional<ConnectionView> before, after;

  [[nodiscard]] std::int64_t value(Variable v) const { return value_of(*after, v).value(); }
};

struct Notebook : StoryReader {
  std::vector<Told> all;
  void on_happening(const Happening& h) override {
    Told& t = all.emplace_back();
    t.kind = h.kind;
    t.connection = h.connection;
    t.why = h.why;
    t.timer = h.timer;
    t.timer_after = h.timer_after;
    for (const auto& e : h.events) {
      if (const auto* s = std::get_if<observe::StateChanged>(&e)) t.states.push_back(s->to);
      if (const auto* d = std::get_if<observe::Dropped>(&e)) t.drops.push_back(d->reason);
    }
    if (h.tcp) t.payload = h.tcp->payload_octets, t.flags = h.tcp->header.flags;
    if (h.before != nullptr) t.before = *h.before;
    if (h.after != nullptr) t.after = *h.after;
  }
  [[nodiscard]] const Told* first(TxReason reason) const {
    for (const Told& t : all) {
      if (t.kind == Kind::FrameSent && t.why.reason == reason) return &t;
    }
    return nullptr;
  }
  [[nodiscard]] std::vector<TxReason> reasons() const {
    std::vector<TxReason> out;
    for (const Told& t : all) {
      if (t.kind == Kind::FrameSent) out.push_back(t.why.reason);
    }
    return out;
  }
};

struct StoryLab {
  Notebook notes;
  Story story{notes};
  TwoHosts hosts;
  explicit StoryLab(const TwoHosts::Setup& setup = TwoHosts::plain()) : hosts{story, setup} {}
};

TEST(Story, TellsWhatAFrameBroughtAboutWithTheFrame) {
  StoryLab lab;
  lab.hosts.establish();
  const auto syn = std::ranges::find_if(lab.notes.all, [](const Told& t) { return t.flags.syn; });
  ASSERT_NE(syn, lab.notes.all.end());
  EXPECT_EQ(syn->kind, Kind::FrameReceived);
  EXPECT_THAT(syn->states, ElementsAre(TcpState::SynReceived));
  EXPECT_FALSE(syn->before);
  ASSERT_TRUE(syn->after);
  EXPECT_EQ(syn->after->record, ConnectionView::Record::HalfOpen);
  EXPECT_EQ(syn->after->peer_mss, 1460U);
  const Told* answer = lab.notes.first(TxReason::SynAck);
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer->connection, syn->connection);
  const auto ack = std::ranges::find_if(lab.notes.all, [](const Told& t) {
    return std::ranges::find(t.states, TcpState::Established) != t.states.end();
  });
  ASSERT_NE(ack, lab.notes.all.end());
  EXPECT_EQ(ack->kind, Kind::FrameReceived);
  EXPECT_EQ(ack->after->record, ConnectionView::Record::Whole);
  EXPECT_EQ(ack->after->state, TcpState::Established);
  EXPECT_EQ(ack->value(Variable::Cwnd), 10 * 1448);
}

TEST(Story, ADelayedAckSaysHowLongItWaited) {
  StoryLab lab;
  lab.hosts.establish();
  lab.hosts.peer_sends(100);
  lab.hosts.wait(100ms);
  const Told* ack = lab.notes.first(TxReason::DelayedAck);
  ASSERT_NE(ack, nullptr);
  EXPECT_EQ(ack->why.timer, 40ms);
  EXPECT_EQ(ack->why.octets, 100U);
  const auto fired = std::ranges::find_if(lab.notes.all, [](const Told& t) { return t.kind == Kind::TimerFired; });
  ASSERT_NE(fired, lab.notes.all.end());
  EXPECT_EQ(fired->timer, observe::TimerKind::DelayedAck);
  EXPECT_EQ(fired->timer_after, 40ms);
}

TEST(Story, AWindowUpdateSaysHowMuchWasFreed) {
  auto setup = TwoHosts::plain();
  setup.ours.tcp.defaults.receive_buffer = 8 * 1448;
  StoryLab lab{setup};
  lab.hosts.establish();
  lab.hosts.peer_sends(20 * 1448);
  lab.hosts.wait(300ms);
  lab.hosts.read();
  lab.hosts.wait(100ms);
  const Told* update = lab.notes.first(TxReason::WindowUpdate);
  ASSERT_NE(update, nullptr);
  EXPECT_GE(update->why.octets, 7U * 1448);
  EXPECT_EQ(update->why.segments, update->why.octets / 1448);
  EXPECT_EQ(update->after->rcv_edge() - update->before->rcv_edge(), static_cast<std::int32_t>(update->why.octets));
}

TEST(Story, AFastRetransmitSaysWhatShowedTheLoss) {
  StoryLab lab;
  lab.hosts.establish();
  int data = 0;
  lab.hosts.loses = [&](Way way, const TwoHosts::Frame& f) { return way == Way::Out && f.size() > 200 && ++data == 3; };
  lab.hosts.send(10 * 1448);
  lab.hosts.wait(500ms);
  const Told* again = lab.notes.first(TxReason::FastRetransmit);
  ASSERT_NE(again, nullptr);
  ASSERT_TRUE(again->why.loss);
  EXPECT_EQ(again->why.loss->sign, observe::LossSign::Time);
  EXPECT_EQ(again->why.loss->octets, 1448U);
  EXPECT_EQ(again->why.loss->first.octets(), 1448U);
  EXPECT_EQ(again->before->recovery, observe::RecoveryPhase::FastRecovery);
  EXPECT_GT(again->before->sacked, 0U);
  EXPECT_EQ(again->before->peer_holds.count, 1U);
  EXPECT_EQ(again->before->missing.count, 1U);
}

TEST(Story, ThreeDuplicateAcksWithoutSack) {
  auto setup = TwoHosts::plain();
  setup.ours.tcp.sack = setup.peer.tcp.sack = false;
  StoryLab lab{setup};
  lab.hosts.establish();
  int data = 0;
  lab.hosts.loses = [&](Way way, const TwoHosts::Frame& f) { return way == Way::Out && f.size() > 200 && ++data == 2; };
  lab.hosts.send(10 * 1448);
  lab.hosts.wait(500ms);
  const Told* again = lab.notes.first(TxReason::FastRetransmit);
  ASSERT_NE(again, nullptr);
  ASSERT_TRUE(again->why.loss);
  EXPECT_EQ(again->why.loss->sign, observe::LossSign::DuplicateAcks);
  EXPECT_EQ(again->why.loss->dup_acks, 3U);
}

TEST(Story, ATimeoutSaysWhichOneAndAfterHowLong) {
  auto setup = TwoHosts::plain();
  setup.ours.tcp.tail_loss_probe = false;
  StoryLab lab{setup};
  lab.hosts.establish();
  lab.hosts.loses = [](Way way, const TwoHosts::Frame&) { return way == Way::Out; };
  lab.hosts.send(100);
  lab.hosts.wait(1s);
  const Told* again = lab.notes.first(TxReason::RtoRetransmit);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->why.count, 1U);
  EXPECT_GE(again->why.timer, 200ms);
  EXPECT_LT(again->why.timer, 300ms);
  ASSERT_TRUE(again->why.loss);
  EXPECT_EQ(again->why.loss->sign, observe::LossSign::Timeout);
  const auto fired = std::ranges::find_if(lab.notes.all, [](const Told& t) { return t.kind == Kind::TimerFired; });
  ASSERT_NE(fired, lab.notes.all.end());
  EXPECT_EQ(fired->value(Variable::Rto), 2 * value_of(*fired->before, Variable::Rto).value());
  EXPECT_EQ(fired->value(Variable::Retransmissions), 1);
}

TEST(Story, ZeroWindowProbesAreCounted) {
  auto setup = TwoHosts::plain();
  setup.peer.tcp.defaults.receive_buffer = 4 * 1448;
  StoryLab lab{setup};
  lab.hosts.establish();
  lab.hosts.send(20 * 1448);
  lab.hosts.wait(5s);
  std::vector<std::uint32_t> counts;
  for (const Told& t : lab.notes.all) {
    if (t.kind == Kind::FrameSent && t.why.reason == TxReason::ZeroWindowProbe) counts.push_back(t.why.count);
  }
  ASSERT_GE(counts.size(), 2U);
  EXPECT_EQ(counts[0], 1U);
  EXPECT_EQ(counts[1], 2U);
  EXPECT_GT(lab.notes.first(TxReason::ZeroWindowProbe)->why.timer, Duration{0});
}

TEST(Story, ASuperSegmentCutIntoFramesIsOneReason) {
  StoryLab lab;  // no segmentation below us: several frames
  lab.hosts.establish();
  lab.hosts.send(3 * 1448);
  lab.hosts.wait(100ms);
  std::vector<bool> parts;
  for (const Told& t : lab.notes.all) {
    if (t.kind == Kind::FrameSent && t.why.reason == TxReason::Data) parts.push_back(t.why.further_part);
  }
  EXPECT_THAT(parts, ElementsAre(false, true, true));
}

TEST(Story, ASegmentThatNeverBecameAFrameExplainsNoOther) {
  Notebook notes;
  Story story{notes};
  ConnectionView view;
  view.connection = 7;
  view.state = TcpState::Established;
  view.probes = 1;
  story.on_event(Instant::from_ns(1), observe::ConnectionChanged{StepCause::SegmentSent, &view});  // dropped below us
  view.probes = 2;
  story.on_event(Instant::from_ns(2), observe::ConnectionChanged{StepCause::SegmentSent, &view});
  const std::vector<std::uint8_t> frame(60);
  story.on_event(Instant::from_ns(2), observe::FrameSent{.header = frame, .payload = {}, .connection = 7});
  ASSERT_EQ(notes.all.size(), 1U);
  EXPECT_EQ(notes.all[0].after->probes, 2U);
  story.on_event(Instant::from_ns(3), observe::FrameSent{.header = frame, .payload = {}, .connection = 7});
  EXPECT_FALSE(notes.all[1].after);
}

TEST(Story, AConnectionsEndIsToldAndForgotten) {
  auto setup = TwoHosts::plain();
  setup.ours.tcp.msl = 1s;
  StoryLab lab{setup};
  lab.hosts.establish();
  EXPECT_EQ(lab.story.connections(), 1U);
  (void)lab.hosts.ours.sockets().close(lab.hosts.now, lab.hosts.local);
  lab.hosts.wait(100ms);
  lab.hosts.peer_reads();
  (void)lab.hosts.peer.sockets().close(lab.hosts.now, lab.hosts.remote);
  lab.hosts.wait(100ms);
  std::vector<TcpState> states;
  for (const Told& t : lab.notes.all) states.insert(states.end(), t.states.begin(), t.states.end());
  EXPECT_THAT(states, ElementsAre(TcpState::SynReceived, TcpState::Established, TcpState::FinWait1, TcpState::FinWait2,
                                  TcpState::TimeWait));
  const ConnectionView* view = lab.story.view(1);
  ASSERT_NE(view, nullptr);
  EXPECT_EQ(view->record, ConnectionView::Record::TimeWait);
  EXPECT_NE(view->due(observe::TimerKind::TimeWait), Instant::max());
  lab.hosts.wait(3s);
  EXPECT_THAT(lab.notes.all.back().states, ElementsAre(TcpState::Closed));
  EXPECT_EQ(lab.story.connections(), 0U);
}

TEST(Story, AResetEndsItAtOnce) {
  StoryLab lab;
  lab.hosts.establish();
  (void)lab.hosts.peer.sockets().abort(lab.hosts.now, lab.hosts.remote);
  lab.hosts.wait(100ms);
  const Told& last = lab.notes.all.back();
  EXPECT_EQ(last.kind, Kind::FrameReceived);
  EXPECT_TRUE(last.flags.rst);
  EXPECT_THAT(last.states, ElementsAre(TcpState::Closed));
  EXPECT_TRUE(last.before);
  EXPECT_FALSE(last.after);
  EXPECT_EQ(lab.story.connections(), 0U);
}

TEST(Story, ADroppedSegmentIsToldWithItsFrame) {
  StoryLab lab;
  lab.hosts.establish();
  const auto stranger = lab.hosts.peer.sockets().open(SocketKind::Stream).value();
  (void)lab.hosts.peer.sockets().connect(lab.hosts.now, stranger, *Endpoint::parse("10.0.0.2:81"));
  lab.hosts.wait(50ms);
  const auto refused = std::ranges::find_if(lab.notes.all, [](const Told& t) { return !t.drops.empty(); });
  ASSERT_NE(refused, lab.notes.all.end());
  EXPECT_EQ(refused->kind, Kind::FrameReceived);
  EXPECT_THAT(refused->drops, ElementsAre(observe::DropReason::TcpNoConnection));
  EXPECT_THAT(lab.notes.reasons(), Contains(TxReason::ResetNoConnection));
}

TEST(Story, MemoryIsBounded) {
  Notebook notes;
  Story story{notes};
  for (std::uint32_t i = 1; i <= 2 * Story::max_connections; ++i) {
    ConnectionView view;
    view.connection = i;
    story.on_event(Instant{}, observe::ConnectionChanged{StepCause::UserCall, &view});
  }
  EXPECT_EQ(story.connections(), Story::max_connections);
  EXPECT_EQ(story.view(1), nullptr);
  EXPECT_NE(story.view(2 * Story::max_connections), nullptr);
}

TEST(Story, ConnectionsAtRestAreSeenAsTheyAre) {
  auto setup = TwoHosts::plain();
  setup.ours.tcp.max_awake_idle = 0;
  StoryLab lab{setup};
  lab.hosts.establish();
  lab.hosts.peer_sends(500);
  lab.hosts.wait(200ms);
  EXPECT_EQ(lab.hosts.read(), 500U);
  const ConnectionView* view = lab.story.view(1);
  ASSERT_NE(view, nullptr);
  EXPECT_EQ(view->octets_received, 500U);
  EXPECT_EQ(view->receive_queued, 0U);
  EXPECT_EQ(view->state, TcpState::Established);
}

TEST(Variables, WhatMovedIsFoundInAFixedOrder) {
  ConnectionView before;
  before.iss = before.snd_una = SeqNum{0xffffff00};
  before.snd_nxt = SeqNum{0xffffff01};
  before.cwnd = 14480;
  before.ssthresh = UINT32_MAX;
  before.rto = 1s;
  before.state = TcpState::Established;
  ConnectionView after = before;
  after.snd_una = SeqNum{0x100};
  after.snd_nxt = SeqNum{0x100};
  after.cwnd = 7240;
  after.ssthresh = 7240;
  const auto all = moved(&before, after);
  std::vector<Variable> which;
  for (const Moved& m : all) which.push_back(m.variable);
  EXPECT_THAT(which,
              ElementsAre(Variable::SndUna, Variable::SndNxt, Variable::Flight, Variable::Cwnd, Variable::Ssthresh));
  EXPECT_EQ(all[0].after, 0x200);
  EXPECT_FALSE(all[4].before);
  EXPECT_TRUE(moved(&after, after).empty());
}

}  // namespace
}  // namespace wireside

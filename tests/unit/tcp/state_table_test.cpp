// The state diagram as data (RFC 9293 section 3.3.2, figure 5).
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tcp/state_table.hpp"

namespace wireside::tcp {
namespace {

using enum observe::TcpState;
using C = observe::StateCause;

TEST(TcpStateTable, HoldsEveryEdgeOfFigureFive) {
  EXPECT_TRUE(is_edge(Closed, C::PassiveOpen, Listen));
  EXPECT_TRUE(is_edge(Closed, C::ActiveOpen, SynSent));
  EXPECT_TRUE(is_edge(Listen, C::SynReceived, SynReceived));
  EXPECT_TRUE(is_edge(SynSent, C::SynReceived, SynReceived));
  EXPECT_TRUE(is_edge(SynSent, C::SynAckReceived, Established));
  EXPECT_TRUE(is_edge(SynSent, C::CloseCalled, Closed));
  EXPECT_TRUE(is_edge(SynReceived, C::AckOfSyn, Established));
  EXPECT_TRUE(is_edge(SynReceived, C::CloseCalled, FinWait1));
  EXPECT_TRUE(is_edge(Established, C::CloseCalled, FinWait1));
  EXPECT_TRUE(is_edge(Established, C::FinReceived, CloseWait));
  EXPECT_TRUE(is_edge(FinWait1, C::AckOfFin, FinWait2));
  EXPECT_TRUE(is_edge(FinWait1, C::FinReceived, Closing));
  EXPECT_TRUE(is_edge(FinWait1, C::FinAndAckOfFin, TimeWait));
  EXPECT_TRUE(is_edge(FinWait2, C::FinReceived, TimeWait));
  EXPECT_TRUE(is_edge(Closing, C::AckOfFin, TimeWait));
  EXPECT_TRUE(is_edge(CloseWait, C::CloseCalled, LastAck));
  EXPECT_TRUE(is_edge(LastAck, C::AckOfFin, Closed));
  EXPECT_TRUE(is_edge(TimeWait, C::TimeWaitExpired, Closed));
}

TEST(TcpStateTable, RefusesWhatIsNotInTheDiagram) {
  EXPECT_FALSE(is_edge(Closed, C::SynReceived, SynReceived));
  EXPECT_FALSE(is_edge(Listen, C::AckOfSyn, Established));
  EXPECT_FALSE(is_edge(SynSent, C::AckOfSyn, Established));
  EXPECT_FALSE(is_edge(Established, C::AckOfFin, Closed));
  EXPECT_FALSE(is_edge(FinWait2, C::AckOfFin, TimeWait));
  EXPECT_FALSE(is_edge(TimeWait, C::ResetReceived, Closed));  // RFC 1337, EV-35
  EXPECT_FALSE(is_edge(CloseWait, C::FinReceived, CloseWait));
  EXPECT_FALSE(is_edge(LastAck, C::AckOfFin, TimeWait));
}

TEST(TcpStateTable, EveryStateCanBeReachedAndLeft) {
  std::set<TcpState> entered, left;
  for (const auto& e : state_edges) {
    entered.insert(e.to);
    left.insert(e.from);
    EXPECT_NE(e.reference, nullptr);
    EXPECT_NE(std::string{e.reference}, "");
  }
  EXPECT_EQ(entered.size(), 11U);
  EXPECT_EQ(left.size(), 11U);
}

TEST(TcpStateTable, CannotLeaveClosingStatesBackwards) {
  for (const auto& e : state_edges) {
    const bool closing = e.from == FinWait1 || e.from == FinWait2 || e.from == Closing || e.from == LastAck;
    EXPECT_FALSE(closing && e.to == Established) << e.reference;
    EXPECT_TRUE(e.to != Established || e.from == SynSent || e.from == SynReceived) << e.reference;
  }
}

TEST(TcpStateTable, IsEmittedAsDot) {
  const auto dot = state_table_dot();
  EXPECT_EQ(dot.rfind("digraph", 0), 0U) << dot;
  EXPECT_NE(dot.find('}'), std::string::npos);
  std::size_t arrows = 0;
  for (std::size_t at = dot.find("->"); at != std::string::npos; at = dot.find("->", at + 2)) ++arrows;
  EXPECT_EQ(arrows, state_edges.size());
  for (const auto& e : state_edges) EXPECT_NE(dot.find(std::string{observe::to_string(e.to)}), std::string::npos);
}

}  // namespace
}  // namespace wireside::tcp

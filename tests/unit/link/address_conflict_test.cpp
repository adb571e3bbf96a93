// Address conflict detection as a trace of ARP messages against a virtual clock: RFC 5227.
#include "link/address_conflict.hpp"

#include "link_test_support.hpp"

namespace wireside::link::testing {
namespace {

using observe::AddressNews;
using observe::TxReason;
using Operation = wire::ArpMessage::Operation;
using What = ConflictResult::What;

struct NewsLog : observe::Observer {
  void on_event(Instant, const observe::Event& event) override {
    if (const auto* changed = std::get_if<observe::AddressChanged>(&event)) news.push_back(changed->news);
  }
  std::vector<AddressNews> news;
};

struct Sent {
  Duration when;
  AddressConflict::Outgoing out;
};

class AddressConflictTest : public ::testing::Test {
 protected:
  AddressConflictTest() {
    build(1);
    sink.attach(&log);
  }
  void build(std::uint64_t seed) {
    random.emplace(make_seed(seed));
    acd.emplace(config, our_mac, *random, sink);
    sent.clear();
  }
  /// Lets time pass up to `end`, exactly from deadline to deadline.
  void run_until(Duration end) {
    for (take(); acd->next_deadline() <= at(end); take()) {
      ASSERT_GE(acd->next_deadline(), at(now)) << "a deadline that is over";
      now = acd->next_deadline() - Instant{};
      acd->handle_timeouts(at(now));
    }
    now = end;
  }
  void take() {
    while (const auto out = acd->poll_message()) sent.push_back({now, *out});
  }
  bool arp(Operation operation, MacAddress from, Ipv4Address sender, Ipv4Address target) {
    const bool concerned = acd->handle_arp(at(now), {operation, from, sender, MacAddress{}, target});
    take();
    return concerned;
  }
  /// The other host says that it has our address.
  bool claim() { return arp(Operation::Request, other_mac, our_ip, our_ip); }
  std::optional<ConflictResult> result() { return acd->poll_result(); }
  /// An address in use, its announcements long sent.
  void settle_in_use() {
    acd->announce(at(now), our_ip);
    run_until(100s);
    sent.clear();
    log.news.clear();
  }

  ConflictConfig config;
  NewsLog log;
  observe::Sink sink;
  std::optional<Random> random;
  std::optional<AddressConflict> acd;
  std::vector<Sent> sent;
  Duration now{};
};

const wire::ArpMessage probe{Operation::Request, our_mac, Ipv4Address{}, MacAddress{}, our_ip};
const wire::ArpMessage announcement{Operation::Request, our_mac, our_ip, MacAddress{}, our_ip};

TEST_F(AddressConflictTest, ProbesThreeTimesListensAndFindsTheAddressFree) {  // RFC 5227 ACD-01, ACD-02, ACD-07
  Duration shortest_wait = 1s, longest_wait{}, shortest_gap = 2s, longest_gap = 1s;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    build(seed);
    now = {};
    acd->start_probe(at(0s), our_ip);
    run_until(20s);
    ASSERT_EQ(sent.size(), 3U);
    for (const Sent& s : sent) {
      EXPECT_EQ(s.out.message, probe);
      EXPECT_EQ(s.out.reason, TxReason::ArpProbe);
    }
    shortest_wait = std::min(shortest_wait, sent[0].when);
    longest_wait = std::max(longest_wait, sent[0].when);
    for (const Duration gap : {sent[1].when - sent[0].when, sent[2].when - sent[1].when}) {
      shortest_gap = std::min(shortest_gap, gap);
      longest_gap = std::max(longest_gap, gap);
    }
    EXPECT_EQ(result(), (ConflictResult{What::Free, our_ip, {}}));
    EXPECT_FALSE(result());
  }
  EXPECT_LT(shortest_wait, 50ms);
  EXPECT_GT(longest_wait, 950ms);
  EXPECT_LE(longest_wait, 1s);
  EXPECT_GE(shortest_gap, 1s);
  EXPECT_LT(shortest_gap, 1050ms);
  EXPECT_GT(longest_gap, 1950ms);
  EXPECT_LE(longest_gap, 2s);
}

TEST_F(AddressConflictTest, IsFreeExactlyAnnounceWaitAfterTheLastProbe) {  // RFC 5227 ACD-07
  acd->start_probe(at(0s), our_ip);
  for (take(); sent.size() < 3; take()) run_until(acd->next_deadline() - Instant{});
  const Duration last = sent[2].when;
  EXPECT_EQ(acd->next_deadline(), at(last + 2s));
  run_until(last + 2s - 1ns);
  EXPECT_FALSE(result());
  EXPECT_TRUE(acd->is_probing(our_ip));
  run_until(last + 2s);
  EXPECT_EQ(result()->what, What::Free);
  EXPECT_FALSE(acd->is_probing(our_ip));
  EXPECT_EQ(acd->next_deadline(), Instant::max());
}

TEST_F(AddressConflictTest, AnyMessageFromAHolderOfTheAddressIsAConflict) {  // RFC 5227 ACD-03
  for (const Operation operation : {Operation::Request, Operation::Reply}) {
    for (const Ipv4Address target : {our_ip, peer_ip}) {
      acd->start_probe(at(now), our_ip);
      run_until(now + 1500ms);
      EXPECT_TRUE(arp(operation, other_mac, our_ip, target));
      EXPECT_EQ(result(), (ConflictResult{What::Conflict, our_ip, other_mac}));
      EXPECT_EQ(acd->next_deadline(), Instant::max()) << "probing has ended";
    }
  }
  ASSERT_EQ(log.news.size(), 8U);
  EXPECT_EQ(log.news[6], AddressNews::Probing);
  EXPECT_EQ(log.news[7], AddressNews::Conflict);
}

TEST_F(AddressConflictTest, AConflictCountsFromTheFirstMomentToTheLast) {  // RFC 5227 ACD-03
  acd->start_probe(at(0s), our_ip);
  EXPECT_TRUE(claim());  // before the first probe has left
  EXPECT_EQ(result()->what, What::Conflict);
  acd->start_probe(at(0s), our_ip);
  while (sent.size() < 3) run_until(acd->next_deadline() - Instant{});
  run_until(sent[2].when + 2s - 1ns);
  EXPECT_TRUE(claim());  // just before it would be free
  EXPECT_EQ(result()->what, What::Conflict);
}

TEST_F(AddressConflictTest, AnothersProbeForTheSameAddressIsAConflict) {  // RFC 5227 ACD-04
  acd->start_probe(at(0s), our_ip);
  run_until(1500ms);
  EXPECT_TRUE(arp(Operation::Request, other_mac, Ipv4Address{}, our_ip));
  EXPECT_EQ(result(), (ConflictResult{What::Conflict, our_ip, other_mac}));
}

TEST_F(AddressConflictTest, OrdinaryRequestsForTheAddressAreNoConflict) {  // RFC 5227 ACD-04: only probes are
  acd->start_probe(at(0s), our_ip);
  run_until(1500ms);
  EXPECT_FALSE(arp(Operation::Request, other_mac, other_ip, our_ip));
  EXPECT_FALSE(arp(Operation::Request, other_mac, Ipv4Address{}, peer_ip));
  EXPECT_FALSE(arp(Operation::Reply, other_mac, Ipv4Address{}, our_ip));
  run_until(20s);
  EXPECT_EQ(result()->what, What::Free);
}

TEST_F(AddressConflictTest, OurOwnMessagesComingBackAreNoConflict) {  // RFC 5227 ACD-05
  acd->start_probe(at(0s), our_ip);
  run_until(1s);
  EXPECT_FALSE(acd->handle_arp(at(now), probe));
  run_until(20s);
  EXPECT_EQ(result()->what, What::Free);
  acd->announce(at(now), our_ip);
  EXPECT_FALSE(acd->handle_arp(at(now), announcement));
  run_until(60s);
  EXPECT_FALSE(result());
}

TEST_F(AddressConflictTest, AnnouncesTwiceTwoSecondsApartAndThenNoMore) {  // RFC 5227 ACD-06, ACD-10
  acd->announce(at(0s), our_ip);
  run_until(100'000s);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].when, 0s);
  EXPECT_EQ(sent[1].when, 2s);
  for (const Sent& s : sent) {
    EXPECT_EQ(s.out.message, announcement);
    EXPECT_EQ(s.out.reason, TxReason::ArpAnnouncement);
  }
}

TEST_F(AddressConflictTest, DefendsOnceAndGivesUpAtTheNextConflict) {  // RFC 5227 ACD-08, policy (b)
  settle_in_use();
  EXPECT_TRUE(claim());
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].out.message, announcement);
  EXPECT_EQ(sent[0].out.reason, TxReason::ArpDefence);
  EXPECT_FALSE(result());
  run_until(now + 10s - 1ns);
  EXPECT_TRUE(claim());
  EXPECT_EQ(sent.size(), 1U);
  EXPECT_EQ(result(), (ConflictResult{What::Lost, our_ip, other_mac}));
  EXPECT_EQ(log.news, (std::vector{AddressNews::Defended, AddressNews::Lost}));
  EXPECT_FALSE(claim()) << "the address is no concern any more";
}

TEST_F(AddressConflictTest, DefendsAgainAfterDefendInterval) {  // RFC 5227 ACD-08
  settle_in_use();
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(claim());
    run_until(now + 10s);
  }
  EXPECT_EQ(sent.size(), 5U);
  EXPECT_FALSE(result());
}

TEST_F(AddressConflictTest, GivesUpAtOnceWhenToldSo) {  // RFC 5227 ACD-08, policy (a)
  config.policy = ConflictPolicy::GiveUp;
  build(1);
  settle_in_use();
  EXPECT_TRUE(claim());
  EXPECT_TRUE(sent.empty());
  EXPECT_EQ(result(), (ConflictResult{What::Lost, our_ip, other_mac}));
}

TEST_F(AddressConflictTest, DefendsForEverButSeldomWhenToldSo) {  // RFC 5227 ACD-08, policy (c)
  config.policy = ConflictPolicy::DefendAlways;
  build(1);
  settle_in_use();
  for (int i = 0; i < 100; ++i) {  // a conflict each second
    EXPECT_TRUE(claim());
    run_until(now + 1s);
  }
  EXPECT_EQ(sent.size(), 10U);
  for (std::size_t i = 1; i < sent.size(); ++i) EXPECT_EQ(sent[i].when - sent[i - 1].when, 10s);
  EXPECT_FALSE(result());
}

TEST_F(AddressConflictTest, AProbeForAnAddressInUseIsNoConflict) {  // its sender learns from our reply
  settle_in_use();
  EXPECT_FALSE(arp(Operation::Request, other_mac, Ipv4Address{}, our_ip));
  EXPECT_TRUE(sent.empty());
}

TEST_F(AddressConflictTest, ConflictsAreFoundWhileAnnouncingToo) {  // RFC 5227 ACD-08
  config.policy = ConflictPolicy::GiveUp;
  build(1);
  acd->announce(at(0s), our_ip);
  EXPECT_TRUE(claim());
  EXPECT_EQ(result()->what, What::Lost);
  run_until(20s);
  EXPECT_LE(sent.size(), 1U) << "no announcement of an address given up";
}

TEST_F(AddressConflictTest, AfterTenConflictsOneAttemptAMinute) {  // RFC 5227 ACD-09
  std::vector<Duration> attempts;
  for (int i = 0; i < 13; ++i) {
    acd->start_probe(at(now), our_ip);
    sent.clear();
    while (sent.empty()) run_until(acd->next_deadline() - Instant{});
    attempts.push_back(now);
    EXPECT_TRUE(claim());
    EXPECT_EQ(result()->what, What::Conflict);
  }
  for (std::size_t i = 1; i < 10; ++i) EXPECT_LE(attempts[i] - attempts[i - 1], 1s) << i;
  for (std::size_t i = 10; i < attempts.size(); ++i) EXPECT_GE(attempts[i] - attempts[i - 1], 59s) << i;
  EXPECT_GE(attempts.back() - attempts[9], 179s) << "three attempts, a minute each, less PROBE_WAIT";
}

TEST_F(AddressConflictTest, OldConflictsAreForgotten) {
  for (int i = 0; i < 10; ++i) {
    acd->start_probe(at(now), our_ip);
    EXPECT_TRUE(claim());
  }
  now += 601s;
  acd->start_probe(at(now), our_ip);
  EXPECT_TRUE(claim());  // the first of a new count
  acd->start_probe(at(now), our_ip);
  EXPECT_LE(acd->next_deadline(), at(now + 1s));
}

TEST_F(AddressConflictTest, CancelEndsProbingWithoutResult) {
  acd->start_probe(at(0s), our_ip);
  run_until(1s);
  acd->cancel(our_ip);
  const std::size_t before = sent.size();
  run_until(20s);
  EXPECT_EQ(sent.size(), before);
  EXPECT_FALSE(result());
  EXPECT_FALSE(claim());
}

TEST_F(AddressConflictTest, ProbingWaitsForTheLink) {  // RFC 5227 section 2.1: when a cable is connected
  acd->start_probe(at(0s), our_ip);
  run_until(2500ms);
  acd->link_down();
  EXPECT_EQ(acd->next_deadline(), Instant::max());
  run_until(100s);
  sent.clear();
  acd->link_up(at(now));
  run_until(120s);
  EXPECT_EQ(sent.size(), 3U) << "from the beginning";
  EXPECT_EQ(result()->what, What::Free);
}

TEST_F(AddressConflictTest, AnAddressInUseIsProbedForAgainAndAnnounced) {  // RFC 5227 section 2.1, ACD-01
  settle_in_use();
  acd->link_down();
  run_until(200s);
  acd->link_up(at(now));
  acd->verify(at(now), our_ip);
  run_until(300s);
  ASSERT_EQ(sent.size(), 5U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(sent[i].out.message, probe);
  for (std::size_t i = 3; i < 5; ++i) EXPECT_EQ(sent[i].out.message, announcement);
  EXPECT_EQ(result(), (ConflictResult{What::Free, our_ip, {}}));
  EXPECT_FALSE(result());
  EXPECT_TRUE(claim()) << "and it is watched as before";
}

TEST_F(AddressConflictTest, AnObjectionToAnAddressInUseFollowsThePolicy) {  // RFC 5227 ACD-08
  settle_in_use();
  acd->verify(at(now), our_ip);
  run_until(102s);
  sent.clear();
  EXPECT_TRUE(arp(Operation::Reply, other_mac, our_ip, Ipv4Address{}));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].out.reason, TxReason::ArpDefence);
  EXPECT_FALSE(result());
  EXPECT_TRUE(arp(Operation::Reply, other_mac, our_ip, Ipv4Address{}));
  EXPECT_EQ(result(), (ConflictResult{What::Lost, our_ip, other_mac}));
}

TEST_F(AddressConflictTest, ALinkThatFlapsKeepsTheAddressInUse) {
  settle_in_use();
  for (int i = 0; i < 3; ++i) {
    acd->verify(at(now), our_ip);
    run_until(now + 2s);
    acd->link_down();
    run_until(now + 2s);
    acd->link_up(at(now));
  }
  EXPECT_FALSE(result());
  EXPECT_FALSE(acd->is_probing(our_ip));
  EXPECT_FALSE(arp(Operation::Request, other_mac, Ipv4Address{}, our_ip)) << "our reply tells that it is ours";
  sent.clear();
  run_until(now + 100s);
  EXPECT_EQ(sent.size(), 5U);
}

TEST_F(AddressConflictTest, SeveralAddressesKeepTheirOwnTime) {
  acd->announce(at(0s), peer_ip);
  acd->start_probe(at(500ms), our_ip);
  acd->start_probe(at(600ms), other_ip);
  run_until(1600ms);
  EXPECT_TRUE(arp(Operation::Reply, peer_mac, other_ip, our_ip));
  EXPECT_EQ(result(), (ConflictResult{What::Conflict, other_ip, peer_mac}));
  run_until(20s);
  EXPECT_EQ(result(), (ConflictResult{What::Free, our_ip, {}}));
  EXPECT_FALSE(result());
}

}  // namespace
}  // namespace wireside::link::testing

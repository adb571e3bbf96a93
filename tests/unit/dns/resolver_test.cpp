#include "dns/resolver.hpp"

#include <gtest/gtest.h>

#include "resolver_lab.hpp"

namespace wireside::dns::test {
namespace {

using observe::DropReason;
using wire::DnsRcode;

DnsConfig two_servers() {
  DnsConfig config;
  config.servers = {first_server, second_server};
  return config;
}

TEST(Resolver, AnAddress) {
  Lab lab;
  lab.ask("www.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 www.lab.");
  EXPECT_EQ(lab.sends(), "");
  lab.receive_records({a("www.lab", 1), a("www.lab", 2), a("other.lab", 9)});
  EXPECT_EQ(lab.outcome(), "192.0.2.1 192.0.2.2");
  EXPECT_EQ(lab.answer.server, first_server);
  EXPECT_EQ(lab.ended, 1U);
  EXPECT_FALSE(lab.resolver.next_deadline());
}

TEST(Resolver, AddressesAndLocalhostNeedNoServer) {  // RFC 6761 section 6.3
  Lab lab;
  lab.ask("192.0.2.7");
  EXPECT_EQ(lab.outcome(), "192.0.2.7");
  lab.ask("LOCALHOST.");
  EXPECT_EQ(lab.outcome(), "127.0.0.1");
  lab.ask("x.invalid");
  EXPECT_EQ(lab.outcome(), describe(Failure::NotFound));
  EXPECT_EQ(lab.resolver.start(lab.now, "a b").error(), Failure::BadCharacter);
  lab.resolver.set_servers({});
  lab.ask("www.lab");
  EXPECT_EQ(lab.outcome(), describe(Failure::NoServer));
}

// RFC 1034 section 5.2.2: aliases are followed, in the answer and by asking again.
TEST(Resolver, AliasesWithinTheAnswerAndBeyond) {
  Lab lab;
  lab.ask("www.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 www.lab.");
  lab.receive_records({cname("b.lab", "c.lab"), cname("www.lab", "b.lab")});
  EXPECT_EQ(lab.sends(), "10.0.0.1 c.lab.");
  lab.receive_records({a("C.lab", 3)});
  EXPECT_EQ(lab.outcome(), "192.0.2.3");
  ASSERT_EQ(lab.answer.aliases.size(), 2U);
  EXPECT_EQ(lab.answer.aliases[1].target, name("c.lab"));
}

TEST(Resolver, AliasesInACircleEnd) {
  Lab lab;
  lab.ask("a.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 a.lab.");
  lab.receive_records({cname("a.lab", "b.lab"), cname("b.lab", "a.lab")});
  EXPECT_EQ(lab.outcome(), describe(Failure::ChainTooLong));
  lab.ask("c.lab");  // one step per answer
  EXPECT_EQ(lab.sends(), "10.0.0.1 c.lab.");
  lab.receive_records({cname("c.lab", "d.lab")});
  EXPECT_EQ(lab.sends(), "10.0.0.1 d.lab.");
  lab.receive_records({cname("d.lab", "C.lab")});
  EXPECT_EQ(lab.outcome(), describe(Failure::ChainTooLong));
}

TEST(Resolver, ALongChainEnds) {
  DnsConfig config;
  config.max_chain = 4;
  Lab lab{config};
  lab.ask("n0.lab");
  for (int i = 0; i < 5; ++i) {
    const auto owner = "n" + std::to_string(i) + ".lab";
    ASSERT_EQ(lab.sends(), "10.0.0.1 " + owner + ".");
    lab.receive_records({cname(owner, "n" + std::to_string(i + 1) + ".lab")});
  }
  EXPECT_EQ(lab.outcome(), describe(Failure::ChainTooLong));
}

TEST(Resolver, TheCacheAnswersUntilTheTtlEnds) {
  Lab lab;
  lab.ask("www.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 www.lab.");
  lab.receive_records({cname("www.lab", "web.lab", 100), a("web.lab", 1, 30)});
  EXPECT_EQ(lab.outcome(), "192.0.2.1");
  lab.pass(std::chrono::seconds{29});
  lab.ask("WWW.lab");
  EXPECT_EQ(lab.outcome(), "192.0.2.1");
  EXPECT_EQ(lab.answer.addresses[0].ttl, 1U);
  EXPECT_EQ(lab.answer.aliases[0].ttl, 71U);
  EXPECT_FALSE(lab.answer.server);
  lab.pass(std::chrono::seconds{1});
  lab.ask("www.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 web.lab.");  // the alias is still good
}

TEST(Resolver, NegativeAnswersAreRememberedForTheSoasTime) {  // RFC 2308 sections 3 and 5
  Lab lab;
  lab.ask("no.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 no.lab.");
  lab.receive_negative(DnsRcode::NameError, soa("lab", 100, 40));
  EXPECT_EQ(lab.outcome(), describe(Failure::NotFound));
  lab.pass(std::chrono::seconds{39});
  lab.ask("no.lab");
  EXPECT_EQ(lab.outcome(), describe(Failure::NotFound));
  lab.pass(std::chrono::seconds{1});
  lab.ask("no.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 no.lab.");
  lab.receive_negative(DnsRcode::NoError, soa("elsewhere", 100, 40));  // not the zone that holds the name
  EXPECT_EQ(lab.outcome(), describe(Failure::NoData));
  lab.ask("no.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 no.lab.");
}

TEST(Resolver, NxdomainBehindAnAliasSpeaksOfItsTarget) {  // RFC 6604 section 3
  Lab lab;
  lab.ask("www.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 www.lab.");
  lab.receive_negative(DnsRcode::NameError, soa("lab", 60, 60), {cname("www.lab", "gone.lab")});
  EXPECT_EQ(lab.outcome(), describe(Failure::NotFound));
  EXPECT_EQ(lab.resolver.cache().size(), 2U);
}

TEST(Resolver, SearchDomainsAreTriedInTurn) {
  DnsConfig config;
  config.search = {"a.lab", "b.lab"};
  Lab lab{config};
  lab.ask("web");
  EXPECT_EQ(lab.sends(), "10.0.0.1 web.a.lab.");
  lab.receive_code(DnsRcode::NameError);
  EXPECT_EQ(lab.sends(), "10.0.0.1 web.b.lab.");
  lab.receive_records({a("web.b.lab", 5)});
  EXPECT_EQ(lab.outcome(), "192.0.2.5");
  EXPECT_EQ(lab.answer.name, name("web.b.lab"));
  lab.ask("nil");
  for (const char* tried : {"nil.a.lab.", "nil.b.lab.", "nil."}) {
    EXPECT_EQ(lab.sends(), std::string{"10.0.0.1 "} + tried);
    lab.receive_code(DnsRcode::NameError);
  }
  EXPECT_EQ(lab.outcome(), describe(Failure::NotFound));
}

// RFC 1035 section 4.2.1: other servers first, and the interval grows.
TEST(Resolver, SilentServersAreAskedInRounds) {
  Lab lab{two_servers()};
  lab.ask("www.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 www.lab.");
  EXPECT_EQ(lab.wait(), 5);
  EXPECT_EQ(lab.sends(), "10.0.0.2 www.lab.");
  EXPECT_EQ(lab.wait(), 5);
  EXPECT_EQ(lab.sends(), "10.0.0.1 www.lab.");
  EXPECT_EQ(lab.wait(), 10);
  EXPECT_EQ(lab.sends(), "10.0.0.2 www.lab.");
  EXPECT_EQ(lab.wait(), 10);
  EXPECT_EQ(lab.outcome(), describe(Failure::TimedOut));
  EXPECT_EQ(lab.ended, 4U);
  EXPECT_EQ(lab.wait(), -1);
}

TEST(Resolver, ASlowAnswerStillCounts) {
  Lab lab{two_servers()};
  lab.ask("www.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 www.lab.");
  const Action first = lab.last;
  const auto response = lab.response({a("www.lab", 1)});
  lab.wait();
  EXPECT_EQ(lab.sends(), "10.0.0.2 www.lab.");
  lab.receive(first, first_server, response);
  EXPECT_EQ(lab.outcome(), "192.0.2.1");
  EXPECT_EQ(lab.answer.server, first_server);
}

TEST(Resolver, AnErrorSendsItToTheNextServerAtOnce) {
  for (const DnsRcode code : {DnsRcode::ServerFailure, DnsRcode::Refused, DnsRcode::FormatError}) {
    Lab lab{two_servers()};
    lab.ask("www.lab");
    EXPECT_EQ(lab.sends(), "10.0.0.1 www.lab.");
    lab.receive_code(code);
    EXPECT_EQ(lab.sends(), "10.0.0.2 www.lab.");
    lab.receive_code(code);
    EXPECT_EQ(lab.outcome(), describe(Failure::ServerFailure));
  }
}

TEST(Resolver, WhoAnsweredLastIsAskedFirst) {
  Lab lab{two_servers()};
  lab.ask("a.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 a.lab.");
  lab.resolver.handle_failure(lab.now, lab.last.exchange);
  EXPECT_EQ(lab.sends(), "10.0.0.2 a.lab.");
  lab.receive_records({a("a.lab", 1)});
  EXPECT_EQ(lab.outcome(), "192.0.2.1");
  lab.ask("b.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.2 b.lab.");
}

// RFC 2181 section 6.1, RFC 2308 section 2.2: a stub resolver cannot follow a referral.
TEST(Resolver, AReferralIsNoAnswer) {
  Lab lab;
  lab.ask("www.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 www.lab.");
  lab.receive_negative(DnsRcode::NoError, record("lab", wire::DnsType::Ns, 60, name("ns.lab")));
  EXPECT_EQ(lab.outcome(), describe(Failure::ServerFailure));
}

TEST(Resolver, TruncationLeadsToTcp) {  // RFC 7766 section 5
  Lab lab;
  lab.ask("big.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 big.lab.");
  auto cut = lab.response({a("big.lab", 9)});
  cut.header.truncated = true;
  lab.receive(cut);
  EXPECT_EQ(lab.sends(), "10.0.0.1/tcp big.lab.");
  lab.receive_records({a("big.lab", 1), a("big.lab", 2)});
  EXPECT_EQ(lab.outcome(), "192.0.2.1 192.0.2.2");
  EXPECT_TRUE(lab.answer.over_tcp);
}

TEST(Resolver, EdnsIsOfferedWhenWantedAndGivenUpWhenRefused) {  // RFC 6891 sections 6.1 and 7
  DnsConfig config;
  config.udp_payload = 1232;
  Lab lab{config};
  lab.ask("www.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 www.lab.");
  ASSERT_EQ(lab.sent.additionals.size(), 1U);
  EXPECT_EQ(lab.sent.additionals[0].type, wire::DnsType::Opt);
  EXPECT_EQ(static_cast<std::uint16_t>(lab.sent.additionals[0].dns_class), 1232);
  lab.receive_code(DnsRcode::FormatError);
  EXPECT_EQ(lab.sends(), "10.0.0.1 www.lab.");
  EXPECT_TRUE(lab.sent.additionals.empty());
}

// RFC 5452 section 9.1: what does not match is ignored and counted, and the true answer is still taken.
TEST(Resolver, AnswersThatDoNotMatchAreIgnored) {
  Lab lab;
  lab.ask("www.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 www.lab.");
  const auto good = lab.response({a("www.lab", 1)});
  auto forged = lab.response({a("www.lab", 66)});
  lab.receive(lab.last, second_server, forged);
  lab.receive(lab.last, {first_server.address, Port{5353}}, forged);
  EXPECT_EQ(lab.drops(DropReason::DnsWrongServer), 2U);
  forged.header.id ^= 1;
  lab.receive(forged);
  EXPECT_EQ(lab.drops(DropReason::DnsWrongId), 1U);
  forged = lab.response({a("www.lab", 66)});
  for (const char* other : {"www.lab2", "WWW.lab"}) {
    forged.questions[0].name = name(other);
    lab.receive(forged);
  }
  forged.questions.clear();
  lab.receive(forged);
  EXPECT_EQ(lab.drops(DropReason::DnsWrongQuestion), 3U);
  forged = lab.response({a("www.lab", 66)});
  forged.header.response = false;
  lab.receive(forged);
  EXPECT_EQ(lab.drops(DropReason::DnsNotExpected), 1U);
  auto broken = wire::emit_dns(good);
  broken.pop_back();
  lab.resolver.handle_datagram(lab.now, lab.last.exchange, first_server, broken);
  EXPECT_EQ(lab.drops(DropReason::DnsMalformed), 1U);
  EXPECT_EQ(lab.outcome(), "");
  lab.receive(good);
  EXPECT_EQ(lab.outcome(), "192.0.2.1");
  lab.receive(good);  // late
  EXPECT_EQ(lab.drops(DropReason::DnsNotExpected), 2U);
  EXPECT_EQ(lab.resolver.counters().answers_ignored, 9U);
}

// RFC 5452 sections 4.3 and 9.2: nobody can guess the next from the last.
TEST(Resolver, IdsAndPortsAreSpread) {
  Lab lab;
  std::map<std::uint16_t, int> ids;
  std::map<std::uint16_t, int> ports;
  for (int i = 0; i < 200; ++i) {
    lab.ask("n" + std::to_string(i) + ".lab");
    ASSERT_NE(lab.sends(), "");
    ++ids[lab.sent.header.id];
    ++ports[lab.last.local_port.value];
    EXPECT_GE(lab.last.local_port.value, 1024);
  }
  EXPECT_GT(ids.size(), 190U);
  EXPECT_GT(ports.size(), 190U);
}

// RFC 5452 section 5: the same question is never on the way twice, which would help a forger.
TEST(Resolver, OneLookupServesAllWhoAsk) {
  Lab lab;
  const auto first = lab.ask("www.lab");
  lab.ask("WWW.LAB");
  const auto third = lab.ask("www.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 www.lab.");
  EXPECT_EQ(lab.sends(), "");
  lab.resolver.cancel(first);
  lab.receive_records({a("www.lab", 1)});
  lab.resolver.cancel(third);
  EXPECT_EQ(lab.outcome(), "192.0.2.1");
  EXPECT_EQ(lab.outcome(), "");
}

TEST(Resolver, CancellingTheLastAskerClosesTheExchange) {
  Lab lab;
  const auto query = lab.ask("www.lab");
  EXPECT_EQ(lab.sends(), "10.0.0.1 www.lab.");
  lab.resolver.cancel(query);
  EXPECT_EQ(lab.outcome(), "");
  EXPECT_EQ(lab.ended, 1U);
  EXPECT_EQ(lab.wait(), -1);
  EXPECT_EQ(lab.resolver.queries_under_way(), 0U);
}

TEST(Resolver, QueriesUnderWayAreBounded) {
  DnsConfig config;
  config.max_queries = 3;
  Lab lab{config};
  for (int i = 0; i < 3; ++i) lab.ask("n" + std::to_string(i) + ".lab");
  EXPECT_EQ(lab.resolver.start(lab.now, "more.lab").error(), Failure::TooManyQueries);
}

}  // namespace
}  // namespace wireside::dns::test

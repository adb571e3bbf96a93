#include "dns/name.hpp"

#include <gtest/gtest.h>

#include <string>

namespace wireside::dns {
namespace {

Failure problem(std::string_view text) { return parse_host_name(text).error(); }

std::vector<std::string> tried(std::string_view text, std::vector<std::string_view> search, unsigned ndots = 1) {
  std::vector<wire::DnsName> domains;
  for (const auto domain : search) domains.push_back(parse_host_name(domain)->name);
  std::vector<std::string> out;
  for (const auto& name : candidates(*parse_host_name(text), domains, ndots)) out.push_back(name.to_string());
  return out;
}

// RFC 1123 section 2.1, RFC 1035 section 2.3.4
TEST(HostName, Syntax) {
  EXPECT_EQ(parse_host_name("3com.example")->name.to_string(), "3com.example.");
  EXPECT_EQ(parse_host_name("_sip.example")->name.to_string(), "_sip.example.");
  EXPECT_TRUE(parse_host_name("a.")->absolute);
  EXPECT_EQ(problem(""), Failure::EmptyName);
  EXPECT_EQ(problem("."), Failure::EmptyLabel);
  EXPECT_EQ(problem("a..b"), Failure::EmptyLabel);
  EXPECT_EQ(problem(".a"), Failure::EmptyLabel);
  EXPECT_EQ(problem("a b"), Failure::BadCharacter);
  EXPECT_EQ(problem("-a.b"), Failure::BadHyphen);
  EXPECT_EQ(problem("a-.b"), Failure::BadHyphen);
  EXPECT_EQ(problem("b\xc3\xbc"
                    "cher.example"),
            Failure::International);
  EXPECT_EQ(problem("10.0.0.256"), Failure::BadAddress);
  EXPECT_EQ(problem("10.0.1"), Failure::BadAddress);
  EXPECT_TRUE(parse_host_name(std::string(63, 'x')));
  EXPECT_EQ(problem(std::string(64, 'x')), Failure::LabelTooLong);
  std::string most = std::string(63, 'x') + '.' + std::string(63, 'x') + '.' + std::string(63, 'x') + '.';
  EXPECT_TRUE(parse_host_name(most + std::string(61, 'x')));
  EXPECT_EQ(problem(most + std::string(62, 'x')), Failure::NameTooLong);
}

TEST(HostName, SearchDomains) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(tried("web", {"lab", "example.com"}), (Names{"web.lab.", "web.example.com.", "web."}));
  EXPECT_EQ(tried("web.a", {"lab"}), (Names{"web.a.", "web.a.lab."}));
  EXPECT_EQ(tried("web.a", {"lab"}, 2), (Names{"web.a.lab.", "web.a."}));
  EXPECT_EQ(tried("web.", {"lab"}), Names{"web."});
  EXPECT_EQ(tried("localhost", {"lab"}), Names{"localhost."});  // RFC 6761 section 6.3
}

TEST(HostName, SpecialNames) {  // RFC 6761
  EXPECT_TRUE(is_localhost(parse_host_name("LocalHost")->name));
  EXPECT_TRUE(is_localhost(parse_host_name("a.localhost.")->name));
  EXPECT_FALSE(is_localhost(parse_host_name("localhost.lab")->name));
  EXPECT_TRUE(is_invalid(parse_host_name("x.invalid")->name));
}

}  // namespace
}  // namespace wireside::dns

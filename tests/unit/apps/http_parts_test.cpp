// The parts of the HTTP server and client that need no connection: ranges, request targets, dates, URLs, listings.
#include <gtest/gtest.h>

#include "document_root.hpp"
#include "http_range.hpp"
#include "text.hpp"
#include "url.hpp"

namespace wireside::apps {
namespace {

using Ranges = std::vector<ByteRange>;

Ranges granted(std::string_view header, std::uint64_t size) {
  const auto choice = choose_ranges(header, size);
  return std::holds_alternative<Ranges>(choice) ? std::get<Ranges>(choice) : Ranges{};
}

// RFC 9110 section 14.1.2
TEST(HttpRange, FirstLastSuffixAndOpenEnd) {
  EXPECT_EQ(granted("bytes=0-4", 10), (Ranges{{0, 4}}));
  EXPECT_EQ(granted("Bytes=5-", 10), (Ranges{{5, 9}}));
  EXPECT_EQ(granted("bytes=-3", 10), (Ranges{{7, 9}}));
  EXPECT_EQ(granted("bytes=-99", 10), (Ranges{{0, 9}}));
  EXPECT_EQ(granted("bytes=8-99999999999999999999999", 10), (Ranges{{8, 9}}));
  EXPECT_EQ(granted("bytes=0-1, 4-5", 10), (Ranges{{0, 1}, {4, 5}}));
}

TEST(HttpRange, WhatIsMalformedOrOverlapsGivesTheWholeFile) {
  for (const char* header :
       {"bytes=5-2", "bytes=abc", "bytes=", "lines=1-2", "bytes=1-2-3", "bytes=--1", "bytes=0-5,3-7"}) {
    EXPECT_TRUE(std::holds_alternative<WholeFile>(choose_ranges(header, 10))) << header;
  }
}

TEST(HttpRange, NothingInsideTheFileIsUnsatisfiable) {
  for (const char* header : {"bytes=10-", "bytes=-0", "bytes=99-100,200-"}) {
    EXPECT_TRUE(std::holds_alternative<Unsatisfiable>(choose_ranges(header, 10))) << header;
  }
  EXPECT_TRUE(std::holds_alternative<Unsatisfiable>(choose_ranges("bytes=0-", 0)));
}

TEST(RequestTarget, IsDecodedOnceAndNeverClimbs) {
  EXPECT_EQ(decode_target("/a%20b/c?x=/../").value().path, "a b/c");
  EXPECT_EQ(decode_target("/%2541").value().path, "%41");
  EXPECT_EQ(decode_target("http://10.0.0.2/x").value().path, "x");
  EXPECT_EQ(decode_target("//x/./y/").value().path, "x/y");
  for (const char* climbing : {"/..", "/a/../b", "/%2e%2e/etc/passwd", "/%2E./x", "/a/..%2fb"}) {
    EXPECT_EQ(decode_target(climbing).error(), TargetFault::Outside) << climbing;
  }
  for (const char* malformed : {"/%zz", "/%4", "/%", "/a%00b", "a", ""}) {
    EXPECT_EQ(decode_target(malformed).error(), TargetFault::Malformed) << malformed;
  }
}

TEST(Listing, EscapesNamesInTextAndInLinks) {
  const std::string page = listing_page("<i>", {{"<b>&\"'.html", false, 1, 0}, {"a:b", true, 0, 0}});
  EXPECT_EQ(page.find("<b>"), std::string::npos);
  EXPECT_EQ(page.find("<i>"), std::string::npos);
  EXPECT_NE(page.find("href=\"./%3Cb%3E%26%22%27.html\""), std::string::npos) << page;
  EXPECT_NE(page.find("href=\"./a%3Ab/\""), std::string::npos) << page;
}

// RFC 9110 section 5.6.7: three forms are understood, one is written.
TEST(HttpDate, ReadsThreeFormsAndWritesOne) {
  const std::time_t time = 784111777;
  EXPECT_EQ(http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), time);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), time);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), time);
  EXPECT_FALSE(parse_http_date("yesterday"));
  EXPECT_FALSE(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT and more"));
}

TEST(Url, TakesWhatCanBeReachedAndSaysWhatCannot) {
  const auto url = parse_http_url("http://10.0.0.1:8080/a?b#c").value();
  EXPECT_EQ(url.server, "10.0.0.1");
  EXPECT_EQ(url.port, Port{8080});
  EXPECT_EQ(url.host, "10.0.0.1:8080");
  EXPECT_EQ(url.target, "/a?b");
  EXPECT_EQ(parse_http_url("http://10.0.0.1").value().target, "/");
  for (const char* wrong : {"", "10.0.0.1", "https://10.0.0.1/", "http://", "http://-name/", "http://10.0.0.1:0/",
                            "http://10.0.0.1:65536/", "http://u@10.0.0.1/", "http://10.0.0.1/a b"}) {
    const auto parsed = parse_http_url(wrong);
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_FALSE(parsed.error().empty());
  }
}

// RFC 3986 section 5.4
TEST(Url, ResolvesARedirectAgainstWhereItCameFrom) {
  const HttpUrl base = parse_http_url("http://10.0.0.1/b/c/d?q").value();
  const auto target = [&](std::string_view location) { return resolve_location(base, location).value().target; };
  EXPECT_EQ(target("g"), "/b/c/g");
  EXPECT_EQ(target("../g"), "/b/g");
  EXPECT_EQ(target("../../../g"), "/g");
  EXPECT_EQ(target("/g?y#s"), "/g?y");
  EXPECT_EQ(target("?y"), "/b/c/d?y");
  EXPECT_EQ(resolve_location(base, "//10.0.0.9/x").value().host, "10.0.0.9");
  EXPECT_FALSE(resolve_location(base, "https://10.0.0.1/"));
}

TEST(Sizes, AreReadAndWritten) {
  EXPECT_EQ(parse_size("500"), 500U);
  EXPECT_EQ(parse_size("2k"), 2048U);
  EXPECT_FALSE(parse_size(""));
  EXPECT_FALSE(parse_size("k"));
  EXPECT_FALSE(parse_size("-1"));
  EXPECT_FALSE(parse_size("18446744073709551615T"));
  EXPECT_EQ(human_size(1536), "1.5 KiB");
}

}  // namespace
}  // namespace wireside::apps

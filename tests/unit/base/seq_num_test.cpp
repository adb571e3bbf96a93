#include "base/seq_num.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace wireside {
namespace {

// RFC 9293 MUST-1: sequence arithmetic is unsigned and modulo 2^32.
TEST(SeqNum, ComparesAcrossTheWrap) {
  const SeqNum near_end{0xfffffff0U};
  const SeqNum wrapped = near_end + 0x20U;
  EXPECT_EQ(wrapped.value(), 0x10U);
  EXPECT_TRUE(near_end.before(wrapped));
  EXPECT_TRUE(wrapped.after(near_end));
  EXPECT_EQ(wrapped - near_end, 0x20);
  EXPECT_EQ(near_end - wrapped, -0x20);
  EXPECT_EQ(span_octets(near_end, wrapped), 0x20U);
  EXPECT_EQ(later(near_end, wrapped), wrapped);
  EXPECT_EQ(earlier(near_end, wrapped), near_end);
}

TEST(SeqNum, EqualIsNeitherBeforeNorAfter) {
  const SeqNum s{7};
  EXPECT_FALSE(s.before(s));
  EXPECT_FALSE(s.after(s));
  EXPECT_TRUE(s.at_or_before(s));
  EXPECT_TRUE(s.at_or_after(s));
}

TEST(SeqNum, WindowIsHalfOpen) {
  const SeqNum start{0xffffffffU};
  EXPECT_TRUE(start.in_window(start, 1));
  EXPECT_FALSE(start.in_window(start, 0));
  EXPECT_TRUE((start + 4U).in_window(start, 5));
  EXPECT_FALSE((start + 5U).in_window(start, 5));
  EXPECT_FALSE((start - 1U).in_window(start, 5));
}

RC_GTEST_PROP(SeqNum, OrderDependsOnDistanceAlone, (std::uint32_t base, std::uint32_t distance)) {
  RC_PRE(distance != 0 && distance < 0x80000000U);
  const SeqNum a{base};
  const SeqNum b = a + distance;
  RC_ASSERT(a.before(b));
  RC_ASSERT(!b.before(a));
  RC_ASSERT(b - a == static_cast<std::int32_t>(distance));
  RC_ASSERT(b - distance == a);
}

// RFC 7323 section 2.3: a shift count above 14 counts as 14.
TEST(WindowScale, IsCappedAt14) {
  EXPECT_EQ(WindowScale{14}.shift(), 14);
  EXPECT_EQ(WindowScale{15}.shift(), 14);
  EXPECT_EQ(WindowScale{255}.shift(), 14);
}

}  // namespace
}  // namespace wireside

#include "packet/packet.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace wireside {
namespace {

TEST(HeaderBlock, GrowsToTheFront) {
  HeaderBlock block;
  EXPECT_EQ(block.size(), 0U);
  std::fill_n(block.prepend(20), 20, std::uint8_t{3});
  std::fill_n(block.prepend(20), 20, std::uint8_t{2});
  std::fill_n(block.prepend(14), 14, std::uint8_t{1});
  ASSERT_EQ(block.size(), 54U);
  EXPECT_EQ(block.view().data(), block.data());
  EXPECT_EQ(block.view()[0], 1);
  EXPECT_EQ(block.view()[14], 2);
  EXPECT_EQ(block.view()[34], 3);
  EXPECT_EQ(block.view()[53], 3);
}

TEST(HeaderBlock, HoldsTheLargestHeaders) {
  HeaderBlock block;
  // Ethernet, an IPv4 header with options, a TCP header with options.
  (void)block.prepend(60);
  (void)block.prepend(60);
  (void)block.prepend(14);
  EXPECT_EQ(block.size(), 134U);
  block.clear();
  EXPECT_EQ(block.size(), 0U);
}

TEST(FrameOut, ClearForgetsEverything) {
  BufferPool pool;
  FrameOut frame;
  (void)frame.header.prepend(14);
  frame.payload.push_back(pool.allocate_slice(100));
  frame.gso_size = 1460;
  frame.checksum_wanted = true;
  frame.checksum_start = 34;
  frame.checksum_offset = 16;
  frame.connection = 9;
  EXPECT_EQ(frame.size(), 114U);
  frame.clear();
  EXPECT_EQ(frame.size(), 0U);
  EXPECT_EQ(frame.gso_size, 0);
  EXPECT_FALSE(frame.checksum_wanted);
  EXPECT_EQ(frame.connection, 0U);
  EXPECT_EQ(pool.buffers_in_use(), 0U);
}

}  // namespace
}  // namespace wireside

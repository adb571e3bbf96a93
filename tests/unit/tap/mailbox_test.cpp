// Frames from many threads to one.
#include "mailbox.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace wireside {
namespace {

Packet numbered(BufferPool& pool, std::uint8_t n, std::size_t octets = 60) {
  return {.data = pool.copy(std::vector<std::uint8_t>(octets, n)), .checksum = ChecksumState::Partial, .gso_size = n};
}

TEST(Mailbox, KeepsOrderAndAttributes) {
  BufferPool pool;
  Mailbox box;
  EXPECT_EQ(box.post(numbered(pool, 1), true), Mailbox::Posted::First);
  EXPECT_EQ(box.post(numbered(pool, 2, 9000), false), Mailbox::Posted::Added);
  Mailbox::Batch batch;
  box.take(batch);
  ASSERT_EQ(batch.frames.size(), 2U);
  EXPECT_EQ(batch.view(batch.frames[0]).size(), 60U);
  EXPECT_EQ(batch.view(batch.frames[1])[8999], 2);
  EXPECT_EQ(batch.frames[1].gso_size, 2);
  EXPECT_EQ(batch.frames[1].checksum, ChecksumState::Partial);
  EXPECT_TRUE(batch.frames[0].placed);
  EXPECT_FALSE(batch.frames[1].placed);
  box.take(batch);
  EXPECT_TRUE(batch.frames.empty());
  EXPECT_EQ(box.post(numbered(pool, 1), true), Mailbox::Posted::First);
}

TEST(Mailbox, IsBoundedInFramesAndOctets) {
  BufferPool pool;
  Mailbox box;
  for (std::size_t i = 0; i < Mailbox::max_frames; ++i)
    EXPECT_NE(box.post(numbered(pool, 1), true), Mailbox::Posted::Full);
  EXPECT_EQ(box.post(numbered(pool, 1), true), Mailbox::Posted::Full);
  Mailbox large;
  std::size_t taken = 0;
  while (taken < 1000 && large.post(numbered(pool, 1, 65000), true) != Mailbox::Posted::Full) ++taken;
  EXPECT_EQ(taken, Mailbox::max_octets / 65000);
}

TEST(Mailbox, LosesNothingBetweenThreads) {
  constexpr std::uint8_t writers = 3;
  constexpr std::size_t each = 20000;
  Mailbox box;
  std::vector<std::thread> threads;
  for (std::uint8_t w = 0; w < writers; ++w) {
    threads.emplace_back([&box, w] {
      BufferPool pool;
      for (std::size_t i = 0; i < each; ++i) {
        while (box.post(numbered(pool, w), true) == Mailbox::Posted::Full) std::this_thread::yield();
      }
    });
  }
  std::size_t seen[writers] = {};
  Mailbox::Batch batch;
  while (seen[0] + seen[1] + seen[2] < writers * each) {
    box.take(batch);
    for (const auto& f : batch.frames) ++seen[batch.view(f)[59]];
    std::this_thread::yield();
  }
  for (auto& t : threads) t.join();
  for (const std::size_t n : seen) EXPECT_EQ(n, each);
}

}  // namespace
}  // namespace wireside

// Captures: both formats, both byte orders, comments, and files that lie or end too early.
#include "dissect/capture_file.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstring>

namespace wireside::dissect {
namespace {

using FileOctets = std::vector<std::uint8_t>;

/// Writes numbers in one byte order.
class CaptureWriter {
 public:
  explicit CaptureWriter(bool little) : little_{little} {}
  CaptureWriter& n32(std::uint32_t v) { return put(v, 4); }
  CaptureWriter& n16(std::uint32_t v) { return put(v, 2); }
  CaptureWriter& raw(const FileOctets& octets) {
    out_.insert(out_.end(), octets.begin(), octets.end());
    while (out_.size() % 4 != 0 && pad_) out_.push_back(0);
    return *this;
  }
  CaptureWriter& text(std::string_view s) { return raw({s.begin(), s.end()}); }
  CaptureWriter& padded() {
    pad_ = true;
    return *this;
  }
  [[nodiscard]] const FileOctets& octets() const { return out_; }

 private:
  CaptureWriter& put(std::uint32_t v, unsigned octets) {
    for (unsigned i = 0; i < octets; ++i) {
      out_.push_back(static_cast<std::uint8_t>(v >> (8 * (little_ ? i : octets - 1 - i))));
    }
    return *this;
  }
  bool little_;
  bool pad_ = false;
  FileOctets out_;
};

struct AllFrames {
  std::vector<CapturedFrame> frames;
  std::string error;
};

AllFrames read_all(FileOctets octets, std::size_t head = 0) {
  AllFrames out;
  if (octets.empty()) octets.push_back(0);
  const std::string taken{octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(head)};
  octets.erase(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(head));
  auto file = CaptureFile::read(::fmemopen(octets.data(), octets.size(), "rb"), taken);
  if (!file) return out.error = file.error(), out;
  while (true) {
    auto next = file->next();
    if (!next) return out.error = next.error(), out;
    if (!*next) return out;
    out.frames.push_back(std::move(**next));
  }
}

FileOctets pcap(bool little, bool nano, const std::vector<FileOctets>& frames) {
  CaptureWriter w{little};
  w.n32(nano ? 0xa1b23c4d : 0xa1b2c3d4).n16(2).n16(4).n32(0).n32(0).n32(65535).n32(1);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto size = static_cast<std::uint32_t>(frames[i].size());
    w.n32(1'000 + static_cast<std::uint32_t>(i))
        .n32(nano ? 500'000'000 : 500'000)
        .n32(size)
        .n32(size + 2)
        .raw(frames[i]);
  }
  return w.octets();
}

FileOctets pcapng(bool little, const std::vector<FileOctets>& frames, std::string_view comment) {
  CaptureWriter w{little};
  w.padded().n32(0x0a0d0d0a).n32(28).n32(0x1a2b3c4d).n16(1).n16(0).n32(0xffffffff).n32(0xffffffff).n32(28);
  w.n32(1).n32(32).n16(101).n16(0).n32(0).n16(9).n16(1).raw({9, 0, 0, 0}).n32(0).n32(32);  // nanoseconds, raw IP
  w.n32(5).n32(16).n32(7).n32(16);                                                         // statistics: passed over
  for (const FileOctets& f : frames) {
    const auto size = static_cast<std::uint32_t>(f.size()), room = (size + 3) / 4 * 4;
    const auto words = static_cast<std::uint32_t>(comment.size()), text = (words + 3) / 4 * 4;
    const std::uint32_t length = 32 + room + 4 + text + 4;
    w.n32(6).n32(length).n32(0).n32(0).n32(1'500).n32(size).n32(size).raw(f);
    w.n16(1).n16(words).text(comment).n32(0).n32(length);
  }
  return w.octets();
}

TEST(CaptureFile, PcapOfEitherByteOrderAndResolution) {
  const std::vector<FileOctets> frames{{1, 2, 3}, {}, {4}};
  for (const bool little : {true, false}) {
    for (const bool nano : {true, false}) {
      const AllFrames all = read_all(pcap(little, nano, frames));
      EXPECT_EQ(all.error, "");
      ASSERT_EQ(all.frames.size(), 3U);
      EXPECT_EQ(all.frames[0].octets, frames[0]);
      EXPECT_EQ(all.frames[0].original_octets, 5U);
      EXPECT_EQ(all.frames[2].time_ns, 1'002'500'000'000);
      EXPECT_EQ(all.frames[0].link_type, 1U);
    }
  }
}

TEST(CaptureFile, PcapngWithCommentsAndWhatItDoesNotKnow) {
  for (const bool little : {true, false}) {
    const AllFrames all = read_all(pcapng(little, {{1, 2, 3}, {4, 5, 6, 7}}, "why it was sent"), 4);
    EXPECT_EQ(all.error, "");
    ASSERT_EQ(all.frames.size(), 2U);
    EXPECT_EQ(all.frames[1].octets, (FileOctets{4, 5, 6, 7}));
    EXPECT_EQ(all.frames[1].comments, std::vector<std::string>{"why it was sent"});
    EXPECT_EQ(all.frames[1].link_type, CaptureFile::raw_ip);
    EXPECT_EQ(all.frames[1].time_ns, 1'500);
  }
}

TEST(CaptureFile, DamageIsToldAndWhatCameBeforeIsGiven) {
  EXPECT_EQ(read_all({1}).error, "no capture: there is less than four octets");
  EXPECT_EQ(read_all({1, 2, 3, 4}).error, "no capture: it begins neither like pcap nor like pcapng");
  FileOctets cut = pcap(true, false, {{1, 2, 3}, {4, 5, 6}});
  cut.pop_back();
  const AllFrames all = read_all(cut);
  EXPECT_EQ(all.frames.size(), 1U);
  EXPECT_EQ(all.error, "the capture is damaged: it ends inside of a frame");
  FileOctets length = pcapng(true, {{1, 2, 3, 4}}, "x");
  length[28 + 32 + 16 + 4] ^= 4;
  EXPECT_NE(read_all(length).error, "");
  FileOctets interface = pcapng(true, {{1, 2, 3, 4}}, "x");
  interface[28 + 32 + 16 + 8] = 9;
  EXPECT_EQ(read_all(interface).error, "the capture is damaged: a packet is of an interface that is not described");
}

RC_GTEST_PROP(CaptureFileProperty, FramesComeBackAsTheyWereWritten,
              (const std::vector<FileOctets>& frames, bool little, bool nano)) {
  for (const FileOctets& file : {pcap(little, nano, frames), pcapng(little, frames, "c")}) {
    const AllFrames all = read_all(file);
    RC_ASSERT(all.error.empty());
    RC_ASSERT(all.frames.size() == frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) RC_ASSERT(all.frames[i].octets == frames[i]);
  }
}

}  // namespace
}  // namespace wireside::dissect

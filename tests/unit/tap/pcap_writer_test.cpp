// Captures are read back block by block; tshark, where installed, is the second judge.
#include "pcap_writer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace wireside {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string temporary_path(const char* name) {
  return std::string{::testing::TempDir()} + "wireside-" + std::to_string(::getpid()) + "-" + name;
}

struct Captured {
  std::uint64_t time = 0;
  std::uint32_t original_length = 0;
  std::vector<std::uint8_t> octets;
  std::vector<std::string> comments;
  std::uint32_t flags = 0;
};

template <class T>
T at(const std::vector<std::uint8_t>& file, std::size_t offset) {
  T v{};
  EXPECT_LE(offset + sizeof v, file.size());
  if (offset + sizeof v <= file.size()) std::memcpy(&v, file.data() + offset, sizeof v);
  return v;
}

Captured read_packet(const std::vector<std::uint8_t>& file, std::size_t block, std::size_t end) {
  Captured packet;
  packet.time = (std::uint64_t{at<std::uint32_t>(file, block + 12)} << 32) | at<std::uint32_t>(file, block + 16);
  const auto captured = at<std::uint32_t>(file, block + 20);
  packet.original_length = at<std::uint32_t>(file, block + 24);
  const auto begin = file.begin() + static_cast<std::ptrdiff_t>(block + 28);
  packet.octets.assign(begin, begin + captured);
  for (std::size_t o = block + 28 + ((captured + 3) & ~3U); o + 4 <= end - 4;) {
    const auto code = at<std::uint16_t>(file, o);
    const auto length = at<std::uint16_t>(file, o + 2);
    if (code == 1) packet.comments.emplace_back(reinterpret_cast<const char*>(file.data() + o + 4), length);
    if (code == 2) packet.flags = at<std::uint32_t>(file, o + 4);
    if (code == 0) break;
    o += 4 + ((length + 3U) & ~3U);
  }
  return packet;
}

/// Walks the blocks and checks that their two lengths agree.
std::vector<Captured> read_capture(const std::string& path) {
  std::vector<std::uint8_t> file(1 << 20);
  std::FILE* f = std::fopen(path.c_str(), "rb");
  EXPECT_NE(f, nullptr);
  if (f == nullptr) return {};
  file.resize(std::fread(file.data(), 1, file.size(), f));
  std::fclose(f);
  EXPECT_EQ(at<std::uint32_t>(file, 0), 0x0a0d0d0aU);
  EXPECT_EQ(at<std::uint32_t>(file, 8), 0x1a2b3c4dU);
  std::vector<Captured> packets;
  for (std::size_t block = 0; block + 12 <= file.size();) {
    const auto length = at<std::uint32_t>(file, block + 4);
    EXPECT_EQ(length % 4, 0U);
    EXPECT_EQ(at<std::uint32_t>(file, block + length - 4), length);
    if (length < 12) break;
    if (at<std::uint32_t>(file, block) == 6) packets.push_back(read_packet(file, block, block + length));
    block += length;
  }
  return packets;
}

constexpr std::array<std::uint8_t, 17> frame_in{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0,
                                                0,    0,    1,    0x88, 0xb5, 1,    2, 3};

CaptureOptions on(std::string name) {
  CaptureOptions options;
  options.interface_name = std::move(name);
  return options;
}

void feed(PcapWriter& writer) {
  const Instant first = Instant::from_ns(1'000'000'001);
  const Instant second = Instant::from_ns(2'000'000'000);
  const Instant third = Instant::from_ns(3'000'000'000);
  writer.on_event(first, observe::FrameReceived{frame_in, 0, false});
  writer.on_event(first, observe::StateChanged{.connection = 4,
                                               .tuple = {},
                                               .from = TcpState::SynReceived,
                                               .to = TcpState::Established,
                                               .cause = observe::StateCause::AckOfSyn});
  writer.on_event(first, observe::Handled{});
  writer.on_event(second, observe::TimerChanged{.connection = 4,
                                                .timer = observe::TimerKind::Retransmission,
                                                .what = observe::TimerChanged::What::Fired});
  writer.on_event(second, observe::Handled{});
  const ByteView all{frame_in};
  const std::array<ByteView, 2> payload{all.subspan(14, 1), all.subspan(15)};
  writer.on_event(third, observe::FrameSent{all.first(14), payload, 0, false, observe::TxReason::RtoRetransmit, 4});
}

TEST(PcapWriter, WritesFramesWithReasonsAndStateChanges) {
  const std::string path = temporary_path("reasons.pcapng");
  {
    auto writer = PcapWriter::open(path, on("tap0"));
    ASSERT_TRUE(writer) << writer.error();
    feed(**writer);
    (*writer)->flush();
    EXPECT_EQ((*writer)->frames(), 2U);
    EXPECT_FALSE((*writer)->error());
  }
  const auto packets = read_capture(path);
  ASSERT_EQ(packets.size(), 2U);
  EXPECT_THAT(packets[0].octets, ::testing::ElementsAreArray(frame_in));
  EXPECT_THAT(packets[0].comments, ElementsAre("#4 SYN-RECEIVED -> ESTABLISHED (our SYN acknowledged)"));
  EXPECT_EQ(packets[0].flags, 1U);  // inbound
  EXPECT_THAT(packets[1].octets, ::testing::ElementsAreArray(frame_in));
  EXPECT_THAT(packets[1].comments, ElementsAre("sent: RTO retransmit: lost at the timeout, sent now that the window "
                                               "allows it\n#4 retransmission timer fired"));
  EXPECT_EQ(packets[1].flags, 2U);  // outbound
  EXPECT_EQ(packets[1].time - packets[0].time, 1'999'999'999U);
  std::remove(path.c_str());
}

TEST(PcapWriter, TsharkReadsIt) {
  if (std::system("command -v tshark >/dev/null 2>&1") != 0) GTEST_SKIP() << "tshark is not installed";
  const std::string path = temporary_path("tshark.pcapng");
  {
    std::FILE* file = std::fopen(path.c_str(), "wb");
    ASSERT_NE(file, nullptr);
    PcapWriter writer{file, true, on("tap0")};
    feed(writer);
  }
  const std::string command = "tshark -r " + path + " -T fields -e frame.time_epoch -e frame.len -e frame.comment 2>&1";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string output(4096, '\0');
  output.resize(std::fread(output.data(), 1, output.size(), pipe));
  EXPECT_EQ(::pclose(pipe), 0);
  EXPECT_THAT(output, HasSubstr("1.000000001\t17\t#4 SYN-RECEIVED -> ESTABLISHED (our SYN acknowledged)"));
  EXPECT_THAT(output, HasSubstr("3.000000000\t17\tsent: RTO retransmit: lost at the timeout, sent now that the window "
                                "allows it\\n#4 retransmission timer fired"));
  std::remove(path.c_str());
}

TEST(PcapWriter, CutsAtTheSnapLengthAndSaysSo) {
  const std::string path = temporary_path("snap.pcapng");
  const std::vector<std::uint8_t> large(PcapWriter::snap_length + 5, 7);
  {
    auto writer = PcapWriter::open(path, on(""));
    ASSERT_TRUE(writer);
    (*writer)->on_event(Instant{}, observe::FrameReceived{large, 0, false});
  }
  const auto packets = read_capture(path);
  ASSERT_EQ(packets.size(), 1U);
  EXPECT_EQ(packets[0].octets.size(), PcapWriter::snap_length);
  EXPECT_EQ(packets[0].original_length, large.size());
  std::remove(path.c_str());
}

TEST(PcapWriter, SaysWhyItCannotWrite) {
  const auto writer = PcapWriter::open("/nonexistent/x.pcapng", on("tap0"));
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error(), "cannot write the capture /nonexistent/x.pcapng: No such file or directory");
}

TEST(PcapWriter, ReportsAFullDiskOnce) {
  auto writer = PcapWriter::open("/dev/full", on("tap0"));
  ASSERT_FALSE(writer);
  EXPECT_THAT(writer.error(), HasSubstr("No space left on device"));
}

}  // namespace
}  // namespace wireside

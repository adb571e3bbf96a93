// What Wireshark's own reader finds in a capture of two stacks that talk: reasons, variables, names, and all of it
// again over several files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "pcap_writer.hpp"
#include "support/two_hosts.hpp"
#include "wire/dns.hpp"
#include "wire/ethernet.hpp"
#include "wire/ipv4.hpp"
#include "wire/udp.hpp"

namespace wireside {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using testing::TwoHosts;
using Way = TwoHosts::Way;
using Row = std::vector<std::string>;

constexpr Duration wall = std::chrono::hours{400'000};

class PcapngWithTshark : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v tshark >/dev/null 2>&1") != 0) GTEST_SKIP() << "tshark is not installed";
    folder_ = std::filesystem::path{::testing::TempDir()} / ("wireside-pcapng-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  [[nodiscard]] std::string path(const char* name) const { return (folder_ / name).string(); }

  static CaptureOptions options() {
    CaptureOptions o;
    o.interface_name = "tap0";
    o.mac = MacAddress{{2, 0, 0x5e, 0, 0x53, 1}};
    o.addresses = {{Ipv4Address{10, 0, 0, 2}, 24}};
    o.wall_offset = wall;
    o.variables = true;
    return o;
  }
  /// A connection that loses its third data segment.
  static void live(observe::Observer& observer) {
    TwoHosts hosts{observer};
    hosts.establish(9000);
    int data = 0;
    hosts.loses = [&](Way way, const TwoHosts::Frame& f) { return way == Way::Out && f.size() > 200 && ++data == 3; };
    hosts.send(10 * 1448);
    hosts.wait(1s);
    hosts.peer_reads();
    (void)hosts.peer.sockets().close(hosts.now, hosts.remote);
    hosts.wait(100ms);
    hosts.ours.attach(nullptr);
  }
  static std::string output_of(const std::string& command) {
    std::FILE* pipe = ::popen((command + " 2>/dev/null").c_str(), "r");
    if (pipe == nullptr) return {};
    std::string text;
    std::array<char, 65536> part{};
    while (const std::size_t n = std::fread(part.data(), 1, part.size(), pipe)) text.append(part.data(), n);
    EXPECT_EQ(::pclose(pipe), 0) << command;
    return text;
  }
  static std::vector<Row> fields(const std::string& file, const std::string& filter,
                                 const std::vector<std::string>& names) {
    std::string command = "tshark -n -r " + file + " -Y '" + filter + "' -T fields";
    for (const auto& name : names) command += " -e " + name;
    std::istringstream lines{output_of(command)};
    std::vector<Row> out;
    for (std::string line; std::getline(lines, line);) {
      Row& row = out.emplace_back();
      std::istringstream cells{line + '\t'};
      for (std::string cell; std::getline(cells, cell, '\t');) row.push_back(cell);
    }
    return out;
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(PcapngWithTshark, ReasonStateAndVariablesAreInTheCommentOfTheirFrame) {
  const std::string file = path("comments.pcapng");
  {
    auto writer = PcapWriter::open(file, options());
    ASSERT_TRUE(writer) << writer.error();
    live(**writer);
  }
  const auto rows = fields(file, "frame.comment", {"frame.comment"});
  std::vector<std::string> comments;
  for (const Row& row : rows) comments.push_back(row[0]);
  EXPECT_THAT(comments, Contains(HasSubstr("LISTEN -> SYN-RECEIVED (SYN received)")));
  EXPECT_THAT(comments, Contains(HasSubstr("sent: SYN-ACK")));
  EXPECT_THAT(comments, Contains(HasSubstr("sent: fast retransmit: RACK")));
  EXPECT_THAT(comments, Contains(HasSubstr("ESTABLISHED -> CLOSE-WAIT (FIN received)")));
  EXPECT_THAT(comments, Contains(::testing::AllOf(HasSubstr("cwnd 15928 -> 7240"), HasSubstr("ssthresh 7240"),
                                                  HasSubstr("recovery open -> fast recovery"))));
}

TEST_F(PcapngWithTshark, VariablesAreFieldsThatCanBeFilteredBy) {
  const std::string file = path("bblog.pcapng");
  {
    auto writer = PcapWriter::open(file, options());
    ASSERT_TRUE(writer) << writer.error();
    live(**writer);
  }
  // ESTABLISHED is 4, as in FreeBSD.
  const auto first = fields(file, "bblog.state == 4",
                            {"bblog.snd_cwnd", "bblog.snd_ssthresh", "bblog.snd_una", "bblog.iss", "bblog.rcv_wnd",
                             "bblog.rcv_nxt", "bblog.rcv_adv", "bblog.snd_shift", "bblog.rcv_shift", "bblog.event_id",
                             "bblog.t_flags_sack_permitted", "bblog.t_flags_received_timestamp", "frame.time_epoch"});
  ASSERT_FALSE(first.empty());
  const Row& row = first.front();
  EXPECT_EQ(row[0], "14480");
  EXPECT_EQ(row[1], "4294967295");
  EXPECT_EQ(static_cast<std::uint32_t>(std::stoul(row[2])), static_cast<std::uint32_t>(std::stoul(row[3]) + 1));
  EXPECT_EQ(static_cast<std::uint32_t>(std::stoul(row[5]) + std::stoul(row[4])),
            static_cast<std::uint32_t>(std::stoul(row[6])));
  EXPECT_EQ(row[9], "1");
  EXPECT_EQ(row[10], "1");
  EXPECT_EQ(row[11], "1");
  EXPECT_THAT(row[12], ::testing::StartsWith("1440000001."));
  // Recovery is entered once, with a hole of the lost segment, and the window goes down.
  const auto recovery = fields(file, "bblog.event_id == 15", {"bblog.snd_cwnd", "bblog.snd_ssthresh"});
  ASSERT_EQ(recovery.size(), 1U);
  EXPECT_LT(std::stoul(recovery[0][1]), 14480U);
  EXPECT_FALSE(fields(file, "bblog.t_flags_be_in_fast_recovery == 1", {"bblog.serial_nr"}).empty());
  EXPECT_FALSE(fields(file, "bblog.srtt > 9000 && bblog.srtt < 12000", {"bblog.srtt"}).empty());  // microseconds
  EXPECT_FALSE(fields(file, "bblog.state == 5", {"bblog.serial_nr"}).empty());
  // Nothing in the file is malformed for Wireshark.
  EXPECT_TRUE(fields(file, "_ws.malformed", {"frame.number"}).empty());
}

TEST_F(PcapngWithTshark, AnotherFileBeginsAtItsSizeAndOldOnesGo) {
  CaptureOptions how = options();
  how.file_octets = 4000;
  how.keep_files = 2;
  {
    auto writer = PcapWriter::open(path("ring.pcapng"), how);
    ASSERT_TRUE(writer) << writer.error();
    live(**writer);
    EXPECT_FALSE((*writer)->error());
  }
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator{path("")}) {
    names.push_back(entry.path().filename().string());
    EXPECT_LT(entry.file_size(), 4000U + 3000U);
    EXPECT_FALSE(fields(entry.path().string(), "frame", {"frame.number"}).empty());  // each can be read alone
  }
  std::ranges::sort(names);
  ASSERT_EQ(names.size(), 2U);
  EXPECT_THAT(names[0], ::testing::MatchesRegex("ring_0000[0-9].pcapng"));
  EXPECT_NE(names[0], "ring_00001.pcapng");
}

TEST_F(PcapngWithTshark, InterfaceAndNamesAreTold) {
  const std::string file = path("names.pcapng");
  {
    auto writer = PcapWriter::open(file, options());
    ASSERT_TRUE(writer) << writer.error();
    (*writer)->add_name(Ipv4Address{10, 0, 0, 1}, "peer.example");
    (*writer)->add_name(Ipv4Address{10, 0, 0, 2}, "endpoint.example");
    live(**writer);
  }
  const std::string hosts = output_of("tshark -r " + file + " -q -z hosts");
  EXPECT_THAT(hosts, HasSubstr("peer.example"));
  EXPECT_THAT(hosts, HasSubstr("endpoint.example"));
  const auto interface = fields(file, "frame.interface_name", {"frame.interface_name", "frame.interface_description"});
  ASSERT_FALSE(interface.empty());
  EXPECT_EQ(interface[0][0], "tap0");
}

TEST_F(PcapngWithTshark, NamesOfDnsAnswersAreKept) {
  const std::string file = path("dns.pcapng");
  wire::DnsName name;
  for (const auto* label : {"www", "example", "com"}) ASSERT_TRUE(name.append(label));
  wire::DnsMessage answer;
  answer.header.response = true;
  answer.questions.push_back({.name = name});
  wire::DnsRecord record;
  record.name = name;
  record.data = Ipv4Address{192, 0, 2, 7};
  answer.answers.push_back(record);
  const std::vector<std::uint8_t> text = wire::emit_dns(answer);
  std::vector<std::uint8_t> frame(14 + 20 + 8 + text.size());
  wire::emit_ethernet({MacAddress{{2, 0, 0, 0, 0, 1}}, MacAddress{{2, 0, 0, 0, 0, 2}}, 0x0800}, frame);
  wire::emit_ipv4({.total_length = static_cast<std::uint16_t>(frame.size() - 14),
                   .protocol = 17,
                   .source = Ipv4Address{10, 0, 0, 1},
                   .destination = Ipv4Address{10, 0, 0, 2}},
                  std::span{frame}.subspan(14));
  wire::emit_udp({.source = Port{53}, .destination = Port{4000}, .length = static_cast<std::uint16_t>(8 + text.size())},
                 std::span{frame}.subspan(34));
  std::ranges::copy(text, frame.begin() + 42);
  {
    auto writer = PcapWriter::open(file, options());
    ASSERT_TRUE(writer) << writer.error();
    (*writer)->on_event(Instant{}, observe::FrameReceived{frame, 0, false});
    (*writer)->on_event(Instant{}, observe::Handled{});
  }
  EXPECT_THAT(output_of("tshark -r " + file + " -q -z hosts"), HasSubstr("www.example.com"));
}

TEST_F(PcapngWithTshark, AReaderOfAPipeSeesEachFrameAtOnce) {
  const std::string file = path("live.pcapng");
  CaptureOptions how = options();
  how.live = true;
  how.variables = false;
  auto writer = PcapWriter::open(file, how);
  ASSERT_TRUE(writer) << writer.error();
  const std::vector<std::uint8_t> frame(60, 1);
  for (std::size_t i = 1; i <= 3; ++i) {
    (*writer)->on_event(Instant{}, observe::FrameReceived{frame, 0, false});
    (*writer)->on_event(Instant{}, observe::Handled{});
    EXPECT_EQ(fields(file, "frame", {"frame.number"}).size(), i);
  }
}

}  // namespace
}  // namespace wireside

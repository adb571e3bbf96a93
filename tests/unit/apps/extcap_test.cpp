// What Wireshark is told, and the filters of traces.
#include "extcap.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "frame_filter.hpp"
#include "wire/ethernet.hpp"
#include "wire/ipv4.hpp"
#include "wire/tcp.hpp"

namespace wireside::apps {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Extcap, TheRequestBecomesACommandLine) {
  extcap::CaptureRequest request;
  request.fifo = "/tmp/pipe";
  request.tap = "tap0";
  EXPECT_THAT(extcap::command_line(request),
              ElementsAre("serve", "--quiet", "--tap", "tap0", "--pcapng", "/tmp/pipe", "--dhcp"));
  request.address = "10.0.0.2/24";
  request.no_offload = true;
  request.further = " --seed 7  --no-acd";
  EXPECT_THAT(extcap::command_line(request),
              ElementsAre("serve", "--quiet", "--tap", "tap0", "--pcapng", "/tmp/pipe", "--ip", "10.0.0.2/24",
                          "--no-offload", "--seed", "7", "--no-acd"));
}

TEST(Extcap, TheScriptStartsTheProgramWhateverItsName) {
  EXPECT_EQ(extcap::script("/opt/it's/wireside"), "#!/bin/sh\nexec '/opt/it'\\''s/wireside' extcap \"$@\"\n");
  const auto folder = std::filesystem::path{::testing::TempDir()} / ("extcap-" + std::to_string(::getpid()));
  EXPECT_FALSE(extcap::install(folder.string(), "/bin/true"));
  std::ifstream file{folder / "wireside"};
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>{file}, {}), HasSubstr("/bin/true"));
  EXPECT_EQ(::access((folder / "wireside").c_str(), X_OK), 0);
  std::filesystem::remove_all(folder);
  EXPECT_THAT(extcap::install("/proc/nowhere", "x").value_or(""), HasSubstr("cannot make the folder /proc/nowhere"));
}

std::vector<std::uint8_t> tcp_frame(std::uint16_t port, bool syn) {
  std::vector<std::uint8_t> frame(54);
  wire::emit_ethernet({MacAddress{{2, 0, 0, 0, 0, 1}}, MacAddress{{2, 0, 0, 0, 0, 2}}, 0x0800}, frame);
  wire::emit_ipv4(
      {.total_length = 40, .protocol = 6, .source = Ipv4Address{10, 0, 0, 1}, .destination = Ipv4Address{10, 0, 0, 2}},
      std::span{frame}.subspan(14));
  wire::TcpHeader tcp;
  tcp.source = Port{port};
  tcp.destination = Port{80};
  tcp.flags.syn = syn;
  wire::emit_tcp(tcp, std::span{frame}.subspan(34));
  return frame;
}

TEST(FrameFilter, HostsPortsAndFlags) {
  const auto passes = [](const char* expression, const std::vector<std::uint8_t>& frame) {
    const auto filter = compile_frame_filter(expression);
    EXPECT_TRUE(filter) << filter.error();
    return filter && (*filter)(frame);
  };
  const auto syn = tcp_frame(4000, true);
  const auto other = tcp_frame(4001, false);
  EXPECT_TRUE(passes("host 10.0.0.1 and tcp port 4000", syn));
  EXPECT_FALSE(passes("host 10.0.0.1 and tcp port 4000", other));
  EXPECT_TRUE(passes("tcp[tcpflags] & tcp-syn != 0", syn));
  EXPECT_FALSE(passes("tcp[tcpflags] & tcp-syn != 0", other));
  EXPECT_FALSE(passes("arp", syn));
  EXPECT_FALSE(passes("host 10.0.0.1", {}));
}

TEST(FrameFilter, SaysWhatIsWrong) {
  const auto filter = compile_frame_filter("tcp prt 80");
  ASSERT_FALSE(filter);
  EXPECT_THAT(filter.error(), HasSubstr("syntax error"));
}

}  // namespace
}  // namespace wireside::apps

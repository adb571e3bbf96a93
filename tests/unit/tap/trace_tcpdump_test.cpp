// The trace's lines against tcpdump's own of the same frames, read from our capture of them: line by line, times too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "pcap_writer.hpp"
#include "support/two_hosts.hpp"
#include "trace.hpp"

namespace wireside {
namespace {

using testing::TwoHosts;
using Way = TwoHosts::Way;

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return out;
}

/// What tcpdump does not print: which way a frame went, why, and the notes.
std::vector<std::string> without_reasons(const std::vector<std::string>& trace) {
  constexpr std::size_t time = 16;  // "hh:mm:ss.uuuuuu "
  std::vector<std::string> out;
  for (std::string line : trace) {
    const bool of_frame = line.size() > time + 3 && (line.substr(time, 3) == "In " || line.substr(time, 3) == "Out");
    if (of_frame) {
      line.erase(time, 4);
    } else if (line.size() > time && std::isdigit(static_cast<unsigned char>(line[0])) != 0) {
      continue;  // a note
    }
    if (const std::size_t reason = line.rfind("  <- "); reason != std::string::npos) line.resize(reason);
    out.push_back(std::move(line));
  }
  return out;
}

std::vector<std::string> tcpdump(const std::string& options, const std::string& path) {
  const std::string command = "tcpdump -nn " + options + " -r " + path + " 2>/dev/null";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {};
  std::string text;
  std::array<char, 65536> part{};
  while (const std::size_t n = std::fread(part.data(), 1, part.size(), pipe)) text.append(part.data(), n);
  EXPECT_EQ(::pclose(pipe), 0);
  return lines_of(text);
}

struct Case {
  std::string options;
  TraceOptions how;
};

class TraceAgainstTcpdump : public ::testing::TestWithParam<Case> {
 protected:
  /// Feeds several observers.
  struct Both : observe::Observer {
    std::vector<observe::Observer*> all;
    void on_event(Instant now, const observe::Event& event) override {
      for (auto* o : all) o->on_event(now, event);
    }
    [[nodiscard]] bool wants_steps() const override { return true; }
  };
};

/// ARP, a handshake with all options, data both ways, a loss with SACK, teardown, a refused connection, a ping, a
/// datagram.
void live(TwoHosts& hosts) {
  hosts.establish(9000);
  hosts.peer_sends(600);
  hosts.wait(100ms);
  hosts.read();
  int data = 0;
  hosts.loses = [&](Way way, const TwoHosts::Frame& f) { return way == Way::Out && f.size() > 200 && ++data == 2; };
  hosts.send(8 * 1448 + 100);
  hosts.wait(1s);
  hosts.peer_reads();
  (void)hosts.ours.sockets().close(hosts.now, hosts.local);
  hosts.wait(100ms);
  hosts.peer_reads();
  (void)hosts.peer.sockets().close(hosts.now, hosts.remote);
  hosts.wait(100ms);
  const auto caller = hosts.peer.sockets().open(SocketKind::Stream).value();
  (void)hosts.peer.sockets().connect(hosts.now, caller, *Endpoint::parse("10.0.0.2:9001"));
  hosts.wait(100ms);
  const auto sender = hosts.ours.sockets().open(SocketKind::Datagram).value();
  const auto receiver = hosts.peer.sockets().open(SocketKind::Datagram).value();
  (void)hosts.peer.sockets().bind(receiver, *Endpoint::parse("10.0.0.1:9002"));
  (void)hosts.ours.sockets().send_to(hosts.now, sender, TwoHosts::Frame(33, 'u'), *Endpoint::parse("10.0.0.1:9002"));
  hosts.wait(100ms);
  const auto echo = hosts.ours.sockets().open(SocketKind::Echo).value();
  (void)hosts.ours.sockets().send_to(hosts.now, echo, TwoHosts::Frame(56, 'e'), Endpoint{Ipv4Address{10, 0, 0, 1}, {}});
  hosts.wait(100ms);
}

TEST_P(TraceAgainstTcpdump, LineByLine) {
  if (std::system("command -v tcpdump >/dev/null 2>&1") != 0) GTEST_SKIP() << "tcpdump is not installed";
  const std::string path = std::string{::testing::TempDir()} + "wireside-tcpdump-" + std::to_string(::getpid()) + "-" +
                           std::to_string(::testing::UnitTest::GetInstance()->random_seed()) + ".pcapng";
  constexpr Duration wall = std::chrono::hours{400'000} + 7us + 500ns;
  std::string text;
  {
    auto capture = PcapWriter::open(path, {.interface_name = "tap0", .wall_offset = wall, .variables = true});
    ASSERT_TRUE(capture) << capture.error();
    TracePrinter trace{[&](std::string_view lines) { text += lines; }, GetParam().how, wall};
    Both both;
    both.all = {&trace, capture->get()};
    TwoHosts hosts{both};
    live(hosts);
    hosts.ours.attach(nullptr);
  }
  const auto ours = without_reasons(lines_of(text));
  const auto theirs = tcpdump(GetParam().options, path);
  std::remove(path.c_str());
  EXPECT_GT(ours.size(), 30U);
  EXPECT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) ASSERT_EQ(ours[i], theirs[i]) << "line " << i;
}

INSTANTIATE_TEST_SUITE_P(Options, TraceAgainstTcpdump,
                         ::testing::Values(Case{"", {}}, Case{"-S", {.absolute = true}}, Case{"-e", {.link = true}},
                                           Case{"-v", {.headers = true}}, Case{"-x", {.hex = true}},
                                           Case{"-S -e -v -x",
                                                {.absolute = true, .link = true, .headers = true, .hex = true}}),
                         [](const auto& info) {
                           std::string name = info.param.options.empty() ? "none" : info.param.options;
                           std::erase_if(name, [](char c) { return c == '-' || c == ' '; });
                           return name;
                         });

}  // namespace
}  // namespace wireside

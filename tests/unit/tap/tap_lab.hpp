// A network namespace for one test body, with frames exchanged through a packet socket on the host's side.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "packet/packet.hpp"
#include "tap_device.hpp"

namespace wireside::test {

/// Runs `body` in a thread with a network namespace of its own, which disappears with the thread. Returns false where
/// this user may not make one or open TAP devices; the caller then skips.
inline bool in_namespace(const std::function<void()>& body) {
  bool possible = false;
  std::thread{[&] {
    if (::unshare(CLONE_NEWNET) != 0 || ::access("/dev/net/tun", R_OK | W_OK) != 0) return;
    possible = true;
    // No router solicitations and the like between the frames of a test.
    for (const char* scope : {"all", "default"}) {
      const std::string path = std::string{"/proc/sys/net/ipv6/conf/"} + scope + "/disable_ipv6";
      const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
      if (fd < 0) continue;
      EXPECT_EQ(::write(fd, "1", 1), 1);
      ::close(fd);
    }
    body();
  }}.join();
  return possible;
}

/// Declares a test whose body runs in a namespace of its own.
#define TAP_TEST(suite, name)                                                                                     \
  static void suite##_##name##_body();                                                                            \
  TEST(suite, name) {                                                                                             \
    if (!wireside::test::in_namespace(suite##_##name##_body)) GTEST_SKIP() << "needs network namespaces and TAP"; \
  }                                                                                                               \
  static void suite##_##name##_body()

/// Runs a host command in the calling thread's namespace.
inline int run(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()); }

/// The host's side of the interface, seen as raw frames.
class HostSide {
 public:
  explicit HostSide(const std::string& interface_name)
      : fd_{::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL))} {
    address_.sll_family = AF_PACKET;
    address_.sll_protocol = htons(ETH_P_ALL);
    address_.sll_ifindex = static_cast<int>(::if_nametoindex(interface_name.c_str()));
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address_), sizeof address_), 0);
  }
  HostSide(const HostSide&) = delete;
  HostSide& operator=(const HostSide&) = delete;
  ~HostSide() { ::close(fd_); }
  bool send(const std::vector<std::uint8_t>& frame) const {
    return ::send(fd_, frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size());
  }
  /// Next frame that came from the device, empty after `patience`.
  [[nodiscard]] std::vector<std::uint8_t> receive(std::chrono::milliseconds patience = std::chrono::seconds{2}) const {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < end) {
      std::vector<std::uint8_t> frame(70000);
      sockaddr_ll from{};
      socklen_t length = sizeof from;
      const ssize_t n = ::recvfrom(fd_, frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (n > 0 && from.sll_pkttype != PACKET_OUTGOING) {
        frame.resize(static_cast<std::size_t>(n));
        return frame;
      }
      if (n > 0) continue;
      pollfd p{.fd = fd_, .events = POLLIN, .revents = 0};
      ::poll(&p, 1, 20);
    }
    return {};
  }

 private:
  int fd_;
  sockaddr_ll address_{};
};

/// A broadcast frame of an EtherType nobody knows, `length` octets long.
inline std::vector<std::uint8_t> test_frame(std::size_t length, std::uint8_t fill = 0x5a) {
  std::vector<std::uint8_t> frame(length, fill);
  for (std::size_t i = 0; i < 6; ++i) frame[i] = 0xff;
  const std::array<std::uint8_t, 8> rest{0x02, 0, 0, 0, 0, 0x77, 0x88, 0xb5};
  std::copy(rest.begin(), rest.end(), frame.begin() + 6);
  return frame;
}

inline TapOptions options_for(const std::string& name) {
  TapOptions options;
  options.name = name;
  options.bring_up = true;
  return options;
}

}  // namespace wireside::test

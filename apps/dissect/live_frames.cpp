#include "dissect/live_frames.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace wireside::dissect {

std::expected<LiveFrames, std::string> LiveFrames::open(const std::string& interface) {
  const unsigned index = ::if_nametoindex(interface.c_str());
  if (index == 0) {
    return std::unexpected{fmt::format("there is no interface {}: `ip link` shows what there is", interface)};
  }
  const int descriptor = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
  if (descriptor < 0) {
    return std::unexpected{fmt::format("cannot look at the frames of {}: {}; run it as root, or with CAP_NET_RAW",
                                       interface, std::strerror(errno))};
  }
  LiveFrames frames{descriptor};
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    return std::unexpected{fmt::format("cannot look at the frames of {}: {}", interface, std::strerror(errno))};
  }
  return frames;
}

LiveFrames::LiveFrames(LiveFrames&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}

LiveFrames::~LiveFrames() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<std::vector<std::uint8_t>> LiveFrames::next() {
  std::vector<std::uint8_t> frame(std::size_t{1} << 17);
  const ssize_t n = ::recv(descriptor_, frame.data(), frame.size(), 0);
  if (n < 0) return std::nullopt;
  frame.resize(static_cast<std::size_t>(n));
  return frame;
}

}  // namespace wireside::dissect

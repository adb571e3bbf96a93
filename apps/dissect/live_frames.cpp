#include "dissect/live_frames.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

namespace wireside::dissect {
namespace {

constexpr std::size_t most_octets = std::size_t{1} << 17;
constexpr std::ptrdiff_t addresses = 12;  // octets of a frame before its tag

std::string refused(const std::string& interface, std::string_view remedy = "") {
  return fmt::format("cannot look at the frames of {}: {}{}", interface, std::strerror(errno), remedy);
}

/// The kernel takes the outer VLAN tag (IEEE 802.1Q) off and tells it beside the frame.
void put_tag_back(msghdr& message, std::vector<std::uint8_t>& frame) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) continue;
    tpacket_auxdata beside{};
    std::memcpy(&beside, CMSG_DATA(c), sizeof beside);
    if ((beside.tp_status & TP_STATUS_VLAN_VALID) == 0 || frame.size() < static_cast<std::size_t>(addresses)) return;
    const std::uint16_t type = (beside.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? beside.tp_vlan_tpid : 0x8100;
    const std::array<std::uint8_t, 4> tag{static_cast<std::uint8_t>(type >> 8), static_cast<std::uint8_t>(type),
                                          static_cast<std::uint8_t>(beside.tp_vlan_tci >> 8),
                                          static_cast<std::uint8_t>(beside.tp_vlan_tci)};
    frame.insert(frame.begin() + addresses, tag.begin(), tag.end());
    return;
  }
}

}  // namespace

std::expected<LiveFrames, std::string> LiveFrames::open(const std::string& interface) {
  const unsigned index = ::if_nametoindex(interface.c_str());
  if (index == 0) {
    return std::unexpected{fmt::format("there is no interface {}: `ip link` shows what there is", interface)};
  }
  const int descriptor = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);  // nothing comes before it is bound
  if (descriptor < 0) return std::unexpected{refused(interface, "; run it as root, or with CAP_NET_RAW")};
  LiveFrames frames{descriptor, interface};
  const int on = 1;
  (void)::setsockopt(descriptor, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  socklen_t length = sizeof address;
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
      ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) < 0) {
    return std::unexpected{refused(interface)};
  }
  frames.shows_twice_ = address.sll_hatype == ARPHRD_LOOPBACK;
  if (address.sll_hatype == ARPHRD_NONE || address.sll_hatype == ARPHRD_TUNNEL || address.sll_hatype == ARPHRD_PPP) {
    frames.link_type_ = CaptureFile::raw_ip;
  } else if (address.sll_hatype != ARPHRD_ETHER && address.sll_hatype != ARPHRD_LOOPBACK) {
    return std::unexpected{
        fmt::format("{} is of hardware type {}: only Ethernet and bare IP are known", interface, address.sll_hatype)};
  }
  return frames;
}

LiveFrames::LiveFrames(LiveFrames&& other) noexcept
    : descriptor_{std::exchange(other.descriptor_, -1)},
      interface_{std::move(other.interface_)},
      link_type_{other.link_type_},
      shows_twice_{other.shows_twice_} {}

LiveFrames::~LiveFrames() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::expected<std::optional<CapturedFrame>, std::string> LiveFrames::next() {
  CapturedFrame frame;
  sockaddr_ll from{};
  alignas(cmsghdr) std::array<std::uint8_t, 256> beside;
  while (true) {
    frame.octets.resize(most_octets);
    iovec place{frame.octets.data(), frame.octets.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &place;
    message.msg_iovlen = 1;
    message.msg_control = beside.data();
    message.msg_controllen = beside.size();
    const ssize_t n = ::recvmsg(descriptor_, &message, 0);
    if (n < 0 && errno == EINTR) return std::nullopt;
    if (n < 0) {
      return std::unexpected{refused(interface_, ::if_nametoindex(interface_.c_str()) == 0
                                                     ? ": the interface was removed"
                                                     : fmt::format("; bring it up (ip link set {} up)", interface_))};
    }
    if (shows_twice_ && from.sll_pkttype == PACKET_OUTGOING) continue;
    frame.octets.resize(static_cast<std::size_t>(n));
    put_tag_back(message, frame.octets);
    break;
  }
  std::timespec now{};
  (void)std::timespec_get(&now, TIME_UTC);
  frame.time_ns = std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  frame.link_type = link_type_;
  return frame;
}

}  // namespace wireside::dissect

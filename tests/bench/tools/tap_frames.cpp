#include "tap_frames.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench {
namespace {

[[noreturn]] void fail(const char* what, const char* name) {
  std::fprintf(stderr, "tap_limit: %s %s: %s\n", what, name, std::strerror(errno));
  std::exit(1);
}

constexpr std::size_t ethernet = 14, ip = 20;

bool answer_arp(std::span<std::uint8_t> frame, std::uint32_t address) {
  std::uint8_t* arp = frame.data() + ethernet;
  if (frame.size() < ethernet + 28 || arp[7] != 1 || std::memcmp(arp + 24, &address, 4) != 0) return false;
  std::memcpy(frame.data(), frame.data() + 6, 6);
  std::memcpy(frame.data() + 6, own_mac, 6);
  arp[7] = 2;
  std::memcpy(arp + 18, arp + 8, 10);  // the asker is the target now
  std::memcpy(arp + 8, own_mac, 6);
  std::memcpy(arp + 14, &address, 4);
  return true;
}

}  // namespace

int open_tap(const char* name, bool offload) {
  const int tap = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tap < 0) fail("cannot open /dev/net/tun for", name);
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (::ioctl(tap, TUNSETIFF, &request) != 0) fail("cannot attach to", name);
  int header = sizeof(VnetHeader);
  if (::ioctl(tap, TUNSETVNETHDRSZ, &header) != 0) fail("no virtio-net header on", name);
  if (::ioctl(tap, TUNSETOFFLOAD, offload ? TUN_F_CSUM | TUN_F_TSO4 : 0) != 0) fail("no offload on", name);
  return tap;
}

std::uint64_t sum_of(std::span<const std::uint8_t> octets) {
  std::uint64_t sum = 0;
  std::size_t i = 0;
  for (; i + 2 <= octets.size(); i += 2) {
    std::uint16_t word = 0;
    std::memcpy(&word, octets.data() + i, 2);
    sum += word;
  }
  if (i < octets.size()) sum += octets[i];
  return sum;
}

std::uint16_t fold(std::uint64_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

bool turn_around(std::span<std::uint8_t> frame, std::uint32_t address) {
  if (frame.size() < ethernet + ip || frame[12] != 8) return false;
  if (frame[13] == 6) return answer_arp(frame, address);
  std::uint8_t* packet = frame.data() + ethernet;
  if (frame[13] != 0 || std::memcmp(packet + 16, &address, 4) != 0) return false;
  if (packet[9] == IPPROTO_ICMP && packet[ip] == 8) {
    packet[ip] = 0;
    std::uint16_t checksum = 0;
    std::memcpy(&checksum, packet + ip + 2, 2);
    checksum = fold(std::uint64_t{checksum} + htons(0x0800));
    std::memcpy(packet + ip + 2, &checksum, 2);
  } else if (packet[9] == IPPROTO_UDP) {
    std::swap_ranges(packet + ip, packet + ip + 2, packet + ip + 2);
  } else {
    return false;
  }
  std::swap_ranges(packet + 12, packet + 16, packet + 16);
  std::memcpy(frame.data(), frame.data() + 6, 6);
  std::memcpy(frame.data() + 6, own_mac, 6);
  return true;
}

}  // namespace bench

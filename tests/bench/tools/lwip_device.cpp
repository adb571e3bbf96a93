#include "lwip_device.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <lwip/etharp.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

extern "C" u32_t sys_now() {
  timespec t{};
  (void)::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<u32_t>(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

namespace bench {

namespace {
constexpr std::size_t frame_octets = 1514;
constexpr unsigned frames_per_turn = 512;
constexpr std::uint8_t mac[6] = {2, 0, 0, 0, 0, 2};

[[noreturn]] void fail(const char* what, const char* name) {
  std::fprintf(stderr, "lwip_server: %s %s: %s\n", what, name, std::strerror(errno));
  std::exit(1);
}
}  // namespace

struct LwipDevice::Block {
  pbuf_custom head;  // first: give_back() gets its address
  LwipDevice* owner;
  std::array<std::uint8_t, 1536> octets;
};

LwipDevice::LwipDevice(const char* name, const ip4_addr_t& address) {
  tap_ = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tap_ < 0) fail("cannot open /dev/net/tun for", name);
  ifreq request{};
  // The virtio-net header as the interface may have been made with it; it stays empty.
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (::ioctl(tap_, TUNSETIFF, &request) != 0) fail("cannot attach to", name);
  ip4_addr_t mask{};
  IP4_ADDR(&mask, 255, 255, 0, 0);
  ip4_addr_t gateway{};
  IP4_ADDR(&gateway, 10, 0, 0, 1);
  netif_add(&interface_, &address, &mask, &gateway, this, set_up, ethernet_input);
  netif_set_default(&interface_);
  netif_set_up(&interface_);
  netif_set_link_up(&interface_);
}

err_t LwipDevice::set_up(netif* interface) {
  interface->name[0] = 't';
  interface->name[1] = 'p';
  interface->mtu = 1500;
  interface->hwaddr_len = sizeof mac;
  std::memcpy(interface->hwaddr, mac, sizeof mac);
  interface->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
  interface->output = etharp_output;
  interface->linkoutput = send;
  return ERR_OK;
}

LwipDevice::Block* LwipDevice::take_block() {
  if (free_.empty()) return new Block{};
  Block* block = free_.back();
  free_.pop_back();
  return block;
}

void LwipDevice::give_back(pbuf* p) {
  auto* block = reinterpret_cast<Block*>(p);
  block->owner->free_.push_back(block);
}

void LwipDevice::read_all() {
  for (unsigned n = 0; n < frames_per_turn; ++n) {
    Block* block = take_block();
    const ssize_t octets = ::read(tap_, block->octets.data(), frame_octets);
    if (octets <= 0) {
      free_.push_back(block);
      if (octets < 0 && errno != EAGAIN && errno != EINTR) std::exit(1);
      return;
    }
    block->owner = this;
    block->head.custom_free_function = give_back;
    pbuf* p = pbuf_alloced_custom(PBUF_RAW, static_cast<u16_t>(octets), PBUF_REF, &block->head, block->octets.data(),
                                  static_cast<u16_t>(block->octets.size()));
    if (interface_.input(p, &interface_) != ERR_OK) pbuf_free(p);
  }
}

err_t LwipDevice::send(netif* interface, pbuf* chain) {
  std::array<iovec, 16> parts;
  std::size_t count = 0;
  for (pbuf* p = chain; p != nullptr && count < parts.size(); p = p->next) parts[count++] = {p->payload, p->len};
  const auto* self = static_cast<const LwipDevice*>(interface->state);
  return ::writev(self->tap_, parts.data(), static_cast<int>(count)) < 0 ? ERR_IF : ERR_OK;
}

void LwipDevice::wait() const {
  pollfd readable{tap_, POLLIN, 0};
  const u32_t due = sys_timeouts_sleeptime();
  (void)::poll(&readable, 1, due > 1000 ? 1000 : static_cast<int>(due));
}

}  // namespace bench

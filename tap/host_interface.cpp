// The host's view of the interface: what `ip link` would show and set.
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tap_device.hpp"

namespace wireside {
namespace {

/// A socket only to reach the interface calls of ioctl, which need no privilege for reading.
class ControlSocket {
 public:
  ControlSocket() : fd_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {}
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;
  ~ControlSocket() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] bool call(unsigned long request, ifreq& r) const { return fd_ >= 0 && ::ioctl(fd_, request, &r) == 0; }

 private:
  int fd_;
};

ifreq request_for(const std::string& name) {
  ifreq r{};
  name.copy(r.ifr_name, IFNAMSIZ - 1);
  return r;
}

TapResult<void> setup_error(const std::string& name) {
  return std::unexpected{make_tap_error(TapFault::InterfaceSetup, {.name = name, .error_number = errno})};
}

}  // namespace

std::optional<HostInterface> find_host_interface(const std::string& name) {
  const ControlSocket socket;
  ifreq r = request_for(name);
  if (!socket.call(SIOCGIFFLAGS, r)) return std::nullopt;
  HostInterface result;
  result.up = (r.ifr_flags & IFF_UP) != 0;
  result.running = (r.ifr_flags & IFF_RUNNING) != 0;
  r = request_for(name);
  if (!socket.call(SIOCGIFMTU, r)) return std::nullopt;
  result.mtu = static_cast<unsigned>(r.ifr_mtu);
  return result;
}

TapResult<void> set_host_link(const std::string& name, bool up) {
  const ControlSocket socket;
  ifreq r = request_for(name);
  if (!socket.call(SIOCGIFFLAGS, r)) return setup_error(name);
  if (((r.ifr_flags & IFF_UP) != 0) == up) return {};
  r.ifr_flags = static_cast<short>(up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP);
  if (!socket.call(SIOCSIFFLAGS, r)) return setup_error(name);
  return {};
}

TapResult<void> set_host_mtu(const std::string& name, std::uint16_t mtu) {
  const ControlSocket socket;
  ifreq r = request_for(name);
  r.ifr_mtu = mtu;
  if (!socket.call(SIOCSIFMTU, r)) return setup_error(name);
  return {};
}

}  // namespace wireside

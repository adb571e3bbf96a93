// Datagrams against a UDP echo, `--window N` on the way at a time: what comes back is counted.
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "load.hpp"
#include "services.hpp"

namespace bench {
namespace {

constexpr unsigned batch = 64;
constexpr std::size_t octets = 64;

struct Batch {
  std::array<std::array<char, octets>, batch> data{};
  std::array<iovec, batch> parts{};
  std::array<mmsghdr, batch> messages{};
  Batch() {
    for (unsigned i = 0; i < batch; ++i) {
      parts[i] = {data[i].data(), data[i].size()};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }
};

}  // namespace

void datagrams(const Arguments& arguments) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  const sockaddr_in peer = address_of(arguments.text("to"), udp_echo_port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0) fail("connect");
  const timeval patience{0, 100000};
  (void)::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const auto window = static_cast<unsigned>(arguments.number("window", batch));
  Batch out, in;
  unsigned on_the_way = 0;
  std::uint64_t came = 0, lost = 0;
  const auto begun = Clock::now();
  const auto end = begun + std::chrono::duration<double>(arguments.seconds("seconds", 1));
  while (Clock::now() < end) {
    const unsigned more = std::min(window - on_the_way, batch);
    if (more != 0) {
      const int n = ::sendmmsg(fd, out.messages.data(), more, 0);
      on_the_way += n > 0 ? static_cast<unsigned>(n) : 0;
    }
    const int n = ::recvmmsg(fd, in.messages.data(), batch, MSG_WAITFORONE, nullptr);
    if (n <= 0) {  // nothing for 100 ms: what was on the way is lost
      lost += on_the_way;
      on_the_way = 0;
      continue;
    }
    came += static_cast<std::uint64_t>(n);
    on_the_way -= std::min(on_the_way, static_cast<unsigned>(n));
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  std::printf("{\"seconds\": %.6f, \"datagrams\": %lu, \"lost\": %lu}\n", seconds, came, lost);
}

}  // namespace bench

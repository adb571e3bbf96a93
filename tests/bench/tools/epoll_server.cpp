// The kernel's TCP behind one process and one epoll set: all services of services.hpp. Ends at a signal.
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "services.hpp"

namespace bench {
namespace {

enum class Kind : std::uint8_t { Discard, Source, Echo, Http, Udp, Listener };

struct Socket {
  Kind kind = Kind::Discard;
  Kind accepts = Kind::Discard;  ///< of a listener
};

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "epoll_server: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

Kind kind_of(Service service) {
  switch (service) {
    case Service::Discard:
    case Service::LendDiscard:
      return Kind::Discard;
    case Service::Source:
    case Service::LendSource:
      return Kind::Source;
    case Service::Echo:
      return Kind::Echo;
    case Service::Http:
      return Kind::Http;
  }
  return Kind::Discard;
}

class Server {
 public:
  Server() : epoll_{::epoll_create1(0)}, sockets_(1024), buffer_(buffer_octets, 'x') {
    for (const auto& s : tcp_services) listen_on(s.port, SOCK_STREAM, Kind::Listener, kind_of(s.service));
    listen_on(udp_echo_port, SOCK_DGRAM, Kind::Udp, Kind::Udp);
  }

  [[noreturn]] void run() {
    std::vector<epoll_event> events(512);
    while (true) {
      const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < n; ++i) serve(events[static_cast<std::size_t>(i)].data.fd);
    }
  }

 private:
  void listen_on(std::uint16_t port, int type, Kind kind, Kind accepts) {
    const int fd = ::socket(AF_INET, type | SOCK_NONBLOCK, 0);
    const int yes = 1;
    (void)::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) fail("bind");
    if (type == SOCK_STREAM && ::listen(fd, 4096) != 0) fail("listen");
    add(fd, {kind, accepts}, EPOLLIN);
  }

  void add(int fd, Socket socket, std::uint32_t events) {
    if (sockets_.size() <= static_cast<std::size_t>(fd)) sockets_.resize(static_cast<std::size_t>(fd) * 2);
    sockets_[static_cast<std::size_t>(fd)] = socket;
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
  }

  void serve(int fd) {
    switch (const Socket socket = sockets_[static_cast<std::size_t>(fd)]; socket.kind) {
      case Kind::Listener:
        return accept_all(fd, socket.accepts);
      case Kind::Udp:
        return echo_datagrams(fd);
      case Kind::Source:
        return feed(fd);
      case Kind::Discard:
      case Kind::Echo:
      case Kind::Http:
        return take(fd, socket.kind);
    }
  }

  void accept_all(int listener, Kind kind) {
    while (true) {
      const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) return;
      const int yes = 1;
      (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      add(fd, {kind, kind}, kind == Kind::Source ? EPOLLOUT : EPOLLIN);
    }
  }

  void take(int fd, Kind kind) {
    const ssize_t n = ::recv(fd, buffer_.data(), buffer_.size(), 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return void(::close(fd));
    const auto octets = static_cast<std::size_t>(n);
    if (kind == Kind::Echo && ::send(fd, buffer_.data(), octets, MSG_NOSIGNAL) != n) return void(::close(fd));
    if (kind != Kind::Http) return;
    const Requests requests = find_requests({buffer_.data(), octets});
    for (std::size_t i = 0; i < requests.count; ++i) {
      (void)::send(fd, http_answer.data(), http_answer.size(), MSG_NOSIGNAL);
    }
    if (requests.close) ::close(fd);
  }

  void feed(int fd) {
    for (int i = 0; i < 16; ++i) {
      if (::send(fd, buffer_.data(), buffer_.size(), MSG_NOSIGNAL) >= 0) continue;
      if (errno != EAGAIN) ::close(fd);
      return;
    }
  }

  void echo_datagrams(int fd) {
    for (int i = 0; i < 64; ++i) {
      sockaddr_in from{};
      socklen_t length = sizeof from;
      const ssize_t n = ::recvfrom(fd, buffer_.data(), buffer_.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (n < 0) return;
      (void)::sendto(fd, buffer_.data(), static_cast<std::size_t>(n), 0, reinterpret_cast<sockaddr*>(&from), length);
    }
  }

  int epoll_;
  std::vector<Socket> sockets_;
  std::vector<char> buffer_;
};

}  // namespace
}  // namespace bench

int main() {
  rlimit files{};
  (void)::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &files);
  bench::Server server;
  std::puts("ready");
  std::fflush(stdout);
  server.run();
}

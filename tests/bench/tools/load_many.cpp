// Holds many connections to the echo service: `--count N`, from the addresses `--from A[,A]...`. Prints a line when all
// are open, and one after each "touch N" on its standard input: N one-octet round trips over the connections in turn.
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <sstream>

#include "load.hpp"
#include "services.hpp"

namespace bench {
namespace {

constexpr std::size_t opening_at_once = 128;
constexpr std::size_t touched_at_once = 64;

class Crowd {
 public:
  explicit Crowd(const Arguments& arguments)
      : peer_{address_of(arguments.text("to"), arguments.number("port", port_of(Service::Echo)))},
        count_{static_cast<std::size_t>(arguments.number("count", 1))},
        epoll_{::epoll_create1(0)} {
    std::istringstream list{arguments.text("from")};
    for (std::string one; std::getline(list, one, ',');) sources_.push_back(address_of(one, 0));
  }

  void open_all() {
    const auto begun = Clock::now();
    std::size_t opening = 0, open = 0;
    std::vector<epoll_event> events(opening_at_once);
    while (open < count_) {
      while (sockets_.size() < count_ && opening < opening_at_once) {
        begin_one();
        ++opening;
      }
      const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 20000);
      if (n <= 0) fail("connections do not come about");
      for (int i = 0; i < n; ++i) {
        finish(events[static_cast<std::size_t>(i)]);
        --opening;
        ++open;
      }
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    std::printf("{\"open\": %zu, \"seconds\": %.6f}\n", open, seconds);
    std::fflush(stdout);
  }

  void touch(std::size_t count) {
    const auto begun = Clock::now();
    const double processor = processor_time();
    std::size_t asked = 0, answered = 0;
    std::vector<epoll_event> events(touched_at_once);
    char octet = 'z';
    while (answered < count) {
      while (asked < count && asked - answered < std::min(touched_at_once, count_)) {
        next_ = (next_ + 1) % count_;
        if (::send(sockets_[next_], &octet, 1, MSG_NOSIGNAL) != 1) fail("a connection ended");
        ++asked;
      }
      const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 5000);
      if (n <= 0) fail("no echo in 5 s");
      for (int i = 0; i < n; ++i) {
        if (::recv(events[static_cast<std::size_t>(i)].data.fd, &octet, 1, 0) != 1) fail("a connection ended");
        ++answered;
      }
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    std::printf("{\"round_trips\": %zu, \"seconds\": %.6f, \"cpu\": %.6f}\n", count, seconds,
                processor_time() - processor);
    std::fflush(stdout);
  }

 private:
  void begin_one() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) fail(std::string{"socket: "} + std::strerror(errno));
    const int yes = 1;
    const linger at_once{1, 0};
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    (void)::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    (void)::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    const sockaddr_in& from = sources_[sockets_.size() % sources_.size()];
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) fail("a source address is not ours");
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&peer_), sizeof peer_) != 0 && errno != EINPROGRESS) {
      fail(std::string{"connect: "} + std::strerror(errno));
    }
    watch(fd, EPOLL_CTL_ADD, EPOLLOUT);
    sockets_.push_back(fd);
  }

  void finish(const epoll_event& event) {
    if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) fail("a connection was refused or timed out");
    watch(event.data.fd, EPOLL_CTL_MOD, EPOLLIN);
  }

  void watch(int fd, int operation, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_, operation, fd, &event) != 0) fail("epoll_ctl");
  }

  sockaddr_in peer_;
  std::size_t count_;
  int epoll_;
  std::vector<sockaddr_in> sources_;
  std::vector<int> sockets_;
  std::size_t next_ = 0;
};

}  // namespace

void many(const Arguments& arguments) {
  Crowd crowd{arguments};
  crowd.open_all();
  std::string word;
  for (std::size_t count = 0; std::cin >> word >> count;) crowd.touch(count);
}

}  // namespace bench

// Streams in one direction or both: `--send-to PORT`, `--receive-from PORT`, `--seconds S`, `--warm-up S`.
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "load.hpp"
#include "services.hpp"

namespace bench {
namespace {

struct alignas(64) Counter {
  std::atomic<std::uint64_t> octets{0};
};

void send_for_ever(int fd, Counter& counter) {
  const std::vector<char> buffer(buffer_octets, 'y');
  while (true) {
    const ssize_t n = ::send(fd, buffer.data(), buffer.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    counter.octets.fetch_add(static_cast<std::uint64_t>(n), std::memory_order_relaxed);
  }
}

void receive_for_ever(int fd, Counter& counter) {
  std::vector<char> buffer(buffer_octets);
  while (true) {
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n <= 0) return;
    counter.octets.fetch_add(static_cast<std::uint64_t>(n), std::memory_order_relaxed);
  }
}

void sleep_for(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

}  // namespace

void bulk(const Arguments& arguments) {
  const std::string to = arguments.text("to");
  const long send_to = arguments.number("send-to", 0);
  const long receive_from = arguments.number("receive-from", 0);
  Counter sent, received;
  std::vector<int> sockets;
  std::vector<std::thread> threads;
  if (send_to != 0) {
    sockets.push_back(connect_to(address_of(to, send_to)));
    threads.emplace_back(send_for_ever, sockets.back(), std::ref(sent));
  }
  if (receive_from != 0) {
    sockets.push_back(connect_to(address_of(to, receive_from)));
    threads.emplace_back(receive_for_ever, sockets.back(), std::ref(received));
  }
  sleep_for(arguments.seconds("warm-up", 0.3));
  const auto begun = Clock::now();
  const std::uint64_t sent_before = sent.octets, received_before = received.octets;
  sleep_for(arguments.seconds("seconds", 1));
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  const std::uint64_t sent_after = sent.octets, received_after = received.octets;
  for (const int fd : sockets) {
    const linger at_once{1, 0};
    (void)::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    (void)::shutdown(fd, SHUT_RDWR);
  }
  for (auto& thread : threads) thread.join();
  for (const int fd : sockets) ::close(fd);
  std::printf("{\"seconds\": %.6f, \"sent\": %lu, \"received\": %lu, \"total\": %lu, \"cpu\": %.6f}\n", seconds,
              sent_after - sent_before, received_after - received_before, sent.octets + received.octets,
              processor_time());
}

void round_trips(const Arguments& arguments) {
  const int fd = connect_to(address_of(arguments.text("to"), arguments.number("port", port_of(Service::Echo))));
  const auto end = Clock::now() + std::chrono::duration<double>(arguments.seconds("seconds", 1));
  std::vector<std::uint32_t> times;
  times.reserve(1 << 20);
  char octet = 'z';
  for (auto begun = Clock::now(); begun < end;) {
    if (::send(fd, &octet, 1, MSG_NOSIGNAL) != 1 || ::recv(fd, &octet, 1, 0) != 1) fail("the echo ended");
    const auto now = Clock::now();
    times.push_back(static_cast<std::uint32_t>((now - begun).count()));
    begun = now;
  }
  const double median = rank(times, 0.5) / 1000, late = rank(times, 0.99) / 1000;
  std::printf("{\"count\": %zu, \"p50\": %.2f, \"p99\": %.2f}\n", times.size(), median, late);
}

}  // namespace bench

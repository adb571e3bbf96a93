// A stack and a thread for each of several queues, against the real kernel.
#include "queue_group.hpp"

#include <gmock/gmock.h>
#include <netinet/in.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <stdexcept>
#include <thread>

#include "asio_sockets.hpp"
#include "driver_steering.hpp"
#include "tap_lab.hpp"

namespace wireside::test {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
constexpr auto token = asio::as_tuple(asio::use_awaitable);
constexpr const char* group_interface = "wst0";

asio::awaitable<void> echo(net::tcp_socket socket) {
  std::array<char, 1024> buffer;
  while (true) {
    const auto [ec, n] = co_await socket.async_read_some(asio::buffer(buffer), token);
    if (ec) co_return;
    const auto [failed, m] = co_await asio::async_write(socket, asio::buffer(buffer.data(), n), token);
    if (failed) co_return;
  }
}

asio::awaitable<void> accept_loop(net::tcp_acceptor acceptor) {
  while (true) {
    auto [ec, socket] = co_await acceptor.async_accept(token);
    if (ec) co_return;
    asio::co_spawn(acceptor.get_executor(), echo(std::move(socket)), asio::detached);
  }
}

/// A group with echo on every queue; queue 0's loop is whoever's runs the context.
struct Parts {
  explicit Parts(std::vector<TapDevice> devices) {
    EXPECT_EQ(run("ip addr add 10.9.0.1/24 dev wst0"), 0);
    Config config;
    config.ip.addresses = {*Ipv4Prefix::parse("10.9.0.2/24")};
    const std::size_t queues = devices.size();
    const Seed seed = make_seed(queues);
    first.emplace(context, std::move(devices.front()), QueueGroup::config_of_first(config, queues, seed), seed);
    devices.erase(devices.begin());
    group.emplace(*first, std::move(devices), seed);
  }
  static std::vector<TapDevice> open(std::size_t queues) {
    auto devices = TapDevice::open_queues(options_for(group_interface), queues);
    EXPECT_TRUE(devices) << devices.error().to_string();
    return std::move(*devices);
  }
  void listen() {
    for (std::size_t i = 0; i < group->size(); ++i) {
      net::tcp_acceptor acceptor{group->runtime(i)};
      EXPECT_FALSE(acceptor.listen({Ipv4Address{}, Port{7}}, 1024, {}));
      asio::co_spawn(group->runtime(i).context(), accept_loop(std::move(acceptor)), asio::detached);
    }
  }
  void start() {
    first->start();
    group->start();
  }
  void end() {
    group.reset();
    first.reset();
  }
  asio::io_context context{1};
  std::optional<Runtime> first;
  std::optional<QueueGroup> group;
};

/// The group in a thread of its own, which ends with it; the test is the host's applications.
class Group {
 public:
  explicit Group(std::size_t queues, bool in_driver) : parts_{Parts::open(queues)} {
    if (!in_driver) stop_steering_in_driver(parts_.first->device());
    parts_.listen();
    parts_.start();
    thread_ = std::thread{[this] {
      const auto work = asio::make_work_guard(parts_.context);
      parts_.context.run();
      parts_.end();
    }};
  }
  ~Group() {
    parts_.context.stop();
    thread_.join();
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  /// In queue 0's thread, of every queue.
  template <class F>
  auto ask_all(F question) {
    return ask([this, question] { return group().ask_all(question); });
  }
  template <class F>
  auto ask(F question) {
    std::packaged_task<decltype(question())()> task{question};
    auto answer = task.get_future();
    asio::post(parts_.context, [&] { task(); });
    return answer.get();
  }
  std::vector<SteeringCounters> counters() {
    return ask_all([this](Runtime&, std::size_t i) { return group().steering(i); });
  }
  QueueGroup& group() { return *parts_.group; }

 private:
  Parts parts_;
  std::thread thread_;
};

sockaddr_in address_of_group(std::uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl((10U << 24) | (9U << 16) | 2U);
  return to;
}

/// A connected socket of the host, or -1.
int connect_to_echo() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval patience{.tv_sec = 10, .tv_usec = 0};
  (void)::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const sockaddr_in to = address_of_group(7);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) return fd;
  ::close(fd);
  return -1;
}

std::size_t echoed(const std::vector<int>& sockets) {
  std::size_t right = 0;
  for (const int fd : sockets) EXPECT_EQ(::send(fd, "hello", 5, MSG_NOSIGNAL), 5);
  for (const int fd : sockets) {
    std::array<char, 5> buffer{};
    right += ::recv(fd, buffer.data(), 5, MSG_WAITALL) == 5 && std::string_view{buffer.data(), 5} == "hello";
  }
  return right;
}

std::vector<int> connected(std::size_t count) {
  std::vector<int> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(connect_to_echo());
  return out;
}

TAP_TEST(QueueGroup, ServesConnectionsOnEveryQueue) {
  for (const std::size_t queues : {2U, 5U}) {
    Group group{queues, true};
    const auto sockets = connected(100);
    EXPECT_EQ(echoed(sockets), 100U);
    const auto shares = group.ask_all([](Runtime& r, std::size_t) { return r.stack().connections().size(); });
    for (const std::size_t n : shares) EXPECT_GE(n, 100 / queues / 4);
    for (const int fd : sockets) ::close(fd);
  }
}

/// The driver shares out by its own hash and by what it learns: frames come in on queues that are not their owner's.
TAP_TEST(QueueGroup, FramesThatComeInOnTheWrongQueueAreHandedOver) {
  Group group{3, false};
  const auto sockets = connected(60);
  EXPECT_EQ(echoed(sockets), 60U);
  std::uint64_t handed_over = 0;
  std::uint64_t taken_over = 0;
  for (const auto& c : group.counters()) {
    handed_over += c.handed_over;
    taken_over += c.taken_over;
    EXPECT_EQ(c.lost, 0U);
  }
  EXPECT_GT(handed_over, 10U);
  EXPECT_GE(taken_over, handed_over);
  // The driver forgets a flow after three seconds of silence, when its timer finds it: whole seconds later.
  std::uint64_t after = 0;
  for (const auto silence : {5s, 7s, 9s}) {
    std::this_thread::sleep_for(silence);
    EXPECT_EQ(echoed(sockets), 60U);
    after = 0;
    for (const auto& c : group.counters()) after += c.handed_over;
    if (after > handed_over + 10) break;
  }
  EXPECT_GT(after, handed_over + 10);
  for (const int fd : sockets) ::close(fd);
}

TAP_TEST(QueueGroup, SettingsOfTheFirstReachTheOthers) {
  Group group{3, true};
  group.ask([&] {
    Runtime& first = group.group().runtime(0);
    EXPECT_TRUE(first.stack().add_address(first.now(), *Ipv4Prefix::parse("10.9.0.3/24")));
    first.stack().set_gateway(Ipv4Address{10, 9, 0, 1});
    first.schedule_output();
    return true;
  });
  for (int i = 0; i < 200; ++i) {
    const auto all = group.ask_all([](Runtime& r, std::size_t) { return r.stack().network_settings(); });
    if (all[0] == all[1] && all[0] == all[2]) break;
    std::this_thread::sleep_for(10ms);
  }
  const auto all = group.ask_all([](Runtime& r, std::size_t) { return r.stack().network_settings(); });
  EXPECT_EQ(all[0].addresses.size(), 2U);
  EXPECT_EQ(all[0], all[1]);
  EXPECT_EQ(all[0], all[2]);
}

TAP_TEST(QueueGroup, EndsWhileConnectionsAreOpen) {
  std::vector<int> sockets;
  {
    Group group{4, false};
    sockets = connected(20);
    EXPECT_EQ(echoed(sockets), 20U);
  }
  for (const int fd : sockets) ::close(fd);
}

// As with a single queue: an exception of the application's ends its loop, not the process.
TAP_TEST(QueueGroup, WhatAHandlerThrowsIsThrownByTheFirstQueuesLoop) {
  Parts e{Parts::open(2)};
  e.start();
  e.group->post(1, [] { throw std::runtime_error{"of queue 1"}; });
  EXPECT_THROW(e.context.run_for(10s), std::runtime_error);
  EXPECT_EQ(e.group->ask_all([](Runtime&, std::size_t queue) { return queue; }), (std::vector<std::size_t>{0, 1}));
  e.end();
}

TAP_TEST(QueueGroup, WhatAQuestionThrowsIsThrownWhenNobodyIsAskedAnyMore) {
  Parts e{Parts::open(4)};
  e.start();
  for (std::size_t throws = 0; throws < 4; ++throws) {
    std::atomic<std::size_t> asked = 0;
    const auto question = [&asked, throws](Runtime&, std::size_t queue) {
      if (queue == throws) throw std::runtime_error{"no answer"};
      std::this_thread::sleep_for(30ms);
      return ++asked;
    };
    EXPECT_THROW((void)e.group->ask_all(question), std::runtime_error);
    EXPECT_EQ(asked, 3U);
  }
  e.end();
}

// All frames come in on the further queue's device, so those for queue 0 come by mail.
TAP_TEST(QueueGroup, AHandlerMayEndItWhileMailIsTaken) {
  auto devices = Parts::open(2);
  std::swap(devices[0], devices[1]);
  Parts e{std::move(devices)};
  if (!steer_in_driver(e.first->device(), FlowOwner{1, 0})) GTEST_SKIP() << "needs CAP_BPF";
  constexpr std::uint16_t of_queue_0 = 49152;
  net::udp_socket socket{*e.first};
  ASSERT_FALSE(socket.bind({Ipv4Address{}, Port{of_queue_0}}));
  std::uint64_t by_mail = 0;
  bool ended = false;
  asio::co_spawn(
      e.context,
      [&]() -> asio::awaitable<void> {
        std::array<char, 16> buffer;
        Endpoint from;
        const auto [ec, n] = co_await socket.async_receive_from(asio::buffer(buffer), from, token);
        EXPECT_FALSE(ec);
        by_mail = e.group->steering(0).taken_over;
        e.end();
        ended = true;
      },
      asio::detached);
  e.start();
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto send = [fd](std::uint16_t port) {
    const sockaddr_in to = address_of_group(port);
    EXPECT_EQ(::sendto(fd, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to), 1);
  };
  send(9);  // the host learns our address
  e.context.run_for(200ms);
  for (int i = 0; i < 300; ++i) send(of_queue_0);
  std::this_thread::sleep_for(100ms);
  e.context.run_for(10s);
  ::close(fd);
  EXPECT_TRUE(ended);
  EXPECT_GT(by_mail, 64U);
}

}  // namespace
}  // namespace wireside::test

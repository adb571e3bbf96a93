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

/// The group in a thread of its own, which ends with it; the test is the host's applications.
class Group {
 public:
  explicit Group(std::size_t queues, bool in_driver) {
    auto devices = TapDevice::open_queues(options_for(group_interface), queues);
    EXPECT_TRUE(devices) << devices.error().to_string();
    EXPECT_EQ(run("ip addr add 10.9.0.1/24 dev wst0"), 0);
    Config config;
    config.ip.addresses = {*Ipv4Prefix::parse("10.9.0.2/24")};
    const Seed seed = make_seed(queues);
    first_.emplace(context_, std::move(devices->front()), QueueGroup::config_of_first(config, queues, seed), seed);
    devices->erase(devices->begin());
    group_.emplace(*first_, std::move(*devices), seed);
    if (!in_driver) stop_steering_in_driver(first_->device());
    for (std::size_t i = 0; i < group_->size(); ++i) listen(group_->runtime(i));
    first_->start();
    group_->start();
    thread_ = std::thread{[this] {
      const auto work = asio::make_work_guard(context_);
      context_.run();
      group_.reset();
      first_.reset();
    }};
  }
  ~Group() {
    context_.stop();
    thread_.join();
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  /// In queue 0's thread, of every queue.
  template <class F>
  auto ask_all(F question) {
    return ask([this, question] { return group_->ask_all(question); });
  }
  template <class F>
  auto ask(F question) {
    std::packaged_task<decltype(question())()> task{question};
    auto answer = task.get_future();
    asio::post(context_, [&] { task(); });
    return answer.get();
  }
  std::vector<SteeringCounters> counters() {
    return ask_all([this](Runtime&, std::size_t i) { return group_->steering(i); });
  }
  QueueGroup& group() { return *group_; }

 private:
  static void listen(Runtime& runtime) {
    net::tcp_acceptor acceptor{runtime};
    EXPECT_FALSE(acceptor.listen({Ipv4Address{}, Port{7}}, 1024, {}));
    asio::co_spawn(runtime.context(), accept_loop(std::move(acceptor)), asio::detached);
  }
  asio::io_context context_{1};
  std::optional<Runtime> first_;
  std::optional<QueueGroup> group_;
  std::thread thread_;
};

/// A connected socket of the host, or -1.
int connect_to_echo() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval patience{.tv_sec = 10, .tv_usec = 0};
  (void)::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(7);
  to.sin_addr.s_addr = htonl((10U << 24) | (9U << 16) | 2U);
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
  std::this_thread::sleep_for(4s);  // the driver forgets a flow after three seconds
  EXPECT_EQ(echoed(sockets), 60U);
  std::uint64_t after = 0;
  for (const auto& c : group.counters()) after += c.handed_over;
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

}  // namespace
}  // namespace wireside::test

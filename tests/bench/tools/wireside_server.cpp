// wireside with all services of services.hpp on one TAP: bulk through the Asio sockets with an ordinary buffer and with
// lent ones, HTTP through Beast, and the rest on the socket table (table_services.hpp). Ends at a signal.
//
// usage: wireside_server TAP ADDRESS/LENGTH [--frames] [--queues N]
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "asio_sockets.hpp"
#include "queue_group.hpp"
#include "table_services.hpp"

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using namespace wireside;

namespace {

// The executor's type is known throughout: any_io_executor is for those who need to mix several.
using Executor = asio::io_context::executor_type;
using Socket = net::basic_tcp_socket<Executor>;
using Acceptor = net::basic_tcp_acceptor<Executor>;
using Task = asio::awaitable<void, Executor>;
constexpr auto tuple_token = asio::as_tuple(asio::use_awaitable_t<Executor>{});
constexpr std::size_t lent_octets = 64 * 1024;
constexpr std::size_t receive_at_most = 1 << 20;

Task discard(Socket socket) {
  std::vector<char> buffer(bench::buffer_octets);
  while (true) {
    const auto [ec, n] = co_await socket.async_read_some(asio::buffer(buffer), tuple_token);
    if (ec) co_return;
  }
}

Task source(Socket socket) {
  std::vector<char> buffer(bench::buffer_octets, 'x');
  while (true) {
    const auto [ec, n] = co_await asio::async_write(socket, asio::buffer(buffer), tuple_token);
    if (ec) co_return;
  }
}

Task lend_discard(Socket socket) {
  SliceList slices;
  while (true) {
    const auto [ec, n] = co_await socket.async_receive_slices(slices, receive_at_most, tuple_token);
    if (ec) co_return;
    slices.clear();
  }
}

Task lend_source(Socket socket) {
  const Slice lent = socket.runtime().stack().buffers().copy(std::vector<std::uint8_t>(lent_octets, 'x'));
  while (true) {
    const auto [ec, n] = co_await socket.async_send_slice(lent, tuple_token);
    if (ec) co_return;
  }
}

/// Keeps the blocks of finished operations: Beast's are too large for Asio's own recycling.
class OperationMemory {
 public:
  static void* allocate(std::size_t octets) {
    if (octets > block_octets) return ::operator new(octets);
    if (free_ == nullptr) return ::operator new(block_octets);
    return std::exchange(free_, free_->next);
  }
  static void release(void* memory, std::size_t octets) {
    if (octets > block_octets) return ::operator delete(memory);
    free_ = new (memory) Free{free_};
  }

 private:
  struct Free {
    Free* next;
  };
  static constexpr std::size_t block_octets = 1536;
  static inline thread_local Free* free_ = nullptr;
};

template <class T>
struct OperationAllocator {
  using value_type = T;
  OperationAllocator() = default;
  template <class U>
  explicit(false) OperationAllocator(const OperationAllocator<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(OperationMemory::allocate(n * sizeof(T))); }
  void deallocate(T* p, std::size_t n) { OperationMemory::release(p, n * sizeof(T)); }
  bool operator==(const OperationAllocator&) const = default;
};

/// One conversation through Beast's parser and serializer; it lives in the handlers of its operations.
struct Conversation {
  explicit Conversation(Socket s) : socket{std::move(s)} {
    answer.set(http::field::content_type, "text/plain");
    answer.body() = {bench::page.data(), bench::page.size()};
    answer.prepare_payload();
  }
  Socket socket;
  beast::flat_static_buffer<8192> buffer;
  http::request<http::empty_body> request;
  http::response<http::span_body<const char>> answer{http::status::ok, 11};
};

void read_request(std::unique_ptr<Conversation> owner);

template <class Handler>
auto pooled(Handler handler) {
  return asio::bind_allocator(OperationAllocator<std::byte>{}, std::move(handler));
}

void write_answer(std::unique_ptr<Conversation> owner) {
  Conversation& c = *owner;
  c.answer.version(c.request.version());
  c.answer.keep_alive(c.request.keep_alive());
  http::async_write(c.socket, c.answer, pooled([owner = std::move(owner)](beast::error_code ec, std::size_t) mutable {
                      if (!ec && owner->answer.keep_alive()) read_request(std::move(owner));
                    }));
}

void read_request(std::unique_ptr<Conversation> owner) {
  Conversation& c = *owner;
  c.request.clear();
  http::async_read(c.socket, c.buffer, c.request,
                   pooled([owner = std::move(owner)](beast::error_code ec, std::size_t) mutable {
                     if (!ec) write_answer(std::move(owner));
                   }));
}

Task beast_http(Socket socket) {
  read_request(std::make_unique<Conversation>(std::move(socket)));
  co_return;
}

using Serve = Task (*)(Socket);

Task accept_loop(Acceptor acceptor, Serve serve) {
  while (true) {
    auto [ec, socket] = co_await acceptor.async_accept(tuple_token);
    if (ec) co_return;
    asio::co_spawn(acceptor.get_executor(), serve(std::move(socket)), asio::detached);
  }
}

bool listen(Runtime& runtime, std::uint16_t port, Serve serve) {
  Acceptor acceptor{runtime};
  tcp::ConnectionOptions options;
  options.no_delay = true;
  if (acceptor.listen({Ipv4Address{}, Port{port}}, 1024, options)) return false;
  asio::co_spawn(runtime.context(), accept_loop(std::move(acceptor), serve), asio::detached);
  return true;
}

struct Options {
  std::string tap;
  Ipv4Prefix address;
  bool offload = true;
  std::size_t queues = 1;
};

std::optional<Options> parse(int argc, char** argv) {
  const auto prefix = argc > 2 ? Ipv4Prefix::parse(argv[2]) : std::nullopt;
  if (!prefix) return std::nullopt;
  Options out{.tap = argv[1], .address = *prefix};
  for (int i = 3; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--frames") {
      out.offload = false;
    } else if (word == "--queues" && i + 1 < argc) {
      out.queues = std::strtoul(argv[++i], nullptr, 10);
    } else {
      return std::nullopt;
    }
  }
  if (out.queues == 0 || out.queues > max_queues) return std::nullopt;
  return out;
}

/// All services on one queue, in its thread or before it starts.
bool start_services(Runtime& runtime, bench::TableServices& table) {
  return table.start() && listen(runtime, bench::port_of(bench::Service::Discard), discard) &&
         listen(runtime, bench::port_of(bench::Service::Source), source) &&
         listen(runtime, bench::port_of(bench::Service::LendDiscard), lend_discard) &&
         listen(runtime, bench::port_of(bench::Service::LendSource), lend_source) &&
         listen(runtime, bench::beast_port, beast_http);
}

int run(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) {
    std::fprintf(stderr, "usage: wireside_server TAP ADDRESS/LENGTH [--frames] [--queues N]\n");
    return 2;
  }
  TapOptions tap;
  tap.name = options->tap;
  tap.offload = options->offload;
  auto devices = TapDevice::open_queues(tap, options->queues);
  if (!devices) {
    std::fprintf(stderr, "wireside_server: %s\n", devices.error().to_string().c_str());
    return 1;
  }
  Config config;
  config.ip.addresses = {options->address};
  // With one queue there is one thread, and no lock is taken for others.
  asio::io_context context{options->queues == 1 ? BOOST_ASIO_CONCURRENCY_HINT_UNSAFE : 1};
  const Seed seed = make_seed(std::random_device{}());
  Runtime first{context, std::move(devices->front()), QueueGroup::config_of_first(config, options->queues, seed), seed};
  devices->erase(devices->begin());
  std::vector<std::unique_ptr<bench::TableServices>> tables;
  QueueGroup group{first, std::move(*devices), seed};
  for (std::size_t i = 0; i < group.size(); ++i) {
    tables.push_back(std::make_unique<bench::TableServices>(group.runtime(i)));
    if (start_services(group.runtime(i), *tables.back())) continue;
    std::fprintf(stderr, "wireside_server: a port is taken\n");
    return 1;
  }
  first.start();
  group.start();
  std::puts("ready");
  std::fflush(stdout);
  context.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return run(argc, argv); }

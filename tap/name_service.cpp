#include "name_service.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <map>
#include <utility>
#include <variant>

#include "asio_sockets.hpp"

namespace wireside::net {
namespace {

namespace asio = boost::asio;

constexpr auto tuple_token = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t datagram_octets = 2048;

class ResolverCategory final : public boost::system::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "wireside.dns"; }
  [[nodiscard]] std::string message(int value) const override {
    return std::string{dns::describe(static_cast<dns::Failure>(value))};
  }
  // Every Failure is an error, also the one with the value 0.
  [[nodiscard]] bool failed(int) const noexcept override { return true; }
  [[nodiscard]] boost::system::error_condition default_error_condition(int value) const noexcept override {
    namespace errc = boost::system::errc;
    const auto failure = static_cast<dns::Failure>(value);
    if (dns::is_name_error(failure)) return errc::make_error_condition(errc::invalid_argument);
    if (failure == dns::Failure::TimedOut) return errc::make_error_condition(errc::timed_out);
    if (failure == dns::Failure::Unreachable) return errc::make_error_condition(errc::host_unreachable);
    return {value, *this};
  }
};

/// The socket of one exchange; shared with the coroutine that runs it.
struct Channel {
  dns::ExchangeHandle exchange;
  Endpoint server;
  Port local_port;
  std::vector<std::uint8_t> message;
  std::variant<udp_socket, tcp_socket> socket;
  void close() {
    std::visit([](auto& s) { s.close(); }, socket);
  }
};

}  // namespace

const boost::system::error_category& resolver_category() {
  static const ResolverCategory category;
  return category;
}

error_code to_error_code(dns::Failure f) { return {static_cast<int>(f), resolver_category()}; }

class NameService::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Runtime& runtime, const dns::DnsConfig& config, const Seed& seed)
      : runtime_{runtime},
        resolver_{config, seed, runtime.stack().sink()},
        timer_{runtime.context()},
        datagram_octets_{std::max<std::size_t>(datagram_octets, config.udp_payload)} {}

  [[nodiscard]] dns::Resolver& resolver() { return resolver_; }

  dns::QueryHandle start(std::string_view name, const void* owner, std::unique_ptr<LookupOperation> operation) {
    const auto query = resolver_.start(runtime_.now(), name);
    if (!query) {
      operation->finish(to_error_code(query.error()), {});
      return {};
    }
    waiting_.emplace(*query, Waiting{owner, std::move(operation)});
    // Later, so that the operation's cancellation slot can be set before anything completes it.
    asio::post(runtime_.context(), [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->pump();
    });
    return *query;
  }

  void cancel(dns::QueryHandle query) {
    auto node = waiting_.extract(query);
    if (node.empty()) return;
    resolver_.cancel(query);
    node.mapped().operation->finish(asio::error::operation_aborted, {});
    pump();
  }

  void cancel_all(const void* owner) {
    std::vector<dns::QueryHandle> doomed;
    for (const auto& [query, waiting] : waiting_) {
      if (waiting.owner == owner) doomed.push_back(query);
    }
    for (const auto query : doomed) cancel(query);
  }

  void shut_down() {
    closed_ = true;
    timer_.cancel();
    for (auto& [exchange, channel] : std::exchange(channels_, {})) channel->close();
    for (auto& [query, waiting] : std::exchange(waiting_, {})) {
      waiting.operation->finish(asio::error::operation_aborted, {});
    }
  }

 private:
  struct Waiting {
    const void* owner;
    std::unique_ptr<LookupOperation> operation;
  };
  using Weak = std::weak_ptr<Impl>;

  /// Does what the resolver wants done. What it starts may call back here at once; then the outer call goes on.
  void pump() {
    if (closed_ || std::exchange(pumping_, true)) return;
    while (true) {
      if (auto action = resolver_.poll_action()) {
        carry_out(std::move(*action));
      } else if (auto outcome = resolver_.poll_outcome()) {
        tell(std::move(*outcome));
      } else {
        break;
      }
    }
    pumping_ = false;
    arm_timer();
  }

  void carry_out(dns::Action action) {
    if (action.kind == dns::Action::Kind::EndExchange) {
      auto node = channels_.extract(action.exchange);
      if (!node.empty()) node.mapped()->close();
      return;
    }
    const bool stream = action.kind == dns::Action::Kind::OpenStream;
    auto socket = stream ? std::variant<udp_socket, tcp_socket>{tcp_socket{runtime_}}
                         : std::variant<udp_socket, tcp_socket>{udp_socket{runtime_}};
    const auto channel = std::make_shared<Channel>(
        Channel{action.exchange, action.server, action.local_port, std::move(action.message), std::move(socket)});
    channels_.emplace(channel->exchange, channel);
    auto& context = runtime_.context();
    if (stream) {
      asio::co_spawn(context, run_stream(channel, weak_from_this()), asio::detached);
    } else {
      asio::co_spawn(context, run_datagram(channel, weak_from_this(), datagram_octets_), asio::detached);
    }
  }

  void tell(dns::Outcome outcome) {
    auto node = waiting_.extract(outcome.query);
    if (node.empty()) return;
    const error_code ec = outcome.failure ? to_error_code(*outcome.failure) : error_code{};
    node.mapped().operation->finish(ec, std::move(outcome.answer));
  }

  void arm_timer() {
    const auto due = resolver_.next_deadline();
    if (due == timer_at_) return;
    timer_at_ = due;
    if (!due) {
      timer_.cancel();
      return;
    }
    timer_.expires_at(std::chrono::steady_clock::time_point{std::chrono::nanoseconds{due->ns()}});
    timer_.async_wait([weak = weak_from_this()](error_code ec) {
      const auto self = weak.lock();
      if (ec || !self || self->closed_) return;
      self->timer_at_.reset();
      self->resolver_.handle_timeouts(self->runtime_.now());
      self->pump();
    });
  }

  /// Tells the resolver, unless all is over.
  template <class F>
  static void inform(const Weak& weak, F&& tell_it) {
    const auto self = weak.lock();
    if (!self || self->closed_) return;
    tell_it(self->resolver_, self->runtime_.now());
    self->pump();
  }
  static void failed(const Weak& weak, const Channel& channel) {
    inform(weak, [&](dns::Resolver& r, Instant now) { r.handle_failure(now, channel.exchange); });
  }

  /// Connected, so that a server which cannot be reached shows at once.
  static asio::awaitable<void> run_datagram(std::shared_ptr<Channel> channel, Weak weak, std::size_t most) {
    auto& socket = std::get<udp_socket>(channel->socket);
    if (socket.bind({Ipv4Address{}, channel->local_port})) (void)socket.bind({Ipv4Address{}, Port{}});
    if (socket.connect(channel->server)) co_return failed(weak, *channel);
    const auto [ec, n] = co_await socket.async_send(asio::buffer(channel->message), tuple_token);
    if (ec) co_return failed(weak, *channel);
    std::vector<std::uint8_t> block(most);
    while (true) {
      Endpoint from;
      const auto [error, octets] = co_await socket.async_receive_from(asio::buffer(block), from, tuple_token);
      if (error) co_return failed(weak, *channel);
      inform(weak, [&](dns::Resolver& r, Instant now) {
        r.handle_datagram(now, channel->exchange, from, ByteView{block}.first(octets));
      });
    }
  }

  static asio::awaitable<void> run_stream(std::shared_ptr<Channel> channel, Weak weak) {
    auto& socket = std::get<tcp_socket>(channel->socket);
    if (const auto [ec] = co_await socket.async_connect(channel->server, tuple_token); ec) {
      co_return failed(weak, *channel);
    }
    std::array<std::uint8_t, 2> length{};
    store_be16(length.data(), static_cast<std::uint16_t>(channel->message.size()));
    // In one piece (RFC 7766 section 8).
    channel->message.insert(channel->message.begin(), length.begin(), length.end());
    if (const auto [ec, n] = co_await asio::async_write(socket, asio::buffer(channel->message), tuple_token); ec) {
      co_return failed(weak, *channel);
    }
    if (const auto [ec, n] = co_await asio::async_read(socket, asio::buffer(length), tuple_token); ec) {
      co_return failed(weak, *channel);
    }
    std::vector<std::uint8_t> reply(load_be16(length.data()));
    if (const auto [ec, n] = co_await asio::async_read(socket, asio::buffer(reply), tuple_token); ec) {
      co_return failed(weak, *channel);
    }
    inform(weak, [&](dns::Resolver& r, Instant now) { r.handle_stream(now, channel->exchange, reply); });
  }

  Runtime& runtime_;
  dns::Resolver resolver_;
  asio::steady_timer timer_;
  std::size_t datagram_octets_;
  std::optional<Instant> timer_at_;
  std::map<dns::QueryHandle, Waiting> waiting_;
  std::map<dns::ExchangeHandle, std::shared_ptr<Channel>> channels_;
  bool pumping_ = false;
  bool closed_ = false;
};

Seed seed_of_names(const Seed& seed) {
  Random random{seed};
  Seed out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = random.next_u64() ^ seed[i];
  return out;
}

NameService::NameService(Runtime& runtime, const dns::DnsConfig& config, const Seed& seed)
    : impl_{std::make_shared<Impl>(runtime, config, seed)} {}
NameService::~NameService() { impl_->shut_down(); }

void NameService::set_servers(std::vector<Endpoint> servers) { impl_->resolver().set_servers(std::move(servers)); }
std::expected<void, dns::Failure> NameService::set_search(const std::vector<std::string>& domains) {
  return impl_->resolver().set_search(domains);
}
const dns::Resolver& NameService::resolver() const { return impl_->resolver(); }

dns::QueryHandle NameService::start(std::string_view name, const void* owner,
                                    std::unique_ptr<LookupOperation> operation) {
  return impl_->start(name, owner, std::move(operation));
}
void NameService::cancel(dns::QueryHandle query) { impl_->cancel(query); }
void NameService::cancel_all(const void* owner) { impl_->cancel_all(owner); }
void NameService::cancel(const std::weak_ptr<Impl>& service, dns::QueryHandle query) {
  if (const auto impl = service.lock()) impl->cancel(query);
}

}  // namespace wireside::net

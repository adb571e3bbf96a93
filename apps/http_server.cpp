#include "http_server.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>

#include "http_session.hpp"
#include "output.hpp"
#include "text.hpp"

namespace wireside::apps {

namespace asio = boost::asio;

namespace {
constexpr std::size_t rush = 16;  // sessions at once
}

HttpServer::HttpServer(Runtime& runtime, DocumentRoot root, const HttpOptions& options)
    : runtime_{runtime},
      root_{std::move(root)},
      options_{options},
      acceptor_{runtime},
      quiet_moment_{runtime.context()},
      last_ended_{runtime.context().get_executor()} {}

HttpServer::~HttpServer() = default;

net::error_code HttpServer::listen() {
  tcp::ConnectionOptions connection;
  connection.no_delay = true;  // a response is written whole; waiting for more only delays it
  connection.send_buffer = options_.send_buffer;
  return acceptor_.listen({Ipv4Address{}, options_.port}, 1024, connection);
}

asio::awaitable<void> HttpServer::run() {
  while (!stopping_) {
    auto [ec, socket] = co_await acceptor_.async_accept(asio::as_tuple(asio::use_awaitable));
    if (!ec) {
      auto session = std::make_shared<HttpSession>(*this, std::move(socket));
      sessions_.push_back(*session);
      most_sessions_ = std::max(most_sessions_, ++session_count_);
      asio::co_spawn(acceptor_.get_executor(), HttpSession::run(std::move(session)), asio::detached);
    } else if (ec == asio::error::no_buffer_space) {
      asio::steady_timer pause{acceptor_.get_executor(), std::chrono::milliseconds{100}};
      co_await pause.async_wait(asio::use_awaitable);
    } else {
      co_return;
    }
  }
}

/// After a rush the C library keeps the send buffers' memory in its heap; a quiet moment is the time to give it back.
void HttpServer::session_ended() {
  if (--session_count_ > 0) return;
  last_ended_.notify();
  if (most_sessions_ < rush) return;
  quiet_moment_.expires_after(std::chrono::seconds{1});
  quiet_moment_.async_wait([this](net::error_code ec) {
    if (ec || session_count_ > 0) return;
    most_sessions_ = 0;
    ::malloc_trim(0);
  });
}

asio::awaitable<void> HttpServer::stop(std::chrono::milliseconds grace) {
  stopping_ = true;
  acceptor_.close();
  for (HttpSession* s = sessions_.front(); s != nullptr; s = sessions_.next(*s)) s->stop_if_idle();
  const auto none_left = [this] { return session_count_ == 0; };
  if (co_await last_ended_.wait(none_left, std::chrono::steady_clock::now() + grace)) co_return;
  for (HttpSession* s = sessions_.front(); s != nullptr; s = sessions_.next(*s)) s->abort();
  (void)co_await last_ended_.wait(none_left);  // their coroutines end in the next turns of the loop
}

const std::string& HttpServer::date() {
  const std::time_t now = std::time(nullptr);
  if (now != date_of_) {
    date_of_ = now;
    date_ = http_date(now);
  }
  return date_;
}

void HttpServer::log(const Endpoint& peer, std::string_view request, unsigned status, std::uint64_t octets,
                     std::chrono::steady_clock::duration took) {
  if (options_.quiet) return;
  const double milliseconds = std::chrono::duration<double, std::milli>(took).count();
  put("{:%Y-%m-%d %H:%M:%S} {} \"{}\" {} {} B {:.1f} ms\n", fmt::localtime(std::time(nullptr)), peer.to_string(),
      printable(request), status, octets, milliseconds);
}

}  // namespace wireside::apps

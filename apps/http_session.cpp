#include "http_session.hpp"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <cstring>

#include "text.hpp"

namespace wireside::apps {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::uint32_t header_limit = 16 * 1024;
constexpr std::chrono::seconds lingering{2};
constexpr std::size_t lingering_octets = std::size_t{16} << 20;
constexpr std::string_view server_name = "wireside";

std::string_view view(boost::string_view s) { return {s.data(), s.size()}; }

}  // namespace

HttpSession::HttpSession(HttpServer& server, net::tcp_socket socket)
    : server_{server}, socket_{std::move(socket)}, peer_{socket_.remote_endpoint()}, timer_{socket_.get_executor()} {}

asio::awaitable<void> HttpSession::run(std::shared_ptr<HttpSession> self) {
  self->expect_progress(self->server_.options().idle_timeout);
  self->watch_deadline();
  bool more = true;
  while (more) more = co_await self->serve_request();
  co_await self->leave();
  self->timer_.cancel();
  self->server_.session_ended();
}

void HttpSession::stop_if_idle() {
  if (idle_) socket_.cancel();
}

void HttpSession::abort() { (void)socket_.abort(); }

/// Moving the deadline back costs nothing: the timer looks at it only when it fires.
void HttpSession::expect_progress(std::chrono::seconds within) {
  deadline_ = Clock::now() + within;
  if (deadline_ < timer_.expiry()) watch_deadline();
}

void HttpSession::watch_deadline() {
  timer_.expires_at(deadline_);
  timer_.async_wait([weak = weak_from_this()](net::error_code ec) {
    const auto self = weak.lock();
    if (ec || !self) return;
    if (Clock::now() >= self->deadline_) {
      self->timed_out_ = true;
      self->socket_.cancel();
      self->expect_progress(lingering);  // for what is still said after it
    }
    self->watch_deadline();
  });
}

HttpSession::Flow HttpSession::serve_request() {
  parser_.emplace();
  parser_->header_limit(header_limit);
  parser_->body_limit(boost::none);  // PUT has a limit of its own, and a better answer
  keep_alive_ = true;
  idle_ = true;
  expect_progress(server_.options().idle_timeout);
  const auto [ec, octets] =
      co_await http::async_read_header(socket_, buffer_, *parser_, asio::as_tuple(asio::use_awaitable));
  idle_ = false;
  started_ = Clock::now();
  if (ec) co_return co_await answer_unreadable(ec);
  expect_progress(server_.options().idle_timeout);
  keep_alive_ = parser_->get().keep_alive() && !server_.stopping();
  // A body that nobody reads would be taken for the next request.
  if (!parser_->is_done() && parser_->get().method() != http::verb::put) keep_alive_ = false;
  co_return co_await dispatch();
}

HttpSession::Flow HttpSession::answer_unreadable(net::error_code ec) {
  keep_alive_ = false;
  if (ec == http::error::end_of_stream || ec == http::error::partial_message) {
    peer_done_ = true;
    co_return false;
  }
  if (ec == asio::error::operation_aborted) {  // time is up, or the server stops
    if (timed_out_ && (parser_->got_some() || buffer_.size() > 0)) {
      timed_out_ = false;
      co_return co_await refuse(Status::request_timeout, "the request did not arrive in time");
    }
    peer_done_ = !socket_.is_open();
    co_return false;
  }
  if (ec == http::error::header_limit || ec == http::error::buffer_overflow) {
    co_return co_await refuse(Status::request_header_fields_too_large, "the header is larger than 16 KiB");
  }
  if (ec == http::error::bad_version) {
    co_return co_await refuse(Status::http_version_not_supported, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  }
  if (ec.category() == make_error_code(http::error::bad_method).category()) {
    co_return co_await refuse(Status::bad_request, ec.message());
  }
  peer_done_ = true;
  co_return false;
}

std::string_view HttpSession::field(http::field name) const { return view(parser_->get()[name]); }

bool HttpSession::is_head() const { return parser_->is_header_done() && parser_->get().method() == http::verb::head; }

std::optional<std::pair<HttpSession::Status, std::string>> HttpSession::objection() const {
  const auto& request = parser_->get();
  if (request.version() >= 20) return std::pair{Status::http_version_not_supported, "HTTP/1.1 is spoken here"};
  const auto hosts = request.equal_range(http::field::host);
  const auto count = std::distance(hosts.first, hosts.second);
  // RFC 9112 section 3.2: exactly one Host field, except in HTTP/1.0.
  if (count > 1 || (count == 0 && request.version() >= 11)) {
    return std::pair{Status::bad_request, "a request has exactly one Host field"};
  }
  const std::string_view expectation = field(http::field::expect);
  if (!expectation.empty() && !equals_ignoring_case(expectation, "100-continue")) {
    return std::pair{Status::expectation_failed, "only 100-continue can be expected"};
  }
  return std::nullopt;
}

HttpSession::Flow HttpSession::dispatch() {
  if (const auto wrong = objection()) {
    keep_alive_ = false;
    co_return co_await refuse(wrong->first, wrong->second);
  }
  const http::verb method = parser_->get().method();
  if (method == http::verb::options) co_return co_await options_reply();
  if (method == http::verb::unknown) {
    keep_alive_ = keep_alive_ && parser_->is_done();
    co_return co_await refuse(Status::not_implemented, "this method is not known here");
  }
  const bool reads = method == http::verb::get || method == http::verb::head;
  if (!reads && (method != http::verb::put || server_.options().read_only)) {
    keep_alive_ = keep_alive_ && parser_->is_done();
    co_return co_await refuse(Status::method_not_allowed, "this method is not allowed here");
  }
  const auto target = decode_target(view(parser_->get().target()));
  if (!target) {
    keep_alive_ = keep_alive_ && parser_->is_done();
    const bool outside = target.error() == TargetFault::Outside;
    co_return co_await refuse(outside ? Status::forbidden : Status::bad_request,
                              outside ? "a path may not climb with '..'" : "the request target is malformed");
  }
  if (reads) co_return co_await get(*target);
  co_return co_await put(*target);
}

HttpSession::Flow HttpSession::options_reply() {
  TextReply reply = text_reply(Status::no_content);
  reply.set(http::field::allow, server_.options().read_only ? "GET, HEAD, OPTIONS" : "GET, HEAD, OPTIONS, PUT");
  co_return co_await send_text(reply);
}

void HttpSession::complete_header(http::fields& fields) const {
  fields.set(http::field::server, boost::string_view{server_name.data(), server_name.size()});
  fields.set(http::field::date, server_.date());
}

HttpSession::TextReply HttpSession::text_reply(Status status) const {
  const unsigned version = parser_->is_header_done() ? parser_->get().version() : 11;
  TextReply reply{status, version > 11 ? 11 : version};
  complete_header(reply);
  return reply;
}

HttpSession::Flow HttpSession::refuse(Status status, std::string_view explanation) {
  TextReply reply = text_reply(status);
  reply.set(http::field::content_type, "text/plain; charset=utf-8");
  if (status == Status::method_not_allowed) {
    reply.set(http::field::allow, server_.options().read_only ? "GET, HEAD, OPTIONS" : "GET, HEAD, OPTIONS, PUT");
  }
  const boost::string_view reason = http::obsolete_reason(status);
  reply.body() = fmt::format("{} {}: {}\n", static_cast<unsigned>(status), view(reason), explanation);
  co_return co_await send_text(reply);
}

HttpSession::Flow HttpSession::refuse_errno(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
      co_return co_await refuse(Status::not_found, "there is no such file");
    case EACCES:
    case EPERM:
      co_return co_await refuse(Status::forbidden, "this may not be accessed");
    case EXDEV:
    case ELOOP:
      co_return co_await refuse(Status::forbidden, "a symbolic link leads out of the served folder");
    case EROFS:
      co_return co_await refuse(Status::forbidden, "the served folder is read-only");
    case ENOSPC:
    case EDQUOT:
      co_return co_await refuse(Status::insufficient_storage, "no space is left");
    case EMFILE:
    case ENFILE:
      co_return co_await refuse(Status::service_unavailable, "too many files are open; try again");
    default:
      co_return co_await refuse(Status::internal_server_error, std::strerror(error));
  }
}

HttpSession::Flow HttpSession::send_text(TextReply& reply) {
  reply.keep_alive(keep_alive_);
  if (reply.result() != Status::no_content && reply.result() != Status::not_modified) {
    reply.content_length(reply.body().size());
  }
  http::response_serializer<http::string_body> serializer{reply};
  const auto token = asio::as_tuple(asio::use_awaitable);
  net::error_code ec;
  if (is_head()) {
    std::tie(ec, std::ignore) = co_await http::async_write_header(socket_, serializer, token);
  } else {
    std::tie(ec, std::ignore) = co_await http::async_write(socket_, serializer, token);
  }
  log(reply.result(), is_head() ? 0 : reply.body().size());
  if (ec) peer_done_ = true;
  co_return !ec && keep_alive_;
}

/// Closing while octets of the peer are unread would be a reset, which could overtake our last response. So the
/// peer gets a while to read it and to close.
asio::awaitable<void> HttpSession::leave() {
  if (peer_done_ || !socket_.is_open() || socket_.shutdown(asio::socket_base::shutdown_send)) {
    socket_.close();
    co_return;
  }
  expect_progress(lingering);
  std::size_t total = 0;
  while (total < lingering_octets) {
    const auto [ec, slice] = co_await socket_.async_receive_slice(65536, asio::as_tuple(asio::use_awaitable));
    if (ec) break;
    total += slice.size();
  }
  socket_.close();
}

void HttpSession::log(Status status, std::uint64_t octets) {
  std::string request{"-"};
  if (parser_->is_header_done()) {
    request = fmt::format("{} {}", view(parser_->get().method_string()), view(parser_->get().target()));
  }
  server_.log(peer_, request, static_cast<unsigned>(status), octets, Clock::now() - started_);
}

}  // namespace wireside::apps

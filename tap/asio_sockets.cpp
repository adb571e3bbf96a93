#include "asio_sockets.hpp"

namespace wireside::net::detail {

error_code AnySocket::bind(const Endpoint& local) {
  if (!is_open()) {
    if (const auto opened = core_->open(); !opened) return to_error_code(opened.error());
  }
  return to_error_code(core_->table().bind(core_->handle(), local));
}

error_code AnySocket::close() { return to_error_code(core_->close(false)); }

void AnySocket::cancel() { core_->cancel(); }

error_code AnySocket::cancel(error_code& ec) {
  ec = is_open() ? error_code{} : error_code{boost::asio::error::bad_descriptor};
  core_->cancel();
  return ec;
}

Endpoint AnySocket::local_endpoint(error_code& ec) const {
  const auto endpoint = is_open() ? core_->table().local_endpoint(core_->handle()) : fail(Error::BadHandle);
  ec = to_error_code(endpoint);
  return endpoint.value_or(Endpoint{});
}

Endpoint AnySocket::remote_endpoint(error_code& ec) const {
  const auto endpoint = is_open() ? core_->table().peer_endpoint(core_->handle()) : fail(Error::BadHandle);
  ec = to_error_code(endpoint);
  return endpoint.value_or(Endpoint{});
}

Endpoint AnySocket::local_endpoint() const {
  error_code ignored;
  return local_endpoint(ignored);
}

Endpoint AnySocket::remote_endpoint() const {
  error_code ignored;
  return remote_endpoint(ignored);
}

error_code StreamCalls::shutdown(shutdown_type how) {
  if (!is_open()) return boost::asio::error::bad_descriptor;
  const Shutdown direction = how == boost::asio::socket_base::shutdown_receive ? Shutdown::Receive
                             : how == boost::asio::socket_base::shutdown_send  ? Shutdown::Send
                                                                               : Shutdown::Both;
  const auto result = core_->table().shutdown(core_->runtime().now(), core_->handle(), direction);
  core_->kick();
  return to_error_code(result);
}

error_code StreamCalls::abort() { return to_error_code(core_->close(true)); }

Result<tcp::ConnectionOptions> StreamCalls::options() const {
  if (!is_open()) return fail(Error::BadHandle);
  return core_->table().stream_options(core_->handle());
}

error_code StreamCalls::set_options(const tcp::ConnectionOptions& options) {
  if (!is_open()) return boost::asio::error::bad_descriptor;
  const auto result = core_->table().set_stream_options(core_->runtime().now(), core_->handle(), options);
  core_->kick();
  return to_error_code(result);
}

Result<tcp::ConnectionStatus> StreamCalls::status() const {
  if (!is_open()) return fail(Error::BadHandle);
  return core_->table().status(core_->handle());
}

error_code ListenerCalls::listen(const Endpoint& local, std::size_t backlog, const tcp::ConnectionOptions& options) {
  if (const error_code ec = bind(local)) return ec;
  SocketTable& table = core_->table();
  if (const auto set = table.set_stream_options(core_->runtime().now(), core_->handle(), options); !set) {
    return to_error_code(set.error());
  }
  return to_error_code(table.listen(core_->handle(), backlog));
}

error_code DatagramCalls::connect(const Endpoint& peer) {
  if (!is_open()) {
    if (const error_code ec = open()) return ec;
  }
  return to_error_code(core_->table().connect(core_->runtime().now(), core_->handle(), peer));
}

Result<DatagramOptions> DatagramCalls::options() const {
  if (!is_open()) return fail(Error::BadHandle);
  return core_->table().datagram_options(core_->handle());
}

error_code DatagramCalls::set_options(const DatagramOptions& options) {
  if (!is_open()) return boost::asio::error::bad_descriptor;
  return to_error_code(core_->table().set_datagram_options(core_->handle(), options));
}

std::optional<ErrorReport> AnySocket::take_error_report() {
  if (!is_open()) return std::nullopt;
  auto report = core_->table().take_error_report(core_->handle());
  if (!report) return std::nullopt;
  return std::move(*report);
}

Result<std::uint16_t> DatagramCalls::path_mtu() const {
  if (!is_open()) return fail(Error::BadHandle);
  return core_->table().path_mtu(core_->handle());
}

Result<MessageLimits> DatagramCalls::message_limits() const {
  if (!is_open()) return fail(Error::BadHandle);
  return core_->table().message_limits(core_->handle());
}

}  // namespace wireside::net::detail

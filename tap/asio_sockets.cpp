#include "asio_sockets.hpp"

namespace wireside::net {

error_code basic_socket::bind(const Endpoint& local) {
  if (!is_open()) {
    if (const auto opened = core_->open(); !opened) return to_error_code(opened.error());
  }
  return to_error_code(core_->table().bind(core_->handle(), local));
}

error_code basic_socket::close() { return to_error_code(core_->close(false)); }

void basic_socket::cancel() { core_->cancel(); }

Endpoint basic_socket::local_endpoint(error_code& ec) const {
  const auto endpoint = is_open() ? core_->table().local_endpoint(core_->handle()) : fail(Error::BadHandle);
  ec = to_error_code(endpoint);
  return endpoint.value_or(Endpoint{});
}

Endpoint basic_socket::remote_endpoint(error_code& ec) const {
  const auto endpoint = is_open() ? core_->table().peer_endpoint(core_->handle()) : fail(Error::BadHandle);
  ec = to_error_code(endpoint);
  return endpoint.value_or(Endpoint{});
}

Endpoint basic_socket::local_endpoint() const {
  error_code ignored;
  return local_endpoint(ignored);
}

Endpoint basic_socket::remote_endpoint() const {
  error_code ignored;
  return remote_endpoint(ignored);
}

error_code tcp_socket::shutdown(shutdown_type how) {
  if (!is_open()) return boost::asio::error::bad_descriptor;
  const Shutdown direction = how == boost::asio::socket_base::shutdown_receive ? Shutdown::Receive
                             : how == boost::asio::socket_base::shutdown_send  ? Shutdown::Send
                                                                               : Shutdown::Both;
  const auto result = core_->table().shutdown(core_->runtime().now(), core_->handle(), direction);
  core_->kick();
  return to_error_code(result);
}

error_code tcp_socket::abort() { return to_error_code(core_->close(true)); }

Result<tcp::ConnectionOptions> tcp_socket::options() const {
  if (!is_open()) return fail(Error::BadHandle);
  return core_->table().stream_options(core_->handle());
}

error_code tcp_socket::set_options(const tcp::ConnectionOptions& options) {
  if (!is_open()) return boost::asio::error::bad_descriptor;
  const auto result = core_->table().set_stream_options(core_->runtime().now(), core_->handle(), options);
  core_->kick();
  return to_error_code(result);
}

Result<tcp::ConnectionStatus> tcp_socket::status() const {
  if (!is_open()) return fail(Error::BadHandle);
  return core_->table().status(core_->handle());
}

bool detail::AcceptAction::operator()(SocketCore& core, error_code& ec) {
  const auto accepted = core.table().accept(core.handle());
  if (!accepted) return !core.must_wait(accepted.error(), ec);
  peer = tcp_socket{core.runtime(), core.executor(), accepted->socket};
  return true;
}

error_code tcp_acceptor::listen(const Endpoint& local, std::size_t backlog, const tcp::ConnectionOptions& options) {
  if (const error_code ec = bind(local)) return ec;
  SocketTable& table = core_->table();
  if (const auto set = table.set_stream_options(core_->runtime().now(), core_->handle(), options); !set) {
    return to_error_code(set.error());
  }
  return to_error_code(table.listen(core_->handle(), backlog));
}

error_code datagram_socket::connect(const Endpoint& peer) {
  if (!is_open()) {
    if (const error_code ec = open()) return ec;
  }
  return to_error_code(core_->table().connect(core_->runtime().now(), core_->handle(), peer));
}

Result<DatagramOptions> datagram_socket::options() const {
  if (!is_open()) return fail(Error::BadHandle);
  return core_->table().datagram_options(core_->handle());
}

error_code datagram_socket::set_options(const DatagramOptions& options) {
  if (!is_open()) return boost::asio::error::bad_descriptor;
  return to_error_code(core_->table().set_datagram_options(core_->handle(), options));
}

std::optional<ErrorReport> datagram_socket::take_error_report() {
  if (!is_open()) return std::nullopt;
  auto report = core_->table().take_error_report(core_->handle());
  if (!report) return std::nullopt;
  return std::move(*report);
}

Result<std::uint16_t> datagram_socket::path_mtu() const {
  if (!is_open()) return fail(Error::BadHandle);
  return core_->table().path_mtu(core_->handle());
}

}  // namespace wireside::net

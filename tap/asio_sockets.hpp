// The Asio face of the socket table: sockets that Boost.Asio's and Boost.Beast's composed operations run on unchanged.
//
// Every asynchronous function takes any completion token. A handler is posted, never called inside the initiating
// function; its associated executor, allocator and cancellation slot are respected (all three kinds of cancellation).
// A socket carries at most one reading and one writing operation at a time; a second one of the same direction ends
// with asio::error::already_started. Objects belong to the runtime's thread; a moved-from socket may only be
// destroyed or assigned to. Once its Runtime is gone a socket is closed: everything fails with bad_descriptor, except
// open() (network_down) and close().
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <vector>

#include "asio_actions.hpp"

namespace wireside::net {

/// What the socket classes share.
class basic_socket {
 public:
  using executor_type = boost::asio::any_io_executor;
  using endpoint_type = Endpoint;
  using shutdown_type = boost::asio::socket_base::shutdown_type;
  using wait_type = boost::asio::socket_base::wait_type;

  [[nodiscard]] executor_type get_executor() const noexcept { return core_->executor(); }
  [[nodiscard]] bool is_open() const noexcept { return core_ && core_->is_open(); }
  [[nodiscard]] SocketHandle native_handle() const noexcept { return core_->handle(); }
  /// Not to be called once the Runtime is gone.
  [[nodiscard]] Runtime& runtime() const { return core_->runtime(); }

  /// Errors: no_buffer_space (table full), invalid_argument (open already).
  error_code open() { return to_error_code(core_->open()); }
  /// Port 0 takes any. Opens the socket where needed. Errors: address_not_available, address_in_use, invalid_argument.
  error_code bind(const Endpoint& local);
  /// Orderly close in the background; waiting operations end with operation_aborted. No error when not open.
  error_code close();
  /// Ends waiting operations with operation_aborted; the connection stays.
  void cancel();
  /// The unspecified endpoint when not open or not bound.
  [[nodiscard]] Endpoint local_endpoint() const;
  [[nodiscard]] Endpoint remote_endpoint() const;
  [[nodiscard]] Endpoint local_endpoint(error_code& ec) const;
  [[nodiscard]] Endpoint remote_endpoint(error_code& ec) const;

  /// Completes when reading or writing would not wait, or the socket failed. Signature: void(error_code).
  template <class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_wait(wait_type type, Token&& token = Token()) {
    const auto direction = type == boost::asio::socket_base::wait_write ? detail::SocketCore::Direction::Write
                                                                        : detail::SocketCore::Direction::Read;
    return start<void(error_code)>(direction, detail::WaitAction{type}, token);
  }

 protected:
  basic_socket(Runtime& runtime, executor_type executor, SocketKind kind)
      : core_{std::make_unique<detail::SocketCore>(runtime, std::move(executor), kind)} {}
  explicit basic_socket(const detail::SocketCore& like) : core_{std::make_unique<detail::SocketCore>(like)} {}
  ~basic_socket() = default;
  basic_socket(basic_socket&&) noexcept = default;
  basic_socket& operator=(basic_socket&&) noexcept = default;

  template <class Signature, class Action, class Token>
  auto start(detail::SocketCore::Direction direction, Action action, Token& token) {
    return boost::asio::async_initiate<Token, Signature>(
        [core = core_.get(), direction](auto&& handler, Action a) {
          detail::initiate(core, direction, std::forward<decltype(handler)>(handler), std::move(a));
        },
        token, std::move(action));
  }

  std::unique_ptr<detail::SocketCore> core_;
};

namespace detail {
struct AcceptAction;
}

/// TCP connection: an AsyncReadStream and AsyncWriteStream. The destructor closes in the orderly way.
class tcp_socket : public basic_socket {
 public:
  using lowest_layer_type = tcp_socket;
  using protocol_type = boost::asio::ip::tcp;

  explicit tcp_socket(Runtime& runtime) : tcp_socket(runtime, runtime.context().get_executor()) {}
  tcp_socket(Runtime& runtime, executor_type executor)
      : basic_socket{runtime, std::move(executor), SocketKind::Stream} {}
  /// Takes over an accepted connection.
  tcp_socket(Runtime& runtime, executor_type executor, SocketHandle accepted)
      : tcp_socket(runtime, std::move(executor)) {
    core_->assign(accepted);
  }

  lowest_layer_type& lowest_layer() { return *this; }
  const lowest_layer_type& lowest_layer() const { return *this; }

  /// Opens the socket where needed. Errors: connection_refused, timed_out, host_unreachable, network_unreachable,
  /// invalid_argument (an address that cannot be connected to). Signature: void(error_code).
  template <class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_connect(const Endpoint& peer, Token&& token = Token()) {
    if (!is_open()) (void)open();  // a failure shows as bad_descriptor in the operation
    return start<void(error_code)>(detail::SocketCore::Direction::Write, detail::ConnectAction{peer}, token);
  }
  /// asio::error::eof at the peer's FIN. Signature: void(error_code, size_t).
  template <class Buffers, class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_read_some(const Buffers& buffers, Token&& token = Token()) {
    return start<void(error_code, std::size_t)>(detail::SocketCore::Direction::Read,
                                                detail::ReadAction<Buffers>{buffers}, token);
  }
  /// Completes when some octets are in the send buffer. Signature: void(error_code, size_t).
  template <class Buffers, class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_write_some(const Buffers& buffers, Token&& token = Token()) {
    return start<void(error_code, std::size_t)>(detail::SocketCore::Direction::Write,
                                                detail::WriteAction<Buffers>{buffers}, token);
  }
  /// Queues the whole slice by reference; its octets must not change any more. Signature: void(error_code, size_t).
  template <class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_send_slice(Slice slice, Token&& token = Token()) {
    return start<void(error_code, std::size_t)>(detail::SocketCore::Direction::Write,
                                                detail::SendSliceAction{std::move(slice)}, token);
  }
  /// Up to `max` octets without a copy; eof as for reading. Signature: void(error_code, Slice).
  template <class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_receive_slice(std::size_t max, Token&& token = Token()) {
    return start<void(error_code, Slice)>(detail::SocketCore::Direction::Read, detail::ReceiveSliceAction{max, {}},
                                          token);
  }

  /// As async_receive_slice, but as many pieces as there are and `out` holds. `out` stays valid until completion.
  /// Signature: void(error_code, size_t).
  template <class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_receive_slices(SliceList& out, std::size_t max, Token&& token = Token()) {
    return start<void(error_code, std::size_t)>(detail::SocketCore::Direction::Read,
                                                detail::ReceiveSlicesAction{&out, max}, token);
  }

  /// Non-blocking forms: would_block instead of waiting.
  template <class Buffers>
  std::size_t read_some(const Buffers& buffers, error_code& ec) {
    return now_or_error(is_open() ? detail::receive_some(*core_, buffers) : fail(Error::BadHandle), buffers, true, ec);
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers, error_code& ec) {
    return now_or_error(is_open() ? detail::send_some(*core_, buffers) : fail(Error::BadHandle), buffers, false, ec);
  }

  /// shutdown_send is the half-close: a FIN after everything queued.
  error_code shutdown(shutdown_type how);
  /// RST to the peer; unsent octets are dropped.
  error_code abort();
  [[nodiscard]] Result<tcp::ConnectionOptions> options() const;
  error_code set_options(const tcp::ConnectionOptions& options);
  [[nodiscard]] Result<tcp::ConnectionStatus> status() const;

 private:
  friend struct detail::AcceptAction;
  explicit tcp_socket(const detail::SocketCore& like) : basic_socket{like} {}
  template <class Buffers>
  static std::size_t now_or_error(Result<std::size_t> n, const Buffers& buffers, bool reading, error_code& ec) {
    ec = to_error_code(n);
    if (reading && n && *n == 0 && boost::asio::buffer_size(buffers) != 0) ec = boost::asio::error::eof;
    return n.value_or(0);
  }
};

namespace detail {
struct AcceptAction {
  explicit AcceptAction(const SocketCore& acceptor) : peer{acceptor} {}
  tcp_socket peer;
  bool operator()(SocketCore& core, error_code& ec);
  auto take() { return std::tuple<tcp_socket>{std::move(peer)}; }
};
}  // namespace detail

/// Listening TCP socket.
class tcp_acceptor : public basic_socket {
 public:
  explicit tcp_acceptor(Runtime& runtime) : tcp_acceptor(runtime, runtime.context().get_executor()) {}
  tcp_acceptor(Runtime& runtime, executor_type executor)
      : basic_socket{runtime, std::move(executor), SocketKind::Stream} {}

  /// Opens and binds where needed, then listens. What is accepted inherits `options`.
  /// Errors: address_in_use, address_not_available.
  error_code listen(const Endpoint& local, std::size_t backlog = 128, const tcp::ConnectionOptions& options = {});
  /// Signature: void(error_code, tcp_socket).
  template <class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_accept(Token&& token = Token()) {
    return start<void(error_code, tcp_socket)>(detail::SocketCore::Direction::Read, detail::AcceptAction{*core_},
                                               token);
  }
};

/// UDP socket and ICMP echo socket have the same operations.
class datagram_socket : public basic_socket {
 public:
  /// Sets the peer: send and receive then concern it alone. Opens the socket where needed.
  error_code connect(const Endpoint& peer);
  [[nodiscard]] Result<DatagramOptions> options() const;
  error_code set_options(const DatagramOptions& options);
  /// With options().report_errors: the oldest of what the network said of what was sent; nullopt when there is none.
  /// A waiting operation ends with the error first.
  [[nodiscard]] std::optional<ErrorReport> take_error_report();
  /// Largest IP packet towards the peer of a connected socket, as far as the path is known.
  [[nodiscard]] Result<std::uint16_t> path_mtu() const;

  /// All buffers make one datagram. Signature: void(error_code, size_t).
  template <class Buffers, class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_send_to(const Buffers& buffers, const Endpoint& peer, Token&& token = Token()) {
    return start<void(error_code, std::size_t)>(detail::SocketCore::Direction::Write,
                                                detail::SendDatagramAction<Buffers>{buffers, peer}, token);
  }
  template <class Buffers, class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_send(const Buffers& buffers, Token&& token = Token()) {
    return start<void(error_code, std::size_t)>(detail::SocketCore::Direction::Write,
                                                detail::SendDatagramAction<Buffers>{buffers, std::nullopt}, token);
  }
  /// `from` stays valid until completion. Signature: void(error_code, size_t).
  template <class Buffers, class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_receive_from(const Buffers& buffers, Endpoint& from, Token&& token = Token()) {
    return receive<Buffers>({buffers, nullptr, &from}, token);
  }
  /// With everything known of the datagram: full length, destination address, TTL, echo sequence number.
  template <class Buffers, class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_receive_from(const Buffers& buffers, ReceivedDatagram& facts, Token&& token = Token()) {
    return receive<Buffers>({buffers, &facts, nullptr}, token);
  }
  template <class Buffers, class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_receive(const Buffers& buffers, Token&& token = Token()) {
    return receive<Buffers>({buffers, nullptr, nullptr}, token);
  }

 protected:
  using basic_socket::basic_socket;
  ~datagram_socket() = default;
  datagram_socket(datagram_socket&&) noexcept = default;
  datagram_socket& operator=(datagram_socket&&) noexcept = default;

 private:
  template <class Buffers, class Token>
  auto receive(detail::ReceiveDatagramAction<Buffers> action, Token& token) {
    return start<void(error_code, std::size_t)>(detail::SocketCore::Direction::Read, std::move(action), token);
  }
};

class udp_socket : public datagram_socket {
 public:
  explicit udp_socket(Runtime& runtime) : udp_socket(runtime, runtime.context().get_executor()) {}
  udp_socket(Runtime& runtime, executor_type executor)
      : datagram_socket{runtime, std::move(executor), SocketKind::Datagram} {}
};

/// Sends ICMP echo requests and receives the replies to them; the sequence number is an option.
class echo_socket : public datagram_socket {
 public:
  explicit echo_socket(Runtime& runtime) : echo_socket(runtime, runtime.context().get_executor()) {}
  echo_socket(Runtime& runtime, executor_type executor)
      : datagram_socket{runtime, std::move(executor), SocketKind::Echo} {}
};

namespace detail {

/// Tries the endpoints in turn, each on a fresh socket.
struct ConnectAny {
  tcp_socket& socket;
  std::vector<Endpoint> endpoints;
  std::size_t next = 0;
  bool posted = false;

  template <class Self>
  void operator()(Self& self) {
    if (!endpoints.empty()) return attempt(self);
    if (posted) return self.complete(boost::asio::error::host_not_found, Endpoint{});
    posted = true;  // an empty list must not complete inside the initiating function either
    const auto executor = socket.get_executor();
    boost::asio::post(executor, std::move(self));
  }
  template <class Self>
  void operator()(Self& self, error_code ec) {
    if (!ec) return self.complete(ec, endpoints[next - 1]);
    if (ec == boost::asio::error::operation_aborted || next == endpoints.size()) return self.complete(ec, Endpoint{});
    socket.close();
    attempt(self);
  }
  template <class Self>
  void attempt(Self& self) {
    tcp_socket& target = socket;  // *this moves away with self
    const Endpoint peer = endpoints[next++];
    target.async_connect(peer, std::move(self));
  }
};

}  // namespace detail

/// Connects to the first of the endpoints that answers. Signature: void(error_code, Endpoint).
template <class Endpoints, class Token = boost::asio::default_completion_token_t<tcp_socket::executor_type>>
auto async_connect(tcp_socket& socket, const Endpoints& endpoints, Token&& token = Token()) {
  return boost::asio::async_compose<Token, void(error_code, Endpoint)>(
      detail::ConnectAny{socket, {std::begin(endpoints), std::end(endpoints)}}, token, socket);
}

}  // namespace wireside::net

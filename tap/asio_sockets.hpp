// The Asio face of the socket table: sockets that Boost.Asio's and Boost.Beast's composed operations run on unchanged.
//
// Every asynchronous function takes any completion token. A handler is never called inside the initiating function: it
// is posted, or dispatched where an event of the network ends the wait. Its associated executor, allocator and
// cancellation slot are respected (all three kinds of cancellation). A socket carries at most one reading and one
// writing operation at a time; a second one of the same direction ends with asio::error::already_started. Objects
// belong to the runtime's thread; a moved-from socket may only be destroyed or assigned to. Once its Runtime is gone a
// socket is closed: everything fails with bad_descriptor, except open() (network_down) and close().
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <type_traits>
#include <vector>

#include "asio_actions.hpp"
#include "asio_loan.hpp"

namespace wireside::net {

namespace detail {

/// What all socket classes share, whatever their executor.
class AnySocket {
 public:
  using endpoint_type = Endpoint;
  using shutdown_type = boost::asio::socket_base::shutdown_type;
  using wait_type = boost::asio::socket_base::wait_type;

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
  error_code close(error_code& ec) { return ec = close(); }
  /// Ends waiting operations with operation_aborted; the connection stays.
  void cancel();
  error_code cancel(error_code& ec);
  /// The unspecified endpoint when not open or not bound.
  [[nodiscard]] Endpoint local_endpoint() const;
  [[nodiscard]] Endpoint remote_endpoint() const;
  [[nodiscard]] Endpoint local_endpoint(error_code& ec) const;
  [[nodiscard]] Endpoint remote_endpoint(error_code& ec) const;
  /// With options().report_errors: the oldest of what the network said of what was sent; nullopt when there is none.
  /// A waiting operation of a datagram socket ends with the error first.
  [[nodiscard]] std::optional<ErrorReport> take_error_report();

 protected:
  AnySocket(Runtime& runtime, boost::asio::any_io_executor executor, SocketKind kind)
      : core_{std::make_unique<SocketCore>(runtime, std::move(executor), kind)} {}
  explicit AnySocket(const SocketCore& like) : core_{std::make_unique<SocketCore>(like)} {}
  ~AnySocket() = default;
  AnySocket(AnySocket&&) noexcept = default;
  AnySocket& operator=(AnySocket&&) noexcept = default;

  std::unique_ptr<SocketCore> core_;
};

/// The calls of a TCP connection that do not wait.
class StreamCalls : public AnySocket {
 public:
  /// shutdown_send is the half-close: a FIN after everything queued.
  error_code shutdown(shutdown_type how);
  error_code shutdown(shutdown_type how, error_code& ec) { return ec = shutdown(how); }
  /// RST to the peer; unsent octets are dropped.
  error_code abort();
  [[nodiscard]] Result<tcp::ConnectionOptions> options() const;
  error_code set_options(const tcp::ConnectionOptions& options);
  [[nodiscard]] Result<tcp::ConnectionStatus> status() const;

 protected:
  using AnySocket::AnySocket;
};

class ListenerCalls : public AnySocket {
 public:
  /// Opens and binds where needed, then listens. What is accepted inherits `options`.
  /// Errors: address_in_use, address_not_available.
  error_code listen(const Endpoint& local, std::size_t backlog = 128, const tcp::ConnectionOptions& options = {});

 protected:
  using AnySocket::AnySocket;
};

class DatagramCalls : public AnySocket {
 public:
  /// Sets the peer: send and receive then concern it alone. Opens the socket where needed.
  error_code connect(const Endpoint& peer);
  [[nodiscard]] Result<DatagramOptions> options() const;
  /// For what is sent from now on. Errors: invalid_argument, operation_not_supported (an IP source route).
  error_code set_options(const DatagramOptions& options);
  /// Largest IP packet towards the peer of a connected socket, as far as the path is known.
  [[nodiscard]] Result<std::uint16_t> path_mtu() const;
  /// MMS_S towards the peer, and MMS_R (RFC 1122 section 3.3.3): of UDP's payload eight octets less each.
  [[nodiscard]] Result<MessageLimits> message_limits() const;

 protected:
  using AnySocket::AnySocket;
};

/// A socket whose operations have the completion tokens and handlers of an executor type.
template <class Calls, class Executor>
class SocketOn : public Calls {
 public:
  using executor_type = Executor;
  using typename Calls::wait_type;

  [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

  /// Completes when reading or writing would not wait, or the socket failed. Signature: void(error_code).
  template <class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_wait(wait_type type, Token&& token = Token()) {
    const auto direction =
        type == boost::asio::socket_base::wait_write ? SocketCore::Direction::Write : SocketCore::Direction::Read;
    return start<void(error_code)>(direction, WaitAction{type}, token);
  }

 protected:
  SocketOn(Runtime& runtime, const Executor& executor, SocketKind kind)
      : Calls{runtime, executor, kind}, executor_{executor} {}
  SocketOn(const SocketCore& like, const Executor& executor) : Calls{like}, executor_{executor} {}
  template <class Other>
  explicit SocketOn(SocketOn<Calls, Other>&& other)
      : Calls{std::move(static_cast<Calls&>(other))}, executor_{other.get_executor()} {}
  ~SocketOn() = default;
  SocketOn(SocketOn&&) noexcept = default;
  SocketOn& operator=(SocketOn&&) noexcept = default;

  template <class Signature, class Action, class Token>
  auto start(SocketCore::Direction direction, Action action, Token& token) {
    return boost::asio::async_initiate<Token, Signature>(
        [core = this->core_.get(), direction, executor = executor_](auto&& handler, Action a) {
          initiate(core, direction, std::forward<decltype(handler)>(handler), std::move(a), executor);
        },
        token, std::move(action));
  }

 private:
  Executor executor_;
};

template <class Executor>
struct AcceptAction;

}  // namespace detail

/// TCP connection: an AsyncReadStream and AsyncWriteStream. The destructor closes in the orderly way.
template <class Executor = boost::asio::any_io_executor>
class basic_tcp_socket : public detail::SocketOn<detail::StreamCalls, Executor> {
  using Base = detail::SocketOn<detail::StreamCalls, Executor>;
  using Direction = detail::SocketCore::Direction;

 public:
  using lowest_layer_type = basic_tcp_socket;
  using protocol_type = boost::asio::ip::tcp;
  using executor_type = Executor;
  /// The same kind of socket with another executor type, such as one with a default completion token.
  template <class Other>
  struct rebind_executor {
    using other = basic_tcp_socket<Other>;
  };

  explicit basic_tcp_socket(Runtime& runtime) : basic_tcp_socket(runtime, runtime.context().get_executor()) {}
  basic_tcp_socket(Runtime& runtime, const Executor& executor) : Base{runtime, executor, SocketKind::Stream} {}
  /// Takes over an accepted connection.
  basic_tcp_socket(Runtime& runtime, const Executor& executor, SocketHandle accepted)
      : basic_tcp_socket(runtime, executor) {
    this->core_->assign(accepted);
  }
  /// Takes over a socket with another type of executor, which must have nothing pending.
  template <class Other>
  requires(!std::is_same_v<Other, Executor> && std::is_convertible_v<Other, Executor>)
      basic_tcp_socket(basic_tcp_socket<Other>&& other)
      : Base{static_cast<detail::SocketOn<detail::StreamCalls, Other>&&>(other)} {}

  lowest_layer_type& lowest_layer() { return *this; }
  const lowest_layer_type& lowest_layer() const { return *this; }

  /// Opens the socket where needed. Errors: connection_refused, timed_out, host_unreachable, network_unreachable,
  /// invalid_argument (an address that cannot be connected to). Signature: void(error_code).
  template <class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_connect(const Endpoint& peer, Token&& token = Token()) {
    if (!this->is_open()) (void)this->open();  // a failure shows as bad_descriptor in the operation
    return this->template start<void(error_code)>(Direction::Write, detail::ConnectAction{peer}, token);
  }
  /// asio::error::eof at the peer's FIN. Signature: void(error_code, size_t).
  template <class Buffers, class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_read_some(const Buffers& buffers, Token&& token = Token()) {
    return this->template start<void(error_code, std::size_t)>(Direction::Read, detail::ReadAction<Buffers>{buffers},
                                                               token);
  }
  /// Completes when some octets are in the send buffer. Signature: void(error_code, size_t).
  template <class Buffers, class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_write_some(const Buffers& buffers, Token&& token = Token()) {
    return this->template start<void(error_code, std::size_t)>(Direction::Write, detail::WriteAction<Buffers>{buffers},
                                                               token);
  }
  /// Queues the whole slice by reference; its octets must not change any more. Signature: void(error_code, size_t).
  template <class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_send_slice(Slice slice, Token&& token = Token()) {
    return this->template start<void(error_code, std::size_t)>(Direction::Write,
                                                               detail::SendSliceAction{std::move(slice)}, token);
  }
  /// Sends the buffer's octets from where they lie, all of them, and completes when the peer has acknowledged them:
  /// they must stay as they are until then (few octets are copied, which completes at once). Several may be under way,
  /// one after the other in the stream; waiting for room in the send buffer counts as the writing operation and can be
  /// cancelled, what is under way cannot. With an error the connection ended before all were acknowledged, and 0 is
  /// given; closing the socket does not end the wait, aborting does. Signature: void(error_code, size_t).
  template <class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_send_lent(boost::asio::const_buffer octets, Token&& token = Token()) {
    return boost::asio::async_initiate<Token, void(error_code, std::size_t)>(
        [core = this->core_.get(), executor = this->get_executor()](auto&& handler, ByteView lent) {
          detail::initiate_loan(core, std::forward<decltype(handler)>(handler), lent, executor);
        },
        token, detail::octets_of(octets));
  }
  /// Up to `max` octets without a copy; eof as for reading. Signature: void(error_code, Slice).
  template <class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_receive_slice(std::size_t max, Token&& token = Token()) {
    return this->template start<void(error_code, Slice)>(Direction::Read, detail::ReceiveSliceAction{max, {}}, token);
  }

  /// As async_receive_slice, but as many pieces as there are and `out` holds. `out` stays valid until completion.
  /// Signature: void(error_code, size_t).
  template <class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_receive_slices(SliceList& out, std::size_t max, Token&& token = Token()) {
    return this->template start<void(error_code, std::size_t)>(Direction::Read, detail::ReceiveSlicesAction{&out, max},
                                                               token);
  }

  /// Non-blocking forms: would_block instead of waiting.
  template <class Buffers>
  std::size_t read_some(const Buffers& buffers, error_code& ec) {
    return now_or_error(this->is_open() ? detail::receive_some(*this->core_, buffers) : fail(Error::BadHandle), buffers,
                        true, ec);
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers, error_code& ec) {
    return now_or_error(this->is_open() ? detail::send_some(*this->core_, buffers) : fail(Error::BadHandle), buffers,
                        false, ec);
  }

 private:
  friend struct detail::AcceptAction<Executor>;
  basic_tcp_socket(const detail::SocketCore& like, const Executor& executor) : Base{like, executor} {}
  template <class Buffers>
  static std::size_t now_or_error(Result<std::size_t> n, const Buffers& buffers, bool reading, error_code& ec) {
    ec = to_error_code(n);
    if (reading && n && *n == 0 && boost::asio::buffer_size(buffers) != 0) ec = boost::asio::error::eof;
    return n.value_or(0);
  }
};

using tcp_socket = basic_tcp_socket<>;

namespace detail {
template <class Executor>
struct AcceptAction {
  AcceptAction(const SocketCore& acceptor, const Executor& executor) : peer{acceptor, executor} {}
  basic_tcp_socket<Executor> peer;
  bool operator()(SocketCore& core, error_code& ec) {
    const auto accepted = core.table().accept(core.handle());
    if (!accepted) return !core.must_wait(accepted.error(), ec);
    peer = basic_tcp_socket<Executor>{core.runtime(), peer.get_executor(), accepted->socket};
    return true;
  }
  auto take() { return std::tuple<basic_tcp_socket<Executor>>{std::move(peer)}; }
};
}  // namespace detail

/// Listening TCP socket.
template <class Executor = boost::asio::any_io_executor>
class basic_tcp_acceptor : public detail::SocketOn<detail::ListenerCalls, Executor> {
  using Base = detail::SocketOn<detail::ListenerCalls, Executor>;

 public:
  using executor_type = Executor;
  template <class Other>
  struct rebind_executor {
    using other = basic_tcp_acceptor<Other>;
  };

  explicit basic_tcp_acceptor(Runtime& runtime) : basic_tcp_acceptor(runtime, runtime.context().get_executor()) {}
  basic_tcp_acceptor(Runtime& runtime, const Executor& executor) : Base{runtime, executor, SocketKind::Stream} {}

  /// Signature: void(error_code, basic_tcp_socket<Executor>).
  template <class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_accept(Token&& token = Token()) {
    return this->template start<void(error_code, basic_tcp_socket<Executor>)>(
        detail::SocketCore::Direction::Read, detail::AcceptAction<Executor>{*this->core_, this->get_executor()}, token);
  }
};

using tcp_acceptor = basic_tcp_acceptor<>;

/// UDP socket and ICMP echo socket have the same operations.
template <SocketKind Kind, class Executor = boost::asio::any_io_executor>
class basic_datagram_socket : public detail::SocketOn<detail::DatagramCalls, Executor> {
  using Base = detail::SocketOn<detail::DatagramCalls, Executor>;
  using Direction = detail::SocketCore::Direction;

 public:
  using executor_type = Executor;
  template <class Other>
  struct rebind_executor {
    using other = basic_datagram_socket<Kind, Other>;
  };

  explicit basic_datagram_socket(Runtime& runtime) : basic_datagram_socket(runtime, runtime.context().get_executor()) {}
  basic_datagram_socket(Runtime& runtime, const Executor& executor) : Base{runtime, executor, Kind} {}

  /// All buffers make one datagram. Signature: void(error_code, size_t).
  template <class Buffers, class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_send_to(const Buffers& buffers, const Endpoint& peer, Token&& token = Token()) {
    return send<Buffers>({buffers, peer}, token);
  }
  template <class Buffers, class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_send(const Buffers& buffers, Token&& token = Token()) {
    return send<Buffers>({buffers, std::nullopt}, token);
  }
  /// `from` stays valid until completion. Signature: void(error_code, size_t).
  template <class Buffers, class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_receive_from(const Buffers& buffers, Endpoint& from, Token&& token = Token()) {
    return receive<Buffers>({buffers, nullptr, &from}, token);
  }
  /// With everything known of the datagram: full length, destination address, TTL, TOS, IP options, echo sequence
  /// number.
  template <class Buffers, class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_receive_from(const Buffers& buffers, ReceivedDatagram& facts, Token&& token = Token()) {
    return receive<Buffers>({buffers, &facts, nullptr}, token);
  }
  template <class Buffers, class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_receive(const Buffers& buffers, Token&& token = Token()) {
    return receive<Buffers>({buffers, nullptr, nullptr}, token);
  }

 private:
  template <class Buffers, class Token>
  auto send(detail::SendDatagramAction<Buffers> action, Token& token) {
    return this->template start<void(error_code, std::size_t)>(Direction::Write, std::move(action), token);
  }
  template <class Buffers, class Token>
  auto receive(detail::ReceiveDatagramAction<Buffers> action, Token& token) {
    return this->template start<void(error_code, std::size_t)>(Direction::Read, std::move(action), token);
  }
};

using udp_socket = basic_datagram_socket<SocketKind::Datagram>;
/// Sends ICMP echo requests and receives the replies to them; the sequence number is an option.
using echo_socket = basic_datagram_socket<SocketKind::Echo>;

namespace detail {

/// Tries the endpoints in turn, each on a fresh socket.
template <class Executor>
struct ConnectAny {
  basic_tcp_socket<Executor>& socket;
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
    basic_tcp_socket<Executor>& target = socket;  // *this moves away with self
    const Endpoint peer = endpoints[next++];
    target.async_connect(peer, std::move(self));
  }
};

}  // namespace detail

/// Connects to the first of the endpoints that answers. Signature: void(error_code, Endpoint).
template <class Executor, class Endpoints, class Token = boost::asio::default_completion_token_t<Executor>>
auto async_connect(basic_tcp_socket<Executor>& socket, const Endpoints& endpoints, Token&& token = Token()) {
  return boost::asio::async_compose<Token, void(error_code, Endpoint)>(
      detail::ConnectAny<Executor>{socket, {std::begin(endpoints), std::end(endpoints)}}, token, socket);
}

}  // namespace wireside::net

// What an Asio program may count on: stream concepts, cancellation, executors, allocators, and sockets that move or die
// with operations pending. Both ends are sockets of one stack, which talks to its own address.
#include "asio_sockets.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "asio_lab.hpp"

namespace wireside::test {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

static_assert(boost::beast::is_async_stream<net::tcp_socket>::value);
static_assert(boost::beast::is_async_read_stream<net::tcp_socket>::value);
static_assert(boost::beast::is_async_write_stream<net::tcp_socket>::value);
static_assert(std::is_same_v<boost::beast::executor_type<net::tcp_socket>, asio::any_io_executor>);
static_assert(std::is_nothrow_move_constructible_v<net::tcp_socket>);
static_assert(!std::is_copy_constructible_v<net::tcp_socket>);

/// Each kind of socket with use_awaitable as its default token, as for Asio's own.
using Awaiting = asio::use_awaitable_t<>;
using AwaitingSocket = Awaiting::as_default_on_t<net::tcp_socket>;
using AwaitingAcceptor = Awaiting::as_default_on_t<net::tcp_acceptor>;
using AwaitingUdp = Awaiting::as_default_on_t<net::udp_socket>;
static_assert(std::is_same_v<net::tcp_socket::rebind_executor<asio::any_io_executor>::other, net::tcp_socket>);
static_assert(std::is_same_v<asio::default_completion_token_t<AwaitingSocket::executor_type>, Awaiting>);
static_assert(boost::beast::is_async_stream<AwaitingSocket>::value);
static_assert(std::is_nothrow_move_constructible_v<AwaitingSocket>);
static_assert(std::is_constructible_v<AwaitingSocket, net::tcp_socket&&>);
static_assert(!std::is_constructible_v<AwaitingSocket, AwaitingUdp&&>);

TAP_TEST(AsioSockets, EachKindOfCancellationEndsOneOperationAndLeavesTheConnection) {
  Connected c;
  for (const auto kind :
       {asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total}) {
    asio::cancellation_signal signal;
    std::optional<net::error_code> outcome;
    c.near->async_read_some(
        asio::buffer(c.octets),
        asio::bind_cancellation_slot(signal.slot(), [&](net::error_code ec, std::size_t) { outcome = ec; }));
    c.turn(20ms);
    ASSERT_FALSE(outcome);
    signal.emit(kind);
    EXPECT_FALSE(outcome) << "a handler never runs inside the call that ends the operation";
    c.turn(20ms);
    ASSERT_TRUE(outcome);
    EXPECT_EQ(*outcome, asio::error::operation_aborted);
    signal.emit(kind);  // nothing is attached any more
  }
  std::optional<std::size_t> got;
  c.near->async_read_some(asio::buffer(c.octets), [&](net::error_code ec, std::size_t n) {
    EXPECT_FALSE(ec);
    got = n;
  });
  c.say(*c.far);
  EXPECT_EQ(got, 1U);
}

/// Counts what is allocated through it.
template <class T>
struct CountingAllocator {
  using value_type = T;
  int* living;
  int* ever;
  CountingAllocator(int* l, int* e) : living{l}, ever{e} {}
  template <class U>
  CountingAllocator(const CountingAllocator<U>& o) : living{o.living}, ever{o.ever} {}
  T* allocate(std::size_t n) {
    ++*living;
    ++*ever;
    return std::allocator<T>{}.allocate(n);
  }
  void deallocate(T* p, std::size_t n) {
    --*living;
    std::allocator<T>{}.deallocate(p, n);
  }
  template <class U>
  bool operator==(const CountingAllocator<U>& o) const {
    return living == o.living;
  }
};

TAP_TEST(AsioSockets, TheHandlersExecutorAndAllocatorAreUsed) {
  Connected c;
  const auto strand = asio::make_strand(c.context);
  int living = 0, ever = 0;
  bool on_strand = false;
  c.near->async_read_some(asio::buffer(c.octets),
                          asio::bind_allocator(CountingAllocator<void*>{&living, &ever},
                                               asio::bind_executor(strand, [&](net::error_code, std::size_t) {
                                                 on_strand = strand.running_in_this_thread();
                                                 EXPECT_EQ(living, 0)
                                                     << "memory goes back before the handler is called";
                                               })));
  EXPECT_GT(ever, 0);
  c.say(*c.far);
  EXPECT_TRUE(on_strand);
  EXPECT_EQ(living, 0);
}

TAP_TEST(AsioSockets, AMovedSocketTakesItsOperationsAlong) {
  Connected c;
  std::optional<net::error_code> outcome;
  c.near->async_read_some(asio::buffer(c.octets), [&](net::error_code ec, std::size_t) { outcome = ec; });
  net::tcp_socket moved{std::move(*c.near)};
  c.near.reset();
  c.turn(20ms);
  ASSERT_FALSE(outcome);
  c.say(*c.far);
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(*outcome);
}

TAP_TEST(AsioSockets, ADestroyedSocketEndsItsOperationsWithOperationAborted) {
  Connected c;
  std::optional<net::error_code> outcome;
  c.near->async_read_some(asio::buffer(c.octets), [&](net::error_code ec, std::size_t) { outcome = ec; });
  c.near.reset();
  EXPECT_FALSE(outcome);
  c.turn();
  EXPECT_EQ(outcome, net::error_code{asio::error::operation_aborted});
  net::error_code ec;
  EXPECT_EQ(c.far->read_some(asio::buffer(c.octets), ec), 0U);
  EXPECT_EQ(ec, asio::error::eof);  // closed in order
}

TAP_TEST(AsioSockets, AContextThatGoesDropsHandlersUncalledEvenThoseThatOwnTheirSocket) {
  bool called = false;
  const auto alive = std::make_shared<int>();
  {
    Connected c;
    auto owned = std::make_shared<net::tcp_socket>(std::move(*c.near));
    owned->async_read_some(asio::buffer(c.octets),
                           [owned, alive, &called](net::error_code, std::size_t) { called = true; });
    owned.reset();
    EXPECT_EQ(alive.use_count(), 2);
    c.near.reset();
    c.far.reset();
  }
  EXPECT_FALSE(called);
  EXPECT_EQ(alive.use_count(), 1);
}

TAP_TEST(AsioSockets, ASecondReaderIsRefusedAndTheFirstGoesOn) {
  Connected c;
  std::optional<net::error_code> first, second;
  std::array<char, 4> other{};
  c.near->async_read_some(asio::buffer(c.octets), [&](net::error_code ec, std::size_t) { first = ec; });
  c.near->async_read_some(asio::buffer(other), [&](net::error_code ec, std::size_t) { second = ec; });
  c.turn(20ms);
  EXPECT_EQ(second, net::error_code{asio::error::already_started});
  EXPECT_FALSE(first);
  c.say(*c.far);
  EXPECT_EQ(first, net::error_code{});
}

TAP_TEST(AsioSockets, ReboundSocketsHaveADefaultToken) {
  Connected c;
  bool done = false;
  const auto talk = [&]() -> asio::awaitable<void> {
    AwaitingAcceptor acceptor{*c.runtime};
    EXPECT_FALSE(acceptor.listen(*Endpoint::parse("10.9.0.2:82")));
    AwaitingSocket client{*c.runtime};
    co_await client.async_connect(*Endpoint::parse("10.9.0.2:82"));
    AwaitingSocket server = co_await acceptor.async_accept();
    EXPECT_EQ(co_await client.async_write_some(asio::buffer("hello", 5)), 5U);
    EXPECT_EQ(co_await server.async_read_some(asio::buffer(c.octets)), 5U);
    AwaitingUdp datagrams{*c.runtime};
    EXPECT_FALSE(datagrams.bind(*Endpoint::parse("10.9.0.2:53")));
    EXPECT_EQ(co_await datagrams.async_send_to(asio::buffer("x", 1), *Endpoint::parse("10.9.0.2:53")), 1U);
    Endpoint from;
    EXPECT_EQ(co_await datagrams.async_receive_from(asio::buffer(c.octets), from), 1U);
    EXPECT_EQ(from, *Endpoint::parse("10.9.0.2:53"));
    done = true;
  };
  asio::co_spawn(c.context, talk(), asio::detached);
  c.turn();
  EXPECT_TRUE(done);
}

TAP_TEST(AsioSockets, ASocketMayGetAnotherExecutorType) {
  Connected c;
  const SocketHandle handle = c.near->native_handle();
  AwaitingSocket near{std::move(*c.near)};
  EXPECT_EQ(near.native_handle(), handle);
  std::size_t got = 0;
  asio::co_spawn(
      c.context, [&]() -> asio::awaitable<void> { got = co_await near.async_read_some(asio::buffer(c.octets)); },
      asio::detached);
  c.say(*c.far);
  EXPECT_EQ(got, 1U);
}

TAP_TEST(AsioSockets, ErrorCodesByReferenceAsAsioHasThem) {
  Connected c;
  net::error_code ec = asio::error::fault;
  c.near->shutdown(net::tcp_socket::shutdown_type::shutdown_send, ec);
  EXPECT_FALSE(ec);
  ec = asio::error::fault;
  c.near->cancel(ec);
  EXPECT_FALSE(ec);
  ec = asio::error::fault;
  EXPECT_FALSE(c.near->close(ec));
  EXPECT_FALSE(ec);
  EXPECT_FALSE(c.near->is_open());
  c.near->close(ec);
  EXPECT_FALSE(ec) << "no error when not open";
  c.near->cancel(ec);
  EXPECT_EQ(ec, asio::error::bad_descriptor);
  c.near->shutdown(net::tcp_socket::shutdown_type::shutdown_send, ec);
  EXPECT_EQ(ec, asio::error::bad_descriptor);
}

TAP_TEST(AsioSockets, IpOptionsAndMessageSizesOfDatagrams) {  // RFC 1122 UDP-09, FRAG-12
  Connected c;
  net::udp_socket socket{*c.runtime};
  const Endpoint own = *Endpoint::parse("10.9.0.2:53");
  EXPECT_FALSE(socket.bind(own));
  EXPECT_FALSE(socket.connect(own));
  DatagramOptions options = *socket.options();
  options.ip_options = wire::Ipv4Options::copy_of(std::vector<std::uint8_t>{0x94, 4, 0, 0});
  EXPECT_FALSE(socket.set_options(options));
  EXPECT_EQ(socket.message_limits()->mms_r, 65515);
  ReceivedDatagram facts;
  std::size_t got = 0;
  socket.async_send(asio::buffer("x", 1), asio::detached);
  socket.async_receive_from(asio::buffer(c.octets), facts, [&](net::error_code, std::size_t n) { got = n; });
  c.turn();
  EXPECT_EQ(got, 1U);
  EXPECT_EQ(facts.ip_options, options.ip_options);
  options.ip_options = wire::Ipv4Options::copy_of(std::vector<std::uint8_t>{131, 7, 4, 10, 0, 0, 9, 0});
  EXPECT_EQ(socket.set_options(options), asio::error::operation_not_supported) << "a source route";
}

TAP_TEST(AsioSockets, ARuntimeThatGoesEndsWhatWaitsAndClosesItsSockets) {
  Connected c;
  net::tcp_acceptor acceptor{*c.runtime};
  EXPECT_FALSE(acceptor.listen(*Endpoint::parse("10.9.0.2:81")));
  net::udp_socket datagrams{*c.runtime};
  EXPECT_FALSE(datagrams.bind(*Endpoint::parse("10.9.0.2:53")));
  std::vector<net::error_code> ends;
  const auto end = [&](net::error_code ec, auto&&...) { ends.push_back(ec); };
  Endpoint from;
  std::array<char, 8> other{};
  c.near->async_read_some(asio::buffer(c.octets), end);
  acceptor.async_accept(end);
  datagrams.async_receive_from(asio::buffer(other), from, end);
  c.runtime.reset();
  EXPECT_TRUE(ends.empty());
  c.context.restart();
  c.context.run();  // returns: nothing waits any more
  EXPECT_EQ(ends, std::vector<net::error_code>(3, asio::error::operation_aborted));

  EXPECT_FALSE(c.near->is_open() || c.far->is_open() || acceptor.is_open() || datagrams.is_open());
  ends.clear();
  c.near->async_read_some(asio::buffer(c.octets), end);
  c.near->async_write_some(asio::buffer(c.octets), end);
  c.near->async_connect(*Endpoint::parse("10.9.0.2:80"), end);
  acceptor.async_accept(end);
  datagrams.async_send_to(asio::buffer(other), from, end);
  c.context.restart();
  c.context.run();
  EXPECT_EQ(ends, std::vector<net::error_code>(5, asio::error::bad_descriptor));
  net::error_code ec;
  EXPECT_EQ(c.far->read_some(asio::buffer(c.octets), ec), 0U);
  EXPECT_EQ(ec, asio::error::bad_descriptor);
  EXPECT_EQ(c.far->write_some(asio::buffer(c.octets), ec), 0U);
  EXPECT_EQ(ec, asio::error::bad_descriptor);
  EXPECT_EQ(c.near->open(), asio::error::network_down);
  EXPECT_FALSE(c.near->close());
}

// What waits is completed inside the runtime's own turn, so its handler may do the worst there.
TAP_TEST(AsioSockets, AHandlerMayEndTheRuntime) {
  Connected c;
  bool ended = false;
  c.near->async_read_some(asio::buffer(c.octets), [&](net::error_code ec, std::size_t n) {
    EXPECT_FALSE(ec);
    EXPECT_EQ(n, 1U);
    c.runtime.reset();
    ended = true;
  });
  c.say(*c.far);
  EXPECT_TRUE(ended);
  EXPECT_FALSE(c.near->is_open());
  EXPECT_FALSE(c.far->is_open());
}

TAP_TEST(AsioSockets, AHandlerMayDestroyItsSocketWhileBothDirectionsEnd) {
  Connected c;
  std::vector<std::string> order;
  const std::vector<char> much(std::size_t{64} << 20, 'x');
  net::error_code ec;
  while (c.near->write_some(asio::buffer(much), ec) != 0) {
  }
  ASSERT_EQ(ec, asio::error::would_block);
  c.near->async_read_some(asio::buffer(c.octets), [&](net::error_code e, std::size_t) {
    order.push_back("read " + e.message());
    c.near.reset();
  });
  c.near->async_write_some(asio::buffer(c.octets),
                           [&](net::error_code e, std::size_t) { order.push_back("write " + e.message()); });
  EXPECT_FALSE(c.far->abort());
  c.turn();
  const std::string reset = net::error_code{asio::error::connection_reset}.message();
  EXPECT_EQ(order, (std::vector<std::string>{"read " + reset, "write " + reset}));
}

TAP_TEST(AsioSockets, WhatAHandlerThrowsLeavesTheEventLoopAndTheEndpointGoesOn) {
  Connected c;
  c.near->async_read_some(asio::buffer(c.octets),
                          [](net::error_code, std::size_t) { throw std::runtime_error{"of the application"}; });
  EXPECT_THROW(c.say(*c.far), std::runtime_error);
  std::size_t got = 0;
  c.near->async_read_some(asio::buffer(c.octets), [&](net::error_code, std::size_t n) { got = n; });
  c.turn();
  c.say(*c.far);
  EXPECT_EQ(got, 1U);
}

/// Pieces of these sizes, written at once, as the other end reads them.
void expect_pieces_arrive(const std::vector<std::size_t>& sizes) {
  SCOPED_TRACE(::testing::PrintToString(sizes));
  Connected c;
  std::string text;
  std::vector<std::size_t> starts;
  for (const std::size_t size : sizes) {
    starts.push_back(text.size());
    for (std::size_t i = 0; i < size; ++i) text.push_back(static_cast<char>('a' + (text.size() % 23)));
  }
  std::vector<asio::const_buffer> pieces;
  for (std::size_t i = 0; i < sizes.size(); ++i) pieces.emplace_back(text.data() + starts[i], sizes[i]);
  std::optional<std::size_t> sent;
  c.near->async_write_some(pieces, [&](net::error_code ec, std::size_t n) {
    EXPECT_FALSE(ec);
    sent = n;
  });
  EXPECT_FALSE(sent) << "never inside the initiating function";
  c.turn(30ms);
  EXPECT_EQ(sent, text.size());
  std::string got(text.size() + 1, '?');
  net::error_code ec;
  got.resize(c.far->read_some(asio::buffer(got), ec));
  EXPECT_EQ(got, text);
}

TAP_TEST(AsioSockets, BuffersInPiecesAreSentInOrderWhateverTheirSizes) {
  for (const auto& sizes : std::vector<std::vector<std::size_t>>{{},
                                                                 {0, 0},
                                                                 {1},
                                                                 {1, 2, 3},
                                                                 {0, 5, 0, 7},
                                                                 {1024},
                                                                 {1023, 1},
                                                                 {1023, 2},
                                                                 {1, 1024},
                                                                 {1024, 1},
                                                                 {600, 600, 600},
                                                                 {2000},
                                                                 {3, 2000, 4, 5, 3000, 6},
                                                                 {1025, 1, 1025}}) {
    expect_pieces_arrive(sizes);
  }
}

}  // namespace
}  // namespace wireside::test

// The socket table: every face (Asio, BSD-style, agent) is thin glue on this. Nothing here blocks.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "packet/buffer.hpp"
#include "socket/socket_types.hpp"

namespace wireside {

class SocketTableState;

namespace tcp {
class TcpLayer;
}
namespace udp {
class UdpLayer;
}

/// What the socket layer needs from the network layer below; implemented by Stack.
class AddressPolicy {
 public:
  virtual ~AddressPolicy() = default;
  /// Source address for a destination (RFC 1122 3.3.4.3). Error: NetworkUnreachable.
  [[nodiscard]] virtual Result<IpAddress> source_for(IpAddress destination) const = 0;
  [[nodiscard]] virtual bool is_local(IpAddress address) const = 0;
  [[nodiscard]] virtual bool is_broadcast(IpAddress address) const = 0;
  /// Largest IP packet for a destination, as far as the path is known, and as far as the link alone matters.
  [[nodiscard]] virtual std::uint16_t path_mtu(IpAddress destination) const = 0;
  [[nodiscard]] virtual std::uint16_t link_mtu(IpAddress destination) const = 0;
  /// `ip_options`: octets of them in each packet.
  [[nodiscard]] virtual MessageLimits message_limits(IpAddress destination, std::size_t ip_options) const = 0;
};

class SocketTable {
 public:
  /// All references outlive the table.
  SocketTable(tcp::TcpLayer& tcp, udp::UdpLayer& udp, const AddressPolicy& addresses, Random& random, BufferPool& pool,
              const SocketConfig& config);
  ~SocketTable();
  SocketTable(const SocketTable&) = delete;
  SocketTable& operator=(const SocketTable&) = delete;

  /// Error: NoBuffers when the table is full.
  [[nodiscard]] Result<SocketHandle> open(SocketKind kind);
  /// Port 0 = any. Errors: BadHandle, AddressNotAvailable, AddressInUse, InvalidArgument (already bound).
  [[nodiscard]] Result<void> bind(SocketHandle h, Endpoint local);
  /// Stream only. Errors: NotSupported, InvalidArgument, AddressInUse.
  [[nodiscard]] Result<void> listen(SocketHandle h, std::size_t backlog);
  /// Errors: WouldBlock, InvalidArgument (not listening).
  [[nodiscard]] Result<Accepted> accept(SocketHandle h);
  /// Stream: InProgress until the event `connected` or `failed`; an address that cannot be connected to
  /// (unspecified, broadcast, multicast; MUST-46) fails at once with InvalidArgument. Datagram and echo: sets the peer;
  /// the unspecified address dissolves the association.
  /// Stream: `first` are the first octets of the stream, all of which are taken unless the call fails at once; with the
  /// option fast_open they may already go with the SYN (RFC 7413). Others: NotSupported unless it is empty.
  [[nodiscard]] Result<void> connect(Instant now, SocketHandle h, Endpoint peer, ByteView first = {});

  [[nodiscard]] Result<std::size_t> send(Instant now, SocketHandle h, ByteView data);
  /// Streams only: what is taken is urgent, with everything before it (RFC 9293 section 3.8.5). It stays in line for
  /// both ends (RFC 6093), as with SO_OOBINLINE elsewhere. New applications should not use it (SHLD-13).
  [[nodiscard]] Result<std::size_t> send_urgent(Instant now, SocketHandle h, ByteView data);
  [[nodiscard]] Result<void> send_slice(Instant now, SocketHandle h, Slice data);
  [[nodiscard]] Result<std::size_t> send_to(Instant now, SocketHandle h, ByteView data, Endpoint peer);
  /// Stream: 0 = EOF. Datagram: like receive_from without the facts.
  [[nodiscard]] Result<std::size_t> receive(Instant now, SocketHandle h, MutableByteView out);
  [[nodiscard]] Result<Slice> receive_slice(Instant now, SocketHandle h, std::size_t max);
  [[nodiscard]] Result<ReceivedDatagram> receive_from(SocketHandle h, MutableByteView out);
  [[nodiscard]] Result<void> shutdown(Instant now, SocketHandle h, Shutdown how);
  /// Gives up the handle; a connection ends in the background, with the option linger in bounded time.
  Result<void> close(Instant now, SocketHandle h);
  /// Stream: RST. Others: as close.
  Result<void> abort(Instant now, SocketHandle h);

  [[nodiscard]] Result<Endpoint> local_endpoint(SocketHandle h) const;
  [[nodiscard]] Result<Endpoint> peer_endpoint(SocketHandle h) const;
  /// Pending error of the socket, cleared by reading it (SO_ERROR).
  [[nodiscard]] std::optional<Error> take_error(SocketHandle h);
  /// Sockets with report_errors: the oldest report kept (IP_RECVERR). A failed attempt to connect keeps its reports
  /// until the next. Errors: WouldBlock (none), BadHandle.
  [[nodiscard]] Result<ErrorReport> take_error_report(SocketHandle h);
  /// Largest IP packet towards the peer of a connected datagram or echo socket (IP_MTU). Error: NotConnected.
  [[nodiscard]] Result<std::uint16_t> path_mtu(SocketHandle h) const;
  /// Of a connected datagram or echo socket towards its peer. Error: NotConnected.
  [[nodiscard]] Result<MessageLimits> message_limits(SocketHandle h) const;
  [[nodiscard]] Result<tcp::ConnectionOptions> stream_options(SocketHandle h) const;
  [[nodiscard]] Result<void> set_stream_options(Instant now, SocketHandle h, const tcp::ConnectionOptions& options);
  [[nodiscard]] Result<DatagramOptions> datagram_options(SocketHandle h) const;
  /// Errors: InvalidArgument (a TTL of 0, malformed IP options), NotSupported (a source route; a stream).
  [[nodiscard]] Result<void> set_datagram_options(SocketHandle h, const DatagramOptions& options);
  /// Stream sockets that are or were connected. A listener reports state Listen.
  [[nodiscard]] Result<tcp::ConnectionStatus> status(SocketHandle h) const;
  /// Level-triggered view, for poll()-like callers.
  [[nodiscard]] bool is_readable(SocketHandle h) const;
  [[nodiscard]] bool is_writable(SocketHandle h) const;
  [[nodiscard]] std::size_t size() const;

  /// Next readiness edge, translated from the layers' events.
  [[nodiscard]] std::optional<SocketEvent> poll_event();

 private:
  std::unique_ptr<SocketTableState> state_;
};

}  // namespace wireside

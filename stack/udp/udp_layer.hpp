// The UDP layer (RFC 768, RFC 1122 section 4.1): sockets, demultiplexing, bounded queues in both directions.
#pragma once

#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/fifo.hpp"
#include "base/keyed_hash.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "observe/event.hpp"
#include "udp/udp_types.hpp"

namespace wireside::udp {

class UdpLayer {
 public:
  /// All references outlive the layer.
  UdpLayer(const UdpConfig& config, Random& random, BufferPool& pool, observe::Sink& sink);
  UdpLayer(const UdpLayer&) = delete;
  UdpLayer& operator=(const UdpLayer&) = delete;

  // --- user calls ---

  /// Error: NoBuffers.
  [[nodiscard]] Result<UdpHandle> open(Service service);
  /// Port 0 picks a random free one (RFC 6056). With UdpOptions::reuse_port several sockets that all have it share the
  /// endpoint. Errors: InvalidArgument (already bound), AddressInUse, AddressNotAvailable (no port left).
  [[nodiscard]] Result<void> bind(UdpHandle h, Endpoint local);
  /// Receives from `peer` only from now on (UDP-11). `source` replaces a wildcard local address until disconnect.
  [[nodiscard]] Result<void> connect(UdpHandle h, IpAddress source, Endpoint peer);
  void disconnect(UdpHandle h);
  /// Queues one datagram; an unbound socket gets a random port. Errors: the pending error, MessageTooLong, WouldBlock
  /// (a writable event follows), NoBuffers, BrokenPipe.
  [[nodiscard]] Result<void> send(UdpHandle h, IpAddress source, Endpoint peer, Slice payload);
  /// Oldest queued datagram. Errors: the pending error, WouldBlock; BrokenPipe after shutdown_receive.
  [[nodiscard]] Result<Datagram> receive(UdpHandle h);
  void shutdown_receive(UdpHandle h);
  void shutdown_send(UdpHandle h);
  /// Received datagrams are forgotten; queued outgoing ones still leave.
  void close(UdpHandle h);
  [[nodiscard]] Result<UdpOptions> options(UdpHandle h) const;
  /// IP options are filled up to a multiple of four octets. Errors: InvalidArgument (a TTL of 0, malformed IP options),
  /// NotSupported (a source route).
  [[nodiscard]] Result<void> set_options(UdpHandle h, const UdpOptions& options);
  [[nodiscard]] Result<Endpoint> local_endpoint(UdpHandle h) const;
  /// Error: NotConnected.
  [[nodiscard]] Result<Endpoint> peer_endpoint(UdpHandle h) const;
  [[nodiscard]] std::optional<Error> take_error(UdpHandle h);
  /// Oldest report kept; with report_errors only.
  [[nodiscard]] std::optional<ErrorReport> take_error_report(UdpHandle h);
  [[nodiscard]] bool is_readable(UdpHandle h) const;
  [[nodiscard]] bool is_writable(UdpHandle h) const;

  /// Every socket that has a port, for listings.
  [[nodiscard]] std::vector<SocketStatus> list() const;

  // --- from the network ---

  /// Checks length and checksum (UDP-02, UDP-03) and queues the payload at the most specific socket (UDP-06).
  [[nodiscard]] Delivery datagram_arrives(Instant now, const UdpArrival& arrival);
  [[nodiscard]] Delivery echo_reply_arrives(Instant now, const EchoArrival& arrival);
  /// ICMP error or neighbour failure about a datagram we sent (UDP-05): told to the connected socket it names;
  /// echo sockets are told unconnected as well.
  void network_error(Service service, const FourTuple& tuple, Error error);
  /// The same with all that is known; sockets with report_errors keep it (the oldest are kept, up to a bound) and are
  /// told unconnected as well.
  void network_error(Service service, const ErrorReport& report);
  /// Whether a socket sent to this peer: its peer where it is connected, else where it sent to last (RFC 5927: what a
  /// message quotes must have been sent).
  [[nodiscard]] bool sent_to(Service service, const FourTuple& tuple) const;

  // --- driven by the owner ---

  [[nodiscard]] bool poll_datagram(OutgoingDatagram& out);
  [[nodiscard]] bool has_datagram() const { return !outgoing_.empty(); }
  [[nodiscard]] std::optional<UdpEvent> poll_event();
  [[nodiscard]] bool has_event() const { return !events_.empty(); }
  /// The address is ours no longer: every socket bound to it gets `error`.
  void fail_address(IpAddress address, Error error);
  /// The interface is gone: every socket gets `error`, nothing queued is sent.
  void fail_all(Error error);

 private:
  struct Socket {
    Service service = Service::Udp;
    Endpoint local;
    std::optional<Endpoint> peer;
    bool address_from_connect = false;
    bool receive_shut = false;
    bool send_shut = false;
    bool wants_room = false;  ///< send() said WouldBlock
    bool event_queued = false;
    UdpEvent pending;
    UdpOptions options;
    std::optional<Error> error;
    std::optional<Endpoint> last_peer;  ///< of the last datagram sent
    std::deque<ErrorReport> reports;
    Fifo<Datagram> received;
    std::size_t received_octets = 0;
    std::size_t outgoing_octets = 0;
  };
  struct Queued {
    UdpHandle socket;
    OutgoingDatagram datagram;
  };

  /// Least that a queued datagram counts for: it costs memory beyond its octets, and empty ones must not be free.
  static constexpr std::size_t min_octets_per_datagram = 64;
  /// Of a datagram without IP options.
  static constexpr std::size_t max_payload = 65507;

  [[nodiscard]] static std::uint32_t key(Service service, Port port);
  [[nodiscard]] bool is_taken(Service service, Endpoint local, bool share) const;
  [[nodiscard]] Result<Port> pick_port(Service service, IpAddress address);
  [[nodiscard]] static int fitness(const Socket& socket, Service service, const FourTuple& flow);
  [[nodiscard]] UdpHandle find(Service service, const FourTuple& flow) const;
  [[nodiscard]] UdpHandle find_sender(Service service, const FourTuple& flow) const;
  [[nodiscard]] bool checksum_ok(const UdpArrival& arrival, ByteView datagram, std::uint16_t field) const;
  [[nodiscard]] Delivery enqueue(Instant now, UdpHandle h, Datagram datagram);
  void note(UdpHandle h, Socket& socket, bool readable, bool writable);
  [[nodiscard]] bool has_room(const Socket& socket, std::size_t octets) const;

  UdpConfig config_;
  Random& random_;
  BufferPool& pool_;
  observe::Sink& sink_;
  SlotMap<Socket, UdpTag> sockets_;
  // By service and port. A peer cannot choose these keys, only hit or miss ports that are bound here.
  std::unordered_map<std::uint32_t, std::vector<UdpHandle>> bound_;
  std::optional<KeyedHash> sharing_;  ///< whose a flow is, where sockets share an endpoint
  Fifo<Queued, 1024> outgoing_;
  std::size_t outgoing_octets_ = 0;
  Fifo<UdpHandle, 1024> events_;
};

}  // namespace wireside::udp

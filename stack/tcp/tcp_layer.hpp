// The TCP layer's door: user calls in, segments in, segments pulled out, events pulled out.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/random.hpp"
#include "observe/event.hpp"
#include "tcp/tcp_types.hpp"

namespace wireside::tcp {

class LayerState;  // connections, listeners, half-open and TIME-WAIT records: tcp/layer_state.hpp

class TcpLayer {
 public:
  /// `random` and `sink` and `pool` outlive the layer. `link_mss` (set by the owner) bounds segment sizes.
  TcpLayer(const TcpConfig& config, Random& random, BufferPool& pool, observe::Sink& sink);
  ~TcpLayer();
  TcpLayer(const TcpLayer&) = delete;
  TcpLayer& operator=(const TcpLayer&) = delete;

  /// Largest TCP payload plus TCP options for new connections: MTU - 40 (MUST-67). And the largest super-segment
  /// payload per call of poll_segment (at least one MSS).
  void set_limits(std::uint16_t mss, std::size_t max_super_segment);

  /// Where path MTUs are asked; nullptr (at first): the limits above alone. It outlives the layer.
  void set_path_mtu(const PathMtu* paths);

  // --- user calls (RFC 9293 section 3.10.1 to 3.10.6; user_calls.cpp) ---

  /// Active OPEN. `tuple.local.address` is already chosen; local port 0 picks a random ephemeral one (RFC 6056).
  /// `first` are the first octets of the stream. With ConnectionOptions::fast_open and a cookie of the peer's they go
  /// with the SYN, as far as they fit, else behind the handshake (RFC 7413); either way they are sent.
  /// A four-tuple in TIME-WAIT is opened over when timestamps were used and the peer has been silent for a second.
  /// Errors: AddressInUse (four-tuple taken), AddressNotAvailable (no port left), NoBuffers, MessageTooLong (`first` is
  /// larger than the send buffer).
  [[nodiscard]] Result<ConnectionHandle> connect(Instant now, FourTuple tuple, const ConnectionOptions& options,
                                                 ByteView first = {});
  /// Passive OPEN on an address (or the unspecified one) and port. backlog is at least 1. With
  /// ConnectionOptions::reuse_port several listeners that all have it share the endpoint.
  /// Errors: AddressInUse, InvalidArgument (port 0).
  [[nodiscard]] Result<ListenerHandle> listen(Endpoint local, std::size_t backlog, const ConnectionOptions& options);
  /// Next established connection of the listener. Errors: WouldBlock, BadHandle.
  [[nodiscard]] Result<ConnectionHandle> accept(ListenerHandle listener);
  /// Ends a listener: half-open and unaccepted connections are reset.
  void close_listener(Instant now, ListenerHandle listener);

  /// Copies octets into the send buffer; returns how many fitted.
  /// Errors: WouldBlock (full, or still connecting), BrokenPipe, NotConnected, or the error that ended the connection.
  [[nodiscard]] Result<std::size_t> send(Instant now, ConnectionHandle h, ByteView data);
  /// The same for urgent data (RFC 9293 section 3.8.5). New applications should not use it (SHLD-13).
  [[nodiscard]] Result<std::size_t> send_urgent(Instant now, ConnectionHandle h, ByteView data);
  /// Takes a slice by reference (borrowing send): its octets must not change until its buffer is released.
  /// All of it or WouldBlock. One larger than the largest send buffer (1 GiB) is MessageTooLong.
  [[nodiscard]] Result<void> send_slice(Instant now, ConnectionHandle h, Slice data);
  /// Copies received octets out. 0 means EOF (the peer's FIN; MUST-12). Errors: WouldBlock, NotConnected, the fatal
  /// error.
  [[nodiscard]] Result<std::size_t> receive(Instant now, ConnectionHandle h, MutableByteView out);
  /// Next received slice without copying, at most `max` octets; empty = EOF.
  [[nodiscard]] Result<Slice> receive_slice(Instant now, ConnectionHandle h, std::size_t max);
  /// CLOSE of the sending direction only (half-close). Errors: NotConnected.
  [[nodiscard]] Result<void> shutdown_send(Instant now, ConnectionHandle h);
  /// The application no longer receives: unread and later data is acknowledged and dropped, as other stacks do it, so
  /// that what we still send gets through.
  [[nodiscard]] Result<void> shutdown_receive(Instant now, ConnectionHandle h);
  /// CLOSE and give up the handle. Unread data makes it an abort (SHLD-3); linger 0 too. With a linger time above 0 the
  /// connection is aborted later, if what was sent is not acknowledged by then.
  void close(Instant now, ConnectionHandle h);
  /// ABORT: RST to the peer, handle given up.
  void abort(Instant now, ConnectionHandle h);
  /// Takes effect at once. Errors: BadHandle.
  [[nodiscard]] Result<void> set_options(Instant now, ConnectionHandle h, const ConnectionOptions& options);
  [[nodiscard]] Result<ConnectionOptions> options(ConnectionHandle h) const;
  [[nodiscard]] Result<ConnectionStatus> status(ConnectionHandle h) const;
  /// Readiness now: send() would take something / receive() would not say WouldBlock.
  [[nodiscard]] bool is_writable(ConnectionHandle h) const;
  [[nodiscard]] bool is_readable(ConnectionHandle h) const;
  /// With ConnectionOptions::report_errors: the oldest report that was kept. It is there after the connection's end,
  /// too.
  [[nodiscard]] std::optional<ErrorReport> take_error_report(ConnectionHandle h);
  /// Every connection, half-open and TIME-WAIT record included, for listings.
  [[nodiscard]] std::vector<ConnectionStatus> list() const;
  [[nodiscard]] std::vector<ListenerStatus> list_listeners() const;
  [[nodiscard]] bool port_in_use(Port port) const;

  // --- from the network ---

  /// SEGMENT ARRIVES (section 3.10.7; segment_arrives.cpp).
  void segment_arrives(Instant now, const IncomingSegment& segment);
  /// Whether something of ours was newly acknowledged since the last call: the next hop is alive (RFC 4861 7.3.1).
  [[nodiscard]] bool take_forward_progress();
  /// A peer whose connection has had R1 retransmissions or more in vain: IP should look for another way there (RFC 9293
  /// section 3.8.3, MUST-20 (b); RFC 1122 section 3.3.1.4). Told at the R1st retransmission and at each one after it.
  [[nodiscard]] std::optional<IpAddress> take_negative_advice();
  [[nodiscard]] bool has_negative_advice() const;
  /// ICMP error or neighbour failure about one of our segments, `seq` from the quote when known (RFC 5927).
  /// Hard errors end a connection that is still opening; for others the error is kept as a soft one.
  void network_error(Instant now, const ErrorReport& report, std::optional<SeqNum> seq, bool hard);
  /// The same for what was found out here: no route, or the neighbour does not answer.
  void network_error(Instant now, const FourTuple& tuple, std::optional<SeqNum> seq, Error error, bool hard);

  /// Whether an ICMP message that quotes this segment can be true (RFC 5927 section 4.1): its octets are
  /// unacknowledged.
  [[nodiscard]] bool is_in_flight(const FourTuple& tuple, SeqNum seq) const;
  /// The path became narrower, as a credible message about this connection said: segments become smaller, and what is
  /// unacknowledged is sent again at once, without a congestion response (RFC 1191 section 6.4, PMTU-02). Other
  /// connections on the path follow when they send next.
  void path_mtu_changed(Instant now, const FourTuple& tuple);

  // --- driven by the owner ---

  /// Next segment to send, if any. Decides acknowledgements once per connection for all that arrived before.
  [[nodiscard]] bool poll_segment(Instant now, OutgoingSegment& out);
  [[nodiscard]] Instant next_deadline();  ///< Instant::max() when nothing is pending
  void handle_timeouts(Instant now);      ///< section 3.10.8; timeouts.cpp
  [[nodiscard]] std::optional<TcpEvent> poll_event();
  [[nodiscard]] bool has_event() const;
  /// The address is ours no longer: every connection from it fails with `error`; nothing is sent.
  void fail_address(Instant now, IpAddress address, Error error);
  /// The interface is gone: every connection fails with `error`; nothing is sent.
  void fail_all(Instant now, Error error);

 private:
  std::unique_ptr<LayerState> state_;
};

}  // namespace wireside::tcp

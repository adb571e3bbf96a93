// Inside of the socket table: one Socket per handle, maps back from the layers' handles, and the queue of edges.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/fifo.hpp"
#include "socket/socket_table.hpp"
#include "tcp/shared_options.hpp"
#include "tcp/tcp_layer.hpp"
#include "udp/udp_layer.hpp"

namespace wireside {

/// From a layer's handle to the socket that holds it. Stale handles find nothing.
template <class Key>
class HandleMap {
 public:
  void set(Key key, SocketHandle socket) {
    const std::size_t number = key.index / chunk_entries;
    if (number >= chunks_.size()) chunks_.resize(number + 1);
    if (!chunks_[number]) chunks_[number] = std::make_unique<Chunk>();
    Entry& e = entry(key);
    if (e.generation == 0) ++chunks_[number]->used;
    e = Entry{key.generation, socket};
  }
  void clear(Key key) {
    if (!holds(key)) return;
    entry(key) = Entry{};
    auto& chunk = chunks_[key.index / chunk_entries];
    if (--chunk->used == 0 && key.index >= chunk_entries) chunk.reset();  // the first one stays
  }
  [[nodiscard]] SocketHandle find(Key key) const { return holds(key) ? entry(key).socket : SocketHandle{}; }

 private:
  struct Entry {
    std::uint32_t generation = 0;  ///< of the key; none has generation 0
    SocketHandle socket;
  };
  static constexpr std::size_t chunk_entries = 64;
  struct Chunk {
    std::array<Entry, chunk_entries> entries;
    std::size_t used = 0;
  };
  [[nodiscard]] Entry& entry(Key key) const {
    return chunks_[key.index / chunk_entries]->entries[key.index % chunk_entries];
  }
  [[nodiscard]] bool holds(Key key) const {
    const std::size_t number = key.index / chunk_entries;
    return number < chunks_.size() && chunks_[number] && entry(key).generation == key.generation;
  }
  std::vector<std::unique_ptr<Chunk>> chunks_;
};

/// A program may have very many of these: what many have alike they share.
struct Socket {
  enum class StreamState : std::uint8_t { Idle, Listening, Connecting, Connected, Failed };

  SocketKind kind = SocketKind::Stream;
  // Stream
  StreamState stream = StreamState::Idle;
  bool listener_options_changed = false;  ///< since listen(): accepted sockets get them on accept
  std::optional<Error> error;
  Endpoint bound;  ///< port 0 = not bound
  tcp::ConnectionHandle connection;
  tcp::ListenerHandle listener;
  tcp::ConnectionHandle accept_ahead;  ///< taken from the listener to answer is_readable()
  tcp::SharedOptions stream_options;
  // Datagram and echo
  udp::UdpHandle datagram;
  bool broadcast = false;
  bool receive_shut = false;
  // Edges not yet reported
  bool event_queued = false;
  SocketEvent pending;
};
static_assert(sizeof(Socket) <= 96);

class SocketTableState {
 public:
  SocketTableState(tcp::TcpLayer& tcp_layer, udp::UdpLayer& udp_layer, const AddressPolicy& policy, Random& generator,
                   BufferPool& buffers, const SocketConfig& settings)
      : tcp{tcp_layer}, udp{udp_layer}, addresses{policy}, random{generator}, pool{buffers}, config{settings} {}

  tcp::TcpLayer& tcp;
  udp::UdpLayer& udp;
  const AddressPolicy& addresses;
  Random& random;
  BufferPool& pool;
  SocketConfig config;
  tcp::OptionsStore options;
  SlotMap<Socket, SocketTag> sockets;
  HandleMap<tcp::ConnectionHandle> by_connection;
  HandleMap<tcp::ListenerHandle> by_listener;
  HandleMap<udp::UdpHandle> by_datagram;
  /// Streams that are bound, by port (connections that were given a port by connect() are TCP's own to keep apart).
  std::unordered_map<std::uint16_t, std::vector<SocketHandle>> bound_streams;
  Fifo<SocketHandle, 1024> events;
  Instant latest;  ///< of the calls that carried a time, for those that do not

  [[nodiscard]] Socket* find(Instant now, SocketHandle h) {
    latest = std::max(latest, now);
    return sockets.find(h);
  }

  // socket_table.cpp
  [[nodiscard]] Result<void> bind_stream(SocketHandle h, Socket& s, Endpoint local);
  [[nodiscard]] bool stream_bind_conflicts(Endpoint local, const tcp::ConnectionOptions& options) const;
  [[nodiscard]] Result<Port> pick_stream_port(IpAddress address);
  void release_binding(SocketHandle h, Socket& s);
  void drop_connection(Instant now, Socket& s, bool abort);
  Result<void> close(Instant now, SocketHandle h, bool abort);

  // socket_connect.cpp
  [[nodiscard]] Result<void> check_stream_peer(Endpoint peer) const;
  [[nodiscard]] Result<void> connect_stream(Instant now, SocketHandle h, Socket& s, Endpoint peer, ByteView first);
  [[nodiscard]] Result<void> connect_datagram(Socket& s, Endpoint peer);
  [[nodiscard]] Result<tcp::ConnectionHandle> next_accepted(Socket& s);

  // socket_io.cpp
  /// False for a datagram that may not be cut and is larger than its path (IP_MTU_DISCOVER).
  [[nodiscard]] bool fits_path(const Socket& s, std::size_t octets, IpAddress destination) const;
  [[nodiscard]] Result<void> send_datagram(Socket& s, Slice data, Endpoint peer);
  /// NotConnected, InProgress as WouldBlock, or nothing when the stream has a connection to ask.
  [[nodiscard]] std::optional<Error> stream_not_ready(const Socket& s) const;
  /// An error reported by a call needs no second report by take_error().
  Error reported(Socket& s, Error e);

  // socket_events.cpp
  SocketEvent& note(SocketHandle h, Socket& s);
  void collect();
  void on_tcp_event(const tcp::TcpEvent& event);
  void on_udp_event(const udp::UdpEvent& event);
};

}  // namespace wireside

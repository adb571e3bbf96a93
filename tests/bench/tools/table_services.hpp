// HTTP, echo and UDP echo directly on the socket table, without a coroutine or a heap object per connection.
#pragma once

#include <array>
#include <vector>

#include "runtime.hpp"
#include "services.hpp"

namespace bench {

class TableServices : public wireside::SocketListener {
 public:
  explicit TableServices(wireside::Runtime& runtime) : runtime_{runtime} {}
  TableServices(const TableServices&) = delete;
  TableServices& operator=(const TableServices&) = delete;
  /// Listens on the ports of all three; false if one could not be had.
  [[nodiscard]] bool start();
  void on_socket_event(const wireside::SocketEvent& event) override;

 private:
  enum class Kind : std::uint8_t { None, HttpListener, EchoListener, Http, Echo, Datagrams };
  [[nodiscard]] bool listen(std::uint16_t port, Kind kind);
  void own(wireside::SocketHandle socket, Kind kind);
  void close(wireside::Instant now, wireside::SocketHandle socket);
  void accept_all(wireside::Instant now, wireside::SocketHandle listener, Kind kind);
  void read_all(wireside::Instant now, wireside::SocketHandle socket, Kind kind);
  void echo_datagrams(wireside::Instant now, wireside::SocketHandle socket);

  wireside::Runtime& runtime_;
  std::vector<Kind> kinds_;  ///< by socket index
  std::array<std::uint8_t, 16384> buffer_{};
};

}  // namespace bench

// What all of the measured servers offer, and on which port.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bench {

enum class Service : std::uint8_t {
  Discard,      ///< reads all it gets, into an ordinary buffer where the server has buffers of its own
  Source,       ///< sends as fast as it may, from an ordinary buffer
  LendDiscard,  ///< as Discard, without a copy, where the server can
  LendSource,   ///< as Source, without a copy, where the server can
  Echo,         ///< sends back what it gets
  Http,         ///< one small page, by the smallest responder possible
};

struct ServicePort {
  Service service;
  std::uint16_t port;
};
inline constexpr ServicePort tcp_services[] = {
    {Service::Discard, 9001},    {Service::Source, 9002}, {Service::LendDiscard, 9003},
    {Service::LendSource, 9004}, {Service::Echo, 9007},   {Service::Http, 8080},
};
inline constexpr std::uint16_t udp_echo_port = 9008;
inline constexpr std::uint16_t beast_port = 8081;

[[nodiscard]] constexpr std::uint16_t port_of(Service service) {
  for (const auto& s : tcp_services) {
    if (s.service == service) return s.port;
  }
  return 0;
}

/// Of an application that reads and writes streams.
inline constexpr std::size_t buffer_octets = std::size_t{128} << 10;

inline constexpr std::string_view page = "Hello, world\n";
inline constexpr std::string_view http_answer =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world\n";

/// What a minimal responder has to know of the requests in a read. The load tools send each in one piece.
struct Requests {
  std::size_t count = 0;
  bool close = false;  ///< HTTP/1.0: the connection ends after the answer
};
[[nodiscard]] inline Requests find_requests(std::string_view text) {
  Requests out;
  const std::size_t line = text.find("\r\n");
  out.close = line != std::string_view::npos && text.substr(0, line).ends_with(" HTTP/1.0");
  for (std::size_t at = line; (at = text.find("\r\n\r\n", at)) != std::string_view::npos; at += 4) ++out.count;
  return out;
}

}  // namespace bench

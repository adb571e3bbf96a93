// A Stack driven by a string of octets: frames from a peer that knows where the conversation stands, time, socket
// calls.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "stack.hpp"
#include "wire/ipv4.hpp"
#include "wire/tcp.hpp"

namespace wireside::fuzz {

/// Takes numbers from the fuzzer's input; zeros when it is used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : left_{data, size} {}
  [[nodiscard]] bool empty() const { return left_.empty(); }
  std::uint8_t u8();
  std::uint16_t u16() { return static_cast<std::uint16_t>(u8() << 8 | u8()); }
  std::uint32_t u32() { return std::uint32_t{u16()} << 16 | u16(); }
  bool flag() { return (u8() & 1U) != 0; }
  /// Mostly close to zero, sometimes anything: distances of sequence numbers.
  std::uint32_t distance();
  ByteView bytes(std::size_t n);

 private:
  ByteView left_;
};

class StackFuzzer {
 public:
  explicit StackFuzzer(Input& input);
  /// One frame, one step of time, or one socket call; then everything the stack has to send is taken and checked.
  void step();
  /// Closes all, lets time run out, and checks that nothing is left over.
  void finish();

 private:
  // What the peer sends.
  void deliver(const std::vector<std::uint8_t>& frame);
  void deliver_ip(std::uint8_t protocol, std::vector<std::uint8_t> transport, bool checksum_at_16);
  void raw_frame();
  void ip_packet();
  void tcp_segment();
  void expected_tcp_segment();
  void send_tcp(wire::TcpHeader header, std::size_t payload);
  void udp_datagram();
  void icmp_message();
  void arp_message();

  // What the application does.
  void socket_call();
  void stream_call(SocketHandle socket);
  void data_call(SocketHandle socket);
  void end_call(SocketHandle socket);
  SocketHandle any_socket();

  // What comes of it.
  void pass_time(Duration by);
  void take_frames();
  void check_frame(const FrameOut& frame);
  void check_ip(const FrameOut& frame, const std::vector<std::uint8_t>& octets);
  void check_checksum(const FrameOut& frame, const wire::ParsedIpv4& ip, ByteView transport);
  void answer_arp(ByteView data);
  void take_events();

  Input& input_;
  bool offload_;
  Stack stack_;
  Instant now_ = Instant::from_ns(1'000'000'000);
  std::vector<SocketHandle> sockets_;
  std::vector<std::uint8_t> last_ip_packet_;     ///< sent by the stack, for ICMP quotes
  std::optional<wire::TcpHeader> last_segment_;  ///< sent by the stack
  std::uint32_t last_segment_octets_ = 0;        ///< its length in sequence space
  bool answers_arp_ = true;
};

}  // namespace wireside::fuzz

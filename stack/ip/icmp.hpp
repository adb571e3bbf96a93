// ICMP (RFC 792, RFC 1122 section 3.2.2): echo, error generation with its limits, and errors received.
#pragma once

#include <array>
#include <cstdint>
#include <deque>

#include "base/time.hpp"
#include "ip/ip_config.hpp"
#include "ip/ip_types.hpp"
#include "ip/routes.hpp"
#include "observe/event.hpp"

namespace wireside::ip {

/// Refills steadily up to its burst; time comes from the caller.
class TokenBucket {
 public:
  /// `rate` tokens per second, at most `burst` saved up. Rate 0 never gives any beyond the first burst.
  TokenBucket(std::uint32_t rate, std::uint32_t burst) : rate_{rate}, burst_{burst}, tokens_{burst} {}
  [[nodiscard]] bool take(Instant now);

 private:
  std::uint32_t rate_;
  std::uint32_t burst_;
  std::uint32_t tokens_;
  Instant refilled_;
  bool started_ = false;
};

/// An ICMP message to send: `frame` holds it from the ICMP header on; the IP header is still to be put in front.
struct IcmpMessageOut {
  SendParameters parameters;
  FrameOut frame;
};

class Icmp {
 public:
  static constexpr std::size_t max_queued = 512;
  /// Octets of a whole ICMP error packet, IP header included (RFC 1812 section 4.3.2.3).
  static constexpr std::size_t max_error_packet = 576;

  Icmp(const IcmpConfig& config, const Routes& routes, observe::Sink& sink);

  /// One ICMP message. Echo requests are answered; errors and echo replies are for the owner.
  [[nodiscard]] Arrived handle(Instant now, const IncomingDatagram& datagram);

  /// Sends an error about a received packet unless RFC 1122 section 3.2.2 or the rate limit forbids it.
  void unreachable(Instant now, wire::UnreachableCode code, const IncomingDatagram& original);
  /// Only about a first fragment or a whole packet (RFC 1122 section 3.2.2).
  void time_exceeded(Instant now, wire::TimeExceededCode code, const IncomingDatagram& original);
  /// `pointer`: offset of the offending octet in the packet (ICMP-12).
  void parameter_problem(Instant now, std::uint8_t pointer, const IncomingDatagram& original);

  /// Any other error message (time exceeded, redirect, fragmentation needed), within the same limits. Sent from the
  /// address the packet was for; where that is not ours, from one of ours.
  void error(Instant now, const wire::IcmpHeader& header, const IncomingDatagram& original) {
    send_error(now, header, original);
  }

  /// Next message to send; false when there is none.
  [[nodiscard]] bool poll(IcmpMessageOut& out);
  [[nodiscard]] bool has_message() const { return !queue_.empty(); }
  /// Whether one of the last messages of ours went there: what an ICMP error quotes must have been sent (RFC 5927).
  [[nodiscard]] bool sent_to(Ipv4Address destination) const;
  /// Forgets what waits to be sent.
  void clear() { queue_.clear(); }

 private:
  void answer_echo(Instant now, const wire::IcmpHeader& request, const IncomingDatagram& datagram);
  [[nodiscard]] Arrived report_error(Instant now, const wire::IcmpHeader& header, const IncomingDatagram& datagram);
  void send_error(Instant now, const wire::IcmpHeader& header, const IncomingDatagram& original);
  [[nodiscard]] bool may_send_error(const IncomingDatagram& original) const;
  void enqueue(Instant now, IcmpMessageOut&& message);

  IcmpConfig config_;
  const Routes& routes_;
  observe::Sink& sink_;
  TokenBucket bucket_;
  std::deque<IcmpMessageOut> queue_;
  std::array<Ipv4Address, 64> sent_to_{};  ///< the latest ones, from next_sent_ on the oldest first
  std::size_t next_sent_ = 0;
};

/// The ICMP checksum of an echo request or reply whose header block ends with its ICMP header (`frame` unchanged else).
void complete_icmp_checksum(FrameOut& frame);

}  // namespace wireside::ip

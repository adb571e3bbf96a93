// Which of several queues' stacks a frame is for: a pure function of the frame, the same in every thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "wire/flow_key.hpp"

namespace wireside {

/// Most queues of one device.
inline constexpr std::size_t max_queues = 64;

/// The ports that one queue of several opens connections from.
struct PortShare {
  std::uint16_t first = 49152;
  std::uint16_t last = 65535;
  friend constexpr bool operator==(PortShare, PortShare) = default;
};

/// Where a frame goes.
struct FrameWay {
  enum class Kind : std::uint8_t {
    Queue,     ///< to the stack of `queue`
    Everyone,  ///< to every stack: ARP
    Fragment,  ///< to `queue`, which knows, or will know, where the datagram's first fragment went
  };
  Kind kind = Kind::Queue;
  std::size_t queue = 0;
  wire::FlowKey fragment{};  ///< with Kind::Fragment
  /// With Kind::Fragment, of a first fragment: the queue whose stack the whole datagram is for.
  std::size_t fragment_owner = 0;
};

class FlowOwner {
 public:
  /// 1 to max_queues queues. `key` should be random: with it unknown, nobody outside can aim flows at one queue.
  FlowOwner(std::size_t queues, std::uint32_t key) : queues_{static_cast<std::uint32_t>(queues)}, key_{key} {}

  [[nodiscard]] std::size_t queues() const { return queues_; }
  [[nodiscard]] std::uint32_t key() const { return key_; }

  /// The part of the ephemeral ports (RFC 6056 section 3.2) that is `queue`'s: flows with such a local port are its
  /// own.
  [[nodiscard]] PortShare ports_of(std::size_t queue) const;
  /// Whose stack has the flow, `local` being our end: by the local port where that is an ephemeral one, else by a hash
  /// of both ends. What comes to the DHCP client's port is queue 0's.
  [[nodiscard]] std::size_t of_flow(std::uint8_t protocol, const FourTuple& flow) const;
  /// Whose stack has what belongs to no flow of a port: by a hash of the addresses.
  [[nodiscard]] std::size_t of_addresses(Ipv4Address local, Ipv4Address remote) const;
  [[nodiscard]] FrameWay way_of(ByteView frame) const;

  /// The hash behind of_flow and of_addresses (where the ports are 0), in 32 bits, so that a program in the driver can
  /// compute it, too. It spreads flows evenly, and is not meant to withstand more than guessing.
  static constexpr std::uint32_t first_factor = 0x85ebca6b;
  static constexpr std::uint32_t second_factor = 0xc2b2ae35;
  static constexpr std::uint32_t third_factor = 0x9e3779b1;
  [[nodiscard]] static constexpr std::uint32_t hash(std::uint32_t key, std::uint32_t local, std::uint32_t remote,
                                                    std::uint32_t ports) {
    std::uint32_t x = (remote ^ key) * first_factor;
    x = ((x ^ (x >> 15)) + local) * second_factor;
    x = ((x ^ (x >> 13)) + ports) * third_factor;
    return x ^ (x >> 16);
  }

 private:
  [[nodiscard]] std::size_t of_port(std::uint16_t port) const;
  [[nodiscard]] std::size_t scaled(std::uint32_t hash) const {
    return static_cast<std::size_t>((std::uint64_t{hash} * queues_) >> 32);
  }
  [[nodiscard]] std::size_t of_received(const wire::FlowKey& key, ByteView packet) const;
  /// Of a packet of ours that an ICMP error quotes.
  [[nodiscard]] std::size_t of_sent(const wire::FlowKey& key) const;

  std::uint32_t queues_;
  std::uint32_t key_;
};

}  // namespace wireside

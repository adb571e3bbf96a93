// IPv4 fragmentation on send (RFC 791 section 3.2).
#pragma once

#include <cstdint>

#include "packet/packet.hpp"

namespace wireside::ip {

/// Sums the transport datagram of a packet whose checksum was left to a device: a device sees one frame at a time, and
/// the sum covers all fragments. `transport_start`: from the frame's start. checksum_wanted becomes false.
void complete_checksum_before_fragmentation(FrameOut& frame, std::size_t transport_start);

/// Cuts one packet into fragments, one at each call. A packet stays whole until it leaves, so that a neighbour's queue
/// holds datagrams, not their parts, and no queue of fragments is needed.
class Fragmenter {
 public:
  /// Takes a frame whose `fragment_limit` is set and whose IP header lies `ip_start` octets from its start. Fragments
  /// come from next(), which must be drained before the next begin().
  void begin(FrameOut& frame, std::size_t ip_start);
  /// The next fragment; false when there is none.
  [[nodiscard]] bool next(FrameOut& out);
  [[nodiscard]] bool has_next() const { return active_; }
  /// Forgets the rest of what begin() took.
  void clear();

 private:
  void put_header(FrameOut& out, std::size_t octets, bool last);
  void take(std::size_t octets, FrameOut& out);

  FrameOut whole_;
  std::size_t ip_start_ = 0;
  std::size_t header_length_ = 0;  // IP header with options
  std::size_t total_ = 0;          // octets behind the IP header
  std::size_t offset_ = 0;         // of those, already sent
  std::size_t slice_ = 0;          // where in the payload the next fragment goes on
  std::size_t slice_offset_ = 0;
  bool active_ = false;
};

}  // namespace wireside::ip

// What crosses the stack's edge: received packets, and frames to send as a header block plus payload slices.
#pragma once

#include <array>
#include <cassert>
#include <cstdint>

#include "base/bytes.hpp"
#include "observe/vocabulary.hpp"
#include "packet/buffer.hpp"

namespace wireside {

/// What is known about the transport checksum of a received packet (virtio-net header flags).
enum class ChecksumState : std::uint8_t {
  Unverified,  ///< check it in software
  Validated,   ///< DATA_VALID: the sender or the device vouches for it
  Partial,     ///< NEEDS_CSUM: came from the same machine; the field holds only the pseudo-header sum
};

/// A received frame, or one super-segment of up to 64 KB, in one contiguous slice.
struct Packet {
  Slice data;
  ChecksumState checksum = ChecksumState::Unverified;
  /// Size of the segments a super-segment stands for; 0 when the frame is a single one.
  std::uint16_t gso_size = 0;
};

/// Header octets of an outgoing frame, written from the innermost header outwards.
class HeaderBlock {
 public:
  static constexpr std::size_t capacity = 160;
  /// Space for `n` octets in front of what is there.
  [[nodiscard]] std::uint8_t* prepend(std::size_t n) {
    assert(n <= begin_);
    begin_ = static_cast<std::uint8_t>(begin_ - n);
    return octets_.data() + begin_;
  }
  [[nodiscard]] std::size_t size() const { return capacity - begin_; }
  [[nodiscard]] std::uint8_t* data() { return octets_.data() + begin_; }
  [[nodiscard]] ByteView view() const { return {octets_.data() + begin_, size()}; }
  void clear() { begin_ = capacity; }

 private:
  std::array<std::uint8_t, capacity> octets_{};
  std::uint8_t begin_ = capacity;
};

/// A frame to send. Where gso_size is not 0 the payload is to be cut into segments of that many octets.
struct FrameOut {
  HeaderBlock header;
  SliceList payload;
  /// TCP payload octets per segment after segmentation; 0 = send as it is.
  std::uint16_t gso_size = 0;
  /// Transport checksum still to be completed: the field holds the folded pseudo-header sum.
  bool checksum_wanted = false;
  /// From the frame's start to the transport header; only with checksum_wanted or gso_size.
  std::uint16_t checksum_start = 0;
  /// From the transport header to its checksum field (TCP 16, UDP 6).
  std::uint16_t checksum_offset = 0;
  /// Largest IP packet a fragment of this one may be; 0 = the packet leaves whole. Its transport checksum is complete.
  std::uint16_t fragment_limit = 0;
  observe::TxReason reason = observe::TxReason::Data;
  /// Id of the TCP connection it belongs to (as in events), 0 for none.
  std::uint32_t connection = 0;

  [[nodiscard]] std::size_t size() const { return header.size() + payload.octets(); }
  void clear() {
    header.clear();
    payload.clear();
    gso_size = 0;
    checksum_wanted = false;
    checksum_start = checksum_offset = 0;
    fragment_limit = 0;
    connection = 0;
  }
};

}  // namespace wireside

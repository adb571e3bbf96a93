// What a device without offloads leaves to software: cutting super-segments and completing transport checksums.
#pragma once

#include <cstdint>

#include "packet/packet.hpp"
#include "wire/header_edit.hpp"

namespace wireside::link {

/// What the driver does itself, and the padding wanted of the frames cut here.
struct SegmenterConfig {
  bool tso = false;                  ///< the driver cuts super-segments (only of use with checksum offload)
  bool tx_checksum_offload = false;  ///< the driver completes transport checksums
  bool pad_to_minimum = true;
};

/// The last step of every outgoing frame. One super-segment at a time; its payload is shared, never copied.
class Segmenter {
 public:
  explicit Segmenter(const SegmenterConfig& config) : config_{config} {}

  /// Takes a whole Ethernet frame with IPv4 and turns `frame` into the first frame to send; the rest of it, if any,
  /// comes from next(), which must be drained before the next begin().
  void begin(FrameOut& frame);
  /// The next frame of what begin() took; false when there is none.
  [[nodiscard]] bool next(FrameOut& frame) {
    if (!active_) return false;
    cut(frame);
    return true;
  }
  /// Forgets the rest of what begin() took.
  void clear();

 private:
  void cut(FrameOut& out);
  void take_payload(std::size_t length, SliceList& out);

  SegmenterConfig config_;
  FrameOut whole_;
  wire::SegmentSums sums_;   // over its headers
  std::size_t offset_ = 0;   // payload octets already sent
  std::uint16_t index_ = 0;  // of the next segment
  std::size_t slice_ = 0;    // where in whole_.payload the next segment begins
  std::size_t slice_offset_ = 0;
  bool active_ = false;
};

/// Completes the transport checksum of a single frame in software (checksum_wanted becomes false). UDP's 0 is sent as
/// 0xffff (RFC 768).
void complete_checksum(FrameOut& frame);

}  // namespace wireside::link

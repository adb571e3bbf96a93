// Frames that threads hand to the thread of another queue.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "packet/packet.hpp"

namespace wireside {

/// Bounded, as a network interface's ring is: what finds no room is lost. Octets are copied in and out, since buffers
/// belong to one thread. The lock is held for one copy of a frame, or for an exchange of two vectors.
class Mailbox {
 public:
  static constexpr std::size_t max_frames = 2048;
  static constexpr std::size_t max_octets = std::size_t{4} << 20;

  struct Frame {
    std::size_t offset = 0;
    std::size_t length = 0;
    ChecksumState checksum = ChecksumState::Unverified;
    std::uint16_t gso_size = 0;
    bool placed = false;  ///< for this queue's stack; else for its fragment directory
  };
  struct Batch {
    std::vector<std::uint8_t> octets;
    std::vector<Frame> frames;
    [[nodiscard]] ByteView view(const Frame& f) const { return ByteView{octets}.subspan(f.offset, f.length); }
    void clear();
  };
  enum class Posted : std::uint8_t {
    Full,   ///< lost
    First,  ///< the box was empty: its owner has to be woken
    Added,
  };

  /// From any thread.
  [[nodiscard]] Posted post(const Packet& frame, bool placed);
  /// All that is there, in place of what `batch` held. For the owner.
  void take(Batch& batch);

 private:
  std::mutex mutex_;
  Batch batch_;
};

}  // namespace wireside

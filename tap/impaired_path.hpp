// ImpairedPath: the impairments of both directions, between a stack and its device.
#pragma once

#include <optional>

#include "impair/impairment.hpp"
#include "runtime.hpp"
#include "stack.hpp"

namespace wireside {

/// Frames for a device that are a run of octets instead of the stack's parts.
[[nodiscard]] FrameOut to_frame_out(Packet frame);

class ImpairedPath {
 public:
  ImpairedPath(Stack& stack, const PathImpairment& impairment);

  /// A frame was read from the device: it reaches the stack now, later or never.
  void arrived(Instant now, Packet frame);
  /// Hands the stack what has arrived meanwhile.
  void deliver(Instant now);
  /// Next frame for the device; false when there is none now.
  [[nodiscard]] bool next_frame(Instant now, FrameOut& out);
  /// When deliver() or, where frames can be sent, next_frame() has something to do again, apart from what the stack
  /// does.
  [[nodiscard]] std::optional<Instant> next_deadline(bool can_send) const;
  void clear();

 private:
  Stack& stack_;
  impair::Impairment in_, out_;
};

}  // namespace wireside

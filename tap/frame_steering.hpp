// Where several stacks share a link: whose a frame is.
#pragma once

#include "base/time.hpp"
#include "packet/packet.hpp"

namespace wireside {

class FrameSteering {
 public:
  virtual ~FrameSteering() = default;
  /// Asked about each frame that the device gives. True: it is not for this stack, and taken care of.
  [[nodiscard]] virtual bool takes(Instant now, const Packet& frame) = 0;
};

}  // namespace wireside

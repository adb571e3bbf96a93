// Words for what happened between frames; trace lines and capture comments share them.
#pragma once

#include <cstdint>
#include <string>

#include "observe/event.hpp"

namespace wireside {

enum class EventDetail : std::uint8_t {
  Decisions,  ///< states, drops, losses and their consequences, neighbours
  All,        ///< also every timer, RTT sample and congestion window move
};

/// One line without line end, such as "SYN-RECEIVED -> ESTABLISHED (our SYN acknowledged)". Empty for frames, and for
/// what `detail` leaves out.
[[nodiscard]] std::string describe_event(const observe::Event& event, EventDetail detail);

/// Connection an event belongs to, 0 where none is known.
[[nodiscard]] std::uint32_t connection_of(const observe::Event& event);

/// "12.3 ms", "200 us", "1.5 s"
[[nodiscard]] std::string describe_duration(Duration d);

}  // namespace wireside

// The classic services on TCP and UDP: echo 7 (RFC 862), discard 9 (RFC 863), character generator 19 (RFC 864).
#pragma once

#include <cstddef>
#include <string>

#include "asio_sockets.hpp"
#include "task_group.hpp"

namespace wireside::apps {

inline constexpr Port echo_port{7};
inline constexpr Port discard_port{9};
inline constexpr Port chargen_port{19};

/// Starts all six in `tasks`; cancelling the group ends them. The error is a sentence naming the service.
[[nodiscard]] std::expected<void, std::string> start_small_services(Runtime& runtime, TaskGroup& tasks);

/// RFC 864's recommended pattern: lines of 72 printing characters, each shifted by one, with CR LF. Fills `out` with
/// the octets at [position, position + octets) of the endless stream.
void fill_chargen(std::size_t position, char* out, std::size_t octets);

}  // namespace wireside::apps

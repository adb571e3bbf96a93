// How the stacks of several queues differ in their settings.
#pragma once

#include "config.hpp"
#include "flow_owner.hpp"

namespace wireside {

/// What a single stack would be given, for the stack of one queue of several: ports and identification values that no
/// other takes; and for all but queue 0 no address of its own (Stack::use_network_settings brings them), and no part in
/// answering for it. The MAC address must be set where `queue` is not 0, since all have the same.
[[nodiscard]] Config config_of_queue(Config config, const FlowOwner& owner, std::size_t queue);

}  // namespace wireside

// FlowOwner's function as an eBPF program in the TUN driver: frames come to the right queue from the first on.
#pragma once

#include <cstdint>
#include <vector>

#include "flow_owner.hpp"
#include "tap_device.hpp"

namespace wireside {

/// Loads the program and gives it to the device, for all of its queues; false where the kernel or our rights do not
/// allow it (CAP_BPF). Then the driver shares out by a hash of its own and by who sent last, and QueueSteering does the
/// rest.
[[nodiscard]] bool steer_in_driver(const TapDevice& device, const FlowOwner& owner);
/// The driver shares out as it likes again: a persistent interface keeps its program otherwise.
void stop_steering_in_driver(const TapDevice& device);

/// The program: eight octets per instruction (struct bpf_insn). It agrees with FlowOwner::way_of about whole TCP and
/// UDP packets and answers by addresses for all other IPv4 packets, 0 for all else.
[[nodiscard]] std::vector<std::uint64_t> steering_program(const FlowOwner& owner);

}  // namespace wireside

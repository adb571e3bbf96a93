#include "queue_config.hpp"

#include <bit>

namespace wireside {

Config config_of_queue(Config config, const FlowOwner& owner, std::size_t queue) {
  const PortShare ports = owner.ports_of(queue);
  config.tcp.ephemeral_first = ports.first;
  config.tcp.ephemeral_last = ports.last;
  const auto values = static_cast<std::uint32_t>(65536 / std::bit_ceil(owner.queues()));
  config.ip.identification = {.first = static_cast<std::uint16_t>(queue * values), .size = values};
  if (queue == 0) return config;
  config.ip.addresses.clear();
  config.ip.routes.clear();
  config.ip.gateway.reset();
  config.link.answers_arp = false;
  config.link.conflict.check_before_use = false;
  config.link.conflict.announce_num = 0;
  return config;
}

}  // namespace wireside

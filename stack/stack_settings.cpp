// Following another stack: its addresses, routes and MTU become ours.
#include <algorithm>
#include <tuple>

#include "stack_state.hpp"

namespace wireside {

NetworkSettings StackState::network_settings() const {
  return {.addresses = ip.routes().addresses(), .routes = ip.routes().routes(), .mtu = ip.mtu()};
}

/// Only what differs is touched: connections from an address that stays are not disturbed.
void StackState::use_network_settings(Instant now, const NetworkSettings& wanted) {
  if (gone_) return;
  const std::vector<ip::Route> routes = ip.routes().routes();
  for (const ip::Route& route : routes) {
    if (std::ranges::find(wanted.routes, route) == wanted.routes.end()) remove_route(route.destination, route.gateway);
  }
  const std::vector<Ipv4Prefix> addresses = ip.routes().addresses();
  for (const Ipv4Prefix& own : addresses) {
    if (std::ranges::find(wanted.addresses, own) == wanted.addresses.end()) {
      std::ignore = remove_address(now, own.address);
    }
  }
  for (std::size_t i = 0; i < wanted.addresses.size(); ++i) {
    if (ip.routes().is_local(wanted.addresses[i].address)) continue;
    if (ip.routes().add_address(wanted.addresses[i], i)) refresh_addresses();
  }
  for (const ip::Route& route : wanted.routes) {
    if (std::ranges::find(ip.routes().routes(), route) == ip.routes().routes().end()) std::ignore = add_route(route);
  }
  if (wanted.mtu != ip.mtu()) set_mtu(std::min(wanted.mtu, config.link.mtu));
}

std::uint32_t Stack::settings_generation() const { return state_->settings_generation(); }
NetworkSettings Stack::network_settings() const { return state_->network_settings(); }
void Stack::use_network_settings(Instant now, const NetworkSettings& settings) {
  state_->use_network_settings(now, settings);
}

}  // namespace wireside

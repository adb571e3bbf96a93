// Our addresses: how one is taken into use, with or without probing for it first, and how it goes.
#include <algorithm>
#include <utility>

#include "stack_state.hpp"

namespace wireside {
namespace {

/// Beyond this many that nobody asked for, the oldest goes.
constexpr std::size_t max_address_events = 256;

}  // namespace

/// What probing has still to approve is not yet among the routes.
void StackState::hold_back_unchecked() {
  if (!config.link.conflict.check_before_use) return;
  tentative_ = ip.routes().addresses();
  for (const Ipv4Prefix& prefix : tentative_) wanted_order_.push_back(prefix.address);
  for (const Ipv4Prefix& prefix : tentative_) std::ignore = ip.routes().remove_address(prefix.address);
}

Result<void> StackState::add_address(Instant now, Ipv4Prefix prefix) {
  if (is_tentative(prefix.address)) return fail(Error::AddressInUse);
  if (auto added = ip.routes().add_address(prefix); !added) return added;
  if (config.link.conflict.check_before_use) {
    std::ignore = ip.routes().remove_address(prefix.address);
    tentative_.push_back(prefix);
    std::erase(wanted_order_, prefix.address);
    wanted_order_.push_back(prefix.address);
    link.conflicts().start_probe(now, prefix.address);
    return {};
  }
  refresh_addresses();
  link.conflicts().announce(now, prefix.address);
  return {};
}

Result<void> StackState::remove_address(Instant now, Ipv4Address address) {
  if (is_tentative(address)) {
    link.conflicts().cancel(address);
    drop_tentative(address);
    return {};
  }
  if (auto removed = ip.routes().remove_address(address); !removed) return removed;
  refresh_addresses();
  link.drop_from(now, address);
  tcp.fail_address(now, address, Error::AddressNotAvailable);
  udp.fail_address(address, Error::AddressNotAvailable);
  return {};
}

void StackState::announce(Instant now) {
  if (gone_) return;
  const bool returned = std::exchange(link_is_down_, false);
  link.conflicts().link_up(now);
  for (const Ipv4Prefix& prefix : tentative_) {
    if (!link.conflicts().is_probing(prefix.address)) link.conflicts().start_probe(now, prefix.address);
  }
  if (!returned || !config.link.conflict.check_before_use) {
    link.announce(now);
  } else {
    for (const Ipv4Prefix& own : ip.routes().addresses()) {
      // The client asks for its own address to be checked, once it knows whether the lease still holds.
      if (!is_leased(own.address)) link.conflicts().verify(now, own.address);
    }
  }
  if (!returned || !dhcp_) return;
  dhcp_->link_returned(now);
  apply_dhcp_changes(now);
}

void StackState::link_down() {
  link_is_down_ = true;
  link.conflicts().link_down();
}

void StackState::handle_address_results(Instant now) {
  while (const auto result = link.conflicts().poll_result()) {
    const Ipv4Address address = result->address;
    const auto held = std::ranges::find(tentative_, address, &Ipv4Prefix::address);
    if (held == tentative_.end() && is_leased(address)) {
      address_checked(now, address, result->what == link::ConflictResult::What::Free);
      continue;  // told by the client's own news
    }
    if (result->what == link::ConflictResult::What::Free && ip.routes().is_local(address)) continue;  // still ours
    if (result->what == link::ConflictResult::What::Lost) {
      std::ignore = remove_address(now, address);
    } else if (held != tentative_.end()) {
      const Ipv4Prefix prefix = *held;
      drop_tentative(address);
      if (result->what == link::ConflictResult::What::Free) take_into_use(now, prefix);
    }
    if (address_events_.size() >= max_address_events) address_events_.pop_front();
    address_events_.push_back(*result);
  }
}

/// Section 2.3 of RFC 5227: announced as soon as probing has ended well.
void StackState::take_into_use(Instant now, Ipv4Prefix prefix) {
  if (!ip.routes().add_address(prefix, place_of(prefix.address))) return;
  refresh_addresses();
  link.conflicts().announce(now, prefix.address);
}

/// Probing ends in any order; the addresses stand in the order in which they were given (the first is preferred).
std::size_t StackState::place_of(Ipv4Address address) const {
  const auto own = std::ranges::find(wanted_order_, address);
  const auto comes_later = [&](const Ipv4Prefix& p) {
    return own != wanted_order_.end() && std::find(own, wanted_order_.end(), p.address) != wanted_order_.end();
  };
  const auto& ours = ip.routes().addresses();
  return static_cast<std::size_t>(std::ranges::find_if(ours, comes_later) - ours.begin());
}

std::optional<link::ConflictResult> StackState::poll_address_event() {
  if (address_events_.empty()) return std::nullopt;
  const link::ConflictResult event = address_events_.front();
  address_events_.pop_front();
  return event;
}

bool StackState::is_tentative(Ipv4Address address) const {
  return std::ranges::find(tentative_, address, &Ipv4Prefix::address) != tentative_.end();
}

void StackState::drop_tentative(Ipv4Address address) {
  std::erase_if(tentative_, [&](const Ipv4Prefix& p) { return p.address == address; });
}

}  // namespace wireside

// Our addresses: how one is taken into use, with or without probing for it first, and how it goes.
#include <algorithm>

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
  for (const Ipv4Prefix& prefix : tentative_) std::ignore = ip.routes().remove_address(prefix.address);
}

Result<void> StackState::add_address(Instant now, Ipv4Prefix prefix) {
  if (is_tentative(prefix.address)) return fail(Error::AddressInUse);
  if (auto added = ip.routes().add_address(prefix); !added) return added;
  if (config.link.conflict.check_before_use) {
    std::ignore = ip.routes().remove_address(prefix.address);
    tentative_.push_back(prefix);
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
  tcp.fail_address(now, address, Error::AddressNotAvailable);
  udp.fail_address(address, Error::AddressNotAvailable);
  return {};
}

void StackState::announce(Instant now) {
  if (gone_) return;
  link.conflicts().link_up(now);
  for (const Ipv4Prefix& prefix : tentative_) {
    if (!link.conflicts().is_probing(prefix.address)) link.conflicts().start_probe(now, prefix.address);
  }
  link.announce(now);
}

void StackState::handle_address_results(Instant now) {
  while (const auto result = link.conflicts().poll_result()) {
    const Ipv4Address address = result->address;
    const auto held = std::ranges::find(tentative_, address, &Ipv4Prefix::address);
    if (held == tentative_.end() && is_leased(address)) {
      address_checked(now, address, result->what == link::ConflictResult::What::Free);
      continue;  // told by the client's own news
    }
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
  if (!ip.routes().add_address(prefix)) return;
  refresh_addresses();
  link.conflicts().announce(now, prefix.address);
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

#include "ip/gateway_health.hpp"

#include <algorithm>

namespace wireside::ip {

bool GatewayHealth::negative(Instant now, Ipv4Address gateway, GatewayAdvice advice) {
  auto it = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.gateway == gateway; });
  if (it == entries_.end()) {
    if (entries_.size() >= max_gateways) return false;
    it = entries_.insert(entries_.end(), Entry{.gateway = gateway});
  }
  if (advice == GatewayAdvice::NoProgress && ++it->no_progress < no_progress_limit) return false;
  it->retry_at = now + rest;
  it->rests = advice == GatewayAdvice::NoProgress;
  if (it->given_up) return false;
  it->given_up = true;
  return true;
}

bool GatewayHealth::positive(Ipv4Address gateway) {
  if (entries_.empty()) [[likely]]
    return false;
  const Entry* entry = find(gateway);
  if (entry == nullptr) return false;
  const bool restored = entry->given_up;
  forget(gateway);
  return restored;
}

bool GatewayHealth::answered(Ipv4Address gateway) {
  const Entry* entry = entries_.empty() ? nullptr : find(gateway);
  return entry != nullptr && entry->given_up && !entry->rests && positive(gateway);
}

void GatewayHealth::forget(Ipv4Address gateway) {
  std::erase_if(entries_, [&](const Entry& e) { return e.gateway == gateway; });
}

Instant GatewayHealth::next_deadline() const {
  Instant next = Instant::max();
  for (const Entry& e : entries_) {
    if (e.wanted) next = std::min(next, e.retry_at);
  }
  return next;
}

std::optional<Ipv4Address> GatewayHealth::poll_retry(Instant now) {
  for (Entry& e : entries_) {
    if (!e.wanted || e.retry_at > now) continue;
    e.wanted = false;
    e.retry_at = now + rest;
    e.rests = false;
    return e.gateway;
  }
  return std::nullopt;
}

const GatewayHealth::Entry* GatewayHealth::find(Ipv4Address gateway) const {
  const auto it = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.gateway == gateway; });
  return it == entries_.end() ? nullptr : &*it;
}

}  // namespace wireside::ip

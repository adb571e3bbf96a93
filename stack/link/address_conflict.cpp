#include "link/address_conflict.hpp"

#include <algorithm>

namespace wireside::link {
namespace {

using observe::AddressNews;
using observe::TxReason;
using wire::ArpMessage;
using What = ConflictResult::What;

}  // namespace

AddressConflict::AddressConflict(const ConflictConfig& config, MacAddress mac, Random& random, observe::Sink& sink)
    : config_{config}, mac_{mac}, random_{random}, sink_{sink} {}

void AddressConflict::start_probe(Instant now, Ipv4Address address) {
  Entry& entry = find_or_add(address);
  entry = {.address = address};
  begin_probing(now, entry);
  report(now, address, AddressNews::Probing);
  find_next_deadline();
}

void AddressConflict::begin_probing(Instant now, Entry& entry) {
  Instant begin = now;
  if (conflicts_ >= config_.max_conflicts && last_attempt_) {
    begin = std::max(now, *last_attempt_ + config_.rate_limit_interval);
  }
  last_attempt_ = begin;
  entry = {.address = entry.address,
           .in_use = entry.in_use,
           .due = begin + random_between(Duration::zero(), config_.probe_wait),
           .defended = entry.defended};
}

void AddressConflict::verify(Instant now, Ipv4Address address) {
  Entry& entry = find_or_add(address);
  entry.in_use = true;
  begin_probing(now, entry);
  report(now, address, AddressNews::Probing);
  find_next_deadline();
}

void AddressConflict::announce(Instant now, Ipv4Address address) {
  Entry& entry = find_or_add(address);
  entry.phase = Phase::Used;
  entry.in_use = true;
  entry.sent = 0;
  report(now, address, AddressNews::Announced);
  timed_out(now, entry);
  find_next_deadline();
}

void AddressConflict::watch(Ipv4Address address) {
  Entry& entry = find_or_add(address);
  if (entry.in_use) return;
  entry = {.address = address, .phase = Phase::Used, .in_use = true};
  find_next_deadline();
}

void AddressConflict::cancel(Ipv4Address address) {
  forget(address);
  std::erase_if(results_, [&](const ConflictResult& r) { return r.address == address; });
}

void AddressConflict::clear() {
  entries_.clear();
  messages_.clear();
  results_.clear();
  find_next_deadline();
}

void AddressConflict::link_down() {
  link_is_down_ = true;
  find_next_deadline();
}

void AddressConflict::link_up(Instant now) {
  if (!link_is_down_) return;
  link_is_down_ = false;
  for (Entry& entry : entries_) {
    if (entry.phase != Phase::Used) begin_probing(now, entry);
  }
  find_next_deadline();
}

bool AddressConflict::handle_arp(Instant now, const ArpMessage& message) {
  if (message.sender_mac == mac_) return false;  // some networks send back what was broadcast
  const bool is_probe = message.sender_ip.is_unspecified() && message.operation == ArpMessage::Operation::Request;
  Entry* entry = find(is_probe ? message.target_ip : message.sender_ip);
  if (entry == nullptr) return false;
  if (!entry->in_use) {
    objection(now, *entry, message.sender_mac);
    return true;
  }
  if (is_probe) return false;  // asks politely; our reply tells it
  conflict_in_use(now, *entry, message.sender_mac);
  return true;
}

void AddressConflict::objection(Instant now, const Entry& entry, MacAddress other) {
  count_conflict(now);
  report(now, entry.address, AddressNews::Conflict, other);
  finish(entry, What::Conflict, other);
}

void AddressConflict::conflict_in_use(Instant now, Entry& entry, MacAddress other) {
  const bool recent = entry.defended && now - *entry.defended < config_.defend_interval;
  const bool never_gives_up = config_.policy == ConflictPolicy::DefendAlways;
  if (config_.policy == ConflictPolicy::GiveUp || (recent && !never_gives_up)) {
    count_conflict(now);
    report(now, entry.address, AddressNews::Lost, other);
    return finish(entry, What::Lost, other);
  }
  if (recent) return report(now, entry.address, AddressNews::Undefended, other);
  entry.defended = now;
  report(now, entry.address, AddressNews::Defended, other);
  queue(entry, TxReason::ArpDefence);
}

/// Conflicts count together while they follow one another no more slowly than limited probing makes them.
void AddressConflict::count_conflict(Instant now) {
  if (conflicts_ > 0 && now - last_conflict_ > config_.rate_limit_interval * config_.max_conflicts) conflicts_ = 0;
  ++conflicts_;
  last_conflict_ = now;
}

void AddressConflict::handle_timeouts(Instant now) {
  if (now < next_) return;
  std::vector<Ipv4Address> due;  // an entry may go while it is dealt with
  for (const Entry& entry : entries_) {
    if (entry.due <= now && !(link_is_down_ && entry.phase != Phase::Used)) due.push_back(entry.address);
  }
  for (const Ipv4Address address : due) timed_out(now, *find(address));
  find_next_deadline();
}

void AddressConflict::timed_out(Instant now, Entry& entry) {
  switch (entry.phase) {
    case Phase::Probing:
      if (entry.sent < config_.probe_num) {
        queue(entry, TxReason::ArpProbe);
        ++entry.sent;
      }
      if (entry.sent < config_.probe_num) {
        entry.due = now + random_between(config_.probe_min, config_.probe_max);
      } else {
        entry.phase = Phase::Listening;
        entry.due = now + config_.announce_wait;
      }
      return;
    case Phase::Listening:
      report(now, entry.address, AddressNews::Free);
      if (!entry.in_use) return finish(entry, What::Free, {});
      results_.push_back({What::Free, entry.address, {}});
      entry.phase = Phase::Used;
      entry.sent = 0;
      report(now, entry.address, AddressNews::Announced);
      [[fallthrough]];
    case Phase::Used:
      if (entry.sent < config_.announce_num) {
        queue(entry, TxReason::ArpAnnouncement);
        ++entry.sent;
      }
      entry.due = entry.sent < config_.announce_num ? now + config_.announce_interval : Instant::max();
      return;
  }
}

void AddressConflict::finish(const Entry& entry, What what, MacAddress other) {
  results_.push_back({what, entry.address, other});
  forget(entry.address);
}

std::optional<AddressConflict::Outgoing> AddressConflict::poll_message() {
  if (messages_.empty()) return std::nullopt;
  const Outgoing out = messages_.front();
  messages_.pop_front();
  return out;
}

std::optional<ConflictResult> AddressConflict::poll_result() {
  if (results_.empty()) return std::nullopt;
  const ConflictResult result = results_.front();
  results_.pop_front();
  return result;
}

bool AddressConflict::is_probing(Ipv4Address address) const {
  return std::ranges::any_of(entries_, [&](const Entry& e) { return e.address == address && !e.in_use; });
}

AddressConflict::Entry* AddressConflict::find(Ipv4Address address) {
  const auto it = std::ranges::find(entries_, address, &Entry::address);
  return it == entries_.end() ? nullptr : &*it;
}

AddressConflict::Entry& AddressConflict::find_or_add(Ipv4Address address) {
  if (Entry* entry = find(address)) return *entry;
  return entries_.emplace_back(Entry{.address = address});
}

/// Nothing that waits to be sent speaks for an address that is given up.
void AddressConflict::forget(Ipv4Address address) {
  std::erase_if(messages_, [&](const Outgoing& o) { return o.message.target_ip == address; });
  std::erase_if(entries_, [&](const Entry& e) { return e.address == address; });
  find_next_deadline();
}

/// A probe has no sender address, so that no cache is changed by it; an announcement has ours twice (section 1.1).
void AddressConflict::queue(const Entry& entry, TxReason reason) {
  const auto same = [&](const Outgoing& o) { return o.message.target_ip == entry.address && o.reason == reason; };
  if (std::ranges::any_of(messages_, same)) return;  // nobody pulls; one of each is enough
  const Ipv4Address sender = reason == TxReason::ArpProbe ? Ipv4Address{} : entry.address;
  messages_.push_back({{ArpMessage::Operation::Request, mac_, sender, MacAddress{}, entry.address}, reason});
}

void AddressConflict::report(Instant now, Ipv4Address address, AddressNews news, MacAddress other) {
  sink_.emit(now, [&] { return observe::AddressChanged{address, news, other}; });
}

void AddressConflict::find_next_deadline() {
  next_ = Instant::max();
  for (const Entry& entry : entries_) {
    if (link_is_down_ && entry.phase != Phase::Used) continue;
    next_ = std::min(next_, entry.due);
  }
}

Duration AddressConflict::random_between(Duration least, Duration most) {
  if (most <= least) return least;
  return least +
         Duration{static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>((most - least).count()) + 1))};
}

}  // namespace wireside::link

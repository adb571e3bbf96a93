#include "link/neighbour_cache.hpp"

#include <algorithm>
#include <utility>

#include "wire/header_edit.hpp"

namespace wireside::link {
namespace {

// Frames handed back that nobody has fetched yet; an owner that fetches them never comes near.
constexpr std::size_t max_failed_frames = 1024;
constexpr std::size_t max_advice = 1024;

}  // namespace

NeighbourCache::NeighbourCache(const NeighbourConfig& config, observe::Sink& sink) : config_{config}, sink_{sink} {}

NeighbourCache::~NeighbourCache() = default;

std::optional<MacAddress> NeighbourCache::use(Instant now, Ipv4Address neighbour, FrameOut& frame) {
  Entry* entry = lookup(neighbour);
  if (entry == nullptr) {
    entry = create(now, neighbour, /*wanted=*/true);
    if (entry == nullptr) {
      hand_back(now, std::move(frame), observe::DropReason::NeighbourTableFull);
      return std::nullopt;
    }
    start_resolution(now, *entry, /*existed=*/false);
  }
  switch (entry->state) {
    case State::Incomplete:
      park(now, *entry, frame);
      return std::nullopt;
    case State::Failed:
      hand_back(now, std::move(frame), observe::DropReason::NeighbourUnreachable);
      return std::nullopt;
    case State::Stale:
      enter(now, *entry, State::Delay);
      break;
    case State::Probe:
      entry->used_while_probing = true;
      break;
    case State::Reachable:
    case State::Delay:
      break;
  }
  return entry->mac;
}

void NeighbourCache::use_later(Instant now, Ipv4Address neighbour, FrameOut&& frame) {
  if (const auto mac = use(now, neighbour, frame)) resolved_.push_back({*mac, std::move(frame)});
}

bool NeighbourCache::learn(Instant now, const ArpFacts& facts) {
  Entry* entry = lookup(facts.address);
  const bool existed = entry != nullptr;
  if (!existed) {
    if (!facts.for_us) return false;
    entry = create(now, facts.address, /*wanted=*/false);
    if (entry == nullptr) {
      sink_.drop(now, observe::DropReason::NeighbourTableFull);
      return false;
    }
  }
  const bool awaited = entry->state == State::Incomplete || entry->state == State::Probe;
  const bool solicited = existed && awaited && facts.is_reply && facts.for_us;
  const bool moved = entry->mac != facts.mac;
  entry->mac = facts.mac;
  if (solicited) {
    enter(now, *entry, State::Reachable);
  } else if (!existed || moved || entry->state == State::Incomplete || entry->state == State::Failed) {
    // RFC 4861 7.2.3, 7.2.5: the address is known, but that the neighbour hears us is not.
    enter(now, *entry, State::Stale, existed);
  }
  const bool in_use = !entry->parked.empty();
  release_parked(*entry);
  // Frames that waited are a use of the entry: it must be verified like any other.
  if (in_use && entry->state == State::Stale) enter(now, *entry, State::Delay);
  return true;
}

void NeighbourCache::confirm(Instant now, Ipv4Address neighbour) {
  Entry* entry = lookup(neighbour);
  if (entry == nullptr) return;
  switch (entry->state) {
    case State::Reachable:
      known_.push_back(*entry);
      deadlines_.arm(*entry, now + config_.reachable_time);
      break;
    case State::Stale:
    case State::Delay:
    case State::Probe:
      enter(now, *entry, State::Reachable);
      break;
    case State::Incomplete:
    case State::Failed:
      break;  // no address to confirm
  }
}

void NeighbourCache::forget(Instant now, Ipv4Address neighbour) {
  Entry* entry = lookup(neighbour);
  if (entry == nullptr) return;
  fail_parked(now, *entry);
  remove(*entry);
}

void NeighbourCache::verify(Instant now, Ipv4Address neighbour) {
  Entry* entry = lookup(neighbour);
  const bool existed = entry != nullptr;
  if (!existed) entry = create(now, neighbour, /*wanted=*/true);
  if (entry == nullptr) return;
  if (!existed || entry->state == State::Failed) return start_resolution(now, *entry, existed);
  // Wanted, so that silence ends in FAILED rather than in oblivion.
  entry->used_while_probing = true;
  if (entry->state == State::Incomplete || entry->state == State::Probe) return;
  entry->solicits_sent = 0;
  enter(now, *entry, State::Probe);
  solicit(now, *entry);
}

std::optional<ReachabilityAdvice> NeighbourCache::poll_advice() {
  if (advice_.empty()) return std::nullopt;
  const ReachabilityAdvice next = advice_.front();
  advice_.pop_front();
  return next;
}

void NeighbourCache::drop_from(Instant now, Ipv4Address source) {
  const auto from_it = [&](const FrameOut& frame) {
    if (wire::ipv4_source(frame.header.view()) != source) return false;
    sink_.drop(now, observe::DropReason::SourceAddressLost, frame.connection);
    return true;
  };
  for (auto& [address, entry] : entries_) parked_in_all_ -= std::erase_if(entry.parked, from_it);
  std::erase_if(resolved_, [&](const Resolved& r) { return from_it(r.frame); });
}

void NeighbourCache::clear() {
  last_used_ = nullptr;
  parked_in_all_ = 0;
  entries_.clear();
  solicitations_.clear();
  resolved_.clear();
  failed_.clear();
  advice_.clear();
}

std::optional<Solicitation> NeighbourCache::poll_solicitation() {
  while (!solicitations_.empty()) {
    const Solicitation next = solicitations_.front();
    solicitations_.pop_front();
    // Answered, forgotten or evicted while it waited: nothing to ask any more.
    const Entry* entry = lookup(next.target);
    if (entry == nullptr) continue;
    if (next.mac ? entry->state == State::Probe : entry->state == State::Incomplete) return next;
  }
  return std::nullopt;
}

bool NeighbourCache::poll_resolved(FrameOut& frame, MacAddress& mac) {
  if (resolved_.empty()) return false;
  frame = std::move(resolved_.front().frame);
  mac = resolved_.front().mac;
  resolved_.pop_front();
  return true;
}

bool NeighbourCache::poll_failed(FrameOut& frame) {
  if (failed_.empty()) return false;
  frame = std::move(failed_.front());
  failed_.pop_front();
  return true;
}

void NeighbourCache::handle_timeouts(Instant now) {
  while (DeadlineNode* node = deadlines_.pop_due(now)) timed_out(now, *static_cast<Entry*>(node));
}

void NeighbourCache::timed_out(Instant now, Entry& entry) {
  switch (entry.state) {
    case State::Reachable:
      enter(now, entry, State::Stale);
      break;
    case State::Delay:
      entry.solicits_sent = 0;
      entry.used_while_probing = false;
      enter(now, entry, State::Probe);
      solicit(now, entry);
      break;
    case State::Incomplete:
    case State::Probe:
      solicit_again_or_give_up(now, entry);
      break;
    case State::Stale:   // unused for long (ARPC-01)
    case State::Failed:  // the next packet may try afresh
      remove(entry);
      break;
  }
}

void NeighbourCache::solicit_again_or_give_up(Instant now, Entry& entry) {
  const bool probing = entry.state == State::Probe;
  const unsigned limit = probing ? config_.max_unicast_solicit : config_.max_multicast_solicit;
  if (entry.solicits_sent < limit) {
    solicit(now, entry);
  } else if (!probing) {
    enter(now, entry, State::Failed);
    fail_parked(now, entry);
  } else if (entry.used_while_probing) {
    // It may live on under another MAC address: ask everybody (ARPC-01).
    start_resolution(now, entry, /*existed=*/true);
  } else {
    remove(entry);
  }
}

void NeighbourCache::start_resolution(Instant now, Entry& entry, bool existed) {
  entry.solicits_sent = 0;
  entry.mac = MacAddress{};
  enter(now, entry, State::Incomplete, existed);
  solicit(now, entry);
}

void NeighbourCache::solicit(Instant now, Entry& entry) {
  // Each wait is half as long again as the one before, so that requests for one address are never less than
  // `retransmit` apart (ARPC-02).
  constexpr unsigned max_growth = 16;
  Duration wait = config_.retransmit;
  for (unsigned i = 0; i < std::min(entry.solicits_sent, max_growth); ++i) wait = wait * 3 / 2;
  ++entry.solicits_sent;
  deadlines_.arm(entry, now + wait);
  Solicitation solicitation{entry.address, std::nullopt};
  if (entry.state == State::Probe) solicitation.mac = entry.mac;
  // The owner polls far more often than requests fall due; should it not, new ones are as good as old ones.
  if (solicitations_.size() >= config_.max_entries) solicitations_.pop_front();
  solicitations_.push_back(solicitation);
}

void NeighbourCache::enter(Instant now, Entry& entry, State to, bool existed) {
  const State from = entry.state;
  entry.state = to;
  switch (to) {
    case State::Incomplete:
      resolving_.push_back(entry);
      break;
    case State::Stale:
    case State::Failed:
      unused_.push_back(entry);
      deadlines_.arm(entry, now + (to == State::Stale ? config_.stale_expiry : config_.failed_hold));
      break;
    case State::Reachable:
    case State::Delay:
      known_.push_back(entry);
      deadlines_.arm(entry, now + (to == State::Reachable ? config_.reachable_time : config_.delay_first_probe));
      break;
    case State::Probe:
      known_.push_back(entry);
      break;
  }
  if (to == State::Failed || (to == State::Reachable && from != State::Reachable)) {
    if (advice_.size() >= max_advice) advice_.pop_front();
    advice_.push_back({entry.address, to == State::Reachable});
  }
  sink_.emit(now, [&] { return observe::NeighbourChanged{entry.address, entry.mac, existed, from, to}; });
}

NeighbourCache::Entry* NeighbourCache::lookup(Ipv4Address address) {
  if (last_used_ != nullptr && last_used_->address == address) return last_used_;
  const auto it = entries_.find(address);
  if (it == entries_.end()) return nullptr;
  last_used_ = &it->second;
  return last_used_;
}

NeighbourCache::Entry* NeighbourCache::create(Instant now, Ipv4Address address, bool wanted) {
  if (entries_.size() >= config_.max_entries && !make_room(now, wanted)) return nullptr;
  Entry& entry = entries_[address];
  entry.address = address;
  last_used_ = &entry;
  return last_used_;
}

bool NeighbourCache::make_room(Instant now, bool wanted) {
  Entry* victim = unused_.front();
  if (victim == nullptr && wanted) victim = resolving_.front();
  if (victim == nullptr && wanted) victim = known_.front();
  if (victim == nullptr) return false;
  for (FrameOut& frame : take_parked(*victim)) {
    hand_back(now, std::move(frame), observe::DropReason::NeighbourTableFull);
  }
  remove(*victim);
  return true;
}

void NeighbourCache::park(Instant now, Entry& entry, FrameOut& frame) {
  if (config_.max_queued_frames == 0) {
    sink_.drop(now, observe::DropReason::NeighbourQueueFull, frame.connection);
    frame.clear();
    return;
  }
  // Each resolution keeps its latest frame whatever the others hold (ARPC-04).
  const bool crowded = parked_in_all_ >= config_.max_queued_in_all && !entry.parked.empty();
  if (crowded || entry.parked.size() >= config_.max_queued_frames) {
    sink_.drop(now, observe::DropReason::NeighbourQueueFull, entry.parked.front().connection);
    entry.parked.pop_front();
    --parked_in_all_;
  }
  entry.parked.push_back(std::move(frame));
  ++parked_in_all_;
  frame.clear();
}

std::list<FrameOut> NeighbourCache::take_parked(Entry& entry) {
  parked_in_all_ -= entry.parked.size();
  return std::exchange(entry.parked, {});
}

void NeighbourCache::release_parked(Entry& entry) {
  for (FrameOut& frame : take_parked(entry)) resolved_.push_back({entry.mac, std::move(frame)});
}

void NeighbourCache::fail_parked(Instant now, Entry& entry) {
  for (FrameOut& frame : take_parked(entry)) {
    hand_back(now, std::move(frame), observe::DropReason::NeighbourUnreachable);
  }
}

void NeighbourCache::hand_back(Instant now, FrameOut&& frame, observe::DropReason reason) {
  sink_.drop(now, reason, frame.connection);
  if (failed_.size() >= max_failed_frames) failed_.pop_front();
  failed_.push_back(std::move(frame));
  frame.clear();
}

void NeighbourCache::remove(Entry& entry) {
  if (last_used_ == &entry) last_used_ = nullptr;
  entries_.erase(entry.address);
}

std::optional<NeighbourInfo> NeighbourCache::find(Ipv4Address neighbour) const {
  const auto it = entries_.find(neighbour);
  if (it == entries_.end()) return std::nullopt;
  return NeighbourInfo{neighbour, it->second.mac, it->second.state, it->second.parked.size()};
}

std::vector<NeighbourInfo> NeighbourCache::list() const {
  std::vector<NeighbourInfo> all;
  all.reserve(entries_.size());
  for (const auto& [address, entry] : entries_) {
    all.push_back({address, entry.mac, entry.state, entry.parked.size()});
  }
  return all;
}

}  // namespace wireside::link

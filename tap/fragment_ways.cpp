#include "fragment_ways.hpp"

#include <utility>

namespace wireside {

std::optional<std::size_t> FragmentWays::place(Instant now, const wire::FlowKey& key, std::size_t owner,
                                               const Packet& frame) {
  while (!by_age_.empty() && datagrams_.find(by_age_.front())->second.expires <= now) {
    forget(datagrams_.find(by_age_.front()));
  }
  Datagram& datagram = find_or_add(now, {key.source, key.destination, key.protocol, key.identification});
  if (key.first_fragment) {
    datagram.owner = owner;
    release(datagram);
  }
  if (!datagram.owner) keep(datagram, frame);
  return datagram.owner;
}

FragmentWays::Datagram& FragmentWays::find_or_add(Instant now, const Id& id) {
  if (const auto known = datagrams_.find(id); known != datagrams_.end()) return known->second;
  if (datagrams_.size() >= max_datagrams) forget(datagrams_.find(by_age_.front()));
  Datagram& datagram = datagrams_[id];
  datagram.age = by_age_.insert(by_age_.end(), id);
  datagram.expires = now + timeout_;
  return datagram;
}

void FragmentWays::forget(Datagrams::iterator at) {
  Datagram& datagram = at->second;
  lost_ += datagram.kept.size();
  kept_frames_ -= datagram.kept.size();
  for (const Packet& p : datagram.kept) kept_octets_ -= p.data.size();
  by_age_.erase(datagram.age);
  datagrams_.erase(at);
}

void FragmentWays::keep(Datagram& datagram, const Packet& frame) {
  if (kept_frames_ >= max_kept_frames || kept_octets_ + frame.data.size() > max_kept_octets) {
    ++lost_;
    return;
  }
  ++kept_frames_;
  kept_octets_ += frame.data.size();
  datagram.kept.push_back(frame);
}

void FragmentWays::release(Datagram& datagram) {
  for (Packet& frame : datagram.kept) {
    --kept_frames_;
    kept_octets_ -= frame.data.size();
    released_.push_back(std::move(frame));
  }
  datagram.kept.clear();
}

}  // namespace wireside

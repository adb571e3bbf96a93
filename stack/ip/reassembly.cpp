#include "ip/reassembly.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "wire/header_edit.hpp"
#include "wire/ipv4.hpp"
#include "wire/tcp.hpp"
#include "wire/udp.hpp"

namespace wireside::ip {
namespace {

using observe::DropReason;
using wire::IpProtocol;

constexpr std::size_t map_node = 64;  // a hash table's node and bucket, roughly
// ECN codepoints (RFC 3168 section 5) in the low bits of the former TOS octet.
constexpr unsigned ecn_mask = 3;
constexpr unsigned not_ect = 0;
constexpr unsigned congestion_experienced = 3;

/// Header octets without which the transport cannot be judged (RFC 1858 section 3.2.1).
std::size_t least_first_fragment(std::uint8_t protocol) {
  switch (static_cast<IpProtocol>(protocol)) {
    case IpProtocol::Tcp:
      return wire::tcp_min_header;
    case IpProtocol::Udp:
      return wire::udp_header_length;
    case IpProtocol::Icmp:
      return wire::icmp_header_length;
  }
  return 0;
}

/// A block that is mostly empty would make memory cheap for the sender and dear for us.
bool pins_too_much(const Slice& octets) {
  const std::size_t held = octets.buffer() ? octets.buffer()->capacity() : 0;
  return held > 2 * octets.size() && held > BufferPool::capacity_for(octets.size());
}

}  // namespace

std::size_t Reassembler::KeyHash::operator()(const Key& k) const {
  std::array<std::uint8_t, 11> octets{};
  store_be32(octets.data(), k.source.value());
  store_be32(octets.data() + 4, k.destination.value());
  store_be16(octets.data() + 8, k.identification);
  octets[10] = k.protocol;
  return siphash24(key, octets);
}

std::size_t Reassembler::KeyHash::operator()(Ipv4Address source) const {
  std::array<std::uint8_t, 4> octets{};
  store_be32(octets.data(), source.value());
  return siphash24(key, octets);
}

Reassembler::Reassembler(const ReassemblyConfig& config, Random& random, BufferPool& pool, observe::Sink& sink)
    : config_{config},
      pool_{pool},
      sink_{sink},
      entries_{16, KeyHash{random.sip_key()}},
      sources_{16, KeyHash{random.sip_key()}} {}

Reassembler::~Reassembler() { clear(); }

std::optional<IncomingDatagram> Reassembler::add(Instant now, IncomingDatagram&& fragment) {
  ++sink_.count.ip_reassembly_required;
  if (const auto reason = objection(fragment)) {
    fail(now, *reason);
    return std::nullopt;
  }
  Entry* entry = find_or_create(now, fragment);
  if (entry == nullptr) return std::nullopt;
  if (entry->discarded) {
    sink_.drop(now, DropReason::FragmentOverlap);
    return std::nullopt;
  }
  switch (fit(*entry, fragment)) {
    case Fit::Repetition:
      sink_.drop(now, DropReason::FragmentRepeated);
      return std::nullopt;
    case Fit::Conflict:
      fail(now, DropReason::FragmentOverlap);
      discard(*entry);
      return std::nullopt;
    case Fit::New:
      break;
  }
  if (entry->pieces.size() >= config_.max_fragments) {
    fail(now, DropReason::FragmentsTooMany);
    discard(*entry);
    return std::nullopt;
  }
  if (pins_too_much(fragment.packet)) {
    const std::size_t header_length = fragment.packet.size() - fragment.payload.size();
    fragment.packet = pool_.copy(fragment.packet.view());
    fragment.payload = fragment.packet.sub(header_length);
  }
  const std::size_t cost = fragment.packet.buffer()->capacity() + sizeof(Buffer) + 2 * sizeof(Piece);
  if (!make_room(now, *entry, cost)) return std::nullopt;
  insert(*entry, std::move(fragment), cost);
  if (entry->total != entry->received) return std::nullopt;
  return join(now, *entry);
}

std::optional<DropReason> Reassembler::objection(const IncomingDatagram& fragment) {
  const wire::Ipv4Header& h = fragment.header;
  const std::size_t octets = fragment.payload.size();
  const std::size_t header_length = fragment.packet.size() - octets;
  if (octets == 0 || (h.more_fragments && octets % 8 != 0)) return DropReason::FragmentMalformed;
  if (header_length + h.fragment_offset + octets > wire::ipv4_max_total_length) return DropReason::FragmentMalformed;
  if (h.fragment_offset == 0 && octets < least_first_fragment(h.protocol)) return DropReason::FragmentTiny;
  // RFC 3128: a fragment that begins inside the TCP header could rewrite its flags.
  const bool tcp = h.protocol == static_cast<std::uint8_t>(IpProtocol::Tcp);
  if (tcp && h.fragment_offset != 0 && h.fragment_offset < wire::tcp_min_header) return DropReason::FragmentTiny;
  return std::nullopt;
}

Reassembler::Entry* Reassembler::find_or_create(Instant now, const IncomingDatagram& fragment) {
  const wire::Ipv4Header& h = fragment.header;
  const Key key{h.source, h.destination, h.identification, h.protocol};
  if (const auto it = entries_.find(key); it != entries_.end()) return it->second.get();
  auto made = std::make_unique<Entry>();
  Entry& entry = *made;
  entry.key = key;
  entry.deadline = now + config_.timeout;
  entry.source = &sources_[h.source];
  entries_.emplace(key, std::move(made));
  entry.source->entries.push_back(entry);
  by_age_.push_back(entry);
  const std::size_t cost = sizeof(Entry) + sizeof(Source) + 2 * map_node;
  if (!make_room(now, entry, cost)) return nullptr;
  charge(entry, cost);
  return &entry;
}

/// RFC 815's holes, seen from the other side: the pieces are known, and a new one must lie between two of them.
Reassembler::Fit Reassembler::fit(const Entry& entry, const IncomingDatagram& fragment) {
  const std::uint32_t begin = fragment.header.fragment_offset;
  const auto end = begin + static_cast<std::uint32_t>(fragment.payload.size());
  const bool last = !fragment.header.more_fragments;
  const auto& pieces = entry.pieces;
  const auto after = std::lower_bound(pieces.begin(), pieces.end(), begin,
                                      [](const Piece& p, std::uint32_t offset) { return p.offset < offset; });
  if (after != pieces.end() && after->offset == begin && after->end() == end) {
    const bool was_last = entry.total == end;
    const bool same =
        was_last == last && std::memcmp(after->octets.data(), fragment.payload.data(), fragment.payload.size()) == 0;
    return same ? Fit::Repetition : Fit::Conflict;
  }
  if (after != pieces.end() && after->offset < end) return Fit::Conflict;
  if (after != pieces.begin() && std::prev(after)->end() > begin) return Fit::Conflict;
  if (entry.total && (last || end > *entry.total)) return Fit::Conflict;  // two ends
  if (last && after != pieces.end()) return Fit::Conflict;                // octets behind the end
  return Fit::New;
}

/// Evicts the oldest: first of the same source, so that a flood from one cannot push out the others, then of all.
/// False when that met the datagram itself, which is gone then.
bool Reassembler::make_room(Instant now, const Entry& entry, std::size_t cost) {
  Source& source = *entry.source;
  while (source.octets + cost > config_.max_octets_per_source || octets_ + cost > config_.max_octets) {
    const bool own_share = source.octets + cost > config_.max_octets_per_source;
    Entry& oldest = own_share ? *source.entries.front() : *by_age_.front();
    const bool itself = &oldest == &entry;
    fail(now, DropReason::FragmentEvicted);
    erase(oldest);
    if (itself) return false;
  }
  return true;
}

void Reassembler::insert(Entry& entry, IncomingDatagram&& fragment, std::size_t cost) {
  const std::uint32_t begin = fragment.header.fragment_offset;
  const auto after = std::lower_bound(entry.pieces.begin(), entry.pieces.end(), begin,
                                      [](const Piece& p, std::uint32_t offset) { return p.offset < offset; });
  const auto at = entry.pieces.insert(after, Piece{begin, fragment.payload});
  entry.received += static_cast<std::uint32_t>(at->octets.size());
  if (!fragment.header.more_fragments) entry.total = at->end();
  entry.broadcast |= fragment.broadcast;
  entry.ecn_seen |= 1U << (fragment.header.tos & ecn_mask);
  if (begin == 0) entry.first = std::move(fragment);
  charge(entry, cost);
}

/// RFC 3168 section 5.3: CE on any fragment is CE on the datagram. False where another fragment says that its sender
/// knows nothing of ECN: it would not answer the mark, so the datagram is dropped as a router would have to drop it.
bool Reassembler::keep_congestion_mark(const Entry& entry, IncomingDatagram& whole) {
  if ((entry.ecn_seen & (1U << congestion_experienced)) == 0) return true;
  if ((entry.ecn_seen & (1U << not_ect)) != 0) return false;
  whole.header.tos = static_cast<std::uint8_t>(whole.header.tos | congestion_experienced);
  return true;
}

std::optional<IncomingDatagram> Reassembler::join(Instant now, Entry& entry) {
  IncomingDatagram whole = std::move(*entry.first);
  const std::size_t header_length = whole.packet.size() - whole.payload.size();
  const std::size_t total = header_length + entry.received;
  if (total > wire::ipv4_max_total_length) {
    fail(now, DropReason::FragmentMalformed);
    erase(entry);
    return std::nullopt;
  }
  if (!keep_congestion_mark(entry, whole)) {
    fail(now, DropReason::FragmentEcnMixed);
    erase(entry);
    return std::nullopt;
  }
  Slice packet = pool_.allocate_slice(total);
  std::memcpy(packet.mutable_data(), whole.packet.data(), header_length);
  wire::put_tos({packet.mutable_data(), header_length}, whole.header.tos);
  wire::put_fragment_fields({packet.mutable_data(), header_length}, static_cast<std::uint16_t>(total), 0, false);
  for (const Piece& piece : entry.pieces) {
    std::memcpy(packet.mutable_data() + header_length + piece.offset, piece.octets.data(), piece.octets.size());
  }
  whole.header.total_length = static_cast<std::uint16_t>(total);
  whole.header.more_fragments = false;
  whole.broadcast = entry.broadcast;
  whole.packet = std::move(packet);
  whole.payload = whole.packet.sub(header_length);
  whole.gso_size = 0;
  // No device can judge the transport checksum of a part. Only a sum that was never computed, because the sender is
  // this very machine, stays that way.
  if (whole.checksum == ChecksumState::Validated) whole.checksum = ChecksumState::Unverified;
  erase(entry);
  ++sink_.count.ip_reassembled;
  return whole;
}

/// Only the record stays until its time is over, to catch what still comes (RFC 5722 section 4).
void Reassembler::discard(Entry& entry) {
  const std::size_t held = entry.cost;
  release(entry);
  entry.pieces = {};
  entry.first.reset();
  entry.discarded = true;
  charge(entry, std::min(held, sizeof(Entry) + sizeof(Source) + 2 * map_node));
}

/// RFC 4293: ipSystemStatsReasmFails counts failures, not fragments.
void Reassembler::fail(Instant now, DropReason reason) {
  ++sink_.count.ip_reassembly_failures;
  sink_.drop(now, reason);
}

void Reassembler::charge(Entry& entry, std::size_t cost) {
  entry.cost += cost;
  entry.source->octets += cost;
  octets_ += cost;
}

void Reassembler::release(Entry& entry) {
  entry.source->octets -= entry.cost;
  octets_ -= entry.cost;
  entry.cost = 0;
}

void Reassembler::erase(Entry& entry) {
  release(entry);
  static_cast<ListNode<SourceTag>&>(entry).unlink();
  if (entry.source->entries.empty()) sources_.erase(entry.key.source);
  const Key key = entry.key;
  entries_.erase(key);
}

Instant Reassembler::next_deadline() const {
  const Entry* oldest = by_age_.front();
  return oldest == nullptr ? Instant::max() : oldest->deadline;
}

bool Reassembler::expire(Instant now, std::optional<IncomingDatagram>& first) {
  first.reset();
  Entry* oldest = by_age_.front();
  if (oldest == nullptr || oldest->deadline > now) return false;
  if (!oldest->discarded) {
    fail(now, DropReason::FragmentTimeout);
    first = std::move(oldest->first);
    if (first) first->broadcast = oldest->broadcast;
  }
  erase(*oldest);
  return true;
}

void Reassembler::clear() {
  while (Entry* oldest = by_age_.front()) erase(*oldest);
}

}  // namespace wireside::ip

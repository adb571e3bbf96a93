// IPv4 reassembly (RFC 791 section 3.2, RFC 815, RFC 1122 section 3.3.2) within bounds a hostile peer cannot move.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/intrusive_list.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "ip/ip_config.hpp"
#include "ip/ip_types.hpp"
#include "observe/event.hpp"

namespace wireside::ip {

/// Collects fragments until a datagram is whole. Any overlap but an exact repetition discards the whole datagram and
/// what still comes of it (RFC 5722 section 4, applied to IPv4), so octets of two senders never mix. Memory is counted
/// as it is held: whole blocks and records, not payload.
class Reassembler {
 public:
  /// `random` is used in the constructor only; `pool` and `sink` outlive the object.
  Reassembler(const ReassemblyConfig& config, Random& random, BufferPool& pool, observe::Sink& sink);
  ~Reassembler();
  Reassembler(const Reassembler&) = delete;
  Reassembler& operator=(const Reassembler&) = delete;

  /// One fragment, its header checked. The datagram when it is whole now: one contiguous packet with the first
  /// fragment's header, as if it had never been cut. Else it is kept, or dropped and counted.
  [[nodiscard]] std::optional<IncomingDatagram> add(Instant now, IncomingDatagram&& fragment);

  [[nodiscard]] Instant next_deadline() const;  ///< Instant::max(): none
  /// Gives up one datagram whose time is over (counted); false when there is none. `first` becomes its first fragment
  /// if that was received and the datagram was not discarded: what an ICMP time exceeded has to quote.
  [[nodiscard]] bool expire(Instant now, std::optional<IncomingDatagram>& first);
  void clear();

  [[nodiscard]] std::size_t datagrams() const { return entries_.size(); }
  /// Octets held now, blocks and records; never above ReassemblyConfig::max_octets.
  [[nodiscard]] std::size_t octets() const { return octets_; }

 private:
  struct AgeTag;
  struct SourceTag;
  struct Key {
    Ipv4Address source;
    Ipv4Address destination;
    std::uint16_t identification = 0;
    std::uint8_t protocol = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    SipKey key;
    std::size_t operator()(const Key& k) const;
    std::size_t operator()(Ipv4Address source) const;
  };
  struct Piece {
    std::uint32_t offset = 0;
    Slice octets;
    [[nodiscard]] std::uint32_t end() const { return offset + static_cast<std::uint32_t>(octets.size()); }
  };
  struct Source;
  struct Entry : ListNode<AgeTag>, ListNode<SourceTag> {
    Key key;
    Source* source = nullptr;
    Instant deadline;
    std::vector<Piece> pieces;              // in order, apart
    std::optional<std::uint32_t> total;     // payload octets, once the last fragment is known
    std::uint32_t received = 0;             // payload octets in pieces
    std::size_t cost = 0;                   // part of octets_
    std::optional<IncomingDatagram> first;  // fragment at offset 0
    bool broadcast = false;                 // any fragment came by broadcast
    unsigned ecn_seen = 0;                  // bit per ECN codepoint of the fragments
    bool discarded = false;                 // overlap: nothing more is taken
  };
  struct Source {
    std::size_t octets = 0;
    IntrusiveList<Entry, SourceTag> entries;  // oldest first
  };
  enum class Fit : std::uint8_t { New, Repetition, Conflict };

  [[nodiscard]] static std::optional<observe::DropReason> objection(const IncomingDatagram& fragment);
  [[nodiscard]] Entry* find_or_create(Instant now, const IncomingDatagram& fragment);
  [[nodiscard]] static Fit fit(const Entry& entry, const IncomingDatagram& fragment);
  [[nodiscard]] bool make_room(Instant now, const Entry& entry, std::size_t cost);
  void insert(Entry& entry, IncomingDatagram&& fragment, std::size_t cost);
  [[nodiscard]] static bool keep_congestion_mark(const Entry& entry, IncomingDatagram& whole);
  [[nodiscard]] std::optional<IncomingDatagram> join(Instant now, Entry& entry);
  void discard(Entry& entry);
  void fail(Instant now, observe::DropReason reason);
  void charge(Entry& entry, std::size_t cost);
  void release(Entry& entry);
  void erase(Entry& entry);

  ReassemblyConfig config_;
  BufferPool& pool_;
  observe::Sink& sink_;
  std::unordered_map<Key, std::unique_ptr<Entry>, KeyHash> entries_;
  std::unordered_map<Ipv4Address, Source, KeyHash> sources_;
  IntrusiveList<Entry, AgeTag> by_age_;  // oldest first: one timeout for all, so next to expire first
  std::size_t octets_ = 0;
};

}  // namespace wireside::ip

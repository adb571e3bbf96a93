// The ARP cache: RFC 826 resolution with the neighbour states of RFC 4861 section 7.3.2 and the rules of RFC 1122
// section 2.3.2. It knows addresses and parked frames, but builds no frame itself.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/deadline_queue.hpp"
#include "base/intrusive_list.hpp"
#include "base/time.hpp"
#include "link/link_config.hpp"
#include "observe/event.hpp"
#include "packet/packet.hpp"

namespace wireside::link {

/// One line of a listing.
struct NeighbourInfo {
  Ipv4Address address;
  MacAddress mac;  ///< zero while unknown
  observe::NeighbourState state = observe::NeighbourState::Incomplete;
  std::size_t parked = 0;  ///< frames waiting for the address
};

/// A request to send: broadcast when `mac` is absent, else a unicast poll of a known neighbour.
struct Solicitation {
  Ipv4Address target;
  std::optional<MacAddress> mac;
};

/// What an ARP message says about its sender.
struct ArpFacts {
  Ipv4Address address;
  MacAddress mac;
  bool is_reply = false;
  bool for_us = false;  ///< the target protocol address is one of ours, and the message is no gratuitous one
};

/// Whether a neighbour answers, for those who route through it.
struct ReachabilityAdvice {
  Ipv4Address address;
  bool reachable = false;
};

class NeighbourCache {
 public:
  NeighbourCache(const NeighbourConfig& config, observe::Sink& sink);
  ~NeighbourCache();
  NeighbourCache(const NeighbourCache&) = delete;
  NeighbourCache& operator=(const NeighbourCache&) = delete;

  /// The neighbour's MAC address if it is known. Otherwise the frame is taken: parked until the address resolves
  /// (ARPC-04), or, if resolution failed lately, handed on to poll_failed(). Using a STALE entry starts its DELAY.
  [[nodiscard]] std::optional<MacAddress> use(Instant now, Ipv4Address neighbour, FrameOut& frame);

  /// The same, where the frame cannot leave now: it comes from poll_resolved() when it may.
  void use_later(Instant now, Ipv4Address neighbour, FrameOut&& frame);

  /// Takes in what an ARP message said. An entry is updated by any message (ARP-03) but made only if the message was
  /// for us (ARP-04). False if it told nothing we keep.
  bool learn(Instant now, const ArpFacts& facts);

  /// Forward progress seen by an upper layer: the neighbour is reachable (RFC 4861 section 7.3.1).
  void confirm(Instant now, Ipv4Address neighbour);
  /// Forgets a neighbour; parked frames go to poll_failed().
  void forget(Instant now, Ipv4Address neighbour);

  /// Asks whether a neighbour is still there, though no packet waits for it: by a unicast poll where its MAC address is
  /// known (RFC 4861 section 7.3.3), else by broadcast. The answer, or its absence, comes from poll_advice().
  void verify(Instant now, Ipv4Address neighbour);
  /// A neighbour that became REACHABLE, or did not answer.
  [[nodiscard]] std::optional<ReachabilityAdvice> poll_advice();
  /// The source address was lost: frames from it that wait for a neighbour are dropped.
  void drop_from(Instant now, Ipv4Address source);
  /// Forgets everything, the frames that wait included.
  void clear();

  /// Whether poll_solicitation() or poll_resolved() may have something, and poll_failed() or poll_advice().
  [[nodiscard]] bool has_output() const { return !solicitations_.empty() || !resolved_.empty(); }
  [[nodiscard]] bool has_news() const { return !failed_.empty() || !advice_.empty(); }
  [[nodiscard]] std::optional<Solicitation> poll_solicitation();
  /// A parked frame whose neighbour has been resolved, in the order of parking.
  [[nodiscard]] bool poll_resolved(FrameOut& frame, MacAddress& mac);
  /// A frame whose neighbour did not answer; already counted as dropped. Its header block begins with the IP header.
  [[nodiscard]] bool poll_failed(FrameOut& frame);

  [[nodiscard]] Instant next_deadline() { return deadlines_.next(); }  ///< Instant::max(): none
  void handle_timeouts(Instant now);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::optional<NeighbourInfo> find(Ipv4Address neighbour) const;
  /// All entries by address.
  [[nodiscard]] std::vector<NeighbourInfo> list() const;

 private:
  using State = observe::NeighbourState;
  struct EvictionTag;
  struct Entry : DeadlineNode, ListNode<EvictionTag> {
    Ipv4Address address;
    MacAddress mac;
    State state = State::Incomplete;
    unsigned solicits_sent = 0;
    bool used_while_probing = false;
    std::list<FrameOut> parked;
  };
  struct Resolved {
    MacAddress mac;
    FrameOut frame;
  };
  using EvictionList = IntrusiveList<Entry, EvictionTag>;

  [[nodiscard]] Entry* lookup(Ipv4Address address);
  /// nullptr if the table is full. `wanted`: a packet of ours needs it, which may cost another resolution its place.
  [[nodiscard]] Entry* create(Instant now, Ipv4Address address, bool wanted);
  [[nodiscard]] bool make_room(Instant now, bool wanted);
  [[nodiscard]] std::list<FrameOut> take_parked(Entry& entry);
  void park(Instant now, Entry& entry, FrameOut& frame);
  void start_resolution(Instant now, Entry& entry, bool existed);
  void solicit(Instant now, Entry& entry);
  /// The only writer of an entry's state; arms its deadline, files it for eviction and reports it.
  void enter(Instant now, Entry& entry, State to, bool existed = true);
  void release_parked(Entry& entry);
  void fail_parked(Instant now, Entry& entry);
  void hand_back(Instant now, FrameOut&& frame, observe::DropReason reason);
  void remove(Entry& entry);
  void timed_out(Instant now, Entry& entry);
  void solicit_again_or_give_up(Instant now, Entry& entry);

  NeighbourConfig config_;
  observe::Sink& sink_;
  DeadlineQueue deadlines_;  // before the entries, which hold its nodes
  // Every entry is in one of these. What others say evicts unused entries only; a packet of ours may also cost the
  // oldest resolution its place, or, where nothing is being resolved, the least recently confirmed entry.
  EvictionList unused_;                   // STALE and FAILED, least recently changed first
  EvictionList resolving_;                // INCOMPLETE
  EvictionList known_;                    // REACHABLE, DELAY and PROBE, least recently confirmed or changed first
  std::map<Ipv4Address, Entry> entries_;  // ordered: nobody outside can make it slow, and listings repeat
  Entry* last_used_ = nullptr;
  std::size_t parked_in_all_ = 0;
  std::deque<Solicitation> solicitations_;
  std::list<Resolved> resolved_;
  std::list<FrameOut> failed_;
  std::deque<ReachabilityAdvice> advice_;
};

}  // namespace wireside::link

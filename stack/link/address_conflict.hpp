// Address conflict detection (RFC 5227): probes before an address is used, announcements when it is, and what to do
// when another host uses it. For static, link-local (RFC 3927) and DHCP addresses alike; one object per interface.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "link/link_config.hpp"
#include "observe/event.hpp"
#include "wire/arp.hpp"

namespace wireside::link {

/// What became of an address.
struct ConflictResult {
  enum class What : std::uint8_t {
    Free,      ///< probed for without an objection: it may be used; announce() is the next thing to do
    Conflict,  ///< another host has it or probes for it too: it must not be used
    Lost,      ///< it was in use and had to be given up (section 2.4): it must not be used any more
  };
  What what = What::Free;
  Ipv4Address address;
  MacAddress other;  ///< the other host; zero with Free
  friend constexpr bool operator==(const ConflictResult&, const ConflictResult&) = default;
};

class AddressConflict {
 public:
  struct Outgoing {
    wire::ArpMessage message;  ///< to be broadcast
    observe::TxReason reason = observe::TxReason::ArpProbe;
  };

  /// `mac`: our own, by which our own messages are known. `random` and `sink` outlive this.
  AddressConflict(const ConflictConfig& config, MacAddress mac, Random& random, observe::Sink& sink);

  /// Begins to probe for an address that is not in use (section 2.1.1), anew if that was under way. Ends in Free or
  /// Conflict. After max_conflicts conflicts it begins up to rate_limit_interval later.
  void start_probe(Instant now, Ipv4Address address);
  /// The address is in use: the first announcement leaves now (section 2.3), and conflicts are watched for.
  void announce(Instant now, Ipv4Address address);
  /// Probes for an address that stays in use meanwhile (section 2.1, when a link comes back). It is announced when
  /// nobody objects, and Free follows; an objection is a conflict in use, dealt with by the policy.
  void verify(Instant now, Ipv4Address address);
  /// The address is in use, without announcement: conflicts are watched for (section 2.4).
  void watch(Ipv4Address address);
  /// Neither probes for the address nor watches it any more; no result follows.
  void cancel(Ipv4Address address);
  /// The interface is gone: nothing is probed for, announced or watched any more.
  void clear();
  /// The link carries nothing: what was heard until now proves nothing, so probing stands still.
  void link_down();
  /// The link is back: unfinished probing begins anew (section 2.1).
  void link_up(Instant now);

  /// Every ARP message that arrives. True if it was about an address probed for or in use, that is, a conflict.
  bool handle_arp(Instant now, const wire::ArpMessage& message);

  [[nodiscard]] std::optional<Outgoing> poll_message();
  [[nodiscard]] bool has_message() const { return !messages_.empty(); }
  [[nodiscard]] std::optional<ConflictResult> poll_result();
  [[nodiscard]] bool has_result() const { return !results_.empty(); }
  [[nodiscard]] Instant next_deadline() const { return next_; }  ///< exact; Instant::max(): none
  void handle_timeouts(Instant now);

  /// For an address that is not in use.
  [[nodiscard]] bool is_probing(Ipv4Address address) const;

 private:
  /// Probing: probes are still to be sent. Listening: the last one is out (ANNOUNCE_WAIT). Used: ours.
  enum class Phase : std::uint8_t { Probing, Listening, Used };
  struct Entry {
    Ipv4Address address;
    Phase phase = Phase::Probing;
    bool in_use = false;  ///< always in phase Used
    unsigned sent = 0;    ///< probes, or announcements
    Instant due = Instant::max();
    std::optional<Instant> defended{};
  };

  [[nodiscard]] Entry* find(Ipv4Address address);
  Entry& find_or_add(Ipv4Address address);
  void begin_probing(Instant now, Entry& entry);
  void timed_out(Instant now, Entry& entry);
  void objection(Instant now, const Entry& entry, MacAddress other);
  void conflict_in_use(Instant now, Entry& entry, MacAddress other);
  void finish(const Entry& entry, ConflictResult::What what, MacAddress other);
  void count_conflict(Instant now);
  void queue(const Entry& entry, observe::TxReason reason);
  void report(Instant now, Ipv4Address address, observe::AddressNews news, MacAddress other = {});
  void forget(Ipv4Address address);
  void find_next_deadline();
  [[nodiscard]] Duration random_between(Duration least, Duration most);

  ConflictConfig config_;
  MacAddress mac_;
  Random& random_;
  observe::Sink& sink_;
  std::vector<Entry> entries_;  // a handful: one per address of the interface
  std::deque<Outgoing> messages_;
  std::deque<ConflictResult> results_;
  Instant next_ = Instant::max();
  bool link_is_down_ = false;
  unsigned conflicts_ = 0;
  Instant last_conflict_;
  std::optional<Instant> last_attempt_;
};

}  // namespace wireside::link

// Dead-gateway detection by advice of the layers around IP (RFC 1122 section 3.3.1.4). Nothing is pinged.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "observe/vocabulary.hpp"

namespace wireside::ip {

using observe::GatewayAdvice;

/// Remembers the gateways something bad was heard of. One that does not answer ARP is given up at once; one through
/// which TCP makes no progress after several retransmissions in a row, without progress of anything else between. What
/// is given up rests; when traffic would go to it again it is asked for by ARP, and used again when it answers.
class GatewayHealth {
 public:
  static constexpr unsigned no_progress_limit = 3;
  static constexpr Duration rest = std::chrono::seconds{30};
  static constexpr std::size_t max_gateways = 256;

  /// True if this advice makes the gateway be given up.
  bool negative(Instant now, Ipv4Address gateway, GatewayAdvice advice);
  /// Something made progress through it. True if the gateway had been given up and is good again.
  bool positive(Ipv4Address gateway);
  /// It answers ARP, which says nothing of its way on: one given up for that is good again only when it was asked after
  /// its rest. True as above.
  bool answered(Ipv4Address gateway);
  void forget(Ipv4Address gateway);
  /// Nothing bad is known of any gateway.
  [[nodiscard]] bool knows_nothing() const { return entries_.empty(); }
  [[nodiscard]] bool usable(Ipv4Address gateway) const {
    if (entries_.empty()) [[likely]]
      return true;
    const Entry* entry = find(gateway);
    return entry == nullptr || !entry->given_up;
  }
  /// The same, on behalf of a packet that would go there: only then is it worth while to ask for a gateway again.
  [[nodiscard]] bool choose(Ipv4Address gateway) const {
    if (entries_.empty()) [[likely]]
      return true;
    const Entry* entry = find(gateway);
    if (entry != nullptr) entry->wanted = true;
    return entry == nullptr || !entry->given_up;
  }

  [[nodiscard]] Instant next_deadline() const;  ///< Instant::max(): none
  /// A gateway whose rest is over and that traffic would use: ask the neighbour for a sign of life. It rests again
  /// until something is heard.
  [[nodiscard]] std::optional<Ipv4Address> poll_retry(Instant now);

 private:
  struct Entry {
    Ipv4Address gateway{};
    unsigned no_progress = 0;
    bool given_up = false;
    bool rests = false;           ///< an answer to ARP does not end it
    mutable bool wanted = false;  ///< traffic would have gone there since it was asked for
    Instant retry_at = Instant::max();
  };
  [[nodiscard]] const Entry* find(Ipv4Address gateway) const;

  std::vector<Entry> entries_;  // few: gateways in trouble only
};

}  // namespace wireside::ip

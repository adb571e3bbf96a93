// Choice of a link-local address (RFC 3927 section 2.1): random in 169.254/16, from a generator seeded by the MAC
// address, so that a host tends to get the same one again.
#pragma once

#include <optional>

#include "base/address.hpp"
#include "base/random.hpp"
#include "base/time.hpp"

namespace wireside::dhcp {

class LinkLocal {
 public:
  explicit LinkLocal(MacAddress mac);

  /// Picks an address. Then free() or conflict() is expected.
  void start(Instant now);
  void stop();
  void free() { held_ = candidate_.has_value(); }
  /// The address is another host's: the next one is tried, after a minute once there were ten conflicts
  /// (RFC 3927 section 2.2.1, MAX_CONFLICTS and RATE_LIMIT_INTERVAL).
  void conflict(Instant now);
  /// An address whose check is due; each is given once.
  [[nodiscard]] std::optional<Ipv4Address> poll_check(Instant now);

  [[nodiscard]] std::optional<Ipv4Address> candidate() const { return candidate_; }
  [[nodiscard]] std::optional<Ipv4Address> held() const { return held_ ? candidate_ : std::nullopt; }
  [[nodiscard]] bool active() const { return candidate_.has_value(); }
  [[nodiscard]] Instant next_deadline() const { return check_at_.value_or(Instant::max()); }

 private:
  void pick(Instant at);

  Random random_;
  std::optional<Ipv4Address> candidate_;
  std::optional<Instant> check_at_;
  bool held_ = false;
  unsigned conflicts_ = 0;
};

}  // namespace wireside::dhcp

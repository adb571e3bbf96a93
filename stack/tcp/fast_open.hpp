// TCP Fast Open (RFC 7413): the cookies a server gives out, and those a client remembers.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>

#include "base/address.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "wire/tcp.hpp"

namespace wireside::tcp {

/// Server: a cookie is a keyed hash of both addresses, so nothing is kept per client (RFC 7413 section 4.1.2). The key
/// changes; cookies of the one before it are still good.
class FastOpenKeys {
 public:
  explicit FastOpenKeys(const SipKey& first) : current_{first}, previous_{first} {}

  /// Takes a new key when the current one has been in use for `lifetime`.
  void rotate(Instant now, Duration lifetime, Random& random);
  [[nodiscard]] wire::FastOpenCookie make(IpAddress client, IpAddress server) const;
  [[nodiscard]] bool is_good(const wire::FastOpenCookie& cookie, IpAddress client, IpAddress server) const;

 private:
  SipKey current_, previous_;
  std::optional<Instant> since_;
};

/// Client: what is known of servers (RFC 7413 section 4.1.3), the oldest forgotten first.
class FastOpenCache {
 public:
  struct Entry {
    wire::FastOpenCookie cookie;  ///< or a request while there is none
    std::uint16_t mss = 536;      ///< the server's, as its SYN-ACK said
    unsigned failures = 0;        ///< in a row
    Instant blocked_until;        ///< SYNs with the option seem not to get through
  };
  using Hash = std::function<std::size_t(const FourTuple&)>;

  FastOpenCache(std::size_t most, Hash hash) : most_{most}, entries_{16, std::move(hash)} {}

  /// Ports do not matter. nullptr when nothing is known.
  [[nodiscard]] const Entry* find(const FourTuple& tuple) const;
  void remember(const FourTuple& tuple, const wire::FastOpenCookie& cookie, std::uint16_t mss);
  /// A SYN with the option was not answered: for a while, and longer each time, it is left out (section 4.1.3.1).
  void failed(Instant now, const FourTuple& tuple);
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  Entry* entry_for(const FourTuple& tuple);
  std::size_t most_;
  std::unordered_map<FourTuple, Entry, Hash> entries_;
  std::deque<FourTuple> order_;  // oldest first
};

}  // namespace wireside::tcp

// SYN cookies (RFC 4987 section 3.6): the initial sequence number of a SYN-ACK as the only memory of a SYN. The three
// low bits say which class the peer's MSS is of, the others are a keyed hash of everything that identifies the attempt.
// What the SYN's other options agreed on rides in the low bits of the timestamp, which the peer echoes.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>

#include "base/address.hpp"
#include "base/random.hpp"
#include "base/seq_num.hpp"
#include "base/time.hpp"

namespace wireside::tcp {

/// What a timestamp can carry besides the time.
struct CookieOptions {
  std::optional<WindowScale> window_scale;  ///< the peer's; nullopt = no scaling in either direction
  bool sack = false;
  bool ecn = false;  ///< the SYN asked for explicit congestion notification
  friend bool operator==(const CookieOptions&, const CookieOptions&) = default;
};

class SynCookies {
 public:
  /// The slow counter in the hash steps this often; a cookie is good until it has stepped twice.
  static constexpr Duration period = std::chrono::seconds{64};
  static constexpr Duration longest_life = 2 * period;

  explicit SynCookies(const SipKey& key) : key_{key} {}

  /// Initial sequence number for the answer to the SYN `irs`. `mss` is what that SYN offered.
  [[nodiscard]] SeqNum make(Instant now, const FourTuple& tuple, SeqNum irs, std::uint16_t mss) const;
  /// The MSS class (at most the MSS that was offered) when `cookie` was made for this SYN one to two periods ago at
  /// most, else nullopt. A guess is right with a probability of 2^-28.
  [[nodiscard]] std::optional<std::uint16_t> open(Instant now, const FourTuple& tuple, SeqNum irs, SeqNum cookie) const;

  /// The latest timestamp not after `clock` whose low bits say `options`: at most 63 ticks back, so that those that
  /// follow are not older.
  [[nodiscard]] static std::uint32_t stamp(std::uint32_t clock, const CookieOptions& options);
  [[nodiscard]] static CookieOptions read_stamp(std::uint32_t echo);

 private:
  [[nodiscard]] SeqNum make_at(std::uint64_t count, const FourTuple& tuple, SeqNum irs, std::uint32_t mss_class) const;
  SipKey key_;
};

/// Which flows wait for the ACK of a cookie: 2 KiB whatever the number of SYNs. May name a flow that does not, or, when
/// another one of the same place was opened, miss one.
class AnsweredSyns {
 public:
  /// As long as a cookie is good: the segment that proves it may have to be repeated often.
  static constexpr Duration period = SynCookies::period;

  void note(Instant now, std::uint64_t flow);
  /// The cookie came back.
  void forget(std::uint64_t flow);
  /// Noted within the last period, perhaps up to two ago, and not forgotten.
  [[nodiscard]] bool may_have(Instant now, std::uint64_t flow) const;

 private:
  static constexpr std::size_t bits = 8192;
  struct Period {
    std::uint64_t count = 0;
    std::bitset<bits> flows;
  };
  std::array<Period, 2> periods_;  // that of an even count, that of an odd one
};

}  // namespace wireside::tcp

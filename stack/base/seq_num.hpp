// TCP sequence numbers: a circle, so no operator< (RFC 9293 section 3.4).
#pragma once

#include <cstdint>

namespace wireside {

class SeqNum {
 public:
  constexpr SeqNum() = default;
  explicit constexpr SeqNum(std::uint32_t v) : v_{v} {}
  [[nodiscard]] constexpr std::uint32_t value() const { return v_; }

  friend constexpr bool operator==(SeqNum, SeqNum) = default;
  friend constexpr SeqNum operator+(SeqNum s, std::uint32_t n) { return SeqNum{s.v_ + n}; }
  friend constexpr SeqNum operator-(SeqNum s, std::uint32_t n) { return SeqNum{s.v_ - n}; }
  constexpr SeqNum& operator+=(std::uint32_t n) {
    v_ += n;
    return *this;
  }
  /// Signed distance from b to a; exact while the two are within 2^31 of each other.
  friend constexpr std::int32_t operator-(SeqNum a, SeqNum b) { return static_cast<std::int32_t>(a.v_ - b.v_); }

  [[nodiscard]] constexpr bool before(SeqNum o) const { return *this - o < 0; }
  [[nodiscard]] constexpr bool after(SeqNum o) const { return *this - o > 0; }
  [[nodiscard]] constexpr bool at_or_before(SeqNum o) const { return *this - o <= 0; }
  [[nodiscard]] constexpr bool at_or_after(SeqNum o) const { return *this - o >= 0; }
  /// start =< this < start + length, unsigned arithmetic (MUST-1).
  [[nodiscard]] constexpr bool in_window(SeqNum start, std::uint32_t length) const { return v_ - start.v_ < length; }

 private:
  std::uint32_t v_ = 0;
};

/// Octets from `from` to `to`; callers know that from is at or before to.
[[nodiscard]] constexpr std::uint32_t span_octets(SeqNum from, SeqNum to) { return to.value() - from.value(); }
[[nodiscard]] constexpr SeqNum later(SeqNum a, SeqNum b) { return a.after(b) ? a : b; }
[[nodiscard]] constexpr SeqNum earlier(SeqNum a, SeqNum b) { return a.before(b) ? a : b; }

/// Window scale shift count, 0..14 (RFC 7323 section 2.3: larger values count as 14).
class WindowScale {
 public:
  static constexpr std::uint8_t max_shift = 14;
  constexpr WindowScale() = default;
  explicit constexpr WindowScale(std::uint8_t shift) : shift_{shift > max_shift ? max_shift : shift} {}
  [[nodiscard]] constexpr std::uint8_t shift() const { return shift_; }
  friend constexpr bool operator==(WindowScale, WindowScale) = default;

 private:
  std::uint8_t shift_ = 0;
};

}  // namespace wireside

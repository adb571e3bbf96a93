// How the state of a connection at rest is written down: only the values that differ from what is expected, each in as
// many octets as it needs. Exact: what is read back is what was written.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>

#include "base/seq_num.hpp"
#include "base/time.hpp"

namespace wireside::tcp {

/// Octets of a number, little-endian; `width` of them count.
inline void store_number(std::uint8_t* to, std::uint64_t value) {
  if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap64(value);
  std::memcpy(to, &value, sizeof value);
}
[[nodiscard]] inline std::uint64_t load_number(const std::uint8_t* from, unsigned width) {
  std::uint64_t value = 0;
  std::memcpy(&value, from, sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap64(value);
  return width == sizeof value ? value : value & ((std::uint64_t{1} << 8 * width) - 1);
}

/// What was written: how many widths there are, the octets of the numbers, their widths at four bits each.
using RestOctets = std::unique_ptr<std::uint8_t[]>;

class RestWriter {
 public:
  /// Numbers that can be written; rest_capacity_test.cpp has the connection with the most of them.
  static constexpr std::size_t most = 160;
  std::uint64_t transfer(std::uint64_t value) {
    const auto width = static_cast<unsigned>(std::bit_width(value) + 7) / 8;
    assert(count_ < most);
    store_number(octets_.data() + end_, value);
    end_ += width;
    widths_[count_ / 2] = static_cast<std::uint8_t>(widths_[count_ / 2] | width << (count_ % 2 * 4));
    ++count_;
    return value;
  }
  [[nodiscard]] RestOctets finish() const {
    const std::size_t widths =
        std::max<std::size_t>((count_ + 1) / 2, 8);  // the last number may be read as if it had 8
    RestOctets out = std::make_unique_for_overwrite<std::uint8_t[]>(head + end_ + widths);
    const auto octets = static_cast<std::uint16_t>(end_);
    std::memcpy(out.get(), &octets, head);
    std::memcpy(out.get() + head, octets_.data(), end_);
    std::memcpy(out.get() + head + end_, widths_.data(), widths);
    return out;
  }
  static constexpr std::size_t head = sizeof(std::uint16_t);

 private:
  std::array<std::uint8_t, most * sizeof(std::uint64_t)> octets_;  // the first end_ of them count
  std::array<std::uint8_t, most / 2> widths_{};
  std::size_t end_ = 0;
  std::size_t count_ = 0;
};

class RestReader {
 public:
  explicit RestReader(const std::uint8_t* from) : next_{from + RestWriter::head} {
    std::uint16_t octets = 0;
    std::memcpy(&octets, from, RestWriter::head);
    widths_ = next_ + octets;
  }
  std::uint64_t transfer(std::uint64_t /*expected*/) {
    const unsigned width = (widths_[count_ / 2] >> (count_ % 2 * 4)) & 15U;
    ++count_;
    const std::uint64_t value = load_number(next_, width);
    next_ += width;
    return value;
  }

 private:
  const std::uint8_t* next_;
  const std::uint8_t* widths_ = nullptr;
  std::size_t count_ = 0;
};

/// Everything in terms of numbers, which `Io` writes or reads; each call takes the value by reference, so that one
/// description of a class does both.
template <class Io>
class RestCodec : public Io {
 public:
  using Io::Io;

  template <std::unsigned_integral T>
  void number(T& value) {
    value = static_cast<T>(Io::transfer(value));
  }
  template <class E>
  void choice(E& value) {  // an enumeration
    value = static_cast<E>(Io::transfer(static_cast<std::uint64_t>(value)));
  }
  template <std::same_as<bool>... B>
  void flags(B&... values) {
    std::uint64_t bits = 0;
    unsigned at = 0;
    ((bits |= std::uint64_t{values} << at++), ...);
    bits = Io::transfer(bits);
    at = 0;
    ((values = (bits >> at++ & 1U) != 0), ...);
  }
  void real(double& value) { value = std::bit_cast<double>(Io::transfer(std::bit_cast<std::uint64_t>(value))); }
  void duration(Duration& value) { value = Duration{difference(value.count())}; }
  /// One that is not negative, or Duration::max() for "none".
  void maybe_never(Duration& value) {
    const bool never = value == Duration::max();
    const std::uint64_t code = Io::transfer(never ? 0 : static_cast<std::uint64_t>(value.count()) + 1);
    value = code == 0 ? Duration::max() : Duration{static_cast<std::int64_t>(code - 1)};
  }
  /// Takes few octets where it is close to `near`.
  void instant(Instant& value, Instant near) { value = near + Duration{difference((value - near).count())}; }
  void sequence(SeqNum& value, SeqNum near) { value = near + static_cast<std::uint32_t>(difference(value - near)); }
  void maybe_sequence(std::optional<SeqNum>& value, SeqNum near) {
    bool there = value.has_value();
    flags(there);
    if (!there) return value.reset();
    SeqNum s = value.value_or(near);
    sequence(s, near);
    value = s;
  }
  void shift(WindowScale& value) {
    std::uint8_t shift = value.shift();
    number(shift);
    value = WindowScale{shift};
  }

 private:
  /// Small numbers of either sign become small ones.
  [[nodiscard]] std::int64_t difference(std::int64_t d) {
    const std::uint64_t written = (static_cast<std::uint64_t>(d) << 1U) ^ static_cast<std::uint64_t>(d >> 63);
    const std::uint64_t read = Io::transfer(written);
    return static_cast<std::int64_t>(read >> 1U) ^ -static_cast<std::int64_t>(read & 1U);
  }
};

}  // namespace wireside::tcp

// Flat hash table from 32-bit hashes to numbers, such as slots of a SlotMap: finding one reads one cache line in the
// common case, and the things themselves are looked at only where their hash is the right one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace wireside {

/// Open addressing with linear probing, between 3/8 and 3/4 full while it grows; an entry takes 8 octets. The hash must
/// not be one that peers can aim at (KeyedHash). Growing moves entries by the hashes kept here and touches nothing
/// else; what was erased leaves no mark behind.
class HashIndex {
 public:
  /// The number that was inserted with `hash` and fulfils `matches(number)`.
  template <class F>
  [[nodiscard]] std::optional<std::uint32_t> find(std::uint32_t hash, F&& matches) const {
    if (size_ == 0) return std::nullopt;
    for (std::size_t i = hash & mask(); entries_[i].number != nothing; i = (i + 1) & mask()) {
      if (entries_[i].hash == hash && matches(entries_[i].number)) return entries_[i].number;
    }
    return std::nullopt;
  }

  /// `number` is below UINT32_MAX. The pair must not be there yet.
  void insert(std::uint32_t hash, std::uint32_t number) {
    if ((size_ + 1) * 4 > entries_.size() * 3) resize(entries_.empty() ? least : entries_.size() * 2);
    place({hash, number});
    ++size_;
  }

  /// False when the pair is not there.
  bool erase(std::uint32_t hash, std::uint32_t number) {
    if (size_ == 0) return false;
    std::size_t at = hash & mask();
    while (entries_[at] != Entry{hash, number}) {
      if (entries_[at].number == nothing) return false;
      at = (at + 1) & mask();
    }
    // What follows without a gap moves up, unless it would come to lie before its own place.
    for (std::size_t next = (at + 1) & mask(); entries_[next].number != nothing; next = (next + 1) & mask()) {
      const std::size_t home = entries_[next].hash & mask();
      if (((next - home) & mask()) < ((next - at) & mask())) continue;
      entries_[at] = entries_[next];
      at = next;
    }
    entries_[at] = Entry{};
    --size_;
    if (entries_.size() > least && size_ * 8 < entries_.size()) resize(entries_.size() / 2);
    return true;
  }

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  static constexpr std::uint32_t nothing = UINT32_MAX;
  static constexpr std::size_t least = 16;
  struct Entry {
    std::uint32_t hash = 0;
    std::uint32_t number = nothing;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  [[nodiscard]] std::size_t mask() const { return entries_.size() - 1; }
  void place(Entry entry) {
    std::size_t i = entry.hash & mask();
    while (entries_[i].number != nothing) i = (i + 1) & mask();
    entries_[i] = entry;
  }
  void resize(std::size_t places) {
    const auto before = std::exchange(entries_, std::vector<Entry>(places));
    for (const Entry& e : before) {
      if (e.number != nothing) place(e);
    }
  }

  std::vector<Entry> entries_;  // a power of two of them, or none
  std::size_t size_ = 0;
};

}  // namespace wireside

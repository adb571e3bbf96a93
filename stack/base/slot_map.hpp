// Generational handles: a stale handle is recognised, never dereferenced.
#pragma once

#include <cassert>
#include <compare>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace wireside {

/// Index and generation; Tag keeps handles of different tables apart. The default value refers to nothing.
template <class Tag>
struct Handle {
  std::uint32_t index = UINT32_MAX;
  std::uint32_t generation = 0;
  [[nodiscard]] constexpr bool is_valid() const { return index != UINT32_MAX; }
  friend constexpr auto operator<=>(const Handle&, const Handle&) = default;
};

/// Owns T objects at stable addresses, reached by Handle<Tag>. Insert, find and erase take constant time.
template <class T, class Tag>
class SlotMap {
 public:
  using HandleType = Handle<Tag>;

  template <class... Args>
  HandleType emplace(Args&&... args) {
    std::uint32_t index = 0;
    if (free_.empty()) {
      index = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    slots_[index].value = std::make_unique<T>(std::forward<Args>(args)...);
    ++size_;
    return {index, slots_[index].generation};
  }

  [[nodiscard]] T* find(HandleType h) const {
    if (h.index >= slots_.size()) return nullptr;
    const Slot& slot = slots_[h.index];
    return slot.generation == h.generation ? slot.value.get() : nullptr;
  }

  void erase(HandleType h) {
    if (find(h) == nullptr) return;
    Slot& slot = slots_[h.index];
    ++slot.generation;
    --size_;
    free_.push_back(h.index);
    const auto doomed = std::move(slot.value);  // destroyed last: its destructor may look into this map
  }

  [[nodiscard]] std::size_t size() const { return size_; }

  /// Calls f(handle, value) for each entry; for listings, never on the data path.
  template <class F>
  void for_each(F&& f) const {
    for (std::uint32_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].value) f(HandleType{i, slots_[i].generation}, *slots_[i].value);
    }
  }

 private:
  struct Slot {
    std::unique_ptr<T> value;
    std::uint32_t generation = 1;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace wireside

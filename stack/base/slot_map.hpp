// Generational handles: a stale handle is recognised, never dereferenced.
#pragma once

#include <algorithm>
#include <bit>
#include <cassert>
#include <compare>
#include <cstddef>
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

/// Owns T objects at stable addresses, reached by Handle<Tag>. Insert, find and erase take constant time. The objects
/// lie side by side in chunks: one costs its own size and four octets. A chunk that has become empty is given back,
/// except for one.
template <class T, class Tag>
class SlotMap {
 public:
  using HandleType = Handle<Tag>;

  SlotMap() = default;
  SlotMap(const SlotMap&) = delete;
  SlotMap& operator=(const SlotMap&) = delete;
  ~SlotMap() {
    for (std::uint32_t i = 0; i < chunks_.size() * chunk_slots; ++i) {
      if (T* value = at(i); value != nullptr) erase({i, generation_of(i)});
    }
  }

  template <class... Args>
  HandleType emplace(Args&&... args) {
    if (with_room_.empty()) {
      with_room_.push_back(static_cast<std::uint32_t>(chunks_.size()));
      chunks_.emplace_back();
    }
    const std::uint32_t number = with_room_.back();
    ChunkEntry& entry = chunks_[number];
    if (!entry.chunk) {
      entry.chunk = std::make_unique<Chunk>(entry.first_generation);
      ++empty_chunks_;
    }
    Chunk& chunk = *entry.chunk;
    const std::uint32_t slot = chunk.first_free;
    chunk.first_free = chunk.slots[slot].next_free;
    std::construct_at(&chunk.slots[slot].value, std::forward<Args>(args)...);
    ++chunk.generations[slot];  // odd: taken
    if (chunk.used++ == 0) --empty_chunks_;
    if (chunk.used == chunk_slots) with_room_.pop_back();
    ++size_;
    return {number * chunk_slots + slot, chunk.generations[slot]};
  }

  [[nodiscard]] T* find(HandleType h) const {
    Chunk* const chunk = chunk_of(h.index);
    const std::uint32_t slot = h.index % chunk_slots;
    const bool there = chunk != nullptr && h.generation % 2 == 1 && chunk->generations[slot] == h.generation;
    return there ? &chunk->slots[slot].value : nullptr;
  }
  /// What has this index now, if anything.
  [[nodiscard]] T* at(std::uint32_t index) const {
    Chunk* const chunk = chunk_of(index);
    const std::uint32_t slot = index % chunk_slots;
    return chunk != nullptr && chunk->generations[slot] % 2 == 1 ? &chunk->slots[slot].value : nullptr;
  }
  /// What is known to have this index: nothing is looked at but the object itself.
  [[nodiscard]] T& known_at(std::uint32_t index) const {
    assert(at(index) != nullptr);
    return chunks_[index / chunk_slots].chunk->slots[index % chunk_slots].value;
  }
  /// The handle of what has this index now.
  [[nodiscard]] HandleType handle_at(std::uint32_t index) const { return {index, generation_of(index)}; }

  void erase(HandleType h) {
    T* doomed = find(h);
    if (doomed == nullptr) return;
    const std::uint32_t number = h.index / chunk_slots;
    const std::uint32_t slot = h.index % chunk_slots;
    Chunk& chunk = *chunks_[number].chunk;
    ++chunk.generations[slot];
    --size_;
    std::destroy_at(doomed);  // its destructor may look into this map, where it is no longer
    chunk.slots[slot].next_free = chunk.first_free;
    chunk.first_free = slot;
    if (chunk.used-- == chunk_slots) with_room_.push_back(number);
    if (chunk.used == 0 && ++empty_chunks_ > 1) give_back(chunks_[number]);
  }

  [[nodiscard]] std::size_t size() const { return size_; }

  /// Calls f(handle, value) for each entry, which f may erase; for listings, never on the data path.
  template <class F>
  void for_each(F&& f) const {
    for (std::uint32_t i = 0; i < chunks_.size() * chunk_slots; ++i) {
      if (T* value = at(i); value != nullptr) f(handle_at(i), *value);
    }
  }

 private:
  union Slot {
    Slot() : next_free{0} {}
    ~Slot() {}
    T value;
    std::uint32_t next_free;
  };
  static constexpr std::uint32_t chunk_slots =
      static_cast<std::uint32_t>(std::clamp<std::size_t>(std::bit_floor(16384 / sizeof(Slot)), 8, 256));
  struct Chunk {
    explicit Chunk(std::uint32_t first_generation) {
      for (std::uint32_t i = 0; i < chunk_slots; ++i) {
        slots[i].next_free = i + 1;
        generations[i] = first_generation;
      }
    }
    Slot slots[chunk_slots];
    std::uint32_t generations[chunk_slots];  // odd while taken
    std::uint32_t first_free = 0;
    std::uint32_t used = 0;
  };
  struct ChunkEntry {
    std::unique_ptr<Chunk> chunk;
    std::uint32_t first_generation = 0;  // no handle of an earlier chunk in this place is good
  };

  [[nodiscard]] Chunk* chunk_of(std::uint32_t index) const {
    const std::size_t number = index / chunk_slots;
    return number < chunks_.size() ? chunks_[number].chunk.get() : nullptr;
  }
  [[nodiscard]] std::uint32_t generation_of(std::uint32_t index) const {
    return chunks_[index / chunk_slots].chunk->generations[index % chunk_slots];
  }
  void give_back(ChunkEntry& entry) {
    const auto& generations = entry.chunk->generations;
    entry.first_generation = *std::max_element(std::begin(generations), std::end(generations));
    entry.chunk.reset();
    --empty_chunks_;
  }

  std::vector<ChunkEntry> chunks_;
  std::vector<std::uint32_t> with_room_;  // numbers of chunks with free slots; the last one is used next
  std::size_t empty_chunks_ = 0;
  std::size_t size_ = 0;
};

}  // namespace wireside

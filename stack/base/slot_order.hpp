// Orders among the objects of a SlotMap, by their slots: four octets for a link where a pointer takes eight.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.hpp"

namespace wireside {

/// Where an object stands in its SlotList.
struct SlotLinks {
  std::uint32_t before = UINT32_MAX;
  std::uint32_t after = UINT32_MAX;
};

/// Doubly linked list of all that it was given; each T has `std::uint32_t slot`, its own index in the map, and
/// `SlotLinks links`. Constant time.
template <class Map, class T>
class SlotList {
 public:
  explicit SlotList(const Map& map) : map_{map} {}
  [[nodiscard]] T* front() const { return first_ == none ? nullptr : &map_.known_at(first_); }
  void push_back(T& element) {
    element.links = {last_, none};
    (last_ == none ? first_ : map_.known_at(last_).links.after) = element.slot;
    last_ = element.slot;
  }
  /// `element` is in the list.
  void remove(T& element) {
    const SlotLinks links = element.links;
    (links.before == none ? first_ : map_.known_at(links.before).links.after) = links.after;
    (links.after == none ? last_ : map_.known_at(links.after).links.before) = links.before;
    element.links = {};
  }

 private:
  static constexpr std::uint32_t none = UINT32_MAX;
  const Map& map_;
  std::uint32_t first_ = none;
  std::uint32_t last_ = none;
};

/// A 4-ary heap of deadlines, moved lazily: arming later than the queued time costs nothing. Each T has `std::uint32_t
/// slot`, its own index in the map, `std::uint32_t place`, and due(), set_due(), key() and set_key() for two Instants,
/// all but the first of which are this class's: `due` is exact, the heap may hold it under an earlier `key`.
template <class Map, class T>
class SlotDeadlines {
 public:
  static constexpr std::uint32_t no_place = UINT32_MAX;

  explicit SlotDeadlines(const Map& map) : map_{map} {}
  void arm(T& element, Instant due) {
    element.set_due(due);
    if (element.place == no_place) {
      if (heap_.size() == heap_.capacity()) heap_.reserve(heap_.size() + heap_.size() / 4 + 16);
      heap_.push_back(element.slot);
      element.set_key(due);
      put(heap_.size() - 1, element);
      sift_up(element.place);
    } else if (due < element.key()) {
      element.set_key(due);
      sift_up(element.place);
    }
  }
  void remove(T& element) {
    if (element.place == no_place) return;
    const std::size_t place = element.place;
    T& last = at(heap_.size() - 1);
    heap_.pop_back();
    element.place = no_place;
    if (&last == &element) return;
    put(place, last);
    sift_up(place);
    sift_down(last.place);
  }
  /// The earliest deadline, or Instant::max().
  [[nodiscard]] Instant next() {
    settle_top();
    return heap_.empty() ? Instant::max() : at(0).due();
  }
  /// What is due at or before `now` (and disarmed by this call), or nullptr.
  [[nodiscard]] T* pop_due(Instant now) {
    settle_top();
    if (heap_.empty() || at(0).due() > now) return nullptr;
    T* element = &at(0);
    remove(*element);
    return element;
  }

 private:
  [[nodiscard]] T& at(std::size_t place) const { return map_.known_at(heap_[place]); }
  void settle_top() {
    while (!heap_.empty() && at(0).due() != at(0).key()) {
      at(0).set_key(at(0).due());
      sift_down(0);
    }
  }
  void put(std::size_t place, T& element) {
    heap_[place] = element.slot;
    element.place = static_cast<std::uint32_t>(place);
  }
  void sift_up(std::size_t place) {
    T& element = at(place);
    while (place > 0 && at((place - 1) / 4).key() > element.key()) {
      put(place, at((place - 1) / 4));
      place = (place - 1) / 4;
    }
    put(place, element);
  }
  void sift_down(std::size_t place) {
    T& element = at(place);
    for (std::size_t first = place * 4 + 1; first < heap_.size(); first = place * 4 + 1) {
      std::size_t best = first;
      for (std::size_t child = first + 1; child < std::min(first + 4, heap_.size()); ++child) {
        if (at(child).key() < at(best).key()) best = child;
      }
      if (element.key() <= at(best).key()) break;
      put(place, at(best));
      place = best;
    }
    put(place, element);
  }

  const Map& map_;
  std::vector<std::uint32_t> heap_;
};

}  // namespace wireside

// Several observers where the stack knows one: a trace, a capture and a test may watch together.
#pragma once

#include <algorithm>
#include <vector>

#include "observe/event.hpp"

namespace wireside {

/// Passes each event on in the order of adding. Observers outlive the list or are removed before they die.
class ObserverList : public observe::Observer {
 public:
  void add(observe::Observer* observer) { observers_.push_back(observer); }
  void remove(observe::Observer* observer) { std::erase(observers_, observer); }
  [[nodiscard]] bool empty() const { return observers_.empty(); }
  void on_event(Instant now, const observe::Event& event) override {
    for (observe::Observer* observer : observers_) observer->on_event(now, event);
  }
  /// As the observers are now: who adds one that wants more attaches the list anew.
  [[nodiscard]] bool wants_steps() const override {
    return std::ranges::any_of(observers_, [](const observe::Observer* o) { return o->wants_steps(); });
  }

 private:
  std::vector<observe::Observer*> observers_;
};

}  // namespace wireside

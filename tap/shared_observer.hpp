// One observer of the stacks of several threads.
#pragma once

#include <mutex>

#include "observe/event.hpp"

namespace wireside {

/// Lets one event pass at a time. The observer behind it outlives it.
class SharedObserver final : public observe::Observer {
 public:
  explicit SharedObserver(observe::Observer& behind) : behind_{behind} {}
  void on_event(Instant now, const observe::Event& event) override {
    const std::lock_guard lock{mutex_};
    behind_.on_event(now, event);
  }

 private:
  std::mutex mutex_;
  observe::Observer& behind_;
};

}  // namespace wireside

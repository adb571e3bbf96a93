// Options that many connections have in common, kept once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "tcp/tcp_types.hpp"

namespace wireside::tcp {

/// Counted reference to options that nobody changes, or to none. Of one thread, as everything in a stack.
class SharedOptions {
 public:
  SharedOptions() = default;
  explicit SharedOptions(const ConnectionOptions& options) : held_{new Held{1, options}} {}
  SharedOptions(const SharedOptions& o) : held_{o.held_} {
    if (held_ != nullptr) ++held_->references;
  }
  SharedOptions(SharedOptions&& o) noexcept : held_{std::exchange(o.held_, nullptr)} {}
  SharedOptions& operator=(SharedOptions o) noexcept {
    std::swap(held_, o.held_);
    return *this;
  }
  ~SharedOptions() {
    if (held_ != nullptr && --held_->references == 0) delete held_;
  }
  [[nodiscard]] explicit operator bool() const { return held_ != nullptr; }
  [[nodiscard]] const ConnectionOptions& operator*() const { return held_->options; }
  [[nodiscard]] const ConnectionOptions* operator->() const { return &held_->options; }

 private:
  struct Held {
    std::size_t references;
    ConnectionOptions options;
  };
  Held* held_ = nullptr;
};

/// Gives out references to what was asked for of late.
class OptionsStore {
 public:
  [[nodiscard]] SharedOptions share(const ConnectionOptions& options) {
    for (std::size_t i = 0; i < latest_.size() && latest_[i]; ++i) {
      if (*latest_[i] != options) continue;
      if (i > 0) std::swap(latest_[i], latest_[i - 1]);  // what is asked for often is found soon
      return latest_[i > 0 ? i - 1 : 0];
    }
    for (std::size_t i = latest_.size() - 1; i > 0; --i) latest_[i] = std::move(latest_[i - 1]);
    latest_[0] = SharedOptions{options};
    return latest_[0];
  }

 private:
  std::array<SharedOptions, 8> latest_;
};

}  // namespace wireside::tcp

// Bridge: two TAP devices joined by an impaired path, with no stack between. What one host sends reaches the other.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "impair/impairment.hpp"
#include "tap_device.hpp"

namespace wireside {

/// One thread: everything happens in the io_context. Frames for nobody in particular cross it like all others.
class Bridge {
 public:
  /// What happens to frames from the first device to the second, and the other way.
  struct Path {
    impair::Settings forth;
    impair::Settings back;
    Seed seed{};
  };
  struct Counters {
    impair::Impairment::Counters path;
    std::uint64_t lost_at_device = 0;  ///< its host's side was down, or it refused the frame
  };

  /// Takes the devices over; they work without offload from now on.
  Bridge(boost::asio::io_context& context, TapDevice first, TapDevice second, const Path& path);
  ~Bridge();
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;

  void start();
  /// A device was deleted; nothing moves any more. The message says which.
  void on_fatal(std::function<void(const std::string& message)> handler);
  /// Of frames that came from the first device, or from the second.
  [[nodiscard]] Counters counters(bool from_first) const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace wireside

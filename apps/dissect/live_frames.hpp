// Frames as they pass an interface of the host.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "dissect/capture_file.hpp"

namespace wireside::dissect {

/// A packet socket on one interface: frames of both directions, whole, each once. Needs CAP_NET_RAW.
class LiveFrames {
 public:
  /// The error is a sentence: what happened, why, and what to do.
  [[nodiscard]] static std::expected<LiveFrames, std::string> open(const std::string& interface);
  LiveFrames(LiveFrames&& other) noexcept;
  LiveFrames& operator=(LiveFrames&&) = delete;
  ~LiveFrames();

  /// Waits for the next one; nullopt when a signal came. The error is a sentence: the interface is down or gone.
  [[nodiscard]] std::expected<std::optional<CapturedFrame>, std::string> next();

 private:
  LiveFrames(int descriptor, std::string interface) : descriptor_{descriptor}, interface_{std::move(interface)} {}
  int descriptor_;
  std::string interface_;
  std::uint32_t link_type_ = CaptureFile::ethernet;
  bool shows_twice_ = false;  ///< what is sent comes back as received
};

}  // namespace wireside::dissect

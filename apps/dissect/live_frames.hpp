// Frames as they pass an interface of the host.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace wireside::dissect {

/// A packet socket on one interface: frames of both directions, whole. Needs CAP_NET_RAW.
class LiveFrames {
 public:
  /// The error is a sentence: what happened, why, and what to do.
  [[nodiscard]] static std::expected<LiveFrames, std::string> open(const std::string& interface);
  LiveFrames(LiveFrames&& other) noexcept;
  LiveFrames& operator=(LiveFrames&&) = delete;
  ~LiveFrames();

  /// Waits for the next one; nullopt when a signal came, or the interface went.
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> next();

 private:
  explicit LiveFrames(int descriptor) : descriptor_{descriptor} {}
  int descriptor_;
};

}  // namespace wireside::dissect

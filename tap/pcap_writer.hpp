// PcapWriter: a pcapng capture in which each frame carries why it was sent and what it changed, as comments that
// Wireshark and tshark show.
#pragma once

#include <cstdio>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "observe/event.hpp"

namespace wireside {

/// Sections, interface and enhanced packet blocks of draft-ietf-opsawg-pcapng, one Ethernet interface, nanosecond time
/// stamps. What happens at the instant of a frame is written with it, what happens later with the next one: therefore
/// a frame reaches the file when the following one is seen, or on flush().
class PcapWriter : public observe::Observer {
 public:
  static constexpr std::uint32_t snap_length = 262144;

  /// Creates or replaces the file; "-" is standard output. The error is a sentence with the reason.
  [[nodiscard]] static std::expected<std::unique_ptr<PcapWriter>, std::string> open(const std::string& path,
                                                                                    std::string_view interface_name);
  /// Writes to an open file, which it closes where `owned`. `wall_offset`: see wall_clock_offset().
  PcapWriter(std::FILE* file, bool owned, std::string_view interface_name, Duration wall_offset);
  ~PcapWriter() override;
  PcapWriter(const PcapWriter&) = delete;
  PcapWriter& operator=(const PcapWriter&) = delete;

  void on_event(Instant now, const observe::Event& event) override;
  /// Writes what is held back.
  void flush();
  /// The first failure of writing, after which nothing more is written.
  [[nodiscard]] std::optional<std::string> error() const { return error_; }
  [[nodiscard]] std::uint64_t frames() const { return frames_; }

 private:
  enum class Direction : std::uint8_t { In = 1, Out = 2 };
  void write_start(std::string_view interface_name);
  void hold(Instant now, Direction direction);
  void write_held();
  void comment(Instant now, std::string text);
  void put(const std::vector<std::uint8_t>& block);

  std::FILE* file_;
  bool owned_;
  Duration wall_offset_;
  std::vector<std::uint8_t> frame_;    // held back
  std::vector<std::string> comments_;  // of the frame held back, or of the next one
  std::vector<std::uint8_t> block_;
  Instant frame_at_;
  Direction direction_ = Direction::In;
  bool holding_ = false;
  std::uint64_t frames_ = 0;
  std::optional<std::string> error_;
};

}  // namespace wireside

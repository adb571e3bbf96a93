// PcapWriter: a pcapng capture in which each frame carries why it was sent and what it changed, as a comment that
// Wireshark and tshark show, and the connection's variables as fields that they can filter by.
#pragma once

#include <cstdio>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "observe/event.hpp"
#include "story.hpp"

namespace wireside {

struct CaptureOptions {
  std::string interface_name{};
  MacAddress mac{};                     ///< zero: not told
  std::vector<Ipv4Prefix> addresses{};  ///< of the interface
  /// Added to each Instant to get the time since 1970 (see wall_clock_offset()).
  Duration wall_offset{};
  /// The connection's variables behind each frame, timer and call, as BBLog blocks (bblog.hpp).
  bool variables = false;
  /// Octets at which another file is begun; 0: one file, however large. `path` then stands for path_00001 and so on,
  /// with the number before its ending.
  std::uint64_t file_octets = 0;
  std::size_t keep_files = 0;  ///< of those, the newest; 0: all
  /// Each frame reaches the file at once, for whoever reads along.
  bool live = false;
};

/// Blocks of draft-ietf-opsawg-pcapng, one Ethernet interface, nanosecond time stamps, and the host names that answers
/// of DNS servers told. What happens between frames is in the comment of the next one. What an impairment does to a
/// frame is known only after it: except with `live`, a frame reaches the file when the following one is seen, or on
/// flush().
class PcapWriter : public observe::Observer, public StoryReader {
 public:
  static constexpr std::uint32_t snap_length = 262144;

  /// Creates or replaces the file; "-" is standard output. The error is a sentence with the reason.
  [[nodiscard]] static std::expected<std::unique_ptr<PcapWriter>, std::string> open(const std::string& path,
                                                                                    CaptureOptions options);
  /// Writes to an open file, which it closes where `owned`. No rotation.
  PcapWriter(std::FILE* file, bool owned, CaptureOptions options);
  ~PcapWriter() override;
  PcapWriter(const PcapWriter&) = delete;
  PcapWriter& operator=(const PcapWriter&) = delete;

  /// Events of one stack; or happenings, where somebody else makes a story of the events.
  void on_event(Instant now, const observe::Event& event) override { story_.on_event(now, event); }
  [[nodiscard]] bool wants_steps() const override { return true; }
  void on_happening(const Happening& h) override;
  /// A name for an address, in this file and all later ones.
  void add_name(Ipv4Address address, std::string_view name);
  /// Writes what is held back.
  void flush();
  /// The first failure of writing, after which nothing more is written.
  [[nodiscard]] std::optional<std::string> error() const { return error_; }
  [[nodiscard]] std::uint64_t frames() const { return frames_; }

 private:
  static constexpr std::size_t max_names = 1024;
  PcapWriter(std::string path, CaptureOptions options);
  [[nodiscard]] std::string numbered_path() const;
  bool open_next();
  void write_start();
  void write_names(std::span<const std::pair<Ipv4Address, std::string>> names);
  void learn_names(const Happening& h);
  void hold(const Happening& h);
  void write_held();
  void write_out();
  void comment(const Happening& h);
  void add_comment_line(std::string text);
  void write_variables(const Happening& h);
  void put(const std::vector<std::uint8_t>& block);
  void fail();

  std::FILE* file_ = nullptr;
  bool owned_ = false;
  std::string path_;  // to count from; empty: no rotation
  CaptureOptions options_;
  std::size_t file_number_ = 0;
  std::uint64_t file_size_ = 0;
  std::deque<std::string> files_;  // written by rotation, oldest first
  std::vector<std::pair<Ipv4Address, std::string>> names_;
  std::vector<std::uint8_t> held_;  // the frame held back
  std::string comment_;             // of the frame held back, or of the next one
  std::vector<std::uint8_t> block_;
  std::vector<std::uint8_t> variables_;  // block behind the frame held back
  Instant held_at_;
  bool holding_ = false;
  bool held_outbound_ = false;
  std::uint32_t serial_ = 0;
  std::uint64_t frames_ = 0;
  std::optional<std::string> error_;
  Story story_{*this};
};

}  // namespace wireside

// TracePrinter: one line per frame in tcpdump's manner, then why it was sent and what it changed.
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "event_text.hpp"
#include "flow_bases.hpp"
#include "story.hpp"

namespace wireside {

enum class TraceTime : std::uint8_t {
  TimeOfDay,  ///< "14:03:07.123456", local time
  Relative,   ///< seconds since the first line, "   0.123456"
  None,
};

struct TraceOptions {
  TraceTime time = TraceTime::TimeOfDay;
  EventDetail detail = EventDetail::Decisions;
  bool colour = false;
  bool why = false;  ///< under each frame the reason with its figures, and the variables that moved
  // as tcpdump's options of these letters
  bool absolute = false;  ///< -S: sequence numbers as they are on the wire
  bool link = false;      ///< -e: Ethernet headers
  bool headers = false;   ///< -v: the IP header's fields and the TCP checksum
  bool hex = false;       ///< -x: all octets, without the Ethernet header
  /// Which frames are shown, with all that belongs to them; empty: all. A connection's timers and calls follow its
  /// latest frame; what belongs to no connection and no frame is shown only without a filter.
  std::function<bool(ByteView frame)> filter{};
};

/// Colours are wanted: `file` is a terminal, NO_COLOR is unset or empty, and TERM is not "dumb".
[[nodiscard]] bool wants_colour(std::FILE* file);

/// ```
/// 14:03:07.123456 In  IP 10.0.0.1.43210 > 10.0.0.2.80: Flags [S], seq 1, win 64240, options [mss 1460], length 0
/// 14:03:07.123456     #1 LISTEN -> SYN-RECEIVED (SYN received)
/// 14:03:07.123470 Out IP 10.0.0.2.80 > 10.0.0.1.43210: Flags [S.], ... length 0  <- SYN-ACK
/// ```
class TracePrinter : public observe::Observer, public StoryReader {
 public:
  /// Receives whole lines, each with its line end; with -v, -x and --why several at once.
  using Output = std::function<void(std::string_view line)>;

  /// `wall_offset` is added to each Instant to get the time since 1970 (see wall_clock_offset()).
  TracePrinter(Output output, const TraceOptions& options, Duration wall_offset);
  /// Writes to `file`, each line at once.
  TracePrinter(std::FILE* file, const TraceOptions& options, Duration wall_offset);
  /// Events of one stack; or happenings, where somebody else makes a story of the events.
  void on_event(Instant now, const observe::Event& event) override { story_.on_event(now, event); }
  [[nodiscard]] bool wants_steps() const override { return true; }
  void on_happening(const Happening& h) override;

 private:
  static constexpr std::size_t max_verdicts = 16384;
  [[nodiscard]] bool is_shown(const Happening& h);
  void frame_line(const Happening& h);
  void hex_lines(ByteView frame);
  void notes(const Happening& h);
  void reason(const Happening& h);
  void variables(const Happening& h);
  void begin_line(Instant now, std::string_view direction, std::string_view colour);
  void begin_note(Instant now, std::uint32_t connection);
  void append_time(Instant now);
  void paint(std::string_view colour);
  void end_line();

  Output output_;
  TraceOptions options_;
  Duration wall_offset_;
  std::optional<Instant> origin_;
  FlowBases flows_;
  std::unordered_map<std::uint32_t, bool> verdicts_;  // of the latest frame of a connection
  std::string line_;
  Story story_{*this};
};

}  // namespace wireside

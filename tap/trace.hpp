// TracePrinter: one line per frame in tcpdump's manner, then why it was sent and what it changed.
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "event_text.hpp"
#include "flow_bases.hpp"
#include "observe/event.hpp"

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
};

/// Colours are wanted: `file` is a terminal, NO_COLOR is unset or empty, and TERM is not "dumb".
[[nodiscard]] bool wants_colour(std::FILE* file);

/// ```
/// 14:03:07.123456 In  IP 10.0.0.1.43210 > 10.0.0.2.80: Flags [S], seq 1, win 64240, options [mss 1460], length 0
/// 14:03:07.123456     #1 LISTEN -> SYN-RECEIVED (SYN received)
/// 14:03:07.123470 Out IP 10.0.0.2.80 > 10.0.0.1.43210: Flags [S.], ... length 0  <- SYN-ACK
/// ```
class TracePrinter : public observe::Observer {
 public:
  /// Receives whole lines, each with its line end.
  using Output = std::function<void(std::string_view line)>;

  /// `wall_offset` is added to each Instant to get the time since 1970 (see wall_clock_offset()).
  TracePrinter(Output output, const TraceOptions& options, Duration wall_offset);
  /// Writes to `file`, each line at once.
  TracePrinter(std::FILE* file, const TraceOptions& options);
  void on_event(Instant now, const observe::Event& event) override;

 private:
  void received(Instant now, const observe::FrameReceived& e);
  void sent(Instant now, const observe::FrameSent& e);
  void append_frame(ByteView frame, std::uint16_t gso_size);
  void note(Instant now, const observe::Event& event);
  void begin_line(Instant now, std::string_view direction, std::string_view colour);
  void append_time(Instant now);
  void paint(std::string_view colour);
  void end_line();

  Output output_;
  TraceOptions options_;
  Duration wall_offset_;
  std::optional<Instant> origin_;
  FlowBases flows_;
  std::string line_;
  std::vector<std::uint8_t> joined_;
};

}  // namespace wireside

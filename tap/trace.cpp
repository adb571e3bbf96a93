#include "trace.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <iterator>

#include "reason_text.hpp"
#include "wire/ethernet.hpp"

namespace wireside {
namespace {

constexpr std::string_view dim = "\x1b[2m";
constexpr std::string_view cyan = "\x1b[36m";
constexpr std::string_view green = "\x1b[32m";
constexpr std::string_view yellow = "\x1b[33m";
constexpr std::string_view magenta = "\x1b[35m";
constexpr std::string_view red = "\x1b[31m";
constexpr std::string_view blue = "\x1b[34m";
constexpr std::string_view bold = "\x1b[1m";
constexpr std::string_view plain = "\x1b[0m";
// Of the variables that moved: a cell begins at a multiple of this, and a line has room for three.
constexpr std::size_t cell_width = 34;
constexpr std::size_t cells_per_line = 3;

std::string_view colour_of(const observe::Event& event) {
  if (std::holds_alternative<observe::Dropped>(event)) return red;
  if (const auto* impaired = std::get_if<observe::Impaired>(&event)) return is_loss(impaired->action) ? red : yellow;
  if (std::holds_alternative<observe::StateChanged>(event)) return magenta;
  if (std::holds_alternative<observe::NeighbourChanged>(event)) return blue;
  if (std::holds_alternative<observe::GatewayChanged>(event)) return yellow;
  if (std::holds_alternative<observe::DnsProgress>(event)) return blue;
  if (std::holds_alternative<observe::AddressChanged>(event)) return blue;
  if (std::holds_alternative<observe::DhcpStateChanged>(event)) return magenta;
  return dim;
}

}  // namespace

bool wants_colour(std::FILE* file) {
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  if (term != nullptr && std::string_view{term} == "dumb") return false;
  return ::isatty(::fileno(file)) == 1;
}

TracePrinter::TracePrinter(Output output, const TraceOptions& options, Duration wall_offset)
    : output_{std::move(output)}, options_{options}, wall_offset_{wall_offset} {}

TracePrinter::TracePrinter(std::FILE* file, const TraceOptions& options, Duration wall_offset)
    : TracePrinter{[file](std::string_view line) {
                     std::fwrite(line.data(), 1, line.size(), file);
                     std::fflush(file);
                   },
                   options, wall_offset} {}

void TracePrinter::on_happening(const Happening& h) {
  if (!origin_) origin_ = h.at;
  line_.clear();
  if (!is_shown(h)) {
    if (h.tcp) (void)flows_.update(*h.tcp);
    return;
  }
  if (h.is_frame()) frame_line(h);
  if (options_.why) reason(h);
  notes(h);
  if (options_.why) variables(h);
  if (!line_.empty()) output_(line_);
}

bool TracePrinter::is_shown(const Happening& h) {
  if (!options_.filter) return true;
  if (!h.is_frame()) {
    const auto* impaired = h.events.size() == 1 ? std::get_if<observe::Impaired>(&h.events.front()) : nullptr;
    if (impaired != nullptr) return options_.filter(impaired->frame);
    const auto verdict = verdicts_.find(h.connection);
    return verdict != verdicts_.end() && verdict->second;
  }
  const bool shown = options_.filter(h.frame);
  if (h.connection == 0) return shown;
  if (verdicts_.size() >= max_verdicts) verdicts_.clear();
  verdicts_[h.connection] = shown;
  return shown;
}

void TracePrinter::frame_line(const Happening& h) {
  const bool sent = h.kind == Happening::Kind::FrameSent;
  begin_line(h.at, sent ? "Out" : "In ", sent ? green : cyan);
  const auto bases = h.tcp ? flows_.update(*h.tcp) : std::nullopt;
  const wire::FrameStyle style{
      .link = options_.link, .verbose = options_.headers, .partial_checksum = h.partial_checksum};
  line_ += wire::describe_frame(h.frame, bases && !options_.absolute ? &*bases : nullptr, style);
  if (h.tcp && h.gso_size != 0 && h.tcp->payload_octets > h.gso_size) {
    const std::size_t segments = (h.tcp->payload_octets + h.gso_size - 1) / h.gso_size;
    fmt::format_to(std::back_inserter(line_), " [gso {} x {}]", segments, h.gso_size);
  }
  if (sent && !options_.why) {
    paint(yellow);
    fmt::format_to(std::back_inserter(line_), "  <- {}", to_string(h.why.reason));
    paint(plain);
  }
  end_line();
  if (!options_.hex) return;
  // Of a super-segment the first of those that it stands for.
  const bool several = h.tcp && h.gso_size != 0 && h.tcp->payload_octets > h.gso_size;
  const std::size_t beyond = several ? h.tcp->payload_octets - h.gso_size : 0;
  hex_lines(h.frame.first(h.frame.size() - beyond));
  if (beyond == 0) return;
  fmt::format_to(std::back_inserter(line_), "\t... {} octets more", beyond);
  end_line();
}

void TracePrinter::hex_lines(ByteView frame) {
  constexpr std::size_t octets_per_line = 16;
  if (frame.size() <= wire::ethernet_header_length) return;
  const ByteView packet = frame.subspan(wire::ethernet_header_length);
  for (std::size_t at = 0; at < packet.size(); at += octets_per_line) {
    fmt::format_to(std::back_inserter(line_), "\t0x{:04x}: ", at);
    const std::size_t end = std::min(packet.size(), at + octets_per_line);
    for (std::size_t i = at; i < end; ++i) {
      fmt::format_to(std::back_inserter(line_), "{}{:02x}", (i - at) % 2 == 0 ? " " : "", packet[i]);
    }
    end_line();
  }
}

void TracePrinter::reason(const Happening& h) {
  const std::string text = explain(h);
  if (text.empty()) return;
  begin_note(h.at, h.connection);
  paint(yellow);
  line_ += text;
  paint(plain);
  end_line();
}

void TracePrinter::notes(const Happening& h) {
  for (const observe::Event& event : h.events) {
    const std::string text = describe_event(event, options_.detail);
    if (text.empty()) continue;
    begin_note(h.at, connection_of(event));
    paint(colour_of(event));
    line_ += text;
    paint(plain);
    end_line();
  }
}

/// What the application does between frames is told by the frames it leads to.
void TracePrinter::variables(const Happening& h) {
  const bool all = options_.detail == EventDetail::All;
  if (h.after == nullptr || (h.kind == Happening::Kind::UserCall && !all)) return;
  std::size_t cells = 0;
  std::size_t owed = 0;  // blanks, which only a further cell needs
  for (const Moved& m : shown_moves(h.before, *h.after, all)) {
    if (cells % cells_per_line == 0) {
      if (cells > 0) end_line();
      begin_note(h.at, h.connection);
      owed = 2;
    }
    ++cells;
    line_.append(owed, ' ');
    const std::string name{to_string(m.variable)};
    const std::string before = m.before ? describe_value(m.variable, m.before) + " -> " : std::string{};
    const std::string after = describe_value(m.variable, m.after);
    paint(dim);
    line_ += name + ' ' + before;
    paint(plain);
    paint(bold);
    line_ += after;
    paint(plain);
    const std::size_t used = name.size() + 1 + before.size() + after.size();
    owed = used < cell_width ? cell_width - used : cell_width - used % cell_width;
  }
  if (cells > 0) end_line();
}

void TracePrinter::begin_note(Instant now, std::uint32_t connection) {
  begin_line(now, "   ", {});
  if (connection != 0) fmt::format_to(std::back_inserter(line_), "#{} ", connection);
}

void TracePrinter::begin_line(Instant now, std::string_view direction, std::string_view colour) {
  if (options_.time != TraceTime::None) {
    paint(dim);
    append_time(now);
    paint(plain);
    line_ += ' ';
  }
  if (!colour.empty()) paint(colour);
  line_ += direction;
  if (!colour.empty()) paint(plain);
  line_ += ' ';
}

void TracePrinter::append_time(Instant now) {
  if (options_.time == TraceTime::Relative) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now - *origin_).count();
    fmt::format_to(std::back_inserter(line_), "{:>4}.{:06}", us / 1'000'000, us % 1'000'000);
    return;
  }
  const std::int64_t us = (now.ns() + wall_offset_.count()) / 1000;
  const std::time_t seconds = us / 1'000'000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  fmt::format_to(std::back_inserter(line_), "{:02}:{:02}:{:02}.{:06}", local.tm_hour, local.tm_min, local.tm_sec,
                 us % 1'000'000);
}

void TracePrinter::paint(std::string_view colour) {
  if (options_.colour) line_ += colour;
}

void TracePrinter::end_line() { line_ += '\n'; }

}  // namespace wireside

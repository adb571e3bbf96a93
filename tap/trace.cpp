#include "trace.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <iterator>

#include "wall_clock.hpp"

namespace wireside {
namespace {

constexpr std::string_view dim = "\x1b[2m";
constexpr std::string_view cyan = "\x1b[36m";
constexpr std::string_view green = "\x1b[32m";
constexpr std::string_view yellow = "\x1b[33m";
constexpr std::string_view magenta = "\x1b[35m";
constexpr std::string_view red = "\x1b[31m";
constexpr std::string_view blue = "\x1b[34m";
constexpr std::string_view plain = "\x1b[0m";

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

TracePrinter::TracePrinter(std::FILE* file, const TraceOptions& options)
    : TracePrinter{[file](std::string_view line) {
                     std::fwrite(line.data(), 1, line.size(), file);
                     std::fflush(file);
                   },
                   options, wall_clock_offset()} {}

void TracePrinter::on_event(Instant now, const observe::Event& event) {
  if (!origin_) origin_ = now;
  if (const auto* in = std::get_if<observe::FrameReceived>(&event)) {
    received(now, *in);
  } else if (const auto* out = std::get_if<observe::FrameSent>(&event)) {
    sent(now, *out);
  } else {
    note(now, event);
  }
}

void TracePrinter::received(Instant now, const observe::FrameReceived& e) {
  begin_line(now, "In ", cyan);
  append_frame(e.frame, e.gso_size);
  end_line();
}

void TracePrinter::sent(Instant now, const observe::FrameSent& e) {
  begin_line(now, "Out", green);
  if (e.payload.empty()) {
    append_frame(e.header, e.gso_size);
  } else {
    joined_.assign(e.header.begin(), e.header.end());
    for (const ByteView run : e.payload) joined_.insert(joined_.end(), run.begin(), run.end());
    append_frame(joined_, e.gso_size);
  }
  paint(yellow);
  fmt::format_to(std::back_inserter(line_), "  <- {}", to_string(e.reason));
  paint(plain);
  end_line();
}

void TracePrinter::append_frame(ByteView frame, std::uint16_t gso_size) {
  const auto facts = tcp_facts(frame);
  const auto bases = facts ? flows_.update(*facts) : std::nullopt;
  line_ += wire::describe_frame(frame, bases ? &*bases : nullptr);
  if (facts && gso_size != 0 && facts->payload_octets > gso_size) {
    const std::size_t segments = (facts->payload_octets + gso_size - 1) / gso_size;
    fmt::format_to(std::back_inserter(line_), " [gso {} x {}]", segments, gso_size);
  }
}

void TracePrinter::note(Instant now, const observe::Event& event) {
  const std::string text = describe_event(event, options_.detail);
  if (text.empty()) return;
  begin_line(now, "   ", {});
  const std::uint32_t connection = connection_of(event);
  if (connection != 0) fmt::format_to(std::back_inserter(line_), "#{} ", connection);
  paint(colour_of(event));
  line_ += text;
  paint(plain);
  end_line();
}

void TracePrinter::begin_line(Instant now, std::string_view direction, std::string_view colour) {
  line_.clear();
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

void TracePrinter::end_line() {
  line_ += '\n';
  output_(line_);
}

}  // namespace wireside

#include "watch_options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "command.hpp"
#include "frame_filter.hpp"
#include "option_checks.hpp"
#include "trace.hpp"

namespace wireside::apps {
namespace {

constexpr const char* watch_group = "Watching";

}  // namespace

TraceOptions WatchOptions::trace_options(bool verbose) const {
  TraceOptions how;
  how.colour = wants_colour(stderr);
  how.why = why;
  how.absolute = absolute;
  how.link = link;
  how.hex = hex;
  how.headers = verbose;
  if (verbose) how.detail = EventDetail::All;
  if (filter.empty()) return how;
  auto compiled = compile_frame_filter(filter);
  if (!compiled) {
    throw UsageError{
        fmt::format("--trace-filter '{}': {}", filter, compiled.error()),
        "write it as for tcpdump, such as --trace-filter 'host 10.0.0.1 and tcp port 80' (pcap-filter(7))"};
  }
  how.filter = std::move(*compiled);
  return how;
}

void WatchOptions::check() const {
  if (!filter.empty()) (void)trace_options(false);
  if (capture_octets != 0 && capture_file == "-") {
    throw UsageError{"--pcapng - and --pcapng-size exclude each other: a pipe is one file",
                     "leave --pcapng-size out, or name a file"};
  }
  if (capture_files != 0 && capture_octets == 0) {
    throw UsageError{"--pcapng-files means nothing without --pcapng-size", "add --pcapng-size, such as 100MB"};
  }
  if (capture_file == "-" && ::isatty(STDOUT_FILENO) == 1) {
    throw UsageError{"--pcapng - writes a capture to standard output, which is a terminal",
                     "send it on, as in wireside serve --pcapng - ... | wireshark -k -i -"};
  }
}

void add_trace_options(CLI::App& subcommand, WatchOptions& out) {
  subcommand.add_flag("--trace", out.trace, "print each frame with its reason, and state changes, to standard error")
      ->group(watch_group);
  subcommand
      .add_flag("--why", out.why, "trace; under each frame the reason with its figures, and the variables that moved")
      ->group(watch_group);
  subcommand
      .add_option("--trace-filter", out.filter,
                  "trace only frames that match, in tcpdump's language, such as 'tcp port 80'")
      ->type_name("EXPR")
      ->check(not_empty())
      ->group(watch_group);
  subcommand.add_flag("-S", out.absolute, "trace; absolute sequence numbers")->group(watch_group);
  subcommand.add_flag("-e", out.link, "trace; with Ethernet headers")->group(watch_group);
  subcommand.add_flag("-x", out.hex, "trace; all octets in hexadecimal, without the Ethernet header")
      ->group(watch_group);
}

void add_rotation_options(CLI::App& subcommand, WatchOptions& out) {
  subcommand
      .add_option("--pcapng-size", out.capture_octets,
                  "begin another file, FILE_00002 and so on, at this size, as 100MB")
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue{true})
      ->group(watch_group);
  subcommand.add_option("--pcapng-files", out.capture_files, "keep only the newest N files of --pcapng-size")
      ->type_name("N")
      ->check(in_range(std::size_t{1}, std::size_t{1'000'000}))
      ->group(watch_group);
  subcommand
      .add_flag("--no-bblog", out.no_variables,
                "leave the TCP variables out of captures, which Wireshark shows as Black Box Log")
      ->group(watch_group);
}

void add_capture_options(CLI::App& subcommand, WatchOptions& out) {
  subcommand
      .add_option("--pcapng,--pcap", out.capture_file,
                  "write a pcapng capture: reasons and changes as comments, TCP variables as fields; - is a pipe")
      ->type_name("FILE")
      ->check(not_empty())
      ->group(watch_group);
  add_rotation_options(subcommand, out);
}

}  // namespace wireside::apps

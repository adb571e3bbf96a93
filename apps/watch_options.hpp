// Options for those who watch an endpoint: its trace and its capture.
#pragma once

#include <cstdint>
#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace wireside {
struct TraceOptions;
}  // namespace wireside

namespace wireside::apps {

struct WatchOptions {
  bool trace = false;
  bool why = false;
  bool absolute = false;
  bool link = false;
  bool hex = false;
  std::string filter;  ///< empty: all frames
  std::string capture_file;
  std::uint64_t capture_octets = 0;  ///< of a file; 0: one file
  std::size_t capture_files = 0;     ///< kept; 0: all
  bool no_variables = false;

  [[nodiscard]] bool traces() const { return trace || why || absolute || link || hex || !filter.empty(); }
  /// Colours as standard error wants them. Throws UsageError for a filter that is none.
  [[nodiscard]] TraceOptions trace_options(bool verbose) const;
  /// Throws UsageError for options that contradict each other.
  void check() const;
};

void add_trace_options(CLI::App& subcommand, WatchOptions& out);
void add_capture_options(CLI::App& subcommand, WatchOptions& out);
/// Only those that say how files are begun and kept.
void add_rotation_options(CLI::App& subcommand, WatchOptions& out);

}  // namespace wireside::apps

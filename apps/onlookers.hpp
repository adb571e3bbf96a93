// Those who watch an endpoint: trace and capture, as the command line asks for them.
#pragma once

#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pcap_writer.hpp"
#include "story.hpp"
#include "trace.hpp"
#include "watch_options.hpp"

namespace wireside::apps {

/// May be told of the stacks of several threads.
class Onlookers : public StoryReader {
 public:
  /// nullptr where nobody wants to watch. The error is a sentence with its remedy. Throws UsageError.
  [[nodiscard]] static std::expected<std::unique_ptr<Onlookers>, std::string> open(const WatchOptions& options,
                                                                                   bool verbose,
                                                                                   CaptureOptions capture);
  /// To be attached to one more stack; lives as long as the onlookers.
  [[nodiscard]] observe::Observer& of_a_stack();
  /// Writes what the capture holds back. The first failure of writing, if any.
  [[nodiscard]] std::optional<std::string> finish();
  void on_happening(const Happening& h) override;

 private:
  Onlookers() = default;

  std::mutex mutex_;
  std::optional<TracePrinter> trace_;
  std::unique_ptr<PcapWriter> capture_;
  std::vector<std::unique_ptr<Story>> stories_;
};

}  // namespace wireside::apps

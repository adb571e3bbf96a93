#include "onlookers.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace wireside::apps {
namespace {

/// Somebody reads along.
bool is_pipe(const std::string& path) {
  struct stat found {};
  return path == "-" || (::stat(path.c_str(), &found) == 0 && S_ISFIFO(found.st_mode));
}

/// Standard output is the capture's alone: what else is said there goes to standard error from now on.
std::expected<std::unique_ptr<PcapWriter>, std::string> take_standard_output(CaptureOptions options) {
  std::fflush(stdout);
  const int descriptor = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  std::FILE* const file = descriptor < 0 ? nullptr : ::fdopen(descriptor, "wb");
  if (file == nullptr || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    return std::unexpected{fmt::format("cannot write the capture to standard output: {}", std::strerror(errno))};
  }
  auto writer = std::make_unique<PcapWriter>(file, true, std::move(options));
  if (writer->error()) return std::unexpected{*writer->error()};
  return writer;
}

}  // namespace

std::expected<std::unique_ptr<Onlookers>, std::string> Onlookers::open(const WatchOptions& options, bool verbose,
                                                                       CaptureOptions capture) {
  std::unique_ptr<Onlookers> out{new Onlookers};
  if (options.traces()) out->trace_.emplace(stderr, options.trace_options(verbose), capture.wall_offset);
  if (!options.capture_file.empty()) {
    capture.variables = !options.no_variables;
    capture.file_octets = options.capture_octets;
    capture.keep_files = options.capture_files;
    capture.live = is_pipe(options.capture_file);
    auto writer = options.capture_file == "-" ? take_standard_output(std::move(capture))
                                              : PcapWriter::open(options.capture_file, std::move(capture));
    if (!writer) {
      return std::unexpected{writer.error() +
                             "\n  try: --pcap with a file in a folder that exists and that you may write to"};
    }
    out->capture_ = std::move(*writer);
  }
  if (!out->trace_ && !out->capture_) return nullptr;
  return out;
}

observe::Observer& Onlookers::of_a_stack() {
  stories_.push_back(std::make_unique<Story>(*this));
  return *stories_.back();
}

void Onlookers::on_happening(const Happening& h) {
  const std::lock_guard lock{mutex_};
  if (trace_) trace_->on_happening(h);
  if (capture_) capture_->on_happening(h);
}

std::optional<std::string> Onlookers::finish() {
  if (!capture_) return std::nullopt;
  const std::lock_guard lock{mutex_};
  capture_->flush();
  return capture_->error();
}

}  // namespace wireside::apps

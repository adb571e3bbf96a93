#include "output.hpp"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace wireside::apps {
namespace {

std::atomic<bool> lost_output = false;

/// Past the C library's streams: nothing stays in a buffer that a later failure could lose unnoticed.
bool write_all(int descriptor, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written > 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (written < 0 && errno == EAGAIN) {
      pollfd room{.fd = descriptor, .events = POLLOUT, .revents = 0};
      (void)::poll(&room, 1, -1);
    } else if (written == 0 || errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

void tell(std::string_view text) noexcept { (void)write_all(STDERR_FILENO, text); }

void complain(const std::string& message) { tell("wireside: " + message + "\n"); }

bool write_out(std::string_view text) {
  if (write_all(STDOUT_FILENO, text)) return true;
  const int error = errno;
  if (!lost_output.exchange(true)) {
    complain(fmt::format("cannot write to standard output: {}\n  try: output to a file or pipe that takes all of it",
                         std::strerror(error)));
  }
  return false;
}

bool output_failed() { return lost_output; }

}  // namespace wireside::apps

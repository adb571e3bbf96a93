#include "local_stream.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace wireside::apps {

std::vector<boost::asio::const_buffer> buffers_of(const SliceList& slices) {
  std::vector<boost::asio::const_buffer> out;
  for (const Slice& s : slices) out.emplace_back(s.data(), s.size());
  return out;
}

LocalStream::LocalStream(boost::asio::io_context& context, int fd)
    : descriptor_{context}, flags_{::fcntl(fd, F_GETFL)} {
  boost::system::error_code ignored;  // a closed standard stream shows at the first read or write
  descriptor_.assign(fd, ignored);
  if (descriptor_.is_open()) descriptor_.non_blocking(true, ignored);
}

LocalStream::~LocalStream() {
  if (descriptor_.is_open() && flags_ >= 0) ::fcntl(descriptor_.native_handle(), F_SETFL, flags_);
}

bool LocalStream::is_readable() {
  pollfd p{.fd = descriptor_.native_handle(), .events = POLLIN, .revents = 0};
  return ::poll(&p, 1, 0) > 0;
}

LocalStream LocalStream::standard_input(boost::asio::io_context& context) {
  return {context, ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)};
}

LocalStream LocalStream::standard_output(boost::asio::io_context& context) {
  return {context, ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)};
}

std::expected<LocalStream, int> LocalStream::create_file(boost::asio::io_context& context, const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
  if (fd < 0) return std::unexpected{errno};
  return LocalStream{context, fd};
}

}  // namespace wireside::apps

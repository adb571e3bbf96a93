// Standard input, standard output and files inside the event loop: a slow reader of our output must not stop TCP.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <expected>
#include <string>
#include <vector>

#include "packet/buffer.hpp"

namespace wireside::apps {

/// The slices as a buffer sequence; they must stay where they are while it is used.
[[nodiscard]] std::vector<boost::asio::const_buffer> buffers_of(const SliceList& slices);

/// A descriptor in non-blocking mode. The mode belongs to the open file, which other programs may share (a shell's
/// terminal), so it is put back in the end.
class LocalStream {
 public:
  [[nodiscard]] static LocalStream standard_input(boost::asio::io_context& context);
  [[nodiscard]] static LocalStream standard_output(boost::asio::io_context& context);
  /// Creates or empties the file. Error: an errno.
  [[nodiscard]] static std::expected<LocalStream, int> create_file(boost::asio::io_context& context,
                                                                   const std::string& path);
  LocalStream(LocalStream&&) = default;
  LocalStream& operator=(LocalStream&&) = delete;
  ~LocalStream();

  [[nodiscard]] boost::asio::posix::stream_descriptor& descriptor() { return descriptor_; }
  /// True when reading would not wait: there are octets, or the end.
  [[nodiscard]] bool is_readable();

 private:
  LocalStream(boost::asio::io_context& context, int fd);
  boost::asio::posix::stream_descriptor descriptor_;
  int flags_;
};

}  // namespace wireside::apps

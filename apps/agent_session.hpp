// One peer of the agent: lines in, lines out, over two descriptors (standard input and output, or one Unix socket).
#pragma once

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

namespace wireside::agent {

/// What a session listens to (the "events" operation).
struct EventSelection {
  bool on = false;
  bool frames = false;          ///< octets of frames too
  std::set<std::string> kinds;  ///< empty = all
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  using LineHandler = std::function<void(const std::shared_ptr<Session>&, std::string_view line)>;
  using EndHandler = std::function<void(const std::shared_ptr<Session>&)>;

  /// Takes both descriptors over; they may be the same kind of thing twice (dup) but not the same number.
  Session(boost::asio::io_context& context, int input, int output);
  ~Session();

  /// Calls on_line for each line (without its end) and on_end once, when no more will come.
  void start(LineHandler on_line, EndHandler on_end);
  /// Queues one line. Lines are written in the order of the calls.
  void write(const boost::json::object& line);
  /// As write, but gives way when the peer does not read: what was left out is counted and told later.
  void write_event(const boost::json::object& line);
  /// Everything queued has been handed to the descriptor, or cannot be any more.
  [[nodiscard]] bool flushed() const { return broken_ || (queued_.empty() && writing_.empty()); }
  /// Why output was lost; nothing where none was.
  [[nodiscard]] boost::system::error_code output_error() const { return output_error_; }
  /// Stops reading and writing.
  void end();

  EventSelection events;
  std::uint64_t lines_read = 0;

 private:
  void read();
  void take(std::string_view octets);
  void flush();

  static constexpr std::size_t longest_line = std::size_t{64} << 20;
  static constexpr std::size_t event_backlog = std::size_t{32} << 20;

  boost::asio::posix::stream_descriptor input_;
  boost::asio::posix::stream_descriptor output_;
  int input_flags_;
  int output_flags_;
  LineHandler on_line_;
  EndHandler on_end_;
  std::array<char, 65536> chunk_;
  std::string partial_;
  bool discarding_ = false;  // inside a line that is too long
  std::string queued_;
  std::string writing_;
  std::uint64_t lost_events_ = 0;
  bool flush_posted_ = false;
  bool broken_ = false;
  boost::system::error_code output_error_;
};

}  // namespace wireside::agent

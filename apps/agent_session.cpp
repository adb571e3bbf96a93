#include "agent_session.hpp"

#include <fcntl.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>

namespace wireside::agent {

namespace asio = boost::asio;
namespace json = boost::json;

Session::Session(asio::io_context& context, int input, int output)
    : input_{context, input},
      output_{context, output},
      input_flags_{::fcntl(input, F_GETFL)},
      output_flags_{::fcntl(output, F_GETFL)} {}

Session::~Session() {
  // Non-blocking mode belongs to the open file, which a shell may share with us: leave it as it was.
  if (input_.is_open() && input_flags_ >= 0) ::fcntl(input_.native_handle(), F_SETFL, input_flags_);
  if (output_.is_open() && output_flags_ >= 0) ::fcntl(output_.native_handle(), F_SETFL, output_flags_);
}

void Session::start(LineHandler on_line, EndHandler on_end) {
  on_line_ = std::move(on_line);
  on_end_ = std::move(on_end);
  read();
}

void Session::read() {
  input_.async_read_some(asio::buffer(chunk_),
                         [self = shared_from_this()](boost::system::error_code error, std::size_t octets) {
                           if (error == asio::error::operation_aborted) return;
                           if (error) {
                             if (!self->partial_.empty()) self->take("\n");  // a last line without its end still counts
                             if (self->on_end_) self->on_end_(self);
                             return;
                           }
                           self->take({self->chunk_.data(), octets});
                           if (self->input_.is_open()) self->read();
                         });
}

void Session::take(std::string_view octets) {
  while (!octets.empty()) {
    const auto end = octets.find('\n');
    const auto part = octets.substr(0, end);
    if (!discarding_) partial_.append(part);
    if (partial_.size() > longest_line) {
      discarding_ = true;
      partial_.clear();
      partial_.shrink_to_fit();
    }
    if (end == std::string_view::npos) return;
    octets.remove_prefix(end + 1);
    ++lines_read;
    const std::string line = std::exchange(partial_, {});
    if (std::exchange(discarding_, false)) {
      write({{"id", nullptr},
             {"ok", false},
             {"error", "EMSGSIZE"},
             {"message", "line " + std::to_string(lines_read) + " is longer than 64 MiB and was skipped"}});
    } else if (line.find_first_not_of(" \t\r") != std::string::npos) {
      on_line_(shared_from_this(), line);
    }
  }
}

void Session::write(const json::object& line) {
  if (broken_) return;
  queued_ += json::serialize(line);
  queued_ += '\n';
  if (flush_posted_ || !writing_.empty()) return;
  flush_posted_ = true;
  asio::post(output_.get_executor(), [self = shared_from_this()] {
    self->flush_posted_ = false;
    self->flush();
  });
}

void Session::write_event(const json::object& line) {
  if (queued_.size() > event_backlog) {
    ++lost_events_;
    return;
  }
  if (lost_events_ > 0) write({{"event", "lost"}, {"count", std::exchange(lost_events_, 0)}});
  write(line);
}

void Session::flush() {
  if (queued_.empty() || !writing_.empty() || broken_) return;
  writing_ = std::exchange(queued_, {});
  asio::async_write(output_, asio::buffer(writing_),
                    [self = shared_from_this()](boost::system::error_code error, std::size_t) {
                      self->writing_.clear();
                      self->broken_ = static_cast<bool>(error);
                      self->output_error_ = error;
                      self->flush();
                    });
}

void Session::end() {
  boost::system::error_code ignored;
  input_.cancel(ignored);
  output_.cancel(ignored);
  on_line_ = nullptr;
  on_end_ = nullptr;
}

}  // namespace wireside::agent

// The loop's way out: timeouts, frames to the device, and what the device's side says of it.
#include <boost/asio/post.hpp>

#include "runtime_impl.hpp"

namespace wireside {
namespace {

using boost::system::error_code;
using WaitType = asio::posix::stream_descriptor;

constexpr std::size_t frames_out_per_turn = 256;

}  // namespace

void Runtime::Impl::schedule_output() {
  output_wanted_ = true;
  vain_turns_ = 0;
  if (turn_posted_ || flush_follows_) return;
  turn_posted_ = true;
  asio::post(context_, guarded([this] {
               turn_posted_ = false;
               if (output_wanted_) turn();
             }));
}

void Runtime::Impl::turn() {
  output_wanted_ = false;
  if (running_) {
    run_timeouts();
    send_frames();
  }
  settle();
}

void Runtime::Impl::run_timeouts() {
  const auto due = next_deadline();
  if (!due) return;
  const Instant t = now();
  if (*due > t) return;
  if (path_) path_->deliver(t);
  if (stack_.next_deadline().value_or(Instant::max()) <= t) stack_.handle_timeouts(t);
}

void Runtime::Impl::send_frames() {
  const Instant t = now();
  if (on_turn_) on_turn_(t);
  if (blocked_ || gone_) return;
  write_frames(t);
  // Packets that were to leave may have gone to the router instead.
  if (on_turn_ && !gone_) on_turn_(t);
}

void Runtime::Impl::write_frames(Instant t) {
  for (std::size_t n = 0; n < frames_out_per_turn; ++n) {
    if (!frame_kept_ && !next_frame(t)) return;
    frame_kept_ = false;
    switch (device_.write(frame_)) {
      case TapDevice::WriteResult::Sent:
        if (!link_up_) link_came_up();
        break;
      case TapDevice::WriteResult::Full:
        frame_kept_ = true;
        blocked_ = true;
        wait_writable();
        return;
      case TapDevice::WriteResult::LinkDown:
        link_went_down();
        break;
      case TapDevice::WriteResult::Rejected:
        break;
      case TapDevice::WriteResult::Gone:
        frame_.clear();
        return interface_gone();
    }
    frame_.clear();
  }
  schedule_output();
}

void Runtime::Impl::wait_writable() {
  if (waiting_writable_) return;
  waiting_writable_ = true;
  descriptor_.async_wait(WaitType::wait_write, guarded([this](error_code ec) {
                           waiting_writable_ = false;
                           if (!ec && running_ && !gone_) writable_again();
                         }));
}

void Runtime::Impl::writable_again() {
  blocked_ = false;
  const auto problem = device_.link_problem();
  if (problem && problem->fault == TapFault::InterfaceGone) return interface_gone();
  if (!link_up_ && !problem) link_came_up();
  turn();
}

// A TAP becomes writable when its host's side comes up, so nothing needs to be polled meanwhile.
void Runtime::Impl::link_went_down() {
  if (link_up_) {
    link_up_ = false;
    stack_.link_down();
    if (on_link_change_) {
      on_link_change_(false, make_tap_error(TapFault::InterfaceDown, {.name = device_.name()}).to_string());
    }
  }
  wait_writable();
}

void Runtime::Impl::link_came_up() {
  link_up_ = true;
  stack_.announce(now());
  if (on_link_change_) on_link_change_(true, device_.name() + " is up");
}

// An armed timer that comes to be too early is left alone: it fires once for nothing, and is armed anew then.
void Runtime::Impl::arm_timer() {
  if (!running_ || gone_) return;
  const auto due = next_deadline();
  if (!due || (timer_at_ && *timer_at_ <= *due)) return;
  timer_at_ = *due;
  const auto at = std::chrono::steady_clock::time_point{std::chrono::nanoseconds{due->ns()}};
  timer_.expires_at(at);
  timer_.async_wait(guarded([this](error_code ec) {
    if (ec) return;
    timer_at_.reset();
    turn();
  }));
}

void Runtime::Impl::interface_gone() {
  if (gone_) return;
  gone_ = true;
  blocked_ = false;
  frame_kept_ = false;
  frame_.clear();
  error_code ignored;
  descriptor_.cancel(ignored);
  timer_.cancel();
  if (path_) path_->clear();
  stack_.interface_gone(now());
  fatal_message_ = make_tap_error(TapFault::InterfaceGone, {.name = device_.name()}).to_string();
  schedule_output();  // delivers the failures of all sockets
  report_fatal();
}

}  // namespace wireside

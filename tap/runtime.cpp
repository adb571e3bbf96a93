// The loop's way in: when the device is read, and how long it is polled before the loop sleeps; and Runtime's face.
#include "runtime.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <tuple>
#include <utility>

#include "name_service.hpp"
#include "runtime_impl.hpp"

namespace wireside {
namespace {

using boost::system::error_code;
using WaitType = asio::posix::stream_descriptor;

// One turn of reading ends here, so that the application's handlers get their share, and while what was read is still
// in the processor's caches: with 1 MiB the application's copy is a fifth slower.
constexpr std::size_t frames_per_turn = 128;
constexpr std::size_t octets_per_turn = std::size_t{256} << 10;
// Acknowledgements are decided at least this often within a turn: the TAP's queue holds 1,000 frames, and a sender
// that hears nothing for longer runs out of window.
constexpr std::size_t frames_per_burst = 32;

// While it polls, a turn reads more and more often in vain before the application's handlers have their chance again:
// at first, what the last frames brought about may still be going on.
constexpr unsigned polls_per_turn = 8;

// A device that reports "readable" without giving anything is asked again no sooner than this.
constexpr unsigned tolerated_false_alarms = 16;
constexpr Duration false_alarm_pause = std::chrono::milliseconds{20};

}  // namespace

void Runtime::Impl::start() {
  if (running_ || gone_) return;
  running_ = true;
  stack_.announce(now());
  schedule_output();
  if (reading_ == Reading::Stopped) post_read();
}

void Runtime::Impl::stop() {
  running_ = false;
  error_code ignored;
  descriptor_.cancel(ignored);
  timer_.cancel();
  pause_.cancel();
  timer_at_.reset();
}

// --- receiving ---

void Runtime::Impl::post_read() {
  reading_ = Reading::Posted;
  asio::post(context_, guarded([this] { read_turn(); }));
}

void Runtime::Impl::sleep_until_readable() {
  reading_ = Reading::Sleeping;
  descriptor_.async_wait(WaitType::wait_read, guarded([this](error_code) { read_turn(); }));
}

void Runtime::Impl::pause_reading() {
  reading_ = Reading::Pausing;
  pause_.expires_after(false_alarm_pause);
  pause_.async_wait(guarded([this](error_code) { read_turn(); }));
}

void Runtime::Impl::take(Instant arrived, Packet frame) {
  if (steering_ != nullptr && steering_->takes(arrived, frame)) return;
  if (path_) return path_->arrived(arrived, std::move(frame));
  stack_.handle_frame(arrived, std::move(frame));
}

void Runtime::Impl::receive(std::vector<Packet>& frames) {
  if (!running_ || gone_) return;
  const Instant arrived = now();
  for (Packet& frame : frames) stack_.handle_frame(arrived, std::move(frame));
  std::ignore = flush();
}

bool Runtime::Impl::next_frame(Instant t) {
  return path_ ? path_->next_frame(t, frame_) : stack_.poll_frame(t, frame_);
}

std::optional<Instant> Runtime::Impl::next_deadline() {
  const auto stack = stack_.next_deadline();
  const auto path = path_ && !gone_ ? path_->next_deadline(!blocked_) : std::nullopt;
  return stack && path ? std::min(stack, path) : stack ? stack : path;
}

/// Hands frames to the stack until the device is empty, the burst is full or the device is gone.
Runtime::Impl::Burst Runtime::Impl::read_burst(std::size_t& frames, std::size_t& octets) {
  const Instant arrived = now();
  Packet packet;
  for (std::size_t n = 0; n < frames_per_burst && octets < octets_per_turn; ++n) {
    switch (device_.read(stack_.buffers(), packet)) {
      case TapDevice::ReadResult::Frame:
        if (waiting_) wait_ended();
        ++frames;
        octets += packet.data.size();
        take(arrived, std::move(packet));
        break;
      case TapDevice::ReadResult::Skipped:
        ++frames;
        break;
      case TapDevice::ReadResult::Empty:
        return Burst::Drained;
      case TapDevice::ReadResult::Gone:
        return Burst::Gone;
    }
  }
  return Burst::Full;
}

void Runtime::Impl::read_turn() {
  const bool was_asleep = reading_ == Reading::Sleeping;
  reading_ = Reading::Stopped;
  if (!running_ || gone_) return;
  std::size_t frames = 0;
  std::size_t octets = 0;
  Burst burst = Burst::Full;
  unsigned polls = std::min(vain_turns_ + 1, polls_per_turn);
  while (frames < frames_per_turn && octets < octets_per_turn) {
    burst = read_burst(frames, octets);
    if (burst == Burst::Gone) return interface_gone();
    if (burst == Burst::Drained && (frames != 0 || --polls == 0)) break;
    if (frames == 0) continue;
    run_timeouts();
    send_frames();
    if (gone_) return;
  }
  false_alarms_ = frames == 0 && was_asleep ? false_alarms_ + 1 : 0;
  if (frames != 0 && !flush()) return;
  finish_reading(burst == Burst::Full, frames != 0);
}

/// The application first: what it answers at once leaves together with the acknowledgements, as one segment. False if
/// it has ended this object.
bool Runtime::Impl::flush() {
  run_timeouts();
  flush_follows_ = true;
  if (!dispatch_events() || !return_loans()) return false;
  flush_follows_ = false;
  output_wanted_ = false;
  send_frames();
  return gone_ || settle();
}

void Runtime::Impl::wait_ended() {
  waiting_ = false;
  vain_turns_ = 0;
  spin_.waited(waiting_since_, now(), device_.counters().packets_moved());
}

void Runtime::Impl::finish_reading(bool more, bool found) {
  if (!running_ || gone_ || reading_ != Reading::Stopped) return;
  if (more) return post_read();
  const Instant t = now();
  if (!waiting_) waiting_since_ = t;
  waiting_ = true;
  if (!found) ++vain_turns_;
  if (t - waiting_since_ < spin_.budget()) {
    post_read();
  } else if (false_alarms_ > tolerated_false_alarms) {
    pause_reading();
  } else {
    sleep_until_readable();
  }
}

// --- the public face ---

Runtime::Runtime(asio::io_context& context, TapDevice device, Config config, const Seed& seed,
                 const std::optional<PathImpairment>& impairment)
    : impl_{std::make_unique<Impl>(context, std::move(device), std::move(config), seed, impairment)},
      names_{std::make_unique<net::NameService>(*this, stack().config().dns, net::seed_of_names(seed))} {}
Runtime::~Runtime() { impl_->tell_listeners_of_the_end(); }
void Runtime::start() { impl_->start(); }
void Runtime::stop() { impl_->stop(); }
Stack& Runtime::stack() { return impl_->stack_; }
SocketTable& Runtime::sockets() { return impl_->stack_.sockets(); }
asio::io_context& Runtime::context() { return impl_->context_; }
Instant Runtime::now() const { return Impl::now(); }
void Runtime::schedule_output() { impl_->schedule_output(); }
void Runtime::watch(SocketHandle socket, SocketListener* listener) { impl_->watch(socket, listener); }
void Runtime::unwatch(SocketHandle socket) { impl_->unwatch(socket); }
Result<void> Runtime::send_lent(SocketHandle socket, ByteView octets, LoanListener& listener) {
  return impl_->send_lent(socket, octets, listener);
}
void Runtime::on_fatal(std::function<void(const std::string& message)> handler) {
  impl_->on_fatal_ = std::move(handler);
  impl_->report_fatal();
}
void Runtime::on_link_change(std::function<void(bool up, const std::string& message)> handler) {
  impl_->on_link_change_ = std::move(handler);
}
void Runtime::on_turn(std::function<void(Instant now)> handler) { impl_->on_turn_ = std::move(handler); }
void Runtime::on_address_event(std::function<void(const link::ConflictResult& event)> handler) {
  impl_->on_address_event_ = std::move(handler);
}
void Runtime::on_dhcp_change(std::function<void(const dhcp::Change& change)> handler) {
  impl_->on_dhcp_change_ = std::move(handler);
}
void Runtime::set_busy_poll(std::optional<Duration> spin) { impl_->spin_.set_busy_poll(spin); }
void Runtime::share_processors(std::size_t runtimes) { impl_->spin_ = SpinPolicy{usable_processors() > runtimes}; }
void Runtime::set_steering(FrameSteering* steering) { impl_->steering_ = steering; }
void Runtime::receive(std::vector<Packet>& frames) { impl_->receive(frames); }
const TapDevice& Runtime::device() const { return impl_->device_; }

}  // namespace wireside

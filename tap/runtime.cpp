#include "runtime.hpp"

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>
#include <vector>

#include "impaired_path.hpp"
#include "name_service.hpp"
#include "processors.hpp"
#include "spin_policy.hpp"

namespace wireside {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using WaitType = asio::posix::stream_descriptor;

// One turn of reading ends here, so that the application's handlers get their share.
constexpr std::size_t frames_per_turn = 128;
constexpr std::size_t octets_per_turn = std::size_t{1} << 20;
// Acknowledgements are decided at least this often within a turn: the TAP's queue holds 1,000 frames, and a sender
// that hears nothing for longer runs out of window.
constexpr std::size_t frames_per_burst = 32;
constexpr std::size_t octets_per_burst = std::size_t{256} << 10;
constexpr std::size_t frames_out_per_turn = 256;
constexpr std::size_t events_per_turn = 1024;

// While it polls, a turn reads more and more often in vain before the application's handlers have their chance again:
// at first, what the last frames brought about may still be going on.
constexpr unsigned polls_per_turn = 8;

// A device that reports "readable" without giving anything is asked again no sooner than this.
constexpr unsigned tolerated_false_alarms = 16;
constexpr Duration false_alarm_pause = std::chrono::milliseconds{20};

}  // namespace

class Runtime::Impl {
 public:
  Impl(asio::io_context& context, TapDevice device, Config config, const Seed& seed,
       const std::optional<PathImpairment>& impairment)
      : context_{context},
        device_{without_offload_if(impairment.has_value(), std::move(device))},
        stack_{with_link_of(device_, std::move(config)), seed},
        descriptor_{context, device_.native_handle()},
        timer_{context},
        pause_{context} {
    if (impairment) path_ = std::make_unique<ImpairedPath>(stack_, *impairment);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { (void)descriptor_.release(); }  // TapDevice closes it

  void start();
  void stop();
  void schedule_output();
  void watch(SocketHandle socket, SocketListener* listener);
  void unwatch(SocketHandle socket);
  void tell_listeners_of_the_end();
  [[nodiscard]] static Instant now() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return Instant::from_ns(std::chrono::duration_cast<Duration>(since).count());
  }

  asio::io_context& context_;
  TapDevice device_;
  Stack stack_;
  SpinPolicy spin_{usable_processors() > 1};  // with one, the sender cannot run while we poll
  std::function<void(const std::string&)> on_fatal_;
  std::function<void(bool, const std::string&)> on_link_change_;
  std::function<void(Instant)> on_turn_;
  std::function<void(const link::ConflictResult&)> on_address_event_;
  std::function<void(const dhcp::Change&)> on_dhcp_change_;
  std::string fatal_message_;
  void report_fatal();

 private:
  enum class Reading : std::uint8_t { Stopped, Sleeping, Posted, Pausing };
  enum class Burst : std::uint8_t { Full, Drained, Gone };

  static TapDevice without_offload_if(bool impaired, TapDevice device) {
    if (impaired) device.stop_offload();
    return device;
  }
  static Config with_link_of(const TapDevice& device, Config config) {
    device.apply_to(config.link);
    return config;
  }
  /// Wraps a handler so that it does nothing once this object is gone.
  template <class F>
  auto guarded(F f) {
    return [alive = std::weak_ptr<char>{alive_}, f = std::move(f)](auto... args) mutable {
      if (!alive.expired()) f(args...);
    };
  }

  void turn();
  void read_turn();
  void take(Instant arrived, Packet frame);
  [[nodiscard]] bool next_frame(Instant t);
  [[nodiscard]] std::optional<Instant> next_deadline();
  Burst read_burst(std::size_t& frames, std::size_t& octets);
  void flush();
  void finish_reading(bool more, bool found);
  void wait_ended();
  void sleep_until_readable();
  void post_read();
  void pause_reading();
  void settle();
  void run_timeouts();
  void send_frames();
  void write_frames(Instant t);
  void wait_writable();
  void writable_again();
  void link_went_down();
  void link_came_up();
  void dispatch_events();
  void arm_timer();
  void interface_gone();

  struct Watch {
    std::uint32_t generation = 0;
    SocketListener* listener = nullptr;
  };

  asio::posix::stream_descriptor descriptor_;
  asio::steady_timer timer_;
  asio::steady_timer pause_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  std::vector<Watch> watches_;
  std::unique_ptr<ImpairedPath> path_;  // none: the stack is right at the device
  FrameOut frame_;
  bool frame_kept_ = false;  // frame_ waits for the device to take it
  Reading reading_ = Reading::Stopped;
  bool waiting_ = false;  // the device was read empty, and no frame has come since
  Instant waiting_since_;
  unsigned vain_turns_ = 0;
  unsigned false_alarms_ = 0;
  bool running_ = false;
  bool gone_ = false;
  bool link_up_ = true;
  bool blocked_ = false;  // the device takes no frame until it is writable
  bool waiting_writable_ = false;
  bool turn_posted_ = false;
  bool output_wanted_ = false;
  bool flush_follows_ = false;
  std::optional<Instant> timer_at_;
};

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
  if (path_) return path_->arrived(arrived, std::move(frame));
  stack_.handle_frame(arrived, std::move(frame));
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
  const std::size_t octets_before = octets;
  for (std::size_t n = 0; n < frames_per_burst && octets - octets_before < octets_per_burst; ++n) {
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
  if (frames != 0) flush();
  finish_reading(burst == Burst::Full, frames != 0);
}

/// The application first: what it answers at once leaves together with the acknowledgements, as one segment.
void Runtime::Impl::flush() {
  run_timeouts();
  flush_follows_ = true;
  dispatch_events();
  flush_follows_ = false;
  output_wanted_ = false;
  send_frames();
  if (!gone_) settle();
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

// --- sending, events, time ---

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

/// What follows every exchange with the stack.
void Runtime::Impl::settle() {
  while (const auto news = stack_.poll_address_event()) {
    if (on_address_event_) on_address_event_(*news);
  }
  dispatch_events();
  arm_timer();
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

void Runtime::Impl::dispatch_events() {
  while (const auto change = stack_.poll_dhcp_change()) {
    // A copy: the handler may take itself off.
    if (const auto handler = on_dhcp_change_) handler(*change);
  }
  for (std::size_t n = 0; n < events_per_turn; ++n) {
    const auto event = stack_.poll_event();
    if (!event) return;
    const SocketHandle h = event->socket;
    if (h.index >= watches_.size()) continue;
    const Watch& w = watches_[h.index];
    if (w.listener != nullptr && w.generation == h.generation) w.listener->on_socket_event(*event);
  }
  schedule_output();
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

void Runtime::Impl::report_fatal() {
  if (!gone_ || !on_fatal_) return;
  asio::post(context_, [handler = std::exchange(on_fatal_, nullptr), message = fatal_message_] { handler(message); });
}

void Runtime::Impl::watch(SocketHandle socket, SocketListener* listener) {
  if (!socket.is_valid()) return;
  if (socket.index >= watches_.size()) watches_.resize(std::max<std::size_t>(socket.index + 1, watches_.size() * 2));
  watches_[socket.index] = {socket.generation, listener};
}

void Runtime::Impl::unwatch(SocketHandle socket) {
  if (socket.index >= watches_.size()) return;
  Watch& w = watches_[socket.index];
  if (w.generation == socket.generation) w.listener = nullptr;
}

void Runtime::Impl::tell_listeners_of_the_end() {
  for (std::size_t i = 0; i < watches_.size(); ++i) {  // a listener may unwatch others
    if (SocketListener* listener = std::exchange(watches_[i].listener, nullptr)) listener->on_runtime_end();
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
const TapDevice& Runtime::device() const { return impl_->device_; }

}  // namespace wireside

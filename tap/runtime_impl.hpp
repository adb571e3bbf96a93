// What a Runtime is made of: the loop between its device, its stack and the application's handlers.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "impaired_path.hpp"
#include "processors.hpp"
#include "runtime.hpp"
#include "spin_policy.hpp"

namespace wireside {

namespace asio = boost::asio;

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
  [[nodiscard]] Result<void> send_lent(SocketHandle socket, ByteView octets, LoanListener& listener);
  void tell_listeners_of_the_end();
  void receive(std::vector<Packet>& frames);
  [[nodiscard]] static Instant now() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return Instant::from_ns(std::chrono::duration_cast<Duration>(since).count());
  }

  /// Last, when the stack is gone, those hear of it who have something out on loan still.
  struct Loans : IntrusiveList<LoanListener, LoanTag> {
    ~Loans() {
      while (LoanListener* lender = pop_front()) lender->on_loan_returned(false);
    }
  };

  asio::io_context& context_;
  Loans loans_;
  TapDevice device_;
  Stack stack_;
  SpinPolicy spin_{usable_processors() > 1};  // with one, the sender cannot run while we poll
  FrameSteering* steering_ = nullptr;
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
  [[nodiscard]] bool flush();
  void finish_reading(bool more, bool found);
  void wait_ended();
  void sleep_until_readable();
  void post_read();
  void pause_reading();
  bool settle();
  void run_timeouts();
  void send_frames();
  void write_frames(Instant t);
  void wait_writable();
  void writable_again();
  void link_went_down();
  void link_came_up();
  [[nodiscard]] bool tell_owner();
  [[nodiscard]] bool dispatch_events();
  void tell_listener(const SocketEvent& event);
  [[nodiscard]] bool return_loans();
  template <class Tell>
  void call_application(Tell tell);
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

}  // namespace wireside

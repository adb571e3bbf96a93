#include "host.hpp"

#include <fmt/format.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>
#include <csignal>
#include <cstdio>
#include <exception>

namespace wireside::apps {

namespace asio = boost::asio;
using boost::system::error_code;

void complain(const std::string& message) { fmt::print(stderr, "wireside: {}\n", message); }

std::unique_ptr<Host> Host::open(asio::io_context& context, const CommonOptions& options) {
  const Config config = options.config();
  auto device = TapDevice::open(options.tap_options());
  if (!device) {
    complain(device.error().to_string());
    return nullptr;
  }
  if (const auto problem = device->link_problem()) complain(problem->to_string());
  std::unique_ptr<Host> host{new Host};
  host->runtime_ = std::make_unique<Runtime>(context, std::move(*device), config, options.make_stack_seed());
  if (!host->attach_observers(options)) return nullptr;
  host->runtime_->on_fatal([h = host.get()](const std::string& message) {
    complain(message);
    h->gone_ = true;
    if (h->on_gone_) h->on_gone_();
  });
  host->runtime_->on_link_change([](bool, const std::string& message) { complain(message); });
  if (!open_control(context, options, {options.command, {host->runtime_.get()}, nullptr}, host->control_))
    return nullptr;
  host->runtime_->start();
  return host;
}

bool Host::open_control(asio::io_context& context, const CommonOptions& options, ControlSubject subject,
                        std::unique_ptr<ControlServer>& out) {
  if (!options.long_running || options.no_control) return true;
  auto control = ControlServer::open(context, std::move(subject), options.control_path);
  if (control) {
    out = std::move(*control);
    if (options.verbose) complain(fmt::format("control socket {}", out->path()));
    return true;
  }
  complain(fmt::format("control socket: {}\n  try: --control PATH, or --no-control", control.error()));
  return options.control_path.empty();
}

bool Host::attach_observers(const CommonOptions& options) {
  if (options.trace) {
    TraceOptions how;
    how.colour = wants_colour(stderr);
    if (options.verbose) how.detail = EventDetail::All;
    trace_.emplace(stderr, how);
    observers_.add(&*trace_);
  }
  if (!options.capture_file.empty()) {
    auto writer = PcapWriter::open(options.capture_file, runtime_->device().name());
    if (!writer) {
      complain(writer.error());
      return false;
    }
    capture_ = std::move(*writer);
    observers_.add(capture_.get());
  }
  if (!observers_.empty()) runtime_->stack().attach(&observers_);
  return true;
}

Host::~Host() {
  if (!runtime_) return;
  runtime_->on_fatal(nullptr);
  runtime_->on_link_change(nullptr);
  control_.reset();
  runtime_.reset();
  if (capture_) capture_->flush();
  if (capture_ && capture_->error()) complain(*capture_->error());
}

std::size_t Host::open_connections() const {
  std::size_t open = 0;
  for (const auto& c : runtime_->stack().connections()) {
    if (c.state != TcpState::Listen && c.state != TcpState::TimeWait && c.state != TcpState::Closed) ++open;
  }
  return open;
}

namespace {

constexpr auto drain_time = std::chrono::seconds{2};
constexpr auto drain_step = std::chrono::milliseconds{10};

/// One run of a subcommand's main, from its start to the end of its last connection.
class Run {
 public:
  explicit Run(const CommonOptions& options) : host_{Host::open(context_, options)} {}

  int operator()(const HostMain& main) {
    if (!host_) return exit_failure;
    host_->on_gone([this] {
      status_ = exit_failure;
      cancel_main();
      stop_soon();
    });
    wait_for_signal();
    asio::co_spawn(context_, main(Surroundings{*host_, interrupted_}),
                   asio::bind_cancellation_slot(
                       cancel_.slot(), [this](std::exception_ptr failure, int status) { finish(failure, status); }));
    context_.run();
    return status_.value_or(exit_failure);
  }

 private:
  void wait_for_signal() {
    signals_.async_wait([this](error_code ec, int) {
      if (ec) return;
      if (interrupted_) {
        status_ = exit_failure;
        return context_.stop();
      }
      interrupted_ = true;
      wait_for_signal();
      cancel_main();
    });
  }

  void cancel_main() {
    // The coroutine may be anywhere; emitting from a handler of its own executor is safe.
    asio::post(context_, [this] { cancel_.emit(asio::cancellation_type::terminal); });
  }

  void finish(const std::exception_ptr& failure, int status) {
    if (failure) status = report(failure);
    if (!status_) status_ = status;
    if (host_->gone()) return stop_soon();
    drain_until_ = std::chrono::steady_clock::now() + drain_time;
    drain();
  }

  int report(const std::exception_ptr& failure) const {
    try {
      std::rethrow_exception(failure);
    } catch (const boost::system::system_error& e) {
      if (e.code() != asio::error::operation_aborted || !(interrupted_ || host_->gone())) complain(e.code().message());
    } catch (const std::exception& e) {
      complain(e.what());
    }
    return exit_failure;
  }

  /// Lets the last segments out, so that no peer is left waiting.
  void drain() {
    const bool late = std::chrono::steady_clock::now() >= drain_until_;
    if (late || host_->gone() || host_->open_connections() == 0) return stop_soon();
    timer_.expires_after(drain_step);
    timer_.async_wait([this](error_code ec) {
      if (!ec) drain();
    });
  }

  /// One more pass of the loop first: the last acknowledgement may just have been asked for.
  void stop_soon() {
    timer_.expires_after(drain_step);
    timer_.async_wait([this](error_code) { context_.stop(); });
  }

  asio::io_context context_{1};
  asio::signal_set signals_{context_, SIGINT, SIGTERM};
  asio::steady_timer timer_{context_};
  asio::cancellation_signal cancel_;
  bool interrupted_ = false;
  std::optional<int> status_;
  std::chrono::steady_clock::time_point drain_until_;
  std::unique_ptr<Host> host_;
};

}  // namespace

int run_on_host(const CommonOptions& options, HostMain main) {
  std::signal(SIGPIPE, SIG_IGN);
  return Run{options}(main);
}

}  // namespace wireside::apps

#include "host.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <utility>

#include "dhcp_session.hpp"
#include "ending_signals.hpp"
#include "lease_file.hpp"
#include "wall_clock.hpp"

namespace wireside::apps {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

/// A device that cannot be opened: where the option's value is at fault, the command line is.
void device_failure(const TapError& error) {
  using enum TapFault;
  if (error.fault == NameTooLong || error.fault == BadName || error.fault == BadDescriptor) {
    throw UsageError{fmt::format("{}: {}", error.what, error.why), error.remedy};
  }
  complain(error.to_string());
}

/// A lease of before is asked for again, with the MAC address it belongs to.
dhcp::Options with_lease_file(const CommonOptions& options, Config& config) {
  dhcp::Options out = options.dhcp_options();
  if (!options.dhcp || options.lease_file.empty()) return out;
  auto stored = read_lease_file(options.lease_file, wall_clock_offset());
  if (!stored) complain(stored.error() + "; starting without it");
  if (!stored || !*stored) return out;
  if (config.link.mac.is_zero()) config.link.mac = (*stored)->mac;
  if (config.link.mac == (*stored)->mac) out.previous = std::move((*stored)->lease);
  return out;
}

}  // namespace

std::unique_ptr<Host> Host::open(asio::io_context& context, const CommonOptions& options) {
  Config config = options.config();
  dhcp::Options dhcp_options = with_lease_file(options, config);
  const auto path = options.impairment.path(options.seed);
  auto devices = TapDevice::open_queues(options.tap_options(), options.queues);
  if (!devices) {
    device_failure(devices.error());
    return nullptr;
  }
  std::unique_ptr<Host> host{new Host};
  host->dhcp_options_ = std::move(dhcp_options);
  host->open_runtimes(context, options, config, std::move(*devices));
  if (path && options.verbose) {
    complain(fmt::format("impairment: in {}, out {}", impair::describe(path->in), impair::describe(path->out)));
  }
  if (!host->attach_observers(options)) return nullptr;
  host->runtime_->on_fatal([h = host.get()](const std::string& message) { h->end(message); });
  host->runtime_->on_address_event([h = host.get()](const link::ConflictResult& event) { h->address_news(event); });
  if (config.link.conflict.check_before_use && !config.ip.addresses.empty()) {
    host->unchecked_ = config.ip.addresses.size();
    complain(fmt::format("asking whether another host has {} (4 to 7 seconds; --no-acd skips it)",
                         config.ip.addresses.size() == 1 ? config.ip.addresses.front().address.to_string()
                                                         : std::string{"our addresses"}));
  }
  host->runtime_->on_link_change([](bool, const std::string& message) { complain(message); });
  if (!open_control(context, options, {options.command, {host->runtime_.get()}, nullptr, host->queues_.get()},
                    host->control_))
    return nullptr;
  host->runtime_->start();
  if (host->queues_) host->queues_->start();
  return host;
}

void Host::open_runtimes(asio::io_context& context, const CommonOptions& options, const Config& config,
                         std::vector<TapDevice> devices) {
  const Seed seed = options.make_stack_seed();
  const std::size_t count = devices.size();
  runtime_ =
      std::make_unique<Runtime>(context, std::move(devices.front()), QueueGroup::config_of_first(config, count, seed),
                                seed, options.impairment.path(options.seed));
  if (count == 1) return runtime_->set_busy_poll(options.busy_poll_time());
  devices.erase(devices.begin());
  queues_ = std::make_unique<QueueGroup>(*runtime_, std::move(devices), seed);
  for (std::size_t i = 0; i < count; ++i) queues_->runtime(i).set_busy_poll(options.busy_poll_time());
  if (!options.verbose) return;
  complain(fmt::format("{} queues; frames are shared out by {}", count,
                       queues_->steered_by_driver() ? "our program in the driver" : "the driver's own hash and by us"));
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

void Host::end(const std::string& message) {
  complain(message);
  if (std::exchange(gone_, true)) return;
  if (on_gone_) on_gone_();
}

void Host::on_ready(std::function<void()> handler) {
  if (unchecked_ == 0) return handler();
  on_ready_ = std::move(handler);
}

void Host::address_news(const link::ConflictResult& event) {
  using What = link::ConflictResult::What;
  const std::string address = event.address.to_string();
  const std::string other = event.other.to_string();
  switch (event.what) {
    case What::Free:
      if (unchecked_ > 0 && --unchecked_ == 0 && on_ready_ && !gone_) std::exchange(on_ready_, nullptr)();
      return;
    case What::Conflict:
      return end(fmt::format("the address {} is already used by {}; choose another with --ip", address, other));
    case What::Lost:
      break;
  }
  const std::string message = fmt::format(
      "the address {} is given up, since {} uses it too; its connections have ended. Choose another with --ip", address,
      other);
  if (runtime_->stack().config().ip.addresses.empty()) return end(message);
  complain(message);
}

bool Host::attach_observers(const CommonOptions& options) {
  Stack& stack = runtime_->stack();
  auto onlookers = Onlookers::open(options.watch, options.verbose,
                                   {.interface_name = runtime_->device().name(),
                                    .mac = stack.mac(),
                                    .addresses = stack.config().ip.addresses,
                                    .wall_offset = wall_clock_offset()});
  if (!onlookers) {
    complain(onlookers.error());
    return false;
  }
  onlookers_ = std::move(*onlookers);
  if (!onlookers_) return true;
  observers_.add(&onlookers_->of_a_stack());
  stack.attach(&observers_);
  for (std::size_t i = 1; queues_ && i < queues_->size(); ++i) {
    queues_->runtime(i).stack().attach(&onlookers_->of_a_stack());
  }
  return true;
}

Host::~Host() {
  if (!runtime_) return;
  runtime_->on_fatal(nullptr);
  runtime_->on_link_change(nullptr);
  control_.reset();
  runtime_->on_address_event(nullptr);
  if (queues_) queues_->stop();  // what the threads still do may look at our members
  queues_.reset();
  runtime_.reset();
  if (!onlookers_) return;
  if (const auto problem = onlookers_->finish()) complain(*problem);
}

std::size_t Host::open_connections() const {
  const auto count = [](Runtime& runtime, std::size_t) {
    return std::ranges::count_if(runtime.stack().connections(), [](const tcp::ConnectionStatus& c) {
      return c.state != TcpState::Listen && c.state != TcpState::TimeWait && c.state != TcpState::Closed;
    });
  };
  std::ptrdiff_t open = 0;
  if (!queues_) return static_cast<std::size_t>(count(*runtime_, 0));
  for (const auto n : queues_->ask_all(count)) open += n;
  return static_cast<std::size_t>(open);
}

namespace {

constexpr auto drain_time = std::chrono::seconds{2};
constexpr auto drain_step = std::chrono::milliseconds{10};

/// One run of a subcommand's main, from its start to the end of its last connection.
class Run {
 public:
  explicit Run(const CommonOptions& options) : host_{Host::open(context_, options)} { add_ending_signals(signals_); }

  int operator()(const HostMain& main) {
    if (!host_) return exit_failure;
    host_->on_gone([this] {
      status_ = exit_failure;
      cancel_main();
      stop_soon();
    });
    wait_for_signal();
    host_->on_ready([this, &main] { start(main); });
    context_.run();
    return status_.value_or(exit_failure);
  }

 private:
  void start(const HostMain& main) {
    started_ = true;
    asio::co_spawn(context_, main(Surroundings{*host_, interrupted_}),
                   asio::bind_cancellation_slot(
                       cancel_.slot(), [this](std::exception_ptr failure, int status) { finish(failure, status); }));
  }

  void wait_for_signal() {
    signals_.async_wait([this](error_code ec, int) {
      if (ec) return;
      if (interrupted_ || !started_) {
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
  asio::signal_set signals_{context_};
  asio::steady_timer timer_{context_};
  asio::cancellation_signal cancel_;
  bool started_ = false;
  bool interrupted_ = false;
  std::optional<int> status_;
  std::chrono::steady_clock::time_point drain_until_;
  std::unique_ptr<Host> host_;
};

}  // namespace

namespace {

/// An address first, then the subcommand's main; the lease is given back at the end, or kept in its file.
asio::awaitable<int> with_leased_address(const CommonOptions& options, const HostMain& main, Surroundings around) {
  DhcpSession session{around.runtime(), options.lease_file, false};
  session.start(around.dhcp_options());
  int status = exit_failure;
  std::exception_ptr failure;
  try {
    co_await session.wait_for_address(std::nullopt);
    status = co_await main(around);
  } catch (...) {
    failure = std::current_exception();
  }
  co_await asio::this_coro::reset_cancellation_state();
  if (!around.device_gone()) {
    co_await around.drain_connections();
    co_await session.finish(!session.keeps_lease());
  }
  if (failure) std::rethrow_exception(failure);
  co_return status;
}

}  // namespace

asio::awaitable<void> Surroundings::drain_connections() const {
  asio::steady_timer moment{runtime().context()};
  const auto end = std::chrono::steady_clock::now() + drain_time;
  while (!host_->gone() && host_->open_connections() > 0 && std::chrono::steady_clock::now() < end) {
    moment.expires_after(drain_step);
    (void)co_await moment.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

int run_on_host(const CommonOptions& options, HostMain main) {
  std::signal(SIGPIPE, SIG_IGN);
  if (!options.dhcp || options.dhcp_by_hand) return Run{options}(main);
  return Run{options}([&](Surroundings around) { return with_leased_address(options, main, around); });
}

}  // namespace wireside::apps

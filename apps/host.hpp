// An endpoint made from the command line, and the loop a subcommand runs in.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "command.hpp"
#include "common_options.hpp"
#include "control.hpp"
#include "observer_list.hpp"
#include "onlookers.hpp"
#include "output.hpp"
#include "queue_group.hpp"
#include "runtime.hpp"

namespace wireside::apps {

/// A running endpoint with its trace and capture.
class Host {
 public:
  /// Opens the device and starts the endpoint. nullptr after a message on standard error when that fails.
  /// Throws UsageError.
  [[nodiscard]] static std::unique_ptr<Host> open(boost::asio::io_context& context, const CommonOptions& options);
  /// Opens the control socket the options ask for. False, after a message, when one asked for by its path cannot be
  /// had.
  [[nodiscard]] static bool open_control(boost::asio::io_context& context, const CommonOptions& options,
                                         ControlSubject subject, std::unique_ptr<ControlServer>& out);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  [[nodiscard]] Runtime& runtime() { return *runtime_; }
  /// The runtimes of all queues, the one above among them; nullptr where it is the only one.
  [[nodiscard]] QueueGroup* queues() { return queues_.get(); }
  /// Who watches the stack, the first one where there are several. Attach the list to the stack after adding to it: an
  /// empty one is not attached.
  [[nodiscard]] ObserverList& observers() { return observers_; }
  /// Called once, after the message is printed, when the device, or the last of our addresses, is gone for good.
  void on_gone(std::function<void()> handler) { on_gone_ = std::move(handler); }
  [[nodiscard]] bool gone() const { return gone_; }
  /// Called once when every --ip is in use; at once where that is so already. Not called when `on_gone` is.
  void on_ready(std::function<void()> handler);
  /// From the command line and the lease file.
  [[nodiscard]] const dhcp::Options& dhcp_options() const { return dhcp_options_; }
  /// Connections that still have something to say to their peers (not listeners, not TIME-WAIT).
  [[nodiscard]] std::size_t open_connections() const;

 private:
  Host() = default;
  void open_runtimes(boost::asio::io_context& context, const CommonOptions& options, const Config& config,
                     std::vector<TapDevice> devices);
  bool attach_observers(const CommonOptions& options);
  void address_news(const link::ConflictResult& event);
  void end(const std::string& message);

  dhcp::Options dhcp_options_;
  ObserverList observers_;
  std::unique_ptr<Onlookers> onlookers_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<QueueGroup> queues_;
  std::unique_ptr<ControlServer> control_;
  std::function<void()> on_gone_;
  std::function<void()> on_ready_;
  std::size_t unchecked_ = 0;  ///< addresses that are still probed for
  bool gone_ = false;
};

/// What `main` may ask of its surroundings.
class Surroundings {
 public:
  Surroundings(Host& host, const bool& interrupted) : host_{&host}, interrupted_{&interrupted} {}
  [[nodiscard]] Runtime& runtime() const { return host_->runtime(); }
  /// nullptr with a single queue.
  [[nodiscard]] QueueGroup* queues() const { return host_->queues(); }
  [[nodiscard]] ObserverList& observers() const { return host_->observers(); }
  [[nodiscard]] const dhcp::Options& dhcp_options() const { return host_->dhcp_options(); }
  /// SIGINT, SIGTERM or SIGHUP came.
  [[nodiscard]] bool interrupted() const { return *interrupted_; }
  [[nodiscard]] bool device_gone() const { return host_->gone(); }
  /// Waits until the last connection has ended, two seconds at most.
  boost::asio::awaitable<void> drain_connections() const;

 private:
  Host* host_;
  const bool* interrupted_;
};

using HostMain = std::function<boost::asio::awaitable<int>(Surroundings)>;

/// Opens an endpoint, runs `main` on it, lets connections end in order (two seconds at most) and gives the status.
/// SIGINT, SIGTERM and SIGHUP cancel what main waits for (operation_aborted); a second one ends at once. A main that
/// lets an operation_aborted out gives status 1. The device's end gives status 1.
int run_on_host(const CommonOptions& options, HostMain main);

}  // namespace wireside::apps

// A subcommand's endpoint that gets its address by DHCP: waiting for it, telling people, keeping the lease in a file.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "runtime.hpp"

namespace wireside::apps {

class DhcpSession {
 public:
  /// Empty `lease_file`: none is kept. `quiet`: only what goes wrong is told (on standard error).
  DhcpSession(Runtime& runtime, std::string lease_file, bool quiet);
  ~DhcpSession();
  DhcpSession(const DhcpSession&) = delete;
  DhcpSession& operator=(const DhcpSession&) = delete;

  void start(const dhcp::Options& options);
  /// Called for each new address, not for its renewal.
  void on_address(std::function<void(const dhcp::Lease&)> handler) { on_address_ = std::move(handler); }
  /// Waits until an address is held; false when the time is over. Throws when cancelled.
  boost::asio::awaitable<bool> wait_for_address(std::optional<std::chrono::milliseconds> limit);
  /// Waits for the answer to DHCPINFORM; nullopt when there is none.
  boost::asio::awaitable<std::optional<dhcp::Informed>> inform(const dhcp::Options& options,
                                                               std::chrono::milliseconds limit);
  /// Ends the client; with `release` the lease is given back, and the file removed.
  boost::asio::awaitable<void> finish(bool release);
  /// A lease that is kept in a file is not released at the end: it is tried again at the next start.
  [[nodiscard]] bool keeps_lease() const { return !lease_file_.empty(); }

 private:
  void changed(const dhcp::Change& change);
  void bound(const dhcp::Bound& bound);
  void lost(const dhcp::Lost& lost);
  void store(const dhcp::Lease& lease);
  void forget();
  void use_names(const dhcp::Configuration& configuration);
  boost::asio::awaitable<void> pause(std::chrono::steady_clock::time_point until);

  Runtime& runtime_;
  std::string lease_file_;
  bool quiet_;
  boost::asio::steady_timer wake_;
  std::optional<dhcp::Informed> informed_;
  bool no_answer_ = false;
  std::function<void(const dhcp::Lease&)> on_address_;
};

}  // namespace wireside::apps

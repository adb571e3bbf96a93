// Looks names up for all resolvers of a Runtime: the sans-IO resolver joined to the runtime's own sockets.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "asio_error.hpp"
#include "dns/resolver.hpp"

namespace wireside {
class Runtime;
}

namespace wireside::net {

/// Errors of name lookups; values are dns::Failure.
[[nodiscard]] const boost::system::error_category& resolver_category();
/// Never success: every Failure is one.
[[nodiscard]] error_code to_error_code(dns::Failure f);

/// A lookup that somebody waits for. finish() is called once at most, and posts; without it the handler is dropped.
class LookupOperation {
 public:
  virtual ~LookupOperation() = default;
  virtual void finish(error_code ec, dns::Answer answer) = 0;
};

/// A seed of its own, so that DNS ids and ports tell nothing of the stack's random numbers.
[[nodiscard]] Seed seed_of_names(const Seed& seed);

class NameService {
 public:
  /// Both outlive the service.
  NameService(Runtime& runtime, const dns::DnsConfig& config, const Seed& seed);
  /// Lookups under way end with operation_aborted.
  ~NameService();
  NameService(const NameService&) = delete;
  NameService& operator=(const NameService&) = delete;

  /// Replaces the servers, as a DHCP client does with a new lease, and forgets what the old ones said.
  void set_servers(std::vector<Endpoint> servers);
  /// Error: the first domain that is no host name; then nothing changes.
  [[nodiscard]] std::expected<void, dns::Failure> set_search(const std::vector<std::string>& domains);
  [[nodiscard]] const dns::Resolver& resolver() const;

  /// `owner` is what cancel_all knows the operation by. An invalid handle: it has finished with an error already.
  dns::QueryHandle start(std::string_view name, const void* owner, std::unique_ptr<LookupOperation> operation);
  /// Ends the operation, if it is still waiting, with operation_aborted.
  void cancel(dns::QueryHandle query);
  void cancel_all(const void* owner);

  class Impl;
  /// For cancellation handlers, which may outlive the service.
  [[nodiscard]] std::weak_ptr<Impl> weak() const { return impl_; }
  static void cancel(const std::weak_ptr<Impl>& service, dns::QueryHandle query);

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace wireside::net

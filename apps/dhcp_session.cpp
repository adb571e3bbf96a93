#include "dhcp_session.hpp"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cstdio>
#include <utility>

#include "host.hpp"
#include "lease_file.hpp"
#include "name_service.hpp"
#include "wall_clock.hpp"

namespace wireside::apps {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};

constexpr auto max_release_time = std::chrono::milliseconds{1500};

}  // namespace

DhcpSession::DhcpSession(Runtime& runtime, std::string lease_file, bool quiet)
    : runtime_{runtime}, lease_file_{std::move(lease_file)}, quiet_{quiet}, wake_{runtime.context()} {
  runtime_.on_dhcp_change([this](const dhcp::Change& change) { changed(change); });
}

DhcpSession::~DhcpSession() { runtime_.on_dhcp_change(nullptr); }

void DhcpSession::start(const dhcp::Options& options) {
  (void)runtime_.stack().start_dhcp(runtime_.now(), options);
  runtime_.schedule_output();
}

/// Until something changed, or the time has come.
asio::awaitable<void> DhcpSession::pause(Clock::time_point until) {
  wake_.expires_at(until);
  (void)co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error{asio::error::operation_aborted};
  }
}

asio::awaitable<bool> DhcpSession::wait_for_address(std::optional<std::chrono::milliseconds> limit) {
  const auto end = limit ? Clock::now() + *limit : Clock::time_point::max();
  while (!runtime_.stack().dhcp_status().lease) {
    if (Clock::now() >= end) co_return false;
    co_await pause(end);
  }
  co_return true;
}

asio::awaitable<std::optional<dhcp::Informed>> DhcpSession::inform(const dhcp::Options& options,
                                                                   std::chrono::milliseconds limit) {
  const auto end = Clock::now() + limit;
  (void)runtime_.stack().inform_dhcp(runtime_.now(), options);
  runtime_.schedule_output();
  while (!informed_ && !no_answer_ && Clock::now() < end) co_await pause(end);
  co_return informed_;
}

asio::awaitable<void> DhcpSession::finish(bool release) {
  runtime_.stack().stop_dhcp(runtime_.now(), release);
  if (release) forget();
  runtime_.schedule_output();
  const auto end = Clock::now() + max_release_time;
  // The address goes when the last message has left.
  const auto& held = runtime_.stack().config().ip.addresses;
  asio::steady_timer moment{runtime_.context()};
  for (bool first = true; first || (release && !held.empty() && Clock::now() < end); first = false) {
    moment.expires_after(std::chrono::milliseconds{10});
    (void)co_await moment.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

void DhcpSession::changed(const dhcp::Change& change) {
  std::visit(Overloaded{
                 [](const dhcp::CheckAddress&) {},
                 [&](const dhcp::Bound& e) { bound(e); },
                 [&](const dhcp::Lost& e) { lost(e); },
                 [&](const dhcp::Informed& e) { informed_ = e; },
                 [&](const dhcp::NoServer& e) {
                   no_answer_ = true;
                   complain(fmt::format("no DHCP server has answered {} messages; the client keeps trying", e.tries));
                 },
                 [&](const dhcp::Declined& e) {
                   complain(fmt::format("another host has {}: declined, asking again in 10 s", e.address.to_string()));
                   forget();
                 },
                 [&](const dhcp::Refused& e) {
                   complain(fmt::format("DHCP server {} refuses the address{}{}", e.server.to_string(),
                                        e.text.empty() ? "" : ": ", e.text));
                   forget();
                 },
             },
             change);
  wake_.cancel();
}

void DhcpSession::bound(const dhcp::Bound& e) {
  const dhcp::Lease& lease = e.lease;
  if (!lease.link_local) store(lease);
  use_names(lease.configuration);
  if (on_address_ && !e.renewed) on_address_(lease);
  if (quiet_ || e.renewed) return;
  if (lease.link_local) {
    return complain(fmt::format("{} is the link-local address taken meanwhile", lease.prefix.to_string()));
  }
  complain(fmt::format("{} from DHCP server {}, lease {}", lease.prefix.to_string(), lease.server.to_string(),
                       lease_time_text(lease)));
}

/// The lease's DNS servers and domain, where the command line gives none.
void DhcpSession::use_names(const dhcp::Configuration& configuration) {
  const dns::DnsConfig& given = runtime_.stack().config().dns;
  std::vector<Endpoint> servers;
  for (const Ipv4Address address : configuration.dns_servers) servers.push_back({address, dns::dns_port});
  if (servers.size() > dns::max_servers) servers.resize(dns::max_servers);
  // Replacing them forgets what they said, which a renewal is no reason for.
  net::NameService& names = runtime_.names();
  if (given.servers.empty() && servers != names.resolver().servers()) names.set_servers(std::move(servers));
  if (!given.search.empty()) return;
  std::vector<std::string> search;
  if (!configuration.domain_name.empty()) search.push_back(configuration.domain_name);
  if (!names.set_search(search)) (void)names.set_search({});  // the server's domain is no name: left aside
}

void DhcpSession::lost(const dhcp::Lost& e) {
  use_names({});
  using Why = dhcp::Lost::Why;
  if (e.why == Why::Released || e.why == Why::Stopped) return;
  if (e.why != Why::Replaced) forget();
  complain(fmt::format("the address {} is lost: {}. Its connections have ended", e.address.to_string(),
                       dhcp::to_string(e.why)));
}

void DhcpSession::store(const dhcp::Lease& lease) {
  if (lease_file_.empty()) return;
  if (const auto problem = write_lease_file(lease_file_, {runtime_.stack().mac(), lease}, wall_clock_offset())) {
    complain(*problem);
  }
}

void DhcpSession::forget() {
  if (!lease_file_.empty()) std::remove(lease_file_.c_str());
}

}  // namespace wireside::apps

// The operation that asks DNS.
#include <boost/json/array.hpp>

#include "agent_core.hpp"
#include "name_lookup.hpp"

namespace wireside::agent {
namespace {

namespace json = boost::json;

/// As getaddrinfo names what went wrong.
std::string_view failure_name(dns::Failure f) {
  switch (f) {
    case dns::Failure::NotFound:
      return "EAI_NONAME";
    case dns::Failure::NoData:
      return "EAI_NODATA";
    case dns::Failure::TimedOut:
    case dns::Failure::Unreachable:
    case dns::Failure::TooManyQueries:
      return "EAI_AGAIN";
    default:
      return dns::is_name_error(f) ? "EINVAL" : "EAI_FAIL";
  }
}

json::object to_json(const dns::Answer& answer) {
  json::array addresses;
  for (const auto& a : answer.addresses) addresses.push_back({{"address", a.address.to_string()}, {"ttl", a.ttl}});
  json::array aliases;
  for (const auto& a : answer.aliases) {
    aliases.push_back({{"name", a.owner.to_string()}, {"target", a.target.to_string()}, {"ttl", a.ttl}});
  }
  return {{"name", answer.name.to_string()},
          {"addresses", std::move(addresses)},
          {"aliases", std::move(aliases)},
          {"server", answer.server ? json::value(answer.server->to_string()) : json::value(nullptr)},
          {"over_tcp", answer.over_tcp},
          {"took_ms", std::chrono::duration<double, std::milli>(answer.took).count()}};
}

}  // namespace

void Agent::forget_finished_lookups() {
  std::erase_if(lookups_, [](const auto& pending) { return pending->done; });
}

std::optional<Agent::Answer> Agent::resolve(const Call& call) {
  auto pending = std::make_shared<Pending>();
  pending->session = call.session;
  pending->id = call.id;
  pending->timeout = call.request.timeout();
  pending->resolver = std::make_unique<net::resolver>(runtime_);
  const std::string name = call.request.text("name");
  lookups_.push_back(pending);
  // A lookup that was given up is gone when its handler is called.
  std::weak_ptr<Pending> weak = pending;
  pending->resolver->async_lookup(name, [this, weak](boost::system::error_code ec, const dns::Answer& answer) {
    const auto waiting = weak.lock();
    if (!waiting || waiting->done) return;
    if (ec) {
      const auto failure = static_cast<dns::Failure>(ec.value());
      give_up(*waiting, failure_name(failure), ec.message());
    } else {
      finish(*waiting, to_json(answer));
    }
    forget_finished_lookups();
  });
  if (!pending->timeout) return std::nullopt;
  pending->timer = std::make_unique<boost::asio::steady_timer>(runtime_.context(), *pending->timeout);
  pending->timer->async_wait([this, weak](boost::system::error_code ec) {
    const auto waiting = weak.lock();
    if (ec || !waiting || waiting->done) return;
    give_up(*waiting, "EAGAIN", "timed out");
    forget_finished_lookups();
  });
  return std::nullopt;
}

}  // namespace wireside::agent

#include "name_lookup.hpp"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "asio_resolver.hpp"
#include "text.hpp"

namespace wireside::apps {

namespace asio = boost::asio;

std::string lookup_failure(Runtime& runtime, const std::string& host, const boost::system::error_code& ec) {
  std::string out = fmt::format("{}: {}", printable(host), ec.message());
  if (ec == net::to_error_code(dns::Failure::NoServer)) return out + "; try: --dns ADDRESS";
  const bool silent = ec == net::to_error_code(dns::Failure::TimedOut) ||
                      ec == net::to_error_code(dns::Failure::Unreachable) ||
                      ec == net::to_error_code(dns::Failure::ServerFailure);
  if (!silent) return out;
  out += "; asked:";
  for (const Endpoint& server : runtime.names().resolver().servers()) out += ' ' + server.address.to_string();
  return out;
}

asio::awaitable<std::expected<Ipv4Address, std::string>> look_up(Runtime& runtime, std::string host) {
  if (const auto literal = Ipv4Address::parse(host)) co_return *literal;
  net::resolver resolver{runtime};
  const auto [ec, endpoints] = co_await resolver.async_resolve(host, Port{}, asio::as_tuple(asio::use_awaitable));
  if (ec) co_return std::unexpected{lookup_failure(runtime, host, ec)};
  co_return endpoints.front().address.v4();
}

asio::awaitable<std::optional<Ipv4Address>> look_up_or_complain(Surroundings around, std::string command,
                                                                std::string host) {
  const auto address = co_await look_up(around.runtime(), std::move(host));
  if (address) co_return *address;
  if (!around.interrupted()) complain(fmt::format("{}: {}", command, address.error()));
  co_return std::nullopt;
}

}  // namespace wireside::apps

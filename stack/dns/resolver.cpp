// Queries of the application: candidates, aliases, the cache, outcomes.
#include "dns/resolver.hpp"

#include <algorithm>
#include <utility>

namespace wireside::dns {
namespace {

constexpr Ipv4Address loopback{127, 0, 0, 1};

/// An alias back to a name the chain has passed.
bool is_circle(const std::vector<Alias>& chain) {
  if (chain.empty()) return false;
  const wire::DnsName& end = chain.back().target;
  return std::ranges::any_of(chain, [&](const Alias& a) { return a.owner.equals(end); });
}

}  // namespace

Resolver::Resolver(const DnsConfig& config, const Seed& seed, observe::Sink& sink)
    : config_{config}, random_{seed}, sink_{sink}, cache_{config.cache} {
  (void)set_search(config.search);
  set_servers(config.servers);
}

void Resolver::set_servers(std::vector<Endpoint> servers) {
  if (servers.size() > max_servers) servers.resize(max_servers);
  config_.servers = std::move(servers);
  preferred_.reset();
  cache_.clear();
}

std::expected<void, Failure> Resolver::set_search(const std::vector<std::string>& domains) {
  std::vector<wire::DnsName> parsed;
  for (const auto& text : domains) {
    const auto name = parse_host_name(text);
    if (!name) return std::unexpected{name.error()};
    parsed.push_back(name->name);
  }
  search_ = std::move(parsed);
  return {};
}

std::expected<QueryHandle, Failure> Resolver::start(Instant now, std::string_view name) {
  if (queries_.size() >= config_.max_queries) return std::unexpected{Failure::TooManyQueries};
  const auto literal = Ipv4Address::parse(name);
  const auto host = literal ? HostName{} : parse_host_name(name);
  if (!host) return std::unexpected{host.error()};
  ++counters_.queries;
  const QueryHandle h = queries_.emplace();
  Query& query = *queries_.find(h);
  query.started = now;
  if (literal) {
    query.answer.addresses.push_back({*literal, 0});
    finish(now, h, std::nullopt);
    return h;
  }
  query.candidates = candidates(*host, search_, config_.ndots);
  (void)next_candidate(query);
  advance(now, h);
  return h;
}

void Resolver::cancel(QueryHandle h) {
  std::erase_if(outcomes_, [&](const Outcome& o) { return o.query == h; });
  const Query* query = queries_.find(h);
  if (query == nullptr) return;
  if (Lookup* lookup = lookups_.find(query->lookup)) {
    std::erase(lookup->waiting, h);
    if (lookup->waiting.empty()) close_lookup(*lookup);
  }
  queries_.erase(h);
}

std::optional<Action> Resolver::poll_action() {
  if (actions_.empty()) return std::nullopt;
  std::optional<Action> out{std::move(actions_.front())};
  actions_.pop_front();
  return out;
}

std::optional<Outcome> Resolver::poll_outcome() {
  if (outcomes_.empty()) return std::nullopt;
  std::optional<Outcome> out{std::move(outcomes_.front())};
  outcomes_.pop_front();
  return out;
}

/// Goes as far as what is known leads, then has the rest looked up.
void Resolver::advance(Instant now, QueryHandle h) {
  Query& query = *queries_.find(h);
  while (const auto reading = known(now, query.target)) {
    if (take(now, h, query, *reading, {})) return;
  }
  join_lookup(now, h, query);
}

std::optional<Reading> Resolver::known(Instant now, const wire::DnsName& name) {
  Reading out;
  out.last = name;
  if (is_localhost(name)) {
    out.kind = Reading::Kind::Addresses;
    out.addresses.push_back({loopback, 0});
    return out;
  }
  if (is_invalid(name)) {
    out.kind = Reading::Kind::NotFound;
    return out;
  }
  auto cached = cache_.find(now, name);
  if (cached) ++counters_.from_cache;
  return cached;
}

/// Adds a reading about its target to the query; true when that ended the query.
bool Resolver::take(Instant now, QueryHandle h, Query& query, const Reading& reading, const Source& source) {
  query.answer.server = source.server;
  query.answer.over_tcp = source.over_tcp;
  auto& chain = query.answer.aliases;
  for (const Alias& alias : reading.aliases) {
    chain.push_back(alias);
    if (chain.size() > config_.max_chain || is_circle(chain)) {
      finish(now, h, Failure::ChainTooLong);
      return true;
    }
  }
  query.target = reading.last;
  switch (reading.kind) {
    case Reading::Kind::Addresses:
      query.answer.addresses = reading.addresses;
      finish(now, h, std::nullopt);
      return true;
    case Reading::Kind::Alias:
      return false;
    case Reading::Kind::NotFound:
    case Reading::Kind::NoData:
      // A name that exists without an address says more than one that does not exist.
      if (query.negative != Failure::NoData) {
        query.negative = reading.kind == Reading::Kind::NoData ? Failure::NoData : Failure::NotFound;
      }
      if (next_candidate(query)) return false;
      finish(now, h, query.negative);
      return true;
    case Reading::Kind::ChainTooLong:
      finish(now, h, Failure::ChainTooLong);
      return true;
    case Reading::Kind::ServerFailed:
      break;
  }
  finish(now, h, Failure::ServerFailure);
  return true;
}

bool Resolver::next_candidate(Query& query) {
  if (query.next_candidate == query.candidates.size()) return false;
  query.target = query.candidates[query.next_candidate++];
  query.answer.name = query.target;
  query.answer.aliases.clear();
  return true;
}

void Resolver::join_lookup(Instant now, QueryHandle h, Query& query) {
  const std::string key = query.target.folded().wire_labels();
  if (const auto found = by_name_.find(key); found != by_name_.end()) {
    query.lookup = found->second;
    lookups_.find(found->second)->waiting.push_back(h);
    return;
  }
  if (config_.servers.empty()) return finish(now, h, Failure::NoServer);
  query.lookup = lookups_.emplace();
  Lookup& lookup = *lookups_.find(query.lookup);
  lookup.self = query.lookup;
  lookup.name = query.target;
  lookup.waiting.push_back(h);
  for (const Endpoint& server : config_.servers) lookup.servers.push_back({.endpoint = server});
  const auto first = std::ranges::find_if(lookup.servers, [&](const Server& s) { return s.endpoint == preferred_; });
  if (first != lookup.servers.end()) std::rotate(lookup.servers.begin(), first, lookup.servers.end());
  by_name_.emplace(key, lookup.self);
  ask_next(now, lookup);
}

void Resolver::finish(Instant now, QueryHandle h, std::optional<Failure> failure) {
  Query& query = *queries_.find(h);
  query.answer.took = now - query.started;
  outcomes_.push_back({h, failure, std::move(query.answer)});
  queries_.erase(h);
}

}  // namespace wireside::dns

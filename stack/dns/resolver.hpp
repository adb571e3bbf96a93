// The stub resolver without input/output of its own: queries come in, actions and outcomes are pulled.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline_queue.hpp"
#include "base/random.hpp"
#include "base/slot_map.hpp"
#include "dns/cache.hpp"
#include "dns/dns_config.hpp"
#include "dns/failure.hpp"
#include "dns/name.hpp"
#include "dns/response.hpp"
#include "observe/event.hpp"

namespace wireside::dns {

struct QueryTag;
struct ExchangeTag;
struct LookupTag;
using QueryHandle = Handle<QueryTag>;
using ExchangeHandle = Handle<ExchangeTag>;
using LookupHandle = Handle<LookupTag>;

/// What the owner of the sockets is to do.
struct Action {
  enum class Kind : std::uint8_t {
    SendDatagram,  ///< send the message to the server from `local_port`, or from any port if that is taken
    OpenStream,    ///< connect over TCP, send the message behind its length in two octets (RFC 7766 section 8)
    EndExchange,   ///< nothing more is wanted of the exchange: close its socket
  };
  Kind kind = Kind::EndExchange;
  ExchangeHandle exchange;
  Endpoint server;
  Port local_port;  ///< random (RFC 5452 section 9.2)
  std::vector<std::uint8_t> message;
};

/// How a query went, complete or as far as it came.
struct Answer {
  std::vector<Alias> aliases;
  std::vector<AddressRecord> addresses;
  wire::DnsName name;              ///< that was asked for in the end, with its search domain
  std::optional<Endpoint> server;  ///< whose answer it is; nullopt where nobody had to be asked
  bool over_tcp = false;
  Duration took{};
};

struct Outcome {
  QueryHandle query;
  std::optional<Failure> failure;  ///< nullopt: there are addresses
  Answer answer;
};

struct ResolverCounters {
  std::uint64_t queries = 0;
  std::uint64_t from_cache = 0;  ///< steps of queries that the cache answered
  std::uint64_t datagrams_sent = 0;
  std::uint64_t streams_opened = 0;
  std::uint64_t answers_taken = 0;
  std::uint64_t answers_ignored = 0;  ///< the reasons are DropReason::Dns...
  std::uint64_t timeouts = 0;         ///< waits for one server
};

/// Drive it like the stack: after every call, pull actions until there are none, then outcomes, then ask for the next
/// deadline. Queries for one name share one exchange with the servers (RFC 5452 section 5: no two at once).
class Resolver {
 public:
  /// `sink` outlives the resolver.
  Resolver(const DnsConfig& config, const Seed& seed, observe::Sink& sink);
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Looks the IPv4 addresses of a host name up; a dotted quad is its own answer. Fails at once when the name is wrong
  /// (is_name_error) or with TooManyQueries; everything else is told by poll_outcome().
  [[nodiscard]] std::expected<QueryHandle, Failure> start(Instant now, std::string_view name);
  /// Forgets the query; no outcome follows.
  void cancel(QueryHandle query);

  [[nodiscard]] std::optional<Action> poll_action();
  [[nodiscard]] std::optional<Outcome> poll_outcome();
  [[nodiscard]] std::optional<Instant> next_deadline();
  void handle_timeouts(Instant now);

  /// A datagram arrived for the exchange. What does not match what was asked is counted and ignored.
  void handle_datagram(Instant now, ExchangeHandle exchange, const Endpoint& from, ByteView message);
  /// The reply on the exchange's stream, without its length.
  void handle_stream(Instant now, ExchangeHandle exchange, ByteView message);
  /// The exchange cannot go on: no route, refused, stream ended. The next server is asked at once.
  void handle_failure(Instant now, ExchangeHandle exchange);

  /// Takes effect for lookups that start from now on; what other servers said is forgotten.
  void set_servers(std::vector<Endpoint> servers);
  /// Error: the first domain that is no host name.
  [[nodiscard]] std::expected<void, Failure> set_search(const std::vector<std::string>& domains);
  [[nodiscard]] const std::vector<Endpoint>& servers() const { return config_.servers; }
  [[nodiscard]] const std::vector<wire::DnsName>& search() const { return search_; }
  [[nodiscard]] const ResolverCounters& counters() const { return counters_; }
  [[nodiscard]] const Cache& cache() const { return cache_; }
  [[nodiscard]] std::size_t queries_under_way() const { return queries_.size(); }

 private:
  /// What an application asked for.
  struct Query {
    std::vector<wire::DnsName> candidates;
    std::size_t next_candidate = 0;
    wire::DnsName target;  ///< whose addresses are sought now: a candidate or the end of its aliases
    std::optional<Failure> negative;
    LookupHandle lookup;
    Instant started;
    Answer answer;
  };
  struct Server {
    Endpoint endpoint;
    bool failed = false;  ///< answered with an error or cannot be reached: not asked again for this lookup
    bool plain = false;   ///< refused EDNS(0)
  };
  /// One name asked for at the servers, on behalf of every query that needs it. Its node is the wait for a server.
  struct Lookup : DeadlineNode {
    LookupHandle self;
    wire::DnsName name;
    std::vector<QueryHandle> waiting;
    std::vector<Server> servers;
    std::size_t position = 0;  ///< the next server to ask: round and index
    std::vector<ExchangeHandle> exchanges;
    ExchangeHandle current;  ///< the exchange that is waited for
    bool any_error_answer = false;
    bool any_timeout = false;
  };
  /// One message to one server, and what may answer it. Stays open until the lookup is done: slow answers count.
  struct Exchange {
    LookupHandle lookup;
    std::size_t server = 0;
    std::uint16_t id = 0;
    bool stream = false;
    bool offered_edns = false;
    Duration wait{};
    Instant sent;
  };
  /// Where a reading comes from.
  struct Source {
    std::optional<Endpoint> server;
    bool over_tcp = false;
  };

  // resolver.cpp: queries
  void advance(Instant now, QueryHandle h);
  [[nodiscard]] std::optional<Reading> known(Instant now, const wire::DnsName& name);
  [[nodiscard]] bool take(Instant now, QueryHandle h, Query& query, const Reading& reading, const Source& source);
  [[nodiscard]] bool next_candidate(Query& query);
  void join_lookup(Instant now, QueryHandle h, Query& query);
  void finish(Instant now, QueryHandle h, std::optional<Failure> failure);

  // exchanges.cpp: lookups
  void ask_next(Instant now, Lookup& lookup);
  void ask(Instant now, Lookup& lookup, std::size_t server, bool stream, Duration wait);
  void answer_arrives(Instant now, ExchangeHandle h, const Endpoint* from, ByteView octets);
  [[nodiscard]] std::optional<observe::DropReason> mismatch(const Exchange& exchange, const Endpoint* from,
                                                            ByteView octets, wire::DnsMessage& message) const;
  void ignore(Instant now, observe::DropReason reason);
  void take_answer(Instant now, ExchangeHandle h, const wire::DnsMessage& message);
  void server_failed(Instant now, ExchangeHandle h, bool answered);
  void end_exchange(Lookup& lookup, ExchangeHandle h);
  void close_lookup(Lookup& lookup);
  void conclude(Instant now, Lookup& lookup, const Reading& reading, const Source& source);
  void give_up(Instant now, Lookup& lookup);
  void report(Instant now, observe::DnsStep step, const Exchange& exchange) const;

  DnsConfig config_;
  Random random_;
  observe::Sink& sink_;
  Cache cache_;
  std::vector<wire::DnsName> search_;
  std::optional<Endpoint> preferred_;  ///< the server that answered last is asked first
  DeadlineQueue deadlines_;
  SlotMap<Query, QueryTag> queries_;
  SlotMap<Lookup, LookupTag> lookups_;
  SlotMap<Exchange, ExchangeTag> exchanges_;
  std::map<std::string, LookupHandle> by_name_;  ///< by labels in lower case
  std::deque<Action> actions_;
  std::deque<Outcome> outcomes_;
  ResolverCounters counters_;
};

}  // namespace wireside::dns

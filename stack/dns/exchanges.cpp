// Lookups: which server is asked when, and what counts as its answer.
#include <algorithm>
#include <utility>

#include "dns/resolver.hpp"

namespace wireside::dns {

using observe::DnsStep;
using observe::DropReason;
using wire::DnsMessage;
using wire::DnsRcode;

namespace {

constexpr Duration max_wait = std::chrono::seconds{60};
constexpr std::uint32_t first_port = 1024;  // below are other services' well-known ports

DnsMessage make_query(const wire::DnsName& name, std::uint16_t id, std::uint16_t edns_payload) {
  DnsMessage out;
  out.header.id = id;
  out.header.recursion_desired = true;
  out.questions.push_back({name, wire::DnsType::A, wire::DnsClass::In});
  if (edns_payload > 512) {
    // RFC 6891 section 6.1.2: the class field of an OPT record is the payload size.
    out.additionals.push_back({.name = {},
                               .type = wire::DnsType::Opt,
                               .dns_class = static_cast<wire::DnsClass>(edns_payload),
                               .ttl = 0,
                               .data = wire::DnsOctets{}});
  }
  return out;
}

bool is_error(DnsRcode rcode) { return rcode != DnsRcode::NoError && rcode != DnsRcode::NameError; }

}  // namespace

/// Asks the next server that has not failed, or ends the lookup when all rounds are over.
void Resolver::ask_next(Instant now, Lookup& lookup) {
  const std::size_t count = lookup.servers.size();
  while (lookup.position < count * config_.attempts) {
    const std::size_t round = lookup.position / count;
    const std::size_t server = lookup.position++ % count;
    if (lookup.servers[server].failed) continue;
    const auto doublings = std::min<std::size_t>(round, 16);
    return ask(now, lookup, server, false, std::min<Duration>(config_.timeout * (1 << doublings), max_wait));
  }
  give_up(now, lookup);
}

void Resolver::ask(Instant now, Lookup& lookup, std::size_t server, bool stream, Duration wait) {
  const bool edns = config_.udp_payload > 512 && !lookup.servers[server].plain;
  const ExchangeHandle h = exchanges_.emplace(Exchange{.lookup = lookup.self,
                                                       .server = server,
                                                       .id = static_cast<std::uint16_t>(random_.next_u32()),
                                                       .stream = stream,
                                                       .offered_edns = edns,
                                                       .wait = wait,
                                                       .sent = now});
  const Exchange& exchange = *exchanges_.find(h);
  const Endpoint& endpoint = lookup.servers[server].endpoint;
  auto message = wire::emit_dns(make_query(lookup.name, exchange.id, edns ? config_.udp_payload : std::uint16_t{0}));
  if (stream) {
    ++counters_.streams_opened;
    actions_.push_back({Action::Kind::OpenStream, h, endpoint, Port{}, std::move(message)});
  } else {
    ++counters_.datagrams_sent;
    const Port port{static_cast<std::uint16_t>(first_port + random_.below(65536 - first_port))};
    actions_.push_back({Action::Kind::SendDatagram, h, endpoint, port, std::move(message)});
  }
  lookup.exchanges.push_back(h);
  lookup.current = h;
  deadlines_.arm(lookup, now + wait);
  report(now, DnsStep::Asked, exchange);
}

std::optional<Instant> Resolver::next_deadline() {
  const Instant next = deadlines_.next();
  if (next == Instant::max()) return std::nullopt;
  return next;
}

void Resolver::handle_timeouts(Instant now) {
  while (DeadlineNode* node = deadlines_.pop_due(now)) {
    auto& lookup = static_cast<Lookup&>(*node);
    ++counters_.timeouts;
    lookup.any_timeout = true;
    if (const Exchange* exchange = exchanges_.find(lookup.current)) report(now, DnsStep::TimedOut, *exchange);
    ask_next(now, lookup);
  }
}

void Resolver::handle_datagram(Instant now, ExchangeHandle h, const Endpoint& from, ByteView message) {
  answer_arrives(now, h, &from, message);
}

void Resolver::handle_stream(Instant now, ExchangeHandle h, ByteView message) {
  answer_arrives(now, h, nullptr, message);
}

void Resolver::handle_failure(Instant now, ExchangeHandle h) {
  if (exchanges_.find(h) != nullptr) server_failed(now, h, false);
}

void Resolver::answer_arrives(Instant now, ExchangeHandle h, const Endpoint* from, ByteView octets) {
  const Exchange* exchange = exchanges_.find(h);
  if (exchange == nullptr) return ignore(now, DropReason::DnsNotExpected);
  DnsMessage message;
  if (const auto reason = mismatch(*exchange, from, octets, message)) {
    ignore(now, *reason);
    if (exchange->stream) server_failed(now, h, true);  // a stream gives one reply; nothing better will come
    return;
  }
  ++counters_.answers_taken;
  take_answer(now, h, message);
}

/// RFC 5452 section 9.1: an answer has the server's address and port, the id, and the very question that was sent.
std::optional<DropReason> Resolver::mismatch(const Exchange& exchange, const Endpoint* from, ByteView octets,
                                             DnsMessage& message) const {
  const Lookup& lookup = *lookups_.find(exchange.lookup);
  if (from != nullptr && *from != lookup.servers[exchange.server].endpoint) return DropReason::DnsWrongServer;
  auto parsed = wire::parse_dns_head(octets);
  if (!parsed) return DropReason::DnsMalformed;
  if (!parsed->header.response || parsed->header.opcode != 0) return DropReason::DnsNotExpected;
  if (parsed->header.id != exchange.id) return DropReason::DnsWrongId;
  // A server that did not understand the query may be unable to repeat its question.
  const bool without_question = parsed->questions.empty() && is_error(parsed->header.rcode);
  const wire::DnsQuestion asked{lookup.name, wire::DnsType::A, wire::DnsClass::In};
  if (!without_question && (parsed->questions.size() != 1 || parsed->questions[0] != asked)) {
    return DropReason::DnsWrongQuestion;
  }
  // A truncated message may end anywhere, and nothing behind its question is used.
  if (!parsed->header.truncated) parsed = wire::parse_dns(octets);
  if (!parsed) return DropReason::DnsMalformed;
  message = std::move(*parsed);
  return std::nullopt;
}

void Resolver::ignore(Instant now, DropReason reason) {
  ++counters_.answers_ignored;
  sink_.drop(now, reason);
}

void Resolver::take_answer(Instant now, ExchangeHandle h, const DnsMessage& message) {
  const Exchange exchange = *exchanges_.find(h);
  Lookup& lookup = *lookups_.find(exchange.lookup);
  Server& server = lookup.servers[exchange.server];
  const DnsRcode rcode = message.header.rcode;
  const bool refuses_edns = rcode == DnsRcode::FormatError || rcode == DnsRcode::NotImplemented;
  if (exchange.offered_edns && refuses_edns && !server.plain) {
    server.plain = true;  // RFC 6891 section 7
    end_exchange(lookup, h);
    return ask(now, lookup, exchange.server, exchange.stream, exchange.wait);
  }
  if (is_error(rcode)) return server_failed(now, h, true);
  if (message.header.truncated) {
    if (exchange.stream) return server_failed(now, h, true);
    report(now, DnsStep::Truncated, exchange);
    end_exchange(lookup, h);
    return ask(now, lookup, exchange.server, true, exchange.wait);  // RFC 7766 section 5
  }
  const Reading reading = read_response(message, lookup.name, config_.max_chain);
  if (reading.kind == Reading::Kind::ServerFailed) return server_failed(now, h, true);
  report(now, DnsStep::Answered, exchange);
  preferred_ = server.endpoint;
  if (reading.kind != Reading::Kind::ChainTooLong) cache_.add(now, reading);
  conclude(now, lookup, reading, {server.endpoint, exchange.stream});
}

/// The server cannot help with this name. If it is the one waited for, the next is asked.
void Resolver::server_failed(Instant now, ExchangeHandle h, bool answered) {
  const Exchange exchange = *exchanges_.find(h);
  Lookup& lookup = *lookups_.find(exchange.lookup);
  report(now, answered ? DnsStep::ServerFailed : DnsStep::Unreachable, exchange);
  lookup.servers[exchange.server].failed = true;
  lookup.any_error_answer = lookup.any_error_answer || answered;
  const bool waited_for = lookup.current == h;
  end_exchange(lookup, h);
  if (waited_for) ask_next(now, lookup);
}

void Resolver::end_exchange(Lookup& lookup, ExchangeHandle h) {
  std::erase(lookup.exchanges, h);
  exchanges_.erase(h);
  actions_.push_back({.exchange = h, .server = {}, .local_port = {}, .message = {}});
}

void Resolver::close_lookup(Lookup& lookup) {
  while (!lookup.exchanges.empty()) end_exchange(lookup, lookup.exchanges.back());
  by_name_.erase(lookup.name.folded().wire_labels());
  lookups_.erase(LookupHandle{lookup.self});
}

void Resolver::conclude(Instant now, Lookup& lookup, const Reading& reading, const Source& source) {
  const auto waiting = std::move(lookup.waiting);
  lookup.waiting.clear();
  close_lookup(lookup);
  for (const QueryHandle h : waiting) {
    if (!take(now, h, *queries_.find(h), reading, source)) advance(now, h);
  }
}

void Resolver::give_up(Instant now, Lookup& lookup) {
  const Failure failure = lookup.any_error_answer ? Failure::ServerFailure
                          : lookup.any_timeout    ? Failure::TimedOut
                                                  : Failure::Unreachable;
  const auto waiting = std::move(lookup.waiting);
  lookup.waiting.clear();
  close_lookup(lookup);
  for (const QueryHandle h : waiting) finish(now, h, failure);
}

void Resolver::report(Instant now, DnsStep step, const Exchange& exchange) const {
  sink_.emit(now, [&] {
    const Lookup& lookup = *lookups_.find(exchange.lookup);
    return observe::DnsProgress{.step = step,
                                .name = lookup.name.to_string(),
                                .server = lookup.servers[exchange.server].endpoint,
                                .id = exchange.id,
                                .over_tcp = exchange.stream,
                                .after = now - exchange.sent};
  });
}

}  // namespace wireside::dns

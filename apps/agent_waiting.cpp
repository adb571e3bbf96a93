// Operations that may wait: accept, connect, send, recv, recvfrom, recverr, wait.
#include <array>
#include <memory>
#include <vector>

#include "agent_core.hpp"
#include "icmp_text.hpp"

namespace wireside::agent {

namespace {
constexpr std::size_t chunk_octets = 65536;
constexpr std::size_t most_first_octets = std::size_t{64} << 20;
}  // namespace

std::optional<Agent::Answer> Agent::accept(const Call& call) {
  AgentSocket& socket = socket_of(call.request);
  Pending pending;
  pending.attempt = [this, &socket]() -> std::optional<Answer> {
    const auto accepted = runtime_.sockets().accept(socket.handle);
    if (!accepted && accepted.error() == Error::WouldBlock) return std::nullopt;
    if (!accepted) throw refusal(accepted.error());
    AgentSocket& adopted = adopt(accepted->socket, SocketKind::Stream);
    adopted.connected = true;
    Answer answer = endpoints(adopted);
    answer["socket"] = adopted.number;
    answer["peer"] = accepted->peer.to_string();
    return answer;
  };
  return begin(call, socket, Lane::Connect, std::move(pending));
}

std::optional<Agent::Answer> Agent::connect(const Call& call) {
  AgentSocket& socket = socket_of(call.request);
  const Endpoint peer = call.request.peer(socket.kind != SocketKind::Echo);
  std::optional<Payload> payload;
  std::vector<std::uint8_t> scratch;
  ByteView first;
  if (Payload::is_in(call.request)) {
    payload.emplace(call.request);
    if (payload->size() > most_first_octets) throw refusal(Error::MessageTooLong);
    scratch.resize(static_cast<std::size_t>(payload->size()));
    first = payload->chunk(0, scratch);
  }
  const auto begun = runtime_.sockets().connect(runtime_.now(), socket.handle, peer, first);
  if (begun) return endpoints(socket);
  if (begun.error() != Error::InProgress) throw refusal(begun.error());
  Pending pending;
  pending.attempt = [this, &socket]() -> std::optional<Answer> {
    if (socket.connected) return endpoints(socket);
    if (socket.failure) throw refusal(*socket.failure);
    return std::nullopt;
  };
  return begin(call, socket, Lane::Connect, std::move(pending));
}

std::optional<Agent::Answer> Agent::send(const Call& call) {
  AgentSocket& socket = socket_of(call.request);
  struct State {
    Payload payload;
    std::uint64_t sent = 0;
    std::vector<std::uint8_t> scratch = std::vector<std::uint8_t>(chunk_octets);
  };
  auto state = std::make_shared<State>(State{Payload{call.request}});
  const auto put = call.request.flag_or("urgent", false) ? &SocketTable::send_urgent : &SocketTable::send;
  if (socket.kind != SocketKind::Stream) {  // a datagram goes as a whole or not at all
    std::vector<std::uint8_t> whole(std::min<std::uint64_t>(state->payload.size(), chunk_octets));
    const auto view = state->payload.chunk(0, whole);
    if (view.size() != state->payload.size()) throw refusal(Error::MessageTooLong);
    const auto sent = runtime_.sockets().send(runtime_.now(), socket.handle, view);
    if (!sent) throw refusal(sent.error());
    return Answer{{"sent", *sent}};
  }
  Pending pending;
  pending.progress = [state] { return Answer{{"sent", state->sent}}; };
  pending.attempt = [this, &socket, state, put]() -> std::optional<Answer> {
    while (state->sent < state->payload.size()) {
      const auto chunk = state->payload.chunk(state->sent, state->scratch);
      const auto sent = (runtime_.sockets().*put)(runtime_.now(), socket.handle, chunk);
      if (!sent && sent.error() == Error::WouldBlock) return std::nullopt;
      if (!sent) throw refusal(sent.error());
      if (*sent == 0) return std::nullopt;
      state->sent += *sent;
    }
    return Answer{{"sent", state->sent}};
  };
  return begin(call, socket, Lane::Send, std::move(pending));
}

std::optional<Agent::Answer> Agent::receive(const Call& call) {
  AgentSocket& socket = socket_of(call.request);
  const Request& request = call.request;
  constexpr std::uint64_t largest = std::uint64_t{1} << 50;
  struct State {
    explicit State(const Request& request) : collector{request} {}
    Collector collector;
    std::uint64_t limit = 0;
    bool all = false;  // wait until limit or EOF
    bool eof = false;
    std::vector<std::uint8_t> scratch = std::vector<std::uint8_t>(chunk_octets);
    Answer result() {
      Answer answer;
      collector.put_into(answer);
      answer["eof"] = eof;
      return answer;
    }
  };
  auto state = std::make_shared<State>(request);
  const bool until_eof = request.flag_or("until_eof", false);
  if (int{until_eof} + int{request.has("exactly")} + int{request.has("max")} > 1) {
    throw invalid("give at most one of \"max\", \"exactly\" and \"until_eof\"");
  }
  state->all = until_eof || request.has("exactly");
  state->limit = until_eof                ? largest
                 : request.has("exactly") ? request.number("exactly", largest)
                                          : request.number_or("max", largest, chunk_octets);
  Pending pending;
  pending.progress = [state] { return state->result(); };
  pending.attempt = [this, &socket, state]() -> std::optional<Answer> {
    auto& collected = state->collector;
    while (collected.length() < state->limit && !state->eof) {
      const auto room = std::min<std::uint64_t>(state->limit - collected.length(), state->scratch.size());
      const auto got = runtime_.sockets().receive(
          runtime_.now(), socket.handle, MutableByteView{state->scratch.data(), static_cast<std::size_t>(room)});
      if (!got && got.error() == Error::WouldBlock) break;
      // Octets that came before an error are given first; the error stays for the next call.
      if (!got && !state->all && collected.length() > 0) break;
      if (!got) throw refusal(got.error());
      state->eof = *got == 0 && socket.kind == SocketKind::Stream;
      collected.add({state->scratch.data(), *got});
      if (socket.kind != SocketKind::Stream) return state->result();
    }
    const bool enough = state->eof || collected.length() == state->limit || (!state->all && collected.length() > 0);
    return enough ? std::optional{state->result()} : std::nullopt;
  };
  return begin(call, socket, Lane::Receive, std::move(pending));
}

std::optional<Agent::Answer> Agent::receive_from(const Call& call) {
  AgentSocket& socket = socket_of(call.request);
  const auto max = static_cast<std::size_t>(call.request.number_or("max", chunk_octets, chunk_octets));
  auto collector = std::make_shared<Collector>(call.request);
  Pending pending;
  pending.attempt = [this, &socket, collector, max]() -> std::optional<Answer> {
    std::vector<std::uint8_t> octets(max);
    const auto got = runtime_.sockets().receive_from(socket.handle, octets);
    if (!got && got.error() == Error::WouldBlock) return std::nullopt;
    if (!got) throw refusal(got.error());
    collector->add({octets.data(), got->octets});
    Answer answer;
    collector->put_into(answer);
    answer["full_length"] = got->full_length;
    answer["from"] = got->from.to_string();
    answer["to"] = got->to.to_string();
    answer["ttl"] = got->ttl;
    answer["tos"] = got->tos;
    answer["ip_options"] = to_hex(got->ip_options.view());
    if (socket.kind == SocketKind::Echo) answer["echo_sequence"] = got->echo_sequence;
    return answer;
  };
  return begin(call, socket, Lane::Receive, std::move(pending));
}

std::optional<Agent::Answer> Agent::receive_error(const Call& call) {
  AgentSocket& socket = socket_of(call.request);
  Pending pending;
  pending.attempt = [this, &socket]() -> std::optional<Answer> {
    const auto report = runtime_.sockets().take_error_report(socket.handle);
    if (!report && report.error() == Error::WouldBlock) return std::nullopt;
    if (!report) throw refusal(report.error());
    Answer answer{{"errno", errno_name(report->error)},
                  {"origin", report->local ? "local" : "icmp"},
                  {"type", report->icmp_type},
                  {"code", report->icmp_code},
                  {"text", apps::icmp_error_text(*report)},
                  {"offender", report->reporter.to_string()},
                  {"local", report->tuple.local.to_string()},
                  {"peer", report->tuple.remote.to_string()},
                  {"mtu", report->mtu}};
    if (!report->local) {
      answer["ttl"] = report->quoted_ttl;
      answer["quote"] = to_hex(report->quote.view());
    }
    if (socket.kind == SocketKind::Echo) answer["echo_sequence"] = report->sequence;
    return answer;
  };
  return begin(call, socket, Lane::Error, std::move(pending));
}

std::optional<Agent::Answer> Agent::wait(const Call& call) {
  AgentSocket& socket = socket_of(call.request);
  const std::string what = call.request.text("for");
  std::function<bool()> holds;
  if (what == "readable") {
    holds = [this, &socket] { return runtime_.sockets().is_readable(socket.handle); };
  } else if (what == "writable") {
    holds = [this, &socket] { return runtime_.sockets().is_writable(socket.handle); };
  } else if (what == "connected") {
    holds = [&socket] {
      if (!socket.connected && socket.failure) throw refusal(*socket.failure);
      return socket.connected;
    };
  } else if (what == "closed") {
    holds = [&socket] { return socket.closed || socket.failure; };
  } else {
    throw invalid("\"for\" must be readable, writable, connected or closed");
  }
  Pending pending;
  pending.attempt = [&socket, holds, what]() -> std::optional<Answer> {
    if (!holds()) return std::nullopt;
    Answer answer{{"for", what}};
    if (what == "closed")
      answer["failure"] = socket.failure ? boost::json::value(errno_name(*socket.failure)) : nullptr;
    return answer;
  };
  return begin(call, socket, Lane::Wait, std::move(pending));
}

}  // namespace wireside::agent

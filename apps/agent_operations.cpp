// Operations that are answered at once, and the table of all operations.
#include <algorithm>
#include <vector>

#include "agent_core.hpp"
#include "agent_options.hpp"

namespace wireside::agent {

namespace json = boost::json;

const std::vector<Agent::Operation>& Agent::operations() {
  static const std::vector<Operation> all = {
      {"open", "kind", &Agent::open},
      {"bind", "socket address port", &Agent::bind},
      {"listen", "socket backlog", &Agent::listen},
      {"accept", "socket timeout_ms", &Agent::accept},
      {"connect", "socket address port data hex zeros pattern offset timeout_ms", &Agent::connect},
      {"send", "socket data hex zeros pattern offset urgent timeout_ms", &Agent::send},
      {"recv", "socket max exactly until_eof as timeout_ms", &Agent::receive},
      {"sendto", "socket address port data hex zeros pattern offset", &Agent::send_to},
      {"recvfrom", "socket max as timeout_ms", &Agent::receive_from},
      {"recverr", "socket timeout_ms", &Agent::receive_error},
      {"resolve", "name timeout_ms", &Agent::resolve},
      {"shutdown", "socket how", &Agent::shutdown},
      {"close", "socket", &Agent::close},
      {"abort", "socket", &Agent::abort},
      {"set_option", "socket name value", &Agent::set_option},
      {"get_option", "socket name", &Agent::get_option},
      {"status", "socket", &Agent::status},
      {"list", "", &Agent::list},
      {"counters", "", &Agent::counters},
      {"wait", "socket for timeout_ms", &Agent::wait},
      {"events", "on kinds frames", &Agent::events},
      {"config", "", &Agent::config},
      {"cancel", "target", &Agent::cancel},
      {"quit", "", &Agent::quit},
  };
  return all;
}

namespace {

std::string_view kind_name(SocketKind kind) {
  switch (kind) {
    case SocketKind::Stream:
      return "stream";
    case SocketKind::Datagram:
      return "datagram";
    case SocketKind::Echo:
      return "echo";
  }
  return "";
}

SocketKind kind_named(const std::string& name) {
  if (name == "stream") return SocketKind::Stream;
  if (name == "datagram") return SocketKind::Datagram;
  if (name == "echo") return SocketKind::Echo;
  throw invalid("\"kind\" must be stream, datagram or echo");
}

template <class T>
void require(const Result<T>& result) {
  if (!result) throw refusal(result.error());
}

}  // namespace

std::optional<Agent::Answer> Agent::open(const Call& call) {
  const auto kind = kind_named(call.request.text_or("kind", "stream"));
  const auto handle = runtime_.sockets().open(kind);
  require(handle);
  return Answer{{"socket", adopt(*handle, kind).number}};
}

std::optional<Agent::Answer> Agent::bind(const Call& call) {
  AgentSocket& socket = socket_of(call.request);
  require(runtime_.sockets().bind(socket.handle, call.request.endpoint()));
  return endpoints(socket);
}

std::optional<Agent::Answer> Agent::listen(const Call& call) {
  AgentSocket& socket = socket_of(call.request);
  const auto backlog = static_cast<std::size_t>(call.request.number_or("backlog", 1'000'000, 128));
  require(runtime_.sockets().listen(socket.handle, backlog));
  return endpoints(socket);
}

std::optional<Agent::Answer> Agent::send_to(const Call& call) {
  AgentSocket& socket = socket_of(call.request);
  const Payload payload{call.request};
  const Endpoint to = call.request.peer(socket.kind == SocketKind::Datagram);
  std::vector<std::uint8_t> scratch(std::min<std::uint64_t>(payload.size(), 65536));
  const auto octets = payload.chunk(0, scratch);
  if (octets.size() != payload.size()) throw refusal(Error::MessageTooLong);
  const auto sent = runtime_.sockets().send_to(runtime_.now(), socket.handle, octets, to);
  require(sent);
  return Answer{{"sent", *sent}};
}

std::optional<Agent::Answer> Agent::shutdown(const Call& call) {
  AgentSocket& socket = socket_of(call.request);
  const std::string how = call.request.text_or("how", "send");
  Shutdown which = Shutdown::Both;
  if (how == "send") {
    which = Shutdown::Send;
  } else if (how == "receive") {
    which = Shutdown::Receive;
  } else if (how != "both") {
    throw invalid("\"how\" must be send, receive or both");
  }
  require(runtime_.sockets().shutdown(runtime_.now(), socket.handle, which));
  return Answer{};
}

std::optional<Agent::Answer> Agent::close(const Call& call) {
  AgentSocket& socket = socket_of(call.request);
  const SocketHandle handle = socket.handle;
  forget(socket);
  require(runtime_.sockets().close(runtime_.now(), handle));
  return Answer{};
}

std::optional<Agent::Answer> Agent::abort(const Call& call) {
  AgentSocket& socket = socket_of(call.request);
  const SocketHandle handle = socket.handle;
  forget(socket);
  require(runtime_.sockets().abort(runtime_.now(), handle));
  return Answer{};
}

std::optional<Agent::Answer> Agent::set_option(const Call& call) {
  AgentSocket& socket = socket_of(call.request);
  const std::string name = call.request.text("name");
  const json::value* value = call.request.find("value");
  if (value == nullptr) throw invalid("the field \"value\" is missing");
  const auto set = [&](auto options) {
    if (auto problem = set_named(options, name, *value)) {
      throw Refusal{problem->starts_with("no option") ? "ENOPROTOOPT" : "EINVAL", *problem, {}};
    }
    return options;
  };
  SocketTable& sockets = runtime_.sockets();
  if (socket.kind == SocketKind::Stream) {
    const auto options = sockets.stream_options(socket.handle);
    require(options);
    require(sockets.set_stream_options(runtime_.now(), socket.handle, set(*options)));
  } else {
    const auto options = sockets.datagram_options(socket.handle);
    require(options);
    require(sockets.set_datagram_options(socket.handle, set(*options)));
  }
  return Answer{};
}

std::optional<Agent::Answer> Agent::get_option(const Call& call) {
  AgentSocket& socket = socket_of(call.request);
  json::object all;
  if (socket.kind == SocketKind::Stream) {
    const auto options = runtime_.sockets().stream_options(socket.handle);
    require(options);
    all = all_named(*options);
  } else {
    const auto options = runtime_.sockets().datagram_options(socket.handle);
    require(options);
    all = all_named(*options);
  }
  if (!call.request.has("name")) return Answer{{"options", all}};
  const std::string name = call.request.text("name");
  const json::value* value = all.if_contains(name);
  if (value == nullptr) throw Refusal{"ENOPROTOOPT", "no option \"" + name + "\"", {{"options", all}}};
  return Answer{{"name", name}, {"value", *value}};
}

std::optional<Agent::Answer> Agent::status(const Call& call) {
  AgentSocket& socket = socket_of(call.request);
  Answer answer = endpoints(socket);
  if (socket.kind == SocketKind::Stream) {
    const auto status = runtime_.sockets().status(socket.handle);
    require(status);
    answer = to_json(*status);
  } else if (const auto limits = runtime_.sockets().message_limits(socket.handle)) {
    answer["mms_s"] = limits->mms_s;
    answer["mms_r"] = limits->mms_r;
  }
  answer["socket"] = socket.number;
  answer["kind"] = kind_name(socket.kind);
  answer["readable"] = runtime_.sockets().is_readable(socket.handle);
  answer["writable"] = runtime_.sockets().is_writable(socket.handle);
  answer["failure"] = socket.failure ? json::value(errno_name(*socket.failure)) : json::value(nullptr);
  return answer;
}

std::optional<Agent::Answer> Agent::list(const Call&) {
  json::array open_sockets;
  for (const auto& [number, socket] : sockets_) {
    json::object entry = endpoints(*socket);
    entry["socket"] = number;
    entry["kind"] = kind_name(socket->kind);
    open_sockets.push_back(std::move(entry));
  }
  json::array connections;
  for (const auto& connection : runtime_.stack().connections()) connections.push_back(to_json(connection));
  return Answer{{"sockets", std::move(open_sockets)}, {"connections", std::move(connections)}};
}

std::optional<Agent::Answer> Agent::counters(const Call&) {
  json::object drops;
  for (std::size_t i = 0; i < static_cast<std::size_t>(observe::DropReason::Count); ++i) {
    const auto reason = static_cast<observe::DropReason>(i);
    const auto count = runtime_.stack().sink().drops(reason);
    if (count > 0) drops[to_string(reason)] = count;
  }
  return Answer{{"drops", std::move(drops)},
                {"buffers_in_use", runtime_.stack().buffers().buffers_in_use()},
                {"octets_in_use", runtime_.stack().buffers().octets_in_use()},
                {"sockets", runtime_.sockets().size()}};
}

std::optional<Agent::Answer> Agent::config(const Call&) {
  const Config& c = runtime_.stack().config();
  json::array addresses;
  for (const auto& prefix : c.ip.addresses) addresses.emplace_back(prefix.to_string());
  json::array servers;
  for (const auto& server : runtime_.names().resolver().servers()) servers.emplace_back(server.to_string());
  const auto gateway = runtime_.stack().routes().gateway();
  return Answer{{"mac", runtime_.stack().mac().to_string()},
                {"mtu", c.link.mtu},
                {"tso", c.link.tso},
                {"checksum_offload", c.link.tx_checksum_offload},
                {"addresses", std::move(addresses)},
                {"dns_servers", std::move(servers)},
                {"gateway", gateway ? json::value(gateway->to_string()) : json::value(nullptr)},
                {"ttl", c.ip.default_ttl},
                {"tcp", all_named(c.tcp)}};
}

std::optional<Agent::Answer> Agent::events(const Call& call) {
  EventSelection selection;
  selection.on = call.request.flag_or("on", true);
  selection.frames = call.request.flag_or("frames", false);
  if (const json::value* kinds = call.request.find("kinds")) {
    if (!kinds->is_array()) throw invalid("\"kinds\" must be an array of names");
    for (const auto& kind : kinds->get_array()) {
      const std::string name = kind.is_string() ? std::string{kind.get_string().c_str()} : std::string{};
      if (!is_event_kind(name)) {
        throw invalid("\"kinds\" may hold " + event_kinds());
      }
      selection.kinds.insert(name);
    }
  }
  call.session->events = selection;
  attach_observer();
  return Answer{};
}

std::optional<Agent::Answer> Agent::cancel(const Call& call) {
  const json::value* target = call.request.find("target");
  if (target == nullptr) throw invalid("the field \"target\" is missing: the id of the operation to cancel");
  std::uint64_t cancelled = 0;
  std::vector<AgentSocket*> touched;
  for_each_pending([&](const std::shared_ptr<Pending>& pending, AgentSocket* socket) {
    if (pending->done || pending->session.lock() != call.session || pending->id != *target) return;
    give_up(*pending, "ECANCELED", "cancelled");
    ++cancelled;
    if (socket != nullptr) touched.push_back(socket);
  });
  forget_finished_lookups();
  for (AgentSocket* socket : touched) retry(*socket);
  return Answer{{"cancelled", cancelled}};
}

std::optional<Agent::Answer> Agent::quit(const Call& call) {
  reply(call.session, call.id, {});
  quitting_ = true;
  abort_all();
  if (quit_) quit_();
  return std::nullopt;
}

}  // namespace wireside::agent

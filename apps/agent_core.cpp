#include "agent_core.hpp"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>

namespace wireside::agent {

namespace json = boost::json;

void AgentSocket::on_socket_event(const SocketEvent& event) {
  connected = connected || event.connected;
  closed = closed || event.closed;
  if (event.failed) failure = event.error;
  agent_.retry(*this);
}

Agent::Agent(Runtime& runtime, ObserverList& observers) : runtime_{runtime}, observers_{observers} {}

Agent::~Agent() {
  for (const auto& [number, socket] : sockets_) runtime_.unwatch(socket->handle);
  observe_stack(false);
}

void Agent::add_session(const std::shared_ptr<Session>& session) { sessions_.insert(session); }

void Agent::input_ended(const std::shared_ptr<Session>& session) {
  ended_.insert(session);
  for_each_pending([&](const std::shared_ptr<Pending>& pending, AgentSocket*) {
    if (!pending->done && pending->session.lock() == session && !pending->timeout) {
      give_up(*pending, "ECANCELED", "the input ended, and this operation has no timeout");
    }
  });
  forget_finished_lookups();
  if (!has_pending(*session) && idle_) idle_(session);
}

void Agent::remove_session(const std::shared_ptr<Session>& session) {
  sessions_.erase(session);
  ended_.erase(session);
  session->events.on = false;
  attach_observer();
}

bool Agent::has_pending(const Session& session) const {
  bool any = false;
  for_each_pending([&](const std::shared_ptr<Pending>& pending, AgentSocket*) {
    any = any || (!pending->done && pending->session.lock().get() == &session);
  });
  return any;
}

void Agent::handle_line(const std::shared_ptr<Session>& session, std::string_view line) {
  if (quitting_) return;
  boost::system::error_code bad;
  json::value value = json::parse(json::string_view{line.data(), line.size()}, bad);
  const std::string where = "line " + std::to_string(session->lines_read) + ": ";
  if (bad) {
    const auto problem = invalid(where + "not JSON (" + bad.message() + ")");
    return reply(session, nullptr, {{"ok", false}, {"error", problem.error}, {"message", problem.message}});
  }
  if (!value.is_object()) {
    return reply(session, nullptr,
                 {{"ok", false}, {"error", "EINVAL"}, {"message", where + "a request is a JSON object"}});
  }
  const json::value* given_id = value.get_object().if_contains("id");
  const json::value id = given_id != nullptr ? *given_id : json::value(nullptr);
  if (!can_be_written(id)) {
    const auto problem = invalid(where + "\"id\" holds a number that is too large");
    return reply(session, nullptr, {{"ok", false}, {"error", problem.error}, {"message", problem.message}});
  }
  try {
    auto answer = dispatch(session, id, std::move(value.get_object()));
    if (answer) reply(session, id, std::move(*answer));
  } catch (Refusal& refused) {
    Answer answer = std::move(refused.details);
    answer["ok"] = false;
    answer["error"] = refused.error;
    answer["message"] = refused.message;
    reply(session, id, std::move(answer));
  }
  runtime_.schedule_output();
}

std::optional<Agent::Answer> Agent::dispatch(const std::shared_ptr<Session>& session, const json::value& id,
                                             json::object fields) {
  const Request request{std::move(fields)};
  const std::string name = request.text("op");
  for (const Operation& operation : operations()) {
    if (operation.name != name) continue;
    request.allow_only(operation.fields);
    (void)request.timeout();  // what is refused has no effect
    return (this->*operation.run)({session, id, request});
  }
  std::string known;
  for (const Operation& operation : operations()) known.append(known.empty() ? "" : ", ").append(operation.name);
  throw Refusal{"ENOSYS", "no operation \"" + name + "\"; there are: " + known, {}};
}

void Agent::reply(const std::weak_ptr<Session>& session, const json::value& id, Answer answer) {
  const auto to = session.lock();
  if (!to) return;
  json::object line{{"id", id}, {"ok", true}};
  for (auto& field : answer) line[field.key()] = std::move(field.value());
  to->write(line);
}

AgentSocket& Agent::socket_of(const Request& request) {
  const auto number = request.number("socket", UINT64_MAX);
  const auto found = sockets_.find(number);
  if (found == sockets_.end()) throw Refusal{"EBADF", "there is no socket " + std::to_string(number), {}};
  return *found->second;
}

AgentSocket& Agent::adopt(SocketHandle handle, SocketKind kind) {
  const std::uint64_t number = next_number_++;
  auto& slot = sockets_[number];
  slot = std::make_unique<AgentSocket>(*this, number, handle, kind);
  runtime_.watch(handle, slot.get());
  return *slot;
}

void Agent::forget(AgentSocket& socket) {
  runtime_.unwatch(socket.handle);
  const auto pending = std::move(socket.pending);
  sockets_.erase(socket.number);
  for (const auto& p : pending) {
    if (!p->done) give_up(*p, "ECANCELED", "the socket was closed while this operation waited");
  }
}

Agent::Answer Agent::endpoints(const AgentSocket& socket) const {
  Answer answer;
  if (const auto local = runtime_.sockets().local_endpoint(socket.handle)) answer["local"] = local->to_string();
  if (const auto peer = runtime_.sockets().peer_endpoint(socket.handle)) answer["peer"] = peer->to_string();
  return answer;
}

// --- operations that wait -------------------------------------------------------------------------------------------

std::optional<Agent::Answer> Agent::begin(const Call& call, AgentSocket& socket, Lane lane, Pending prepared) {
  auto pending = std::make_shared<Pending>(std::move(prepared));
  pending->session = call.session;
  pending->id = call.id;
  pending->lane = lane;
  pending->timeout = call.request.timeout();
  const std::uint64_t number = socket.number;
  socket.pending.push_back(pending);
  retry(socket);
  if (pending->done || !pending->timeout) return std::nullopt;
  const auto time_out = [this, number, pending] {
    if (pending->done) return;
    give_up(*pending, "EAGAIN",
            "timed out after " +
                std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(*pending->timeout).count()) +
                " ms");
    if (const auto found = sockets_.find(number); found != sockets_.end()) retry(*found->second);
  };
  if (*pending->timeout == Duration::zero()) {
    time_out();
    return std::nullopt;
  }
  pending->timer = std::make_unique<boost::asio::steady_timer>(runtime_.context(), *pending->timeout);
  pending->timer->async_wait([time_out](boost::system::error_code error) {
    if (!error) time_out();
  });
  return std::nullopt;
}

void Agent::retry(AgentSocket& socket) {
  std::array<bool, 5> busy{};
  for (auto at = socket.pending.begin(); at != socket.pending.end();) {
    const auto pending = *at;
    bool& lane_busy = busy[static_cast<std::size_t>(pending->lane)];
    const bool ordered = pending->lane != Lane::Wait;
    if (!pending->done && !(ordered && lane_busy)) step(socket, *pending);
    if (pending->done) {
      at = socket.pending.erase(at);
    } else {
      lane_busy = true;
      ++at;
    }
  }
  runtime_.schedule_output();
}

bool Agent::step(AgentSocket&, Pending& pending) {
  try {
    auto answer = pending.attempt();
    if (!answer) return false;
    finish(pending, std::move(*answer));
  } catch (Refusal& refused) {
    Answer answer = pending.progress ? pending.progress() : Answer{};
    for (auto& field : refused.details) answer[field.key()] = std::move(field.value());
    answer["ok"] = false;
    answer["error"] = refused.error;
    answer["message"] = refused.message;
    finish(pending, std::move(answer));
  }
  return true;
}

void Agent::finish(Pending& pending, Answer answer) {
  pending.done = true;
  pending.timer.reset();
  reply(pending.session, pending.id, std::move(answer));
  const auto session = pending.session.lock();
  if (session && ended_.contains(session) && !has_pending(*session) && idle_) idle_(session);
}

void Agent::give_up(Pending& pending, std::string_view error, std::string message) {
  Answer answer = pending.progress ? pending.progress() : Answer{};
  answer["ok"] = false;
  answer["error"] = error;
  answer["message"] = message;
  finish(pending, std::move(answer));
}

void Agent::abort_all() {
  lookups_.clear();
  while (!sockets_.empty()) {
    AgentSocket& socket = *sockets_.begin()->second;
    const SocketHandle handle = socket.handle;
    forget(socket);
    (void)runtime_.sockets().abort(runtime_.now(), handle);
  }
  runtime_.schedule_output();
}

void Agent::report_fatal(const std::string& message) {
  for (const auto& session : sessions_) session->write({{"event", "fatal"}, {"message", message}});
}

// --- events ---------------------------------------------------------------------------------------------------------

void Agent::attach_observer() {
  observe_stack(std::ranges::any_of(sessions_, [](const auto& session) { return session->events.on; }));
}

void Agent::observe_stack(bool wanted) {
  if (wanted == observing_) return;
  observing_ = wanted;
  if (wanted) {
    observers_.add(this);
  } else {
    observers_.remove(this);
  }
  runtime_.stack().attach(observers_.empty() ? nullptr : &observers_);
}

void Agent::on_event(Instant now, const observe::Event& event) {
  const auto kind = kind_of(event);
  if (kind.empty()) return;
  for (const auto& session : sessions_) {
    const EventSelection& selection = session->events;
    if (!selection.on || (!selection.kinds.empty() && !selection.kinds.contains(std::string{kind}))) continue;
    session->write_event(to_json(now, event, selection.frames));
  }
}

}  // namespace wireside::agent

// The agent's operations on the socket table, and those that wait.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent_json.hpp"
#include "agent_session.hpp"
#include "asio_resolver.hpp"
#include "observer_list.hpp"
#include "runtime.hpp"

namespace wireside::agent {

class Agent;

/// Operations of one lane of a socket are done in the order in which they were asked for.
enum class Lane : std::uint8_t { Receive, Send, Connect, Error, Wait };

/// An operation that waits for a socket. `attempt` gives the answer, or nullopt to be tried again at the next event.
struct Pending {
  std::weak_ptr<Session> session;
  boost::json::value id;
  Lane lane = Lane::Wait;
  std::function<std::optional<boost::json::object>()> attempt;
  /// What was done so far, told beside the error when the operation ends without success.
  std::function<boost::json::object()> progress;
  std::optional<Duration> timeout;
  std::unique_ptr<boost::asio::steady_timer> timer;
  std::unique_ptr<net::resolver> resolver;  ///< of an operation that waits for a name instead of a socket
  bool done = false;
};

/// A socket the peer knows by number.
class AgentSocket final : public SocketListener {
 public:
  AgentSocket(Agent& agent, std::uint64_t number, SocketHandle handle, SocketKind kind)
      : number{number}, handle{handle}, kind{kind}, agent_{agent} {}
  void on_socket_event(const SocketEvent& event) override;

  const std::uint64_t number;
  const SocketHandle handle;
  const SocketKind kind;
  bool connected = false;
  bool closed = false;
  std::optional<Error> failure;
  std::list<std::shared_ptr<Pending>> pending;

 private:
  Agent& agent_;
};

/// Interprets requests. One per process; sessions share its sockets.
class Agent : private observe::Observer {
 public:
  /// Both outlive the agent.
  Agent(Runtime& runtime, ObserverList& observers);
  ~Agent() override;
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  void add_session(const std::shared_ptr<Session>& session);
  /// The peer says no more. Its operations without a timeout are given up; the others may finish.
  void input_ended(const std::shared_ptr<Session>& session);
  void remove_session(const std::shared_ptr<Session>& session);
  void handle_line(const std::shared_ptr<Session>& session, std::string_view line);
  /// Told once, after the "quit" operation.
  void on_quit(std::function<void()> handler) { quit_ = std::move(handler); }
  /// Told whenever the last waiting operation of a session that ended has finished.
  void on_idle(std::function<void(const std::shared_ptr<Session>&)> handler) { idle_ = std::move(handler); }
  /// Resets every connection and forgets every socket.
  void abort_all();
  /// Tells every session that the device is gone.
  void report_fatal(const std::string& message);
  [[nodiscard]] bool has_pending(const Session& session) const;

 private:
  friend class AgentSocket;
  using Answer = boost::json::object;
  /// What an operation was called with.
  struct Call {
    const std::shared_ptr<Session>& session;
    const boost::json::value& id;
    const Request& request;
  };
  struct Operation {
    std::string_view name;
    std::string_view fields;
    /// nullopt: the operation waits, and is answered later.
    std::optional<Answer> (Agent::*run)(const Call&);
  };
  static const std::vector<Operation>& operations();

  void on_event(Instant now, const observe::Event& event) override;
  void attach_observer();
  void observe_stack(bool wanted);

  std::optional<Answer> dispatch(const std::shared_ptr<Session>& session, const boost::json::value& id,
                                 boost::json::object fields);
  // agent_operations.cpp: those that are answered at once
  std::optional<Answer> open(const Call& call);
  std::optional<Answer> bind(const Call& call);
  std::optional<Answer> listen(const Call& call);
  std::optional<Answer> send_to(const Call& call);
  std::optional<Answer> shutdown(const Call& call);
  std::optional<Answer> close(const Call& call);
  std::optional<Answer> abort(const Call& call);
  std::optional<Answer> set_option(const Call& call);
  std::optional<Answer> get_option(const Call& call);
  std::optional<Answer> status(const Call& call);
  std::optional<Answer> list(const Call& call);
  std::optional<Answer> counters(const Call& call);
  std::optional<Answer> config(const Call& call);
  std::optional<Answer> events(const Call& call);
  std::optional<Answer> cancel(const Call& call);
  std::optional<Answer> quit(const Call& call);
  // agent_waiting.cpp: those that may wait
  std::optional<Answer> accept(const Call& call);
  std::optional<Answer> connect(const Call& call);
  std::optional<Answer> send(const Call& call);
  std::optional<Answer> receive(const Call& call);
  std::optional<Answer> receive_from(const Call& call);
  std::optional<Answer> wait(const Call& call);
  std::optional<Answer> receive_error(const Call& call);
  // agent_names.cpp
  std::optional<Answer> resolve(const Call& call);
  void forget_finished_lookups();

  AgentSocket& socket_of(const Request& request);
  AgentSocket& adopt(SocketHandle handle, SocketKind kind);
  void forget(AgentSocket& socket);
  Answer endpoints(const AgentSocket& socket) const;

  template <class Visit>
  void for_each_pending(Visit&& visit) const {
    for (const auto& [number, socket] : sockets_) {
      for (const auto& pending : socket->pending) visit(pending, socket.get());
    }
    for (const auto& pending : lookups_) visit(pending, nullptr);
  }
  std::optional<Answer> begin(const Call& call, AgentSocket& socket, Lane lane, Pending pending);
  void retry(AgentSocket& socket);
  bool step(AgentSocket& socket, Pending& pending);
  void finish(Pending& pending, Answer answer);
  void give_up(Pending& pending, std::string_view error, std::string message);
  void reply(const std::weak_ptr<Session>& session, const boost::json::value& id, Answer answer);

  Runtime& runtime_;
  ObserverList& observers_;
  bool observing_ = false;
  bool quitting_ = false;  // what comes after "quit" is not read
  std::uint64_t next_number_ = 1;
  std::map<std::uint64_t, std::unique_ptr<AgentSocket>> sockets_;
  std::list<std::shared_ptr<Pending>> lookups_;
  std::set<std::shared_ptr<Session>> sessions_;
  std::set<std::shared_ptr<Session>> ended_;
  std::function<void()> quit_;
  std::function<void(const std::shared_ptr<Session>&)> idle_;
};

}  // namespace wireside::agent

#include "agent.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent_core.hpp"
#include "agent_help.hpp"
#include "agent_options.hpp"
#include "common_options.hpp"
#include "host.hpp"
#include "option_checks.hpp"

namespace wireside::agent {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;
using boost::system::error_code;

struct Options {
  apps::CommonOptions common;
  std::string socket_path;
  std::vector<std::string> tcp_options;
};

/// Removes a socket that nobody listens to any more. False when somebody does, or the path is something else.
bool clear_stale_socket(asio::io_context& context, const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return true;
  if (!S_ISSOCK(found.st_mode)) return false;
  stream_protocol::socket probe{context};
  error_code error;
  probe.connect(stream_protocol::endpoint{path}, error);
  return error == asio::error::connection_refused && ::unlink(path.c_str()) == 0;
}

/// The agent from its first line to its last.
class Server {
 public:
  explicit Server(apps::Surroundings around)
      : around_{around}, agent_{around.runtime(), around.observers()}, ended_{around.runtime().context()} {
    ended_.expires_at(asio::steady_timer::time_point::max());
    agent_.on_quit([this] { ended_.cancel(); });
    agent_.on_idle([this](const std::shared_ptr<Session>& session) { finish(session); });
  }

  ~Server() {
    for (const auto& session : sessions_) session->end();
    if (acceptor_) ::unlink(path_.c_str());
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void serve_standard_streams() { add(std::make_shared<Session>(around_.runtime().context(), ::dup(0), ::dup(1))); }

  /// False after a message when the socket cannot be made.
  bool serve_socket(const std::string& path) {
    if (!clear_stale_socket(around_.runtime().context(), path)) {
      apps::complain(
          fmt::format("--socket {}: something is there already\n  try: another path, or end what uses it", path));
      return false;
    }
    try {
      acceptor_.emplace(around_.runtime().context(), stream_protocol::endpoint{path});
    } catch (const boost::system::system_error& e) {
      apps::complain(
          fmt::format("--socket {}: {}\n  try: a path in a folder you may write to", path, e.code().message()));
      return false;
    }
    path_ = path;
    accept();
    return true;
  }

  asio::awaitable<int> run() {
    error_code error;
    co_await ended_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const bool gone = around_.device_gone();
    if (gone) agent_.report_fatal("the interface or our address is gone; standard error tells more");
    asio::steady_timer pause{around_.runtime().context()};
    for (int round = 0; round < 400 && !flushed(); ++round) {
      pause.expires_after(std::chrono::milliseconds{5});
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
    agent_.abort_all();
    co_return gone || output_lost() ? apps::exit_failure : apps::exit_ok;
  }

 private:
  void add(const std::shared_ptr<Session>& session) {
    sessions_.push_back(session);
    agent_.add_session(session);
    session->start([this](const auto& from, std::string_view line) { agent_.handle_line(from, line); },
                   [this](const auto& from) { agent_.input_ended(from); });
  }

  /// The peer's last operation is done.
  void finish(const std::shared_ptr<Session>& session) {
    if (!acceptor_) {
      ended_.cancel();
      return;
    }
    agent_.remove_session(session);
    std::erase(sessions_, session);  // what is still to be written keeps the session until then
  }

  void accept() {
    acceptor_->async_accept([this](error_code error, stream_protocol::socket peer) {
      if (error == asio::error::operation_aborted) return;
      if (!error) {
        const int output = ::dup(peer.native_handle());
        if (const int input = peer.release(error); !error && output >= 0) {
          add(std::make_shared<Session>(around_.runtime().context(), input, output));
        }
      }
      accept();
    });
  }

  /// Of standard output; a peer of the socket may go away when it likes.
  [[nodiscard]] bool output_lost() const {
    if (acceptor_ || sessions_.empty()) return false;
    const auto error = sessions_.front()->output_error();
    if (!error) return false;
    apps::complain(fmt::format("cannot write to standard output: {}", error.message()));
    return true;
  }

  [[nodiscard]] bool flushed() const {
    return std::ranges::all_of(sessions_, [](const auto& session) { return session->flushed(); });
  }

  apps::Surroundings around_;
  Agent agent_;
  asio::steady_timer ended_;
  std::vector<std::shared_ptr<Session>> sessions_;
  std::optional<stream_protocol::acceptor> acceptor_;
  std::string path_;
};

asio::awaitable<int> serve(apps::Surroundings around, std::string socket_path) {
  Server server{around};
  if (socket_path.empty()) {
    server.serve_standard_streams();
  } else if (!server.serve_socket(socket_path)) {
    co_return apps::exit_failure;
  }
  co_return co_await server.run();
}

int run_agent(const Options& options) {
  const auto adjust = [&](Config& config) {
    for (const auto& assignment : options.tcp_options) {
      if (const auto problem = apply_tcp_option(config.tcp, assignment)) {
        throw apps::UsageError{"--tcp-option: " + *problem, "wireside agent --tcp-option msl_ms=1000"};
      }
    }
  };
  Config dry_run;
  adjust(dry_run);  // a wrong option is told before the device is touched
  auto common = options.common;
  common.adjust = adjust;
  return apps::run_on_host(common, [&](apps::Surroundings around) { return serve(around, options.socket_path); });
}

}  // namespace

void register_agent(CLI::App& app, apps::Action& chosen) {
  auto options = std::make_shared<Options>();
  auto* agent = app.add_subcommand("agent", "Let a script drive an endpoint with JSON lines");
  apps::add_common_options(*agent, options->common);
  agent->add_option("--socket", options->socket_path, "Listen on this Unix socket instead of standard input and output")
      ->type_name("PATH")
      ->check(apps::not_empty())
      ->check(apps::socket_path());
  agent
      ->add_option("--tcp-option", options->tcp_options,
                   "A TCP setting such as msl_ms=1000, rto_min_ms=300 or timestamps=false (repeatable; a wrong name "
                   "lists all)")
      ->type_name("NAME=VALUE");
  agent->footer(std::string{protocol_help});
  agent->callback([options, &chosen] { chosen = [options] { return run_agent(*options); }; });
}

}  // namespace wireside::agent

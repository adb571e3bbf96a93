// `wireside serve`: an HTTP server for a folder, and the small services.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "command.hpp"
#include "host.hpp"
#include "http_server.hpp"
#include "option_checks.hpp"
#include "served_queue.hpp"
#include "text.hpp"

namespace wireside::apps {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds grace{2000};

struct ServeOptions {
  CommonOptions common;
  std::string root = ".";
  std::uint16_t port = 80;
  std::string upload_limit;
  unsigned idle_timeout = 30;
  bool read_only = false;
  bool quiet = false;
  bool no_small_services = false;

  [[nodiscard]] HttpOptions http() const {
    HttpOptions out;
    out.port = Port{port};
    out.read_only = read_only;
    out.quiet = quiet;
    out.idle_timeout = std::chrono::seconds{idle_timeout};
    if (upload_limit.empty()) return out;
    const auto limit = parse_size(upload_limit);
    if (!limit) {
      throw UsageError{fmt::format("--max-upload {} is not a size", upload_limit),
                       "write octets, or a number with k, M, G or T, such as --max-upload 500M"};
    }
    out.upload_limit = *limit;
    return out;
  }
};

void announce(const ServeOptions& options, const Config& config) {
  for (const auto& prefix : config.ip.addresses) {
    const std::string port = options.port == 80 ? "" : fmt::format(":{}", options.port);
    put("wireside: serving {} on http://{}{}/{}\n", options.root, prefix.address.to_string(), port,
        options.read_only ? " (read-only)" : "");
  }
  if (!options.no_small_services) put("wireside: echo 7, discard 9 and chargen 19 on TCP and UDP\n");
}

asio::awaitable<void> until_cancelled() {
  asio::steady_timer timer{co_await asio::this_coro::executor, asio::steady_timer::time_point::max()};
  (void)co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

/// What is served, by one part for each queue. The parts of further queues live in these queues' threads.
class Service {
 public:
  Service(const ServeOptions& options, Surroundings around)
      : options_{options},
        first_runtime_{around.runtime()},
        queues_{around.queues()},
        ended_{first_runtime_.context().get_executor()} {}

  /// Listens on every queue; the error is a sentence.
  [[nodiscard]] std::optional<std::string> listen(DocumentRoot root) {
    first_.emplace(first_runtime_, std::move(root), options_.http());
    parts_.resize(queues_ == nullptr ? 1 : queues_->size());
    std::optional<std::string> problem = first_->listen(!options_.no_small_services);
    if (problem || parts_.size() == 1) return problem;
    const auto listen_further = [this](Runtime& runtime, std::size_t queue) {
      return queue == 0 ? std::nullopt : listen_on(runtime, queue);
    };
    for (auto& other : queues_->ask_all(listen_further)) {
      if (other) problem = std::move(other);
    }
    return problem;
  }

  void run() {
    first_->run();
    for (std::size_t i = 1; i < parts_.size(); ++i) queues_->post(i, [this, i] { parts_[i].lock()->run(); });
  }

  asio::awaitable<void> stop(std::chrono::milliseconds within) {
    for (std::size_t i = 1; i < parts_.size(); ++i) {
      ++running_;
      queues_->post(i, [this, i, within] { stop_part(i, within); });
    }
    co_await first_->stop(within);
    (void)co_await ended_.wait([this] { return running_ == 0; });
  }

 private:
  /// In the queue's thread.
  std::optional<std::string> listen_on(Runtime& runtime, std::size_t queue) {
    auto root = DocumentRoot::open(options_.root);
    if (!root) return fmt::format("--root {}: {}", options_.root, std::strerror(root.error()));
    const auto part = std::make_shared<ServedQueue>(runtime, std::move(*root), options_.http());
    queues_->keep(queue, part);
    parts_[queue] = part;
    return part->listen(!options_.no_small_services);
  }

  /// In the queue's thread; the end is told in ours.
  void stop_part(std::size_t queue, std::chrono::milliseconds within) {
    asio::co_spawn(queues_->runtime(queue).context(), stop_kept(parts_[queue].lock(), within),
                   [this](const std::exception_ptr&) {
                     queues_->post(0, [this] {
                       if (--running_ == 0) ended_.notify();
                     });
                   });
  }
  /// The part lives until its end has come, whatever happens to those who keep it.
  static asio::awaitable<void> stop_kept(std::shared_ptr<ServedQueue> part, std::chrono::milliseconds within) {
    if (part) co_await part->stop(within);
  }

  const ServeOptions& options_;
  Runtime& first_runtime_;
  QueueGroup* queues_;  // nullptr with a single queue
  std::optional<ServedQueue> first_;
  std::vector<std::weak_ptr<ServedQueue>> parts_;  // of further queues; their group keeps them
  std::size_t running_ = 0;
  Condition ended_;
};

asio::awaitable<int> serve(const ServeOptions& options, DocumentRoot root, Surroundings around) {
  Service service{options, around};
  if (const auto problem = service.listen(std::move(root))) {
    complain(*problem);
    co_await asio::this_coro::reset_cancellation_state();
    co_await service.stop(std::chrono::milliseconds{0});
    co_return exit_failure;
  }
  announce(options, around.runtime().stack().config());
  service.run();
  co_await until_cancelled();
  co_await asio::this_coro::reset_cancellation_state();
  if (!around.device_gone()) put("wireside: shutting down\n");
  co_await service.stop(around.device_gone() ? std::chrono::milliseconds{0} : grace);
  co_return around.device_gone() ? exit_failure : exit_ok;
}

int run_serve(const ServeOptions& options) {
  (void)options.http();  // says what is wrong with the options before anything is opened
  (void)options.common.config();
  auto root = DocumentRoot::open(options.root);
  if (!root) {
    throw UsageError{fmt::format("--root {}: {}", options.root, std::strerror(root.error())),
                     "name a folder that can be read"};
  }
  // The root moves into the coroutine at its only call.
  auto shared = std::make_shared<DocumentRoot>(std::move(*root));
  return run_on_host(options.common, [&](Surroundings around) { return serve(options, std::move(*shared), around); });
}

}  // namespace

void register_serve(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "serve a folder over HTTP, and echo, discard and chargen");
  command->add_option("--root", options->root, "folder to serve")->type_name("DIR")->capture_default_str();
  command->add_option("--port", options->port, "TCP port of the HTTP server")
      ->type_name("PORT")
      ->check(in_range(1, 65535))
      ->capture_default_str();
  command->add_option("--max-upload", options->upload_limit, "largest file that PUT may write (default: no limit)")
      ->type_name("SIZE");
  command->add_option("--idle-timeout", options->idle_timeout, "seconds after which a silent client is dismissed")
      ->type_name("S")
      ->check(in_range(1U, 86400U))
      ->capture_default_str();
  command->add_flag("--read-only", options->read_only, "refuse PUT");
  command->add_flag("--no-small-services", options->no_small_services, "no echo, discard and chargen");
  command->add_flag("-q,--quiet", options->quiet, "no line per request");
  options->common.long_running = true;
  options->common.command = "serve";
  add_common_options(*command, options->common);
  add_queues_option(*command, options->common);
  command->callback([options, &chosen] { chosen = [options] { return run_serve(*options); }; });
}

}  // namespace wireside::apps

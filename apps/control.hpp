// The control socket: a running wireside shows its tables to `wireside ss` and the like. One JSON line asks, one
// answers.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "control_request.hpp"
#include "queue_group.hpp"
#include "router.hpp"
#include "runtime.hpp"

namespace wireside::apps {

/// What a control socket tells about.
struct ControlSubject {
  std::string command;               ///< subcommand, such as "serve"
  std::vector<Runtime*> interfaces;  ///< one, or those of a router
  const Router* router = nullptr;
  QueueGroup* queues = nullptr;  ///< where the one interface has several queues
};

/// {"ok":true,"command":...,"pid":...} and the table that was asked for, by the question's name (docs/control.md). A
/// refusal where there is no way to the address that was asked for.
[[nodiscard]] boost::json::object control_answer(const ControlSubject& subject, const ControlRequest& request);
/// The same where subject.queues is set: every queue is asked, each in its thread. Sockets and counters have the number
/// of their queue, counters are also summed up; of other tables, what one queue says stands for all.
[[nodiscard]] boost::json::object control_answer_of_queues(const ControlSubject& subject,
                                                           const ControlRequest& request);
/// The way to an address as `ip -j route get` gives it, in the stack's or the router's present state; empty when there
/// is none.
[[nodiscard]] boost::json::array way_to(const ControlSubject& subject, Ipv4Address destination);

/// Folders where control sockets are looked for, the preferred one first: $XDG_RUNTIME_DIR/wireside, /run/wireside,
/// and /tmp/wireside-UID; or $WIRESIDE_RUNTIME_DIR alone where it is set.
[[nodiscard]] std::vector<std::string> control_folders();
/// Where a running wireside may have put its socket: control_folders(), and those that another environment of the same
/// user leads to; for root, those of the user behind sudo, too.
[[nodiscard]] std::vector<std::string> searched_folders();

/// A listening control socket; removes its file at the end.
class ControlServer {
 public:
  /// `path` empty: NAME.sock in the first folder that can be used, where NAME is the first TAP's; when another wireside
  /// answers there, NAME.PID.sock. A socket nobody answers at is replaced. The error is a sentence.
  [[nodiscard]] static std::expected<std::unique_ptr<ControlServer>, std::string> open(boost::asio::io_context& context,
                                                                                       ControlSubject subject,
                                                                                       const std::string& path);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;
  [[nodiscard]] const std::string& path() const;

 private:
  class Impl;
  explicit ControlServer(std::shared_ptr<Impl> impl) : impl_{std::move(impl)} {}
  std::shared_ptr<Impl> impl_;
};

/// Sends one request to a control socket and waits for the answer, two seconds at most. The error is a sentence.
[[nodiscard]] std::expected<boost::json::object, std::string> ask_control(const std::string& path,
                                                                          const ControlRequest& request);

/// A wireside that runs now.
struct RunningWireside {
  std::string path;
  std::string command;
  std::int64_t pid = 0;
  std::vector<std::string> taps;
};
/// Those that answer in searched_folders(), by path.
[[nodiscard]] std::vector<RunningWireside> find_running();

/// The control socket to ask: `path` if given, else that of the only wireside that runs, or the one with `tap`. The
/// error is a sentence with a remedy that lists them when there are several.
[[nodiscard]] std::expected<std::string, std::string> choose_control(const std::string& path, const std::string& tap);

/// Whole seconds until then, at least 0.
[[nodiscard]] constexpr std::uint64_t seconds_until(Instant then, Instant now) {
  return then <= now ? 0 : static_cast<std::uint64_t>((then - now) / std::chrono::seconds{1});
}

}  // namespace wireside::apps

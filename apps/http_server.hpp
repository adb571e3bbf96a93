// An HTTP/1.1 server for a folder: accepts connections and keeps count of their sessions.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <string>

#include "asio_sockets.hpp"
#include "base/intrusive_list.hpp"
#include "condition.hpp"
#include "document_root.hpp"

namespace wireside::apps {

struct HttpOptions {
  Port port{80};
  std::uint64_t upload_limit = UINT64_MAX;         ///< octets; larger ones are answered with 413
  bool read_only = false;                          ///< no PUT
  bool quiet = false;                              ///< no line per request
  std::chrono::seconds idle_timeout{30};           ///< without a whole request header, or without progress in a body
  std::size_t send_buffer = std::size_t{1} << 20;  ///< octets queued ahead per connection
};

class HttpSession;
struct HttpSessionTag;

class HttpServer {
 public:
  HttpServer(Runtime& runtime, DocumentRoot root, const HttpOptions& options);
  ~HttpServer();

  [[nodiscard]] net::error_code listen();
  /// Accepts until the acceptor is closed.
  [[nodiscard]] boost::asio::awaitable<void> run();
  /// No new connections; idle ones close, busy ones end after their response. After `grace` the rest is aborted.
  [[nodiscard]] boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);

  /// Called by a session at its end.
  void session_ended();
  [[nodiscard]] bool stopping() const { return stopping_; }
  [[nodiscard]] const HttpOptions& options() const { return options_; }
  [[nodiscard]] const DocumentRoot& root() const { return root_; }
  [[nodiscard]] Runtime& runtime() { return runtime_; }
  /// Value of the Date field, made once a second.
  [[nodiscard]] const std::string& date();
  /// One line per request on standard output, unless quiet.
  void log(const Endpoint& peer, std::string_view request, unsigned status, std::uint64_t octets,
           std::chrono::steady_clock::duration took);

 private:
  friend class HttpSession;
  Runtime& runtime_;
  DocumentRoot root_;
  HttpOptions options_;
  net::tcp_acceptor acceptor_;
  boost::asio::steady_timer quiet_moment_;
  Condition last_ended_;  // no session is left
  std::size_t session_count_ = 0;
  std::size_t most_sessions_ = 0;  // since memory was last given back
  IntrusiveList<HttpSession, HttpSessionTag> sessions_;
  bool stopping_ = false;
  std::time_t date_of_ = 0;
  std::string date_;
};

}  // namespace wireside::apps

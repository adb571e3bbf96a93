// What `wireside serve` runs on one queue: its HTTP server and its small services.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "http_server.hpp"
#include "task_group.hpp"

namespace wireside::apps {

/// Made, used and destroyed in the runtime's thread.
class ServedQueue {
 public:
  ServedQueue(Runtime& runtime, DocumentRoot root, const HttpOptions& options);

  /// Listens, for the small services too where they are wanted. The error is a sentence with what to do.
  [[nodiscard]] std::optional<std::string> listen(bool small_services);
  /// Accepts connections from now on.
  void run();
  /// Ends everything; connections that are busy have so long to end by themselves.
  [[nodiscard]] boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);

 private:
  Runtime& runtime_;
  HttpServer server_;
  TaskGroup tasks_;
};

}  // namespace wireside::apps

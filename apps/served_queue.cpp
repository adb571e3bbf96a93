#include "served_queue.hpp"

#include <fmt/format.h>

#include <utility>

#include "small_services.hpp"

namespace wireside::apps {

namespace asio = boost::asio;

ServedQueue::ServedQueue(Runtime& runtime, DocumentRoot root, const HttpOptions& options)
    : runtime_{runtime}, server_{runtime, std::move(root), options}, tasks_{runtime.context().get_executor()} {}

std::optional<std::string> ServedQueue::listen(bool small_services) {
  if (const auto ec = server_.listen()) {
    return fmt::format("port {}: {}\n  try: another --port", server_.options().port.value, ec.message());
  }
  if (!small_services) return std::nullopt;
  const auto started = start_small_services(runtime_, tasks_);
  if (started) return std::nullopt;
  return started.error() + "\n  try: another --port, or --no-small-services";
}

void ServedQueue::run() { tasks_.spawn(server_.run()); }

asio::awaitable<void> ServedQueue::stop(std::chrono::milliseconds grace) {
  tasks_.cancel();
  (void)co_await tasks_.join();  // they refer to what lives here
  co_await server_.stop(grace);
}

}  // namespace wireside::apps

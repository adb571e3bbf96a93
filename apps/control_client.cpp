// The asking side of the control socket.
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "control.hpp"

namespace wireside::apps {
namespace {

namespace json = boost::json;

constexpr std::size_t max_answer = std::size_t{256} << 20;

class Connection {
 public:
  Connection() : fd_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    const timeval limit{.tv_sec = 2, .tv_usec = 0};
    (void)::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] bool connect(const std::string& path) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) {
      errno = ENAMETOOLONG;
      return false;
    }
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    return ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  [[nodiscard]] bool send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n < 0) return false;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  [[nodiscard]] bool receive_line(std::string& out) const {
    std::vector<char> block(65536);
    while (out.size() < max_answer) {
      const ssize_t n = ::recv(fd_, block.data(), block.size(), 0);
      if (n == 0) errno = ECONNRESET;
      if (n <= 0) return false;
      out.append(block.data(), static_cast<std::size_t>(n));
      if (out.back() == '\n') return true;
    }
    errno = EMSGSIZE;
    return false;
  }

 private:
  int fd_;
};

std::unexpected<std::string> failure(const std::string& path) {
  const int error = errno == EAGAIN ? ETIMEDOUT : errno;
  std::string_view why;
  if (error == ECONNREFUSED) why = "\n  the wireside that made it has ended (killed?); try: start it again";
  if (error == ENOENT) why = "\n  try: wireside ss without --control lists what runs";
  if (error == EACCES) why = "\n  it belongs to another user; try: the same command with sudo";
  return std::unexpected{fmt::format("{}: {}{}", path, std::strerror(error), why)};
}

std::string describe(const RunningWireside& w) {
  return fmt::format("  {} (wireside {}, pid {}): {}", fmt::join(w.taps, ", "), w.command, w.pid, w.path);
}

/// Folders that are there but belong to another user.
std::vector<std::string> unreadable_folders() {
  std::vector<std::string> out;
  for (const std::string& folder : searched_folders()) {
    if (::access(folder.c_str(), R_OK | X_OK) < 0 && errno == EACCES) out.push_back(folder);
  }
  return out;
}

std::string none_found() {
  const auto unreadable = unreadable_folders();
  if (!unreadable.empty()) {
    return fmt::format(
        "no wireside of yours is running; one of another user may be, since {} cannot be read\n"
        "  try: the same command with sudo, or start your own (wireside serve ...)",
        fmt::join(unreadable, ", "));
  }
  return "no wireside is running that can be asked\n  try: start one (wireside serve ...) as the same user, or name "
         "its "
         "socket with --control PATH";
}

std::string list_of(const std::vector<RunningWireside>& all) {
  std::string text;
  for (const auto& w : all) text += "\n" + describe(w);
  return text;
}

}  // namespace

std::expected<json::object, std::string> ask_control(const std::string& path, const ControlRequest& request) {
  const Connection connection;
  std::string text;
  if (!connection.connect(path) || !connection.send(control_request(request) + "\n") ||
      !connection.receive_line(text)) {
    return failure(path);
  }
  auto answer = parse_control_answer(text);
  if (!answer) return std::unexpected{fmt::format("{}: {}", path, answer.error())};
  return answer;
}

std::vector<RunningWireside> find_running() {
  std::vector<RunningWireside> all;
  for (const std::string& folder : searched_folders()) {
    std::error_code ec;
    for (const auto& file : std::filesystem::directory_iterator{folder, ec}) {
      if (file.path().extension() != ".sock") continue;
      const auto answer = ask_control(file.path(), ControlQuestion::Hello);
      if (!answer) continue;
      RunningWireside w;
      w.path = file.path();
      const json::value* taps = answer->if_contains("hello");
      const json::value* command = answer->if_contains("command");
      const json::value* pid = answer->if_contains("pid");
      if (taps == nullptr || !taps->is_array() || command == nullptr || !command->is_string() || pid == nullptr)
        continue;
      for (const auto& tap : taps->get_array()) {
        if (tap.is_string()) w.taps.emplace_back(tap.get_string());
      }
      w.command = std::string{command->get_string()};
      w.pid = pid->is_int64() ? pid->get_int64() : 0;
      all.push_back(std::move(w));
    }
  }
  std::ranges::sort(all, {}, &RunningWireside::path);
  return all;
}

std::expected<std::string, std::string> choose_control(const std::string& path, const std::string& tap) {
  if (!path.empty()) return path;
  const auto all = find_running();
  if (all.empty()) return std::unexpected{none_found()};
  std::vector<RunningWireside> fitting;
  std::ranges::copy_if(all, std::back_inserter(fitting), [&](const RunningWireside& w) {
    return tap.empty() || std::ranges::find(w.taps, tap) != w.taps.end();
  });
  if (fitting.size() == 1) return fitting.front().path;
  if (fitting.empty()) {
    return std::unexpected{fmt::format("no running wireside has the TAP {}; there are{}", tap, list_of(all))};
  }
  return std::unexpected{fmt::format("several wireside are running{}\n  try: {}", list_of(fitting),
                                     tap.empty() ? "--tap NAME, or --control PATH" : "--control PATH")};
}

}  // namespace wireside::apps

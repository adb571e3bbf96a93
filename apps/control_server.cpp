// The listening side of the control socket.
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>

#include "control.hpp"

namespace wireside::apps {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using boost::system::error_code;
using Local = asio::local::stream_protocol;

constexpr std::size_t max_request = 4096;
constexpr std::size_t max_clients = 16;

std::unexpected<std::string> listening_failure(const std::string& path) {
  return std::unexpected{fmt::format("{}: {}", path, std::strerror(errno))};
}

/// A folder of ours alone, made where it does not exist.
bool usable_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) < 0 && errno != EEXIST) return false;
  struct stat s {};
  return ::lstat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode) && s.st_uid == ::geteuid() && (s.st_mode & 022U) == 0;
}

/// Whether somebody listens at a socket file.
bool is_answered(const std::string& path) {
  asio::io_context context;
  Local::socket socket{context};
  error_code ec;
  socket.connect(Local::endpoint{path}, ec);
  return !ec;
}

/// Binds with mode 0600 from the first moment, over a socket nobody answers at.
std::expected<int, std::string> listen_at(const std::string& path) {
  struct stat s {};
  if (::lstat(path.c_str(), &s) == 0) {
    if (!S_ISSOCK(s.st_mode)) return std::unexpected{fmt::format("{} exists and is no socket", path)};
    if (is_answered(path)) return std::unexpected{fmt::format("another wireside answers at {}", path)};
    if (::unlink(path.c_str()) < 0) return listening_failure(path);
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return std::unexpected{fmt::format("{} is too long a path", path)};
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return listening_failure(path);
  const mode_t before = ::umask(0177);
  const bool listening = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                         ::listen(fd, static_cast<int>(max_clients)) == 0;
  ::umask(before);
  if (listening) return fd;
  const auto failed = listening_failure(path);
  ::close(fd);
  return failed;
}

/// Of the environment; nullptr where it is not set.
const char* only_folder() {
  const char* folder = std::getenv("WIRESIDE_RUNTIME_DIR");
  return folder != nullptr && *folder == '/' ? folder : nullptr;
}

/// Removes what processes that were killed left behind. A socket that was made just now may not listen yet.
void sweep(const std::string& folder) {
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator{folder, ignored}) {
    struct stat s {};
    if (file.path().extension() != ".sock" || ::lstat(file.path().c_str(), &s) < 0 || !S_ISSOCK(s.st_mode)) continue;
    constexpr std::time_t settled = 60;
    if (std::time(nullptr) - s.st_mtime > settled && !is_answered(file.path())) ::unlink(file.path().c_str());
  }
}

}  // namespace

std::vector<std::string> control_folders() {
  if (const char* only = only_folder()) return {only};
  std::vector<std::string> out;
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime == '/') out.push_back(std::string{runtime} + "/wireside");
  out.emplace_back("/run/wireside");
  out.push_back(fmt::format("/tmp/wireside-{}", ::geteuid()));
  return out;
}

std::vector<std::string> searched_folders() {
  std::vector<std::string> out = control_folders();
  if (only_folder() != nullptr) return out;
  const auto add = [&](std::string folder) {
    if (std::ranges::find(out, folder) == out.end()) out.push_back(std::move(folder));
  };
  const auto add_user = [&](const std::string& uid) {
    add("/run/user/" + uid + "/wireside");
    add("/tmp/wireside-" + uid);
  };
  add_user(std::to_string(::geteuid()));
  const char* behind_sudo = std::getenv("SUDO_UID");
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (::geteuid() == 0 && behind_sudo != nullptr && std::ranges::all_of(std::string_view{behind_sudo}, is_digit)) {
    add_user(behind_sudo);
  }
  return out;
}

class ControlServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& context, ControlSubject subject, std::string path, int fd)
      : acceptor_{context, Local{}, fd}, subject_{std::move(subject)}, path_{std::move(path)} {}

  void accept() {
    acceptor_.async_accept([self = weak_from_this()](error_code ec, Local::socket socket) {
      const auto impl = self.lock();
      if (!impl || ec == asio::error::operation_aborted) return;
      if (!ec && impl->clients_ < max_clients) impl->serve(std::move(socket));
      impl->accept();
    });
  }
  void close() {
    error_code ignored;
    acceptor_.close(ignored);
    ::unlink(path_.c_str());
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  struct Client {
    explicit Client(Local::socket s) : socket{std::move(s)} {}
    Local::socket socket;
    std::string text;   // read, not answered
    std::string reply;  // being written
  };

  void serve(Local::socket socket) {
    auto client = std::make_shared<Client>(std::move(socket));
    ++clients_;
    read(client);
  }

  void read(const std::shared_ptr<Client>& client) {
    asio::async_read_until(client->socket, asio::dynamic_buffer(client->text, max_request), '\n',
                           [self = weak_from_this(), client](error_code ec, std::size_t octets) {
                             const auto impl = self.lock();
                             if (!impl) return;
                             if (ec == asio::error::not_found) return impl->refuse_long_line(client);
                             if (ec) {
                               --impl->clients_;
                               return;
                             }
                             client->reply = impl->answer(client->text.substr(0, octets)) + "\n";
                             client->text.erase(0, octets);  // what came behind it is the next request
                             impl->write(client);
                           });
  }

  /// What follows cannot be told from the rest of the line: the connection ends behind the answer.
  void refuse_long_line(const std::shared_ptr<Client>& client) {
    const std::string why = fmt::format("a request has {} octets at most", max_request);
    client->reply = json::serialize(control_refusal(why)) + "\n";
    asio::async_write(client->socket, asio::buffer(client->reply),
                      [self = weak_from_this(), client](error_code, std::size_t) {
                        if (const auto impl = self.lock()) --impl->clients_;
                      });
  }

  void write(const std::shared_ptr<Client>& client) {
    asio::async_write(client->socket, asio::buffer(client->reply),
                      [self = weak_from_this(), client](error_code ec, std::size_t) {
                        const auto impl = self.lock();
                        if (!impl) return;
                        if (!ec) return impl->read(client);
                        --impl->clients_;
                      });
  }

  [[nodiscard]] std::string answer(const std::string& line) const {
    const auto request = parse_control_request(line);
    return json::serialize(request ? control_answer(subject_, *request) : control_refusal(request.error()));
  }

  Local::acceptor acceptor_;
  ControlSubject subject_;
  std::string path_;
  std::size_t clients_ = 0;
};

std::expected<std::unique_ptr<ControlServer>, std::string> ControlServer::open(asio::io_context& context,
                                                                               ControlSubject subject,
                                                                               const std::string& path) {
  std::vector<std::string> paths;
  if (!path.empty()) {
    paths.push_back(path);
  } else {
    const std::string& tap = subject.interfaces.at(0)->device().name();
    for (const std::string& folder : control_folders()) {
      if (!usable_folder(folder)) continue;
      sweep(folder);
      paths.push_back(fmt::format("{}/{}.sock", folder, tap));
      paths.push_back(fmt::format("{}/{}.{}.sock", folder, tap, ::getpid()));
    }
  }
  std::string problem = "no folder for it: $XDG_RUNTIME_DIR, /run and /tmp cannot be written";
  for (const std::string& candidate : paths) {
    const auto fd = listen_at(candidate);
    if (!fd) {
      problem = fd.error();
      continue;
    }
    auto impl = std::make_shared<Impl>(context, std::move(subject), candidate, *fd);
    impl->accept();
    return std::unique_ptr<ControlServer>{new ControlServer{std::move(impl)}};
  }
  return std::unexpected{problem};
}

ControlServer::~ControlServer() { impl_->close(); }
const std::string& ControlServer::path() const { return impl_->path(); }

}  // namespace wireside::apps

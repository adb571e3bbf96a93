// The load of scripts/bench, through the kernel's sockets. Prints one JSON object a measurement.
#include "load.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace bench {

Arguments::Arguments(int argc, char** argv) {
  for (int i = 2; i + 1 < argc; i += 2) values_[argv[i]] = argv[i + 1];
}
std::string Arguments::text(const std::string& name) const {
  const auto found = values_.find("--" + name);
  if (found == values_.end()) fail("--" + name + " is missing");
  return found->second;
}
long Arguments::number(const std::string& name, long otherwise) const {
  const auto found = values_.find("--" + name);
  return found == values_.end() ? otherwise : std::atol(found->second.c_str());
}
double Arguments::seconds(const std::string& name, double otherwise) const {
  const auto found = values_.find("--" + name);
  return found == values_.end() ? otherwise : std::atof(found->second.c_str());
}

void fail(const std::string& what) {
  std::fprintf(stderr, "bench_load: %s\n", what.c_str());
  std::exit(1);
}

sockaddr_in address_of(const std::string& text, long port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<std::uint16_t>(port));
  if (::inet_pton(AF_INET, text.c_str(), &out.sin_addr) != 1) fail(text + " is not an address");
  return out;
}

double processor_time() {
  rusage used{};
  (void)::getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int connect_to(const sockaddr_in& peer) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const int yes = 1;
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0) {
    fail(std::string{"cannot connect: "} + std::strerror(errno));
  }
  return fd;
}

double rank(std::vector<std::uint32_t>& values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

}  // namespace bench

int main(int argc, char** argv) {
  rlimit files{};
  (void)::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &files);
  const bench::Arguments arguments{argc, argv};
  const std::string_view kind = argc > 1 ? argv[1] : "";
  if (kind == "bulk") {
    bench::bulk(arguments);
  } else if (kind == "round-trips") {
    bench::round_trips(arguments);
  } else if (kind == "datagrams") {
    bench::datagrams(arguments);
  } else if (kind == "many") {
    bench::many(arguments);
  } else {
    std::fprintf(stderr, "usage: bench_load bulk|round-trips|datagrams|many --to ADDRESS [--NAME VALUE]...\n");
    return 2;
  }
}

// What the kinds of load share.
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

/// --NAME VALUE of the command line.
class Arguments {
 public:
  Arguments(int argc, char** argv);
  [[nodiscard]] std::string text(const std::string& name) const;
  [[nodiscard]] long number(const std::string& name, long otherwise) const;
  [[nodiscard]] double seconds(const std::string& name, double otherwise) const;

 private:
  std::map<std::string, std::string> values_;
};

[[noreturn]] void fail(const std::string& what);
[[nodiscard]] sockaddr_in address_of(const std::string& text, long port);
/// Processor seconds of this process so far.
[[nodiscard]] double processor_time();
/// A connected TCP socket, without Nagle's algorithm; ends the program on failure.
[[nodiscard]] int connect_to(const sockaddr_in& peer);
/// The value of rank `share` (0 to 1) of `values`, which are sorted for it.
[[nodiscard]] double rank(std::vector<std::uint32_t>& values, double share);

void bulk(const Arguments& arguments);
void round_trips(const Arguments& arguments);
void datagrams(const Arguments& arguments);
void many(const Arguments& arguments);

}  // namespace bench

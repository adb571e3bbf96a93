// What Wireshark is told of wireside as an interface to capture from (its "extcap" protocol: lines on standard output).
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace wireside::apps::extcap {

inline constexpr const char* interface_name = "wireside";

/// Asked first: which interfaces there are.
[[nodiscard]] std::string interfaces();
/// Link types of the interface.
[[nodiscard]] std::string link_types();
/// The dialogue that Wireshark shows; each field becomes an option of `wireside extcap`.
[[nodiscard]] std::string dialogue();

struct CaptureRequest {
  std::string fifo;
  std::string tap;
  std::string address;  ///< with prefix length; empty: by DHCP
  std::string gateway;
  std::string root;
  std::string further;  ///< more options of `wireside serve`, separated by blanks
  bool no_offload = false;
};
/// The command line of `wireside serve` that writes what it sees into the fifo; without the program's name.
[[nodiscard]] std::vector<std::string> command_line(const CaptureRequest& request);

/// The file that Wireshark looks for in its extcap folder: a script that starts `program`.
[[nodiscard]] std::string script(const std::string& program);
/// Writes it into the folder, which is made where it does not exist. The error is a sentence.
[[nodiscard]] std::optional<std::string> install(const std::string& folder, const std::string& program);

}  // namespace wireside::apps::extcap

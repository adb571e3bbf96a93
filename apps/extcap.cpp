#include "extcap.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace wireside::apps::extcap {

std::string interfaces() {
  return fmt::format(
      "extcap {{version=1.0}}{{display=wireside}}\n"
      "interface {{value={}}}{{display=wireside: an endpoint that says why}}\n",
      interface_name);
}

std::string link_types() { return "dlt {number=1}{name=EN10MB}{display=Ethernet}\n"; }

std::string dialogue() {
  return "arg {number=0}{call=--tap}{display=TAP interface}{type=string}{default=tap0}"
         "{tooltip=Created where it does not exist, which takes CAP_NET_ADMIN}\n"
         "arg {number=1}{call=--ip}{display=Own address}{type=string}{placeholder=10.0.0.2/24}"
         "{tooltip=With prefix length; empty: from a DHCP server}\n"
         "arg {number=2}{call=--gateway}{display=Gateway}{type=string}{placeholder=10.0.0.1}\n"
         "arg {number=3}{call=--root}{display=Folder to serve over HTTP}{type=string}{default=.}\n"
         "arg {number=4}{call=--no-offload}{display=Frames as on a real wire}{type=boolflag}{default=true}"
         "{tooltip=No super-segments, and whole checksums}\n"
         "arg {number=5}{call=--further}{display=Further options of wireside serve}{type=string}"
         "{placeholder=--impair loss=1%,delay=20ms}\n";
}

std::vector<std::string> command_line(const CaptureRequest& request) {
  std::vector<std::string> out{"serve", "--quiet", "--tap", request.tap, "--pcapng", request.fifo};
  const auto add = [&](const char* name, const std::string& value) {
    if (value.empty()) return;
    out.emplace_back(name);
    out.push_back(value);
  };
  if (request.address.empty()) out.emplace_back("--dhcp");
  add("--ip", request.address);
  add("--gateway", request.gateway);
  add("--root", request.root);
  if (request.no_offload) out.emplace_back("--no-offload");
  std::istringstream words{request.further};
  for (std::string word; words >> word;) out.push_back(word);
  return out;
}

std::string script(const std::string& program) {
  std::string quoted;
  for (const char c : program) quoted += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return fmt::format("#!/bin/sh\nexec '{}' extcap \"$@\"\n", quoted);
}

std::optional<std::string> install(const std::string& folder, const std::string& program) {
  namespace fs = std::filesystem;
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return fmt::format("cannot make the folder {}: {}", folder, failed.message());
  const fs::path path = fs::path{folder} / "wireside";
  {
    std::ofstream file{path, std::ios::trunc};
    file << script(program);
    file.close();
    if (!file) return fmt::format("cannot write {}", path.string());
  }
  constexpr auto executable = fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                              fs::perms::others_read | fs::perms::others_exec;
  fs::permissions(path, executable, failed);
  if (failed) return fmt::format("cannot make {} executable: {}", path.string(), failed.message());
  return std::nullopt;
}

}  // namespace wireside::apps::extcap

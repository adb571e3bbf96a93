// `wireside extcap`: Wireshark starts it to list wireside as an interface, and to capture from an endpoint of its own.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "command.hpp"
#include "extcap.hpp"
#include "option_checks.hpp"
#include "output.hpp"

namespace wireside::apps {
namespace {

struct ExtcapOptions {
  bool interfaces = false, link_types = false, dialogue = false, capture = false;
  std::string interface, ignored, folder;
  extcap::CaptureRequest request;
};

std::string own_program() {
  std::error_code failed;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", failed);
  return failed ? "wireside" : path.string();
}

/// This process becomes the endpoint: Wireshark ends it by the process id it knows.
int become_endpoint(const extcap::CaptureRequest& request) {
  const std::string program = own_program();
  std::vector<std::string> words = extcap::command_line(request);
  words.insert(words.begin(), program);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(program.c_str(), arguments.data());
  complain(fmt::format("cannot start {}: {}", program, std::strerror(errno)));
  return exit_failure;
}

int run_extcap(const ExtcapOptions& options) {
  if (!options.folder.empty()) {
    if (const auto problem = extcap::install(options.folder, own_program())) {
      complain(*problem);
      return exit_failure;
    }
    put("wireside: Wireshark lists wireside as an interface when {} is its extcap folder\n", options.folder);
    return exit_ok;
  }
  if (options.interfaces) return write_out(extcap::interfaces()) ? exit_ok : exit_failure;
  const bool asks = options.link_types || options.dialogue || options.capture;
  if (!asks) {
    throw UsageError{"extcap is asked for nothing: Wireshark starts it, with what it wants to know",
                     "wireside extcap --install DIR, with the folder that `tshark -G folders` names as Extcap path"};
  }
  if (options.interface != extcap::interface_name) {
    throw UsageError{fmt::format("there is no interface '{}' here", options.interface),
                     fmt::format("--extcap-interface {}", extcap::interface_name)};
  }
  if (options.link_types) return write_out(extcap::link_types()) ? exit_ok : exit_failure;
  if (options.dialogue) return write_out(extcap::dialogue()) ? exit_ok : exit_failure;
  if (options.request.fifo.empty()) {
    throw UsageError{"--capture needs the pipe to write into", "add --fifo PATH"};
  }
  return become_endpoint(options.request);
}

}  // namespace

void register_extcap(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<ExtcapOptions>();
  CLI::App* command = app.add_subcommand("extcap", "let Wireshark capture from wireside as from an interface");
  constexpr const char* asked = "Asked by Wireshark";
  command->add_option("--install", options->folder, "make wireside known in this extcap folder of Wireshark's")
      ->type_name("DIR")
      ->check(not_empty());
  command->add_flag("--extcap-interfaces", options->interfaces, "list interfaces")->group(asked);
  command->add_option("--extcap-version", options->ignored, "Wireshark's own version")->expected(0, 1)->group(asked);
  command->add_option("--extcap-interface", options->interface, "which interface")->group(asked);
  command->add_flag("--extcap-dlts", options->link_types, "list link types")->group(asked);
  command->add_flag("--extcap-config", options->dialogue, "list the fields of the dialogue")->group(asked);
  command->add_option("--extcap-capture-filter", options->ignored, "not used: Wireshark filters what it shows")
      ->expected(0, 1)
      ->group(asked);
  command->add_flag("--capture", options->capture, "run an endpoint, and write what it sees")->group(asked);
  command->add_option("--fifo", options->request.fifo, "the pipe to write it into")->group(asked);
  constexpr const char* endpoint = "Endpoint";
  options->request.tap = "tap0";
  command->add_option("--tap", options->request.tap, "TAP interface")->group(endpoint)->capture_default_str();
  command->add_option("--ip", options->request.address, "own address with prefix length (default: by DHCP)")
      ->group(endpoint);
  command->add_option("--gateway", options->request.gateway, "default gateway")->group(endpoint);
  command->add_option("--root", options->request.root, "folder to serve over HTTP")->group(endpoint);
  command->add_flag("--no-offload", options->request.no_offload, "frames as on a real wire")->group(endpoint);
  command->add_option("--further", options->request.further, "further options of wireside serve")->group(endpoint);
  command->callback([options, &chosen] { chosen = [options] { return run_extcap(*options); }; });
}

}  // namespace wireside::apps

// `wireside dissect`: a frame field by field, from hex digits, a capture, or an interface.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "command.hpp"
#include "dissect/capture_file.hpp"
#include "dissect/hex_text.hpp"
#include "dissect/live_frames.hpp"
#include "dissect/render.hpp"
#include "option_checks.hpp"
#include "output.hpp"
#include "trace.hpp"

namespace wireside::apps {
namespace {

using dissect::Language;
using dissect::Start;
constexpr const char* example = "wireside dissect capture.pcapng --frame 1";

struct DissectOptions {
  std::vector<std::string> words;
  std::string live;
  std::uint64_t frame = 0;
  std::uint64_t count = 0;
  std::string language;
  std::optional<Start> start;
  bool rules = false, sums = false, as_json = false;
};

Language language_of(const DissectOptions& options) {
  std::string wanted = options.language;
  for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    const char* value = std::getenv(name);
    if (wanted.empty() && value != nullptr) wanted = value;
  }
  return wanted.starts_with("zh") ? Language::Chinese : Language::English;
}

class Show {
 public:
  explicit Show(const DissectOptions& options) : options_{options}, language_{language_of(options)} {}

  /// False when nothing can be written any more.
  bool frame(ByteView octets, Start start, const dissect::FrameFacts& facts = {}) {
    const dissect::Settings settings{language_, options_.start.value_or(start)};
    const dissect::Dissection d = dissect::dissect(octets, settings);
    if (options_.as_json) return write_out(dissect::to_json(d, octets, facts) + "\n");
    return write_out(dissect::to_text(d, octets, {language_, wants_colour(stdout), options_.rules, options_.sums}));
  }
  bool headline(std::uint64_t number, const dissect::CapturedFrame& f) {
    if (options_.as_json) return true;
    const auto seconds = static_cast<std::time_t>(f.time_ns / 1'000'000'000);
    std::string line =
        fmt::format(fmt::runtime(words({"frame {}, {} octets", "第 {} 帧，{} 字节"})), number, f.octets.size());
    if (f.original_octets > f.octets.size()) {
      line += fmt::format(fmt::runtime(words({" of {}", "（共 {}）"})), f.original_octets);
    }
    if (f.time_ns != 0) line += fmt::format("  {:%H:%M:%S}.{:06}", fmt::gmtime(seconds), f.time_ns / 1000 % 1'000'000);
    for (const std::string& comment : f.comments) line += "\n  " + comment;
    return write_out((printed_++ == 0 ? "" : "\n") + line + "\n");
  }

 private:
  [[nodiscard]] std::string_view words(dissect::Words w) const { return w.in(language_); }
  const DissectOptions& options_;
  Language language_;
  std::uint64_t printed_ = 0;
};

dissect::FrameFacts facts_of(std::uint64_t number, const dissect::CapturedFrame& f) {
  return {number, f.time_ns, f.original_octets, f.comments};
}

std::optional<Start> start_of(std::uint32_t link_type) {
  using File = dissect::CaptureFile;
  if (link_type == File::ethernet) return Start::Ethernet;
  if (link_type == File::raw_ip || link_type == File::raw_ipv4 || link_type == 12) return Start::Ipv4;
  return std::nullopt;
}

/// How many frames to show.
std::uint64_t wanted(const DissectOptions& options) {
  return options.count != 0 ? options.count : options.frame != 0 ? 1 : UINT64_MAX;
}

int show_capture(const DissectOptions& options, const std::string& path, std::FILE* open, std::string head) {
  auto file = dissect::CaptureFile::read(open, std::move(head));
  if (!file) return complain(fmt::format("{}: {}", path, file.error())), exit_failure;
  Show show{options};
  std::uint64_t number = 0, shown = 0;
  while (true) {
    auto next = file->next();
    if (!next) return complain(fmt::format("{}: behind frame {}, {}", path, number, next.error())), exit_failure;
    if (!*next) break;
    const dissect::CapturedFrame& f = **next;
    if (++number < options.frame) continue;
    const auto start = options.start ? options.start : start_of(f.link_type);
    if (!start) {
      complain(fmt::format("{}: frame {} is of link type {}: only Ethernet and raw IP are known", path, number,
                           f.link_type));
      return exit_failure;
    }
    if (!show.headline(number, f) || !show.frame(f.octets, *start, facts_of(number, f))) return exit_failure;
    if (++shown == wanted(options)) return exit_ok;
  }
  if (options.frame > number) {
    complain(fmt::format("{} has {} frames, and frame {} was asked for", path, number, options.frame));
    return exit_failure;
  }
  return exit_ok;
}

volatile std::sig_atomic_t ended = 0;

int show_live(const DissectOptions& options) {
  auto frames = dissect::LiveFrames::open(options.live);
  if (!frames) return complain(frames.error()), exit_failure;
  struct sigaction action {};
  action.sa_handler = [](int) { ended = 1; };  // without SA_RESTART: waiting ends
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
  Show show{options};
  for (std::uint64_t number = 1; ended == 0; ++number) {
    const auto next = frames->next();
    if (!next) return complain(next.error()), exit_failure;
    if (!*next) break;
    const dissect::CapturedFrame& f = **next;
    const auto start = options.start ? options.start : start_of(f.link_type);
    if (!show.headline(number, f) || !show.frame(f.octets, *start, facts_of(number, f))) return exit_failure;
    if (number == options.count) break;
  }
  return exit_ok;
}

int show_text(const DissectOptions& options, const std::string& text, const std::string& from) {
  const auto frames = dissect::frames_from_text(text);
  if (!frames) throw UsageError{fmt::format("{}: {}", from, frames.error()), "wireside dissect 45 00 00 54 ..."};
  Show show{options};
  std::uint64_t number = 0, shown = 0;
  for (const dissect::Octets& octets : *frames) {
    if (++number < options.frame) continue;
    dissect::CapturedFrame f;
    f.octets = octets;
    if (frames->size() > 1 && !show.headline(number, f)) return exit_failure;
    if (!show.frame(octets, dissect::guess_start(octets), facts_of(number, f))) return exit_failure;
    if (++shown == wanted(options)) return exit_ok;
  }
  if (shown != 0) return exit_ok;
  complain(fmt::format("{} has {} frames, and frame {} was asked for", from, number, options.frame));
  return exit_failure;
}

bool is_capture(const std::string& head) {
  static constexpr std::array<std::string_view, 5> starts{"\x0a\x0d\x0d\x0a", "\xd4\xc3\xb2\xa1", "\xa1\xb2\xc3\xd4",
                                                          "\x4d\x3c\xb2\xa1", "\xa1\xb2\x3c\x4d"};
  return std::any_of(starts.begin(), starts.end(), [&](std::string_view s) { return head.starts_with(s); });
}

int show_file(const DissectOptions& options, const std::string& path) {
  constexpr std::size_t longest_text = std::size_t{4} << 20;
  std::FILE* file = path == "-" ? stdin : std::fopen(path.c_str(), "rbe");
  if (file == nullptr) {
    complain(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
    return exit_failure;
  }
  std::string text(4, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  if (is_capture(text)) return show_capture(options, path, file, text);
  const std::size_t head = text.size();
  text.resize(longest_text);
  text.resize(head + std::fread(text.data() + head, 1, text.size() - head, file));
  const bool longer = text.size() == longest_text && std::fgetc(file) != EOF;
  if (longer) complain(fmt::format("{} is no capture, and for text it is too long: 4 MiB at most", path));
  const bool failed = std::ferror(file) != 0;
  if (failed) complain(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  if (file != stdin) (void)std::fclose(file);
  return failed || longer ? exit_failure : show_text(options, text, path == "-" ? "standard input" : path);
}

int run_dissect(const DissectOptions& options) {
  if (!options.live.empty()) {
    if (!options.words.empty()) throw UsageError{"--live and a frame or file were both given", example};
    if (options.frame != 0) throw UsageError{"--frame is for captures: --live has --count", example};
    return show_live(options);
  }
  if (options.words.empty())
    throw UsageError{"there is no frame: give hex digits, a file, or --live INTERFACE", example};
  const std::string& first = options.words.front();
  if (options.words.size() == 1 && first == "-") return show_file(options, first);
  struct stat status {};
  if (options.words.size() == 1 && ::stat(first.c_str(), &status) == 0) return show_file(options, first);
  if (options.words.size() == 1 && first.find_first_not_of("0123456789abcdefABCDEFxX:,- \t\n") != std::string::npos) {
    return show_file(options, first);  // which says why it cannot be read
  }
  return show_text(options, fmt::format("{}", fmt::join(options.words, " ")), "the frame");
}

void add_options(CLI::App& command, DissectOptions& o) {
  static const std::map<std::string, Start> starts{
      {"ethernet", Start::Ethernet}, {"arp", Start::Arp},   {"ip", Start::Ipv4},  {"tcp", Start::Tcp},
      {"udp", Start::Udp},           {"icmp", Start::Icmp}, {"dhcp", Start::Dhcp}};
  command
      .add_option("frame", o.words,
                  "hex digits or a dump of them, or a file with one, or a capture; - for standard input")
      ->type_name("HEX|FILE");
  command.add_option("-i,--live", o.live, "frames as they pass an interface")
      ->type_name("INTERFACE")
      ->check(not_empty());
  command.add_option("-n,--frame", o.frame, "of a capture: the N-th frame (and no other, without --count)")
      ->type_name("N")
      ->check(in_range<std::uint64_t>(1, UINT64_MAX));
  command.add_option("-c,--count", o.count, "end after N frames")
      ->type_name("N")
      ->check(in_range<std::uint64_t>(1, UINT64_MAX));
  command.add_option("--as", o.start, "what the octets begin with (default: Ethernet, or IP where it looks like that)")
      ->transform(CLI::Validator{[](std::string& text) -> std::string {
                                   const auto found = starts.find(text);
                                   if (found == starts.end()) {
                                     return fmt::format("'{}' is none of ethernet, arp, ip, tcp, udp, icmp, dhcp",
                                                        text);
                                   }
                                   text = std::to_string(static_cast<int>(found->second));
                                   return {};
                                 },
                                 ""})
      ->type_name("{ethernet,arp,ip,tcp,udp,icmp,dhcp}");
  command.add_option("--lang", o.language, "language of names and meanings (default: that of the locale)")
      ->check(CLI::IsMember({"en", "zh"}));
  command.add_flag("--rules", o.rules, "also the variable or rule from which a sender takes each value");
  command.add_flag("--sums", o.sums, "also how checksums come about");

  command.add_flag("-j,--json", o.as_json, "one JSON object a frame");
}

}  // namespace

void register_dissect(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<DissectOptions>();
  CLI::App* command =
      app.add_subcommand("dissect", "show a frame field by field, from hex digits, a capture or an interface");
  add_options(*command, *options);
  command->callback([options, &chosen] { chosen = [options] { return run_dissect(*options); }; });
}

}  // namespace wireside::apps

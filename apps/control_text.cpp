#include "control_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <string_view>
#include <vector>

namespace wireside::apps {
namespace {

namespace json = boost::json;

/// Fields of an answer; an answer of another version of ourselves may lack some, which then show as nothing.
std::string text(const json::object& o, std::string_view name) {
  const json::value* v = o.if_contains(name);
  if (v == nullptr) return {};
  if (v->is_string()) return std::string{v->get_string()};
  return json::serialize(*v);
}

double number(const json::object& o, std::string_view name) {
  const json::value* v = o.if_contains(name);
  if (v == nullptr || !v->is_number()) return 0;
  boost::system::error_code ec;
  return v->to_number<double>(ec);
}

std::uint64_t count(const json::object& o, std::string_view name) {
  constexpr double most = 9e18;  // what a signed 64-bit number holds
  return static_cast<std::uint64_t>(std::llround(std::clamp(number(o, name), 0.0, most)));
}

const json::object* inner(const json::object& o, std::string_view name) {
  const json::value* v = o.if_contains(name);
  return v != nullptr ? v->if_object() : nullptr;
}

bool flag(const json::object& o, std::string_view name) {
  const json::value* v = o.if_contains(name);
  return v != nullptr && v->is_bool() && v->get_bool();
}

bool wanted(const json::object& line, const SsOptions& options) {
  const std::string netid = text(line, "netid");
  const std::string state = text(line, "state");
  if (options.tcp || options.udp) {
    if (!(options.tcp && netid == "tcp") && !(options.udp && netid == "udp")) return false;
  }
  const bool waits = state == "LISTEN" || state == "UNCONN";
  if (options.all) return true;
  return options.listening ? waits : !waits;
}

/// Names as ss writes them: ESTAB, TIME-WAIT, SYN-RECV.
std::string short_state(const std::string& state) {
  if (state == "ESTABLISHED") return "ESTAB";
  if (state == "SYN-RECEIVED") return "SYN-RECV";
  if (state == "FIN-WAIT-1") return "FIN-WAIT-1";
  return state;
}

std::string timer_of(const json::object& line) {
  const std::string name = text(line, "timer");
  if (name.empty()) return {};
  const auto* info = inner(line, "info");
  return fmt::format(" timer:({},{:.0f}ms,{})", name, number(line, "timer_ms"),
                     info != nullptr ? count(*info, "retransmissions") : 0);
}

std::string info_of(const json::object& line) {
  const auto* i = inner(line, "info");
  if (i == nullptr) return {};
  std::string out;
  if (flag(*i, "timestamps")) out += " ts";
  if (flag(*i, "sack")) out += " sack";
  out += fmt::format(" wscale:{},{} rto:{:.0f} rtt:{:.3f}/{:.3f} mss:{} cwnd:{} ssthresh:{}", count(*i, "snd_wscale"),
                     count(*i, "rcv_wscale"), number(*i, "rto_ms"), number(*i, "srtt_ms"), number(*i, "rttvar_ms"),
                     count(*i, "mss"), count(*i, "cwnd"), count(*i, "ssthresh"));
  out += fmt::format(" bytes_sent:{} bytes_received:{} snd_wnd:{} rcv_wnd:{} unacked:{} retrans:{}/{}",
                     count(*i, "octets_sent"), count(*i, "octets_received"), count(*i, "snd_wnd"), count(*i, "rcv_wnd"),
                     count(*i, "flight"), count(*i, "retransmissions"), count(*i, "total_retransmitted"));
  return out;
}

std::string memory_of(const json::object& line) {
  const auto* i = inner(line, "info");
  const json::object& from = i != nullptr ? *i : line;
  return fmt::format(" mem:(r{},rb{},o{},t{})", count(line, "recv_q"), count(from, "receive_buffer"),
                     count(from, "out_of_order"), count(line, "send_q"));
}

}  // namespace

json::array select_sockets(const json::array& lines, const SsOptions& options) {
  json::array out;
  for (const auto& v : lines) {
    if (const auto* line = v.if_object(); line != nullptr && wanted(*line, options)) out.push_back(*line);
  }
  return out;
}

std::string format_sockets(const json::array& lines, const SsOptions& options) {
  std::size_t local_width = 18;
  std::size_t peer_width = 17;
  for (const auto& v : lines) {
    local_width = std::max(local_width, text(v.as_object(), "local").size());
    peer_width = std::max(peer_width, text(v.as_object(), "peer").size());
  }
  std::string out = fmt::format("{:<5} {:<12} {:>8} {:>8} {:>{}} {:>{}}\n", "Netid", "State", "Recv-Q", "Send-Q",
                                "Local Address:Port", local_width, "Peer Address:Port", peer_width);
  for (const auto& v : lines) {
    const json::object& line = v.as_object();
    out += fmt::format("{:<5} {:<12} {:>8} {:>8} {:>{}} {:>{}}", text(line, "netid"), short_state(text(line, "state")),
                       count(line, "recv_q"), count(line, "send_q"), text(line, "local"), local_width,
                       text(line, "peer"), peer_width);
    if (options.timers) out += timer_of(line);
    std::string below;
    if (options.memory) below += memory_of(line);
    if (options.info) below += info_of(line);
    out += below.empty() ? "\n" : "\n\t" + below + "\n";
  }
  return out;
}

std::string format_neighbours(const json::array& lines) {
  std::string out;
  for (const auto& v : lines) {
    const json::object& line = v.as_object();
    out += fmt::format("{} dev {}", text(line, "dst"), text(line, "dev"));
    if (const auto mac = text(line, "lladdr"); !mac.empty()) out += " lladdr " + mac;
    out += fmt::format(" {}\n", text(line, "state"));
  }
  return out;
}

std::string format_routes(const json::array& lines) {
  std::string out;
  for (const auto& v : lines) {
    const json::object& line = v.as_object();
    out += text(line, "dst");
    if (const auto via = text(line, "gateway"); !via.empty()) out += " via " + via;
    out += fmt::format(" dev {} proto {}", text(line, "dev"), text(line, "protocol"));
    if (!line.contains("gateway")) out += " scope link";
    if (const auto source = text(line, "prefsrc"); !source.empty()) out += " src " + source;
    if (line.contains("metric")) out += fmt::format(" metric {}", count(line, "metric"));
    if (line.contains("flags")) out += " dead";
    out += "\n";
  }
  return out;
}

std::string format_addresses(const json::array& lines) {
  std::string out;
  std::size_t number_of = 0;
  for (const auto& v : lines) {
    const json::object& line = v.as_object();
    out += fmt::format("{}: {}: mtu {} state {}\n    link/ether {}\n", ++number_of, text(line, "ifname"),
                       count(line, "mtu"), text(line, "operstate"), text(line, "address"));
    const json::value* addresses = line.if_contains("addr_info");
    if (addresses == nullptr || !addresses->is_array()) continue;
    for (const auto& a : addresses->get_array()) {
      if (!a.is_object()) continue;
      const json::object& address = a.get_object();
      out += fmt::format("    inet {}/{}", text(address, "local"), count(address, "prefixlen"));
      if (const auto brd = text(address, "broadcast"); !brd.empty()) out += " brd " + brd;
      if (flag(address, "dynamic")) out += " dynamic";
      if (address.contains("valid_life_time")) out += fmt::format(" valid_lft {}s", count(address, "valid_life_time"));
      out += "\n";
    }
  }
  return out;
}

std::string format_statistics(const json::array& lines, bool zeros) {
  std::string out;
  for (const auto& v : lines) {
    const json::object& line = v.as_object();
    out += fmt::format("#{}\n", text(line, "dev"));
    const auto* counters = inner(line, "counters");
    if (counters == nullptr) continue;
    for (const auto& [name, value] : *counters) {
      if (zeros || count(*counters, name) != 0) {
        out += fmt::format("{:<32}{}\n", std::string_view{name}, count(*counters, name));
      }
    }
    const auto* drops = inner(line, "drops");
    if (drops == nullptr) continue;
    for (const auto& [name, value] : *drops) {
      if (zeros || count(*drops, name) != 0) {
        out += fmt::format("{:<48}{}\n", "dropped: " + std::string{name}, count(*drops, name));
      }
    }
  }
  return out;
}

}  // namespace wireside::apps

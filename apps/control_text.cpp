#include "control_text.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

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
  return state;
}

std::string timer_of(const json::object& line) {
  std::string name = text(line, "timer");
  if (name.empty()) return {};
  for (const auto& [ours, theirs] : {std::pair{"retransmission", "on"},
                                     {"keep-alive", "keepalive"},
                                     {"TIME-WAIT", "timewait"},
                                     {"zero-window probe", "persist"}}) {
    if (name == ours) name = theirs;
  }
  const auto* info = inner(line, "info");
  return fmt::format(" timer:({},{:.0f}ms,{})", name, number(line, "timer_ms"),
                     info != nullptr ? count(*info, "retransmissions") : 0);
}

std::string info_of(const json::object& line) {
  const auto* i = inner(line, "info");
  if (i == nullptr || !i->contains("mss")) return {};  // TIME-WAIT and half-open connections are small records
  std::string out = " " + text(*i, "congestion");
  if (flag(*i, "timestamps")) out += " ts";
  if (flag(*i, "sack")) out += " sack";
  if (flag(*i, "ecn")) out += " ecn";
  // As ss has them, windows of congestion control are counted in segments.
  const std::uint64_t mss = std::max<std::uint64_t>(1, count(*i, "mss"));
  const std::uint64_t ssthresh = count(*i, "ssthresh");
  out += fmt::format(" wscale:{},{} rto:{:.0f} rtt:{:.3f}/{:.3f} mss:{} cwnd:{}", count(*i, "snd_wscale"),
                     count(*i, "rcv_wscale"), number(*i, "rto_ms"), number(*i, "srtt_ms"), number(*i, "rttvar_ms"), mss,
                     count(*i, "cwnd") / mss);
  if (ssthresh < UINT32_MAX) out += fmt::format(" ssthresh:{}", ssthresh / mss);
  if (const auto rate = count(*i, "pacing_rate"); rate != 0) out += fmt::format(" pacing_rate:{}bps", 8 * rate);
  out += fmt::format(" bytes_sent:{} bytes_received:{} snd_wnd:{} rcv_wnd:{} unacked:{} retrans:{}/{}",
                     count(*i, "octets_sent"), count(*i, "octets_received"), count(*i, "snd_wnd"), count(*i, "rcv_wnd"),
                     (count(*i, "flight") + mss - 1) / mss, count(*i, "retransmissions"),
                     count(*i, "total_retransmitted"));
  return out;
}

/// The items of an array; nothing where there is none.
json::array items(const json::object& o, std::string_view name) {
  const json::value* v = o.if_contains(name);
  return v != nullptr && v->is_array() ? v->get_array() : json::array{};
}

std::string joined(const json::object& o, std::string_view name, std::string_view between) {
  std::string out;
  for (const auto& v : items(o, name)) {
    if (!v.is_string()) continue;
    if (!out.empty()) out += between;
    out += std::string_view{v.get_string()};
  }
  return out;
}

/// The second line of a route that was learnt.
std::string cached_route(const json::object& line) {
  std::string out = " \n    cache";
  if (const auto what = joined(line, "cache", ","); !what.empty()) out += fmt::format(" <{}>", what);
  if (line.contains("expires")) out += fmt::format(" expires {}sec", count(line, "expires"));
  for (const auto& m : items(line, "metrics")) {
    if (m.is_object()) out += fmt::format(" mtu {}", count(m.get_object(), "mtu"));
  }
  return out + "\n";
}

std::string lifetime(const json::object& address, std::string_view name) {
  constexpr std::uint64_t for_ever = 4294967295;
  const std::uint64_t seconds = count(address, name);
  return seconds == for_ever ? "forever" : fmt::format("{}sec", seconds);
}

std::string format_address(const json::object& address) {
  std::string out = fmt::format("    inet {}/{}", text(address, "local"), count(address, "prefixlen"));
  if (const auto brd = text(address, "broadcast"); !brd.empty()) out += " brd " + brd;
  if (const auto scope = text(address, "scope"); !scope.empty()) out += " scope " + scope;
  if (flag(address, "tentative")) out += " tentative";
  if (flag(address, "dynamic")) out += " dynamic";
  out += fmt::format(" {}\n       valid_lft {} preferred_lft {}\n", text(address, "label"),
                     lifetime(address, "valid_life_time"), lifetime(address, "preferred_life_time"));
  return out;
}

/// "  www.lab.      290 IN CNAME web.lab."
std::string format_cached_name(const json::object& entry) {
  std::string out;
  const auto add = [&](const std::string& data) {
    out += fmt::format("  {:<31} {:>7} IN {:<5} {}\n", text(entry, "name"), count(entry, "ttl"), text(entry, "type"),
                       data);
  };
  if (entry.contains("target")) {
    add(text(entry, "target"));
  } else if (text(entry, "status") == "NOERROR") {
    for (const auto& a : items(entry, "addresses")) {
      if (a.is_string()) add(std::string{a.get_string()});
    }
  } else {
    add(text(entry, "status") == "NXDOMAIN" ? "(the name does not exist)" : "(the name has no address)");
  }
  return out;
}

std::string memory_of(const json::object& line) {
  const auto* i = inner(line, "info");
  const json::object& from = i != nullptr ? *i : line;
  if (!from.contains("receive_buffer")) return {};
  return fmt::format(" mem:(r{},rb{},o{},t{})", count(line, "recv_q"), count(from, "receive_buffer"),
                     count(from, "out_of_order"), count(line, "send_q"));
}

}  // namespace

json::array select_interface(const json::array& lines, const std::string& dev) {
  json::array out;
  for (const auto& v : lines) {
    const auto* line = v.if_object();
    if (line != nullptr && (dev.empty() || text(*line, "dev") == dev || text(*line, "ifname") == dev))
      out.push_back(*line);
  }
  return out;
}

json::array select_prefix(const json::array& lines, const Ipv4Prefix& prefix, PrefixMatch match) {
  json::array out;
  for (const auto& v : lines) {
    const auto* line = v.if_object();
    if (line == nullptr) continue;
    const std::string written = text(*line, "dst");
    const auto host = Ipv4Address::parse(written);
    const auto dst = written == "default" ? std::optional<Ipv4Prefix>{Ipv4Prefix{Ipv4Address{}, 0}}
                     : host               ? std::optional<Ipv4Prefix>{Ipv4Prefix{*host, 32}}
                                          : Ipv4Prefix::parse(written);
    if (!dst) continue;
    const bool inside = dst->length >= prefix.length && prefix.contains(dst->address);
    if (inside && (match == PrefixMatch::Within || dst->length == prefix.length)) out.push_back(*line);
  }
  return out;
}

json::array select_cached(const json::array& lines) {
  json::array out;
  for (const auto& v : lines) {
    if (const auto* line = v.if_object(); line != nullptr && line->contains("cache")) out.push_back(*line);
  }
  return out;
}

json::array select_counters(const json::array& lines, const std::vector<std::string>& patterns) {
  if (patterns.empty()) return lines;
  json::array out = lines;
  for (auto& v : out) {
    json::value* queues = v.is_object() ? v.get_object().if_contains("queues") : nullptr;
    if (queues != nullptr && queues->is_array()) *queues = select_counters(queues->get_array(), patterns);
  }
  for (auto& v : out) {
    for (const char* group : {"counters", "drops"}) {
      json::value* all = v.is_object() ? v.get_object().if_contains(group) : nullptr;
      if (all == nullptr || !all->is_object()) continue;
      json::object kept;
      for (const auto& [name, value] : all->get_object()) {
        const std::string key{name};
        const auto matches = [&](const std::string& p) { return ::fnmatch(p.c_str(), key.c_str(), 0) == 0; };
        if (std::ranges::any_of(patterns, matches)) kept[name] = value;
      }
      *all = std::move(kept);
    }
  }
  return out;
}

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
  const bool netid = options.tcp == options.udp;
  std::string out;
  const auto add = [&](const std::string& protocol, const std::string& state, const std::string& recv_q,
                       const std::string& send_q, const std::string& local, const std::string& peer) {
    if (netid) out += fmt::format("{:<5} ", protocol);
    out += fmt::format("{:<11} {:<8} {:<8} {:>{}} {:>{}}", state, recv_q, send_q, local, local_width, peer, peer_width);
  };
  if (!options.no_header) {
    add("Netid", "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port");
    out += options.processes ? " Process\n" : "\n";
  }
  for (const auto& v : lines) {
    const json::object& line = v.as_object();
    add(text(line, "netid"), short_state(text(line, "state")), std::to_string(count(line, "recv_q")),
        std::to_string(count(line, "send_q")), text(line, "local"), text(line, "peer"));
    if (options.processes) out += " " + options.process;
    if (line.contains("queue")) out += fmt::format(" queue:{}", count(line, "queue"));
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
    if (const json::value* states = line.if_contains("state"); states != nullptr && states->is_array()) {
      for (const auto& state : states->get_array()) {
        if (state.is_string()) out += fmt::format(" {}", std::string_view{state.get_string()});
      }
    }
    out += "\n";
  }
  return out;
}

std::string format_routes(const json::array& lines) {
  std::string out;
  for (const auto& v : lines) {
    const json::object& line = v.as_object();
    if (const auto type = text(line, "type"); !type.empty()) out += type + " ";
    out += text(line, "dst");
    if (const auto via = text(line, "gateway"); !via.empty()) out += " via " + via;
    out += " dev " + text(line, "dev");
    if (line.contains("cache")) {
      if (const auto source = text(line, "prefsrc"); !source.empty()) out += " src " + source;
      out += cached_route(line);
      continue;
    }
    out += " proto " + text(line, "protocol");
    if (!line.contains("gateway")) out += " scope link";
    if (const auto source = text(line, "prefsrc"); !source.empty()) out += " src " + source;
    if (line.contains("metric")) out += fmt::format(" metric {}", count(line, "metric"));
    if (const auto flags = joined(line, "flags", " "); !flags.empty()) out += " " + flags;
    out += "\n";
  }
  return out;
}

std::string format_addresses(const json::array& lines) {
  std::string out;
  std::size_t number_of = 0;
  for (const auto& v : lines) {
    const json::object& line = v.as_object();
    ++number_of;
    const std::uint64_t index = line.contains("ifindex") ? count(line, "ifindex") : number_of;
    out += fmt::format("{}: {}: <{}> mtu {} state {}\n    link/ether {} brd {}\n", index, text(line, "ifname"),
                       joined(line, "flags", ","), count(line, "mtu"), text(line, "operstate"), text(line, "address"),
                       text(line, "broadcast"));
    for (const auto& a : items(line, "addr_info")) {
      if (a.is_object()) out += format_address(a.get_object());
    }
  }
  return out;
}

/// Of names, where the columns of several queues follow.
static constexpr std::size_t counter_column = 48;

/// Counters that are not zero, or all, in `width` columns of their name; behind the sum each queue's own, if there are
/// several.
static std::string format_counters(const json::object& line, std::string_view group, std::string_view prefix,
                                   std::size_t width, bool zeros) {
  std::string out;
  const auto* sums = inner(line, group);
  if (sums == nullptr) return out;
  const json::array queues = items(line, "queues");
  if (!queues.empty()) width = counter_column;
  for (const auto& [name, value] : *sums) {
    if (!zeros && count(*sums, name) == 0) continue;
    const std::string sum = std::to_string(count(*sums, name));
    out += fmt::format("{:<{}}", fmt::format("{}{}", prefix, std::string_view{name}), width);
    out += queues.empty() ? sum : fmt::format("{:<12}", sum);
    for (const auto& q : queues) {
      const auto* own = q.is_object() ? inner(q.get_object(), group) : nullptr;
      out += fmt::format(" {:>11}", own == nullptr ? 0 : count(*own, name));
    }
    out += "\n";
  }
  return out;
}

std::string format_statistics(const json::array& lines, bool zeros) {
  std::string out;
  for (const auto& v : lines) {
    const json::object& line = v.as_object();
    const std::string dev = "#" + text(line, "dev");
    const json::array queues = items(line, "queues");
    out += queues.empty() ? dev : fmt::format("{:<{}}{:<12}", dev, counter_column, "all");
    for (std::size_t i = 0; i < queues.size(); ++i) out += fmt::format(" {:>11}", fmt::format("queue {}", i));
    out += "\n" + format_counters(line, "counters", "", 32, zeros) +
           format_counters(line, "drops", "dropped: ", 48, zeros);
  }
  return out;
}

std::string format_names(const json::array& lines) {
  std::string out;
  for (const auto& v : lines) {
    const json::object& line = v.as_object();
    const auto servers = joined(line, "servers", " ");
    out += fmt::format("{}\n  servers: {}\n", text(line, "ifname"), servers.empty() ? "(none)" : servers);
    if (const auto search = joined(line, "search", " "); !search.empty()) out += "  search: " + search + "\n";
    const json::array cache = items(line, "cache");
    out += fmt::format("cache: {} {}\n", cache.size(), cache.size() == 1 ? "entry" : "entries");
    for (const auto& entry : cache) {
      if (entry.is_object()) out += format_cached_name(entry.get_object());
    }
    out += "statistics:\n";
    const auto* statistics = inner(line, "statistics");
    if (statistics == nullptr) continue;
    for (const auto& [name, value] : *statistics) {
      std::string words{name};
      std::ranges::replace(words, '_', ' ');
      out += fmt::format("  {:<20} {}\n", words, count(*statistics, name));
    }
  }
  return out;
}

}  // namespace wireside::apps

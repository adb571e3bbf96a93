// `wireside route get`: the way that a packet to an address would take now.
#include <algorithm>
#include <boost/json/array.hpp>

#include "control.hpp"

namespace wireside::apps {
namespace {

namespace json = boost::json;

/// To one of our own addresses, or to everybody or a group on the link; nothing for another host.
json::object special(Runtime& runtime, Ipv4Address to) {
  const ip::Routes& routes = runtime.stack().routes();
  const auto line = [&](std::string_view type, std::string_view dev, json::array cache) {
    json::object out{{"type", type}, {"dst", to.to_string()}, {"dev", dev}, {"flags", json::array{}}};
    const auto source = type == "local" || routes.addresses().empty() ? to : routes.addresses().front().address;
    out["prefsrc"] = source.to_string();
    out["cache"] = std::move(cache);
    return out;
  };
  switch (routes.classify(to)) {
    case ip::AddressKind::Local:
    case ip::AddressKind::Loopback:
      return line("local", "lo", {"local"});
    case ip::AddressKind::Broadcast:
      return line("broadcast", runtime.device().name(), {"local", "brd"});
    case ip::AddressKind::Multicast:
      return line("multicast", runtime.device().name(), {"mc"});
    case ip::AddressKind::Unicast:
    case ip::AddressKind::Invalid:
      break;
  }
  return {};
}

json::object by_way_of(Runtime& runtime, Ipv4Address to, Ipv4Address hop) {
  json::object line{{"dst", to.to_string()}};
  if (hop != to) line["gateway"] = hop.to_string();
  line["dev"] = runtime.device().name();
  if (const auto source = runtime.stack().routes().source_for(to)) line["prefsrc"] = source->to_string();
  line["flags"] = json::array{};
  line["cache"] = json::array{};
  return line;
}

/// What redirects and path MTU discovery taught about the one host.
void add_learnt(Runtime& runtime, Ipv4Address to, json::object& line) {
  const auto expires = [&](Instant then) {
    const auto left = seconds_until(then, runtime.now());
    const json::value* other = line.if_contains("expires");
    line["expires"] = other != nullptr ? std::min(left, other->to_number<std::uint64_t>()) : left;
  };
  for (const auto& r : runtime.stack().redirects()) {
    if (r.destination != to) continue;
    line["gateway"] = r.gateway.to_string();
    line["cache"].as_array().emplace_back("redirected");
    expires(r.expires);
  }
  for (const auto& p : runtime.stack().path_mtus()) {
    if (p.destination != to) continue;
    line["metrics"] = json::array{json::object{{"mtu", p.mtu}}};
    expires(p.expires);
  }
}

}  // namespace

json::array way_to(const ControlSubject& subject, Ipv4Address destination) {
  Runtime* runtime = subject.interfaces.front();
  for (Runtime* interface : subject.interfaces) {
    if (json::object line = special(*interface, destination); !line.empty()) return {std::move(line)};
  }
  if (runtime->stack().routes().classify(destination) == ip::AddressKind::Invalid) return {};
  Ipv4Address hop;
  if (subject.router != nullptr) {
    const auto way = subject.router->way_to(destination);
    if (!way) return {};
    runtime = subject.interfaces.at(way->interface);
    hop = way->next_hop;
  } else {
    const auto next = runtime->stack().routes().next_hop(destination);
    if (!next) return {};
    hop = *next;
  }
  json::object line = by_way_of(*runtime, destination, hop);
  add_learnt(*runtime, destination, line);
  return {std::move(line)};
}

}  // namespace wireside::apps

// Tables and counters of a running endpoint as JSON.
#include <fmt/format.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <map>
#include <string_view>

#include "agent_json.hpp"
#include "control.hpp"
#include "ip/ip_layer.hpp"
#include "name_service.hpp"

namespace wireside::apps {
namespace {

namespace json = boost::json;

/// Of an address that nobody takes back, as iproute2 writes it.
constexpr std::uint64_t for_ever = 4294967295;
constexpr Ipv4Prefix link_local_network{Ipv4Address{169, 254, 0, 0}, 16};

std::string_view origin_name(ip::RouteOrigin origin) {
  switch (origin) {
    case ip::RouteOrigin::Static:
      return "static";
    case ip::RouteOrigin::Dhcp:
      return "dhcp";
    case ip::RouteOrigin::Connected:
      return "kernel";
  }
  return "unknown";
}

void add_connections(const Runtime& runtime, const Stack& stack, json::array& out) {
  const std::string& dev = runtime.device().name();
  for (const auto& l : stack.listeners()) {
    out.push_back(json::object{{"netid", "tcp"},
                               {"state", "LISTEN"},
                               {"recv_q", l.waiting},
                               {"send_q", l.backlog},
                               {"local", l.local.to_string()},
                               {"peer", "0.0.0.0:*"},
                               {"dev", dev}});
  }
  for (const auto& c : stack.connections()) {
    json::object line{{"netid", "tcp"},
                      {"state", to_string(c.state)},
                      {"recv_q", c.receive_queued},
                      {"send_q", c.send_queued},
                      {"local", c.tuple.local.to_string()},
                      {"peer", c.tuple.remote.to_string()},
                      {"dev", dev}};
    if (c.timer) {
      line["timer"] = to_string(*c.timer);
      const auto left = std::chrono::round<std::chrono::milliseconds>(c.timer_due - runtime.now());
      line["timer_ms"] = std::max<std::int64_t>(0, left.count());
    }
    line["info"] = agent::to_json(c);
    out.push_back(std::move(line));
  }
}

void add_datagram_sockets(const std::string& dev, const Stack& stack, json::array& out) {
  for (const auto& s : stack.datagram_sockets()) {
    out.push_back(json::object{{"netid", s.service == udp::Service::Udp ? "udp" : "icmp"},
                               {"state", s.peer ? "ESTABLISHED" : "UNCONN"},
                               {"recv_q", s.receive_queued},
                               {"send_q", s.send_queued},
                               {"local", s.local.to_string()},
                               {"peer", s.peer ? s.peer->to_string() : "0.0.0.0:*"},
                               {"receive_buffer", s.receive_buffer},
                               {"dev", dev}});
  }
}

void add_neighbours(const std::string& dev, const Stack& stack, json::array& out) {
  for (const auto& n : stack.neighbours()) {
    json::object line{{"dst", n.address.to_string()}, {"dev", dev}, {"state", json::array{to_string(n.state)}}};
    if (!n.mac.is_zero()) line["lladdr"] = n.mac.to_string();
    if (n.parked != 0) line["waiting"] = n.parked;
    out.push_back(std::move(line));
  }
}

json::object to_json(const ip::Route& route, const std::string& dev, bool usable) {
  json::object line{{"dst", route.destination.length == 0 ? "default" : route.destination.to_string()}};
  if (route.on_link()) line["scope"] = "link";
  if (!route.on_link()) line["gateway"] = route.gateway.to_string();
  line["dev"] = dev;
  line["protocol"] = origin_name(route.origin);
  if (!route.source.is_unspecified()) line["prefsrc"] = route.source.to_string();
  if (route.metric != 0) line["metric"] = route.metric;
  line["flags"] = usable ? json::array{} : json::array{"dead"};
  return line;
}

void add_routes(const std::string& dev, const ip::Routes& routes, json::array& out) {
  for (const auto& r : routes.routes()) out.push_back(to_json(r, dev, r.on_link() || routes.is_usable(r.gateway)));
  for (const auto& own : routes.addresses()) {
    if (own.length == 32) continue;
    out.push_back(to_json(
        {.destination = {own.network(), own.length}, .source = own.address, .origin = ip::RouteOrigin::Connected}, dev,
        true));
  }
}

void add_router_routes(const ControlSubject& subject, json::array& out) {
  for (const auto& r : subject.router->table().routes()) {
    Runtime& runtime = *subject.interfaces.at(r.interface);
    const bool usable = r.on_link() || runtime.stack().routes().is_usable(r.gateway);
    out.push_back(to_json(r, runtime.device().name(), usable));
  }
}

/// What the network taught about single destinations: another first hop (redirect), a narrow path. `ip route` calls
/// such routes cached.
void add_learnt_routes(const Runtime& runtime, const Stack& stack, json::array& out) {
  std::map<Ipv4Address, json::object> lines;
  const auto line_of = [&](Ipv4Address destination) -> json::object& {
    json::object& line = lines[destination];
    if (!line.empty()) return line;
    line["dst"] = destination.to_string();
    const auto hop = stack.routes().next_hop(destination);
    if (hop && *hop != destination) line["gateway"] = hop->to_string();
    line["dev"] = runtime.device().name();
    line["cache"] = json::array{};
    return line;
  };
  const auto expires = [&](json::object& line, Instant then) {
    const auto left = seconds_until(then, runtime.now());
    const json::value* other = line.if_contains("expires");
    line["expires"] = other != nullptr ? std::min(left, other->to_number<std::uint64_t>()) : left;
  };
  for (const auto& r : stack.redirects()) {
    json::object& line = line_of(r.destination);
    line["gateway"] = r.gateway.to_string();
    line["cache"].as_array().emplace_back("redirected");
    expires(line, r.expires);
  }
  for (const auto& p : stack.path_mtus()) {
    json::object& line = line_of(p.destination);
    line["metrics"] = json::array{json::object{{"mtu", p.mtu}}};
    expires(line, p.expires);
  }
  for (auto& [destination, line] : lines) out.push_back(std::move(line));
}

json::object address_line(const std::string& dev, const Ipv4Prefix& own) {
  json::object line{{"family", "inet"}, {"local", own.address.to_string()}, {"prefixlen", own.length}};
  if (const auto broadcast = own.directed_broadcast()) line["broadcast"] = broadcast->to_string();
  line["scope"] = link_local_network.contains(own.address) ? "link" : "global";
  line["label"] = dev;
  line["valid_life_time"] = line["preferred_life_time"] = for_ever;
  return line;
}

json::object address_of(const Runtime& runtime, const Stack& stack) {
  json::array addresses;
  const std::string& dev = runtime.device().name();
  const dhcp::Status dhcp = stack.dhcp_status();
  for (const auto& own : stack.routes().addresses()) {
    json::object line = address_line(dev, own);
    if (dhcp.lease && dhcp.lease->prefix == own) {
      line["dynamic"] = true;
      if (!dhcp.lease->infinite && !dhcp.lease->link_local) {
        line["valid_life_time"] = line["preferred_life_time"] = seconds_until(dhcp.lease->expires_at(), runtime.now());
      }
    }
    addresses.push_back(std::move(line));
  }
  for (const auto& own : stack.tentative_addresses()) {
    json::object line = address_line(dev, own);
    line["tentative"] = true;
    addresses.push_back(std::move(line));
  }
  const bool up = !runtime.device().link_problem();
  json::object line;
  // 0 where the device came as a descriptor, and is another namespace's.
  if (const unsigned index = ::if_nametoindex(dev.c_str()); index != 0) line["ifindex"] = index;
  const json::object rest{
      {"ifname", dev},
      {"flags", up ? json::array{"BROADCAST", "UP", "LOWER_UP"} : json::array{"NO-CARRIER", "BROADCAST", "UP"}},
      {"mtu", stack.mtu()},
      {"operstate", up ? "UP" : "DOWN"},
      {"link_type", "ether"},
      {"address", stack.mac().to_string()},
      {"broadcast", "ff:ff:ff:ff:ff:ff"},
      {"offload", runtime.device().offload()},
      {"addr_info", std::move(addresses)}};
  for (const auto& field : rest) line.insert(field);
  return line;
}

json::object to_json(const dns::CachedReading& cached) {
  using Kind = dns::Reading::Kind;
  const dns::Reading& reading = cached.reading;
  json::object line{{"name", cached.name.to_string()}, {"ttl", cached.ttl}};
  if (reading.kind == Kind::Alias) {
    line["type"] = "CNAME";
    line["target"] = reading.last.to_string();
    return line;
  }
  line["type"] = "A";
  line["status"] = reading.kind == Kind::Addresses ? "NOERROR" : reading.kind == Kind::NotFound ? "NXDOMAIN" : "NODATA";
  json::array addresses;
  for (const auto& a : reading.addresses) addresses.emplace_back(a.address.to_string());
  line["addresses"] = std::move(addresses);
  return line;
}

json::object names_of(Runtime& runtime) {
  const dns::Resolver& resolver = runtime.names().resolver();
  json::array servers;
  for (const auto& server : resolver.servers()) {
    servers.emplace_back(server.port == dns::dns_port ? server.address.to_string() : server.to_string());
  }
  json::array search;
  for (const auto& domain : resolver.search()) search.emplace_back(domain.to_string());
  json::array cache;
  for (const auto& cached : resolver.cache().list(runtime.now())) cache.push_back(to_json(cached));
  const dns::ResolverCounters& c = resolver.counters();
  return {{"ifname", runtime.device().name()},
          {"servers", std::move(servers)},
          {"search", std::move(search)},
          {"cache", std::move(cache)},
          {"statistics",
           {{"queries_under_way", resolver.queries_under_way()},
            {"queries", c.queries},
            {"cache_hits", c.from_cache},
            {"datagrams_sent", c.datagrams_sent},
            {"streams_opened", c.streams_opened},
            {"answers_taken", c.answers_taken},
            {"answers_ignored", c.answers_ignored},
            {"timeouts", c.timeouts},
            {"cache_octets", resolver.cache().octets()}}}};
}

json::object statistics_of(const std::string& dev, const Stack& stack) {
  const Statistics all = stack.statistics();
  json::object counters;
  for (const auto& s : list(all)) counters[s.name] = s.value;
  json::object drops;
  for (const auto& s : list_drops(all)) drops[s.name] = s.value;
  return {{"dev", dev}, {"counters", std::move(counters)}, {"drops", std::move(drops)}};
}

}  // namespace

json::object control_answer(const ControlSubject& subject, const ControlRequest& request) {
  if (subject.queues != nullptr) return control_answer_of_queues(subject, request);
  const ControlQuestion question = request.question;
  json::array lines;
  if (request.destination) {
    lines = way_to(subject, *request.destination);
    if (lines.empty()) {
      return control_refusal(
          fmt::format("the network is unreachable: no route to {}", request.destination->to_string()));
    }
    return {{"ok", true}, {"command", subject.command}, {"pid", ::getpid()}, {to_string(question), std::move(lines)}};
  }
  if (question == ControlQuestion::Route && subject.router != nullptr) add_router_routes(subject, lines);
  for (Runtime* runtime : subject.interfaces) {
    const std::string& dev = runtime->device().name();
    const Stack& stack = runtime->stack();
    switch (question) {
      case ControlQuestion::Hello:
        lines.emplace_back(dev);
        break;
      case ControlQuestion::Ss:
        add_connections(*runtime, stack, lines);
        add_datagram_sockets(dev, stack, lines);
        break;
      case ControlQuestion::Neigh:
        add_neighbours(dev, stack, lines);
        break;
      case ControlQuestion::Route:
        if (subject.router == nullptr) add_routes(dev, stack.routes(), lines);
        add_learnt_routes(*runtime, stack, lines);
        break;
      case ControlQuestion::Addr:
        lines.push_back(address_of(*runtime, stack));
        break;
      case ControlQuestion::Stats:
        lines.push_back(statistics_of(dev, stack));
        break;
      case ControlQuestion::Dns:
        lines.push_back(names_of(*runtime));
        break;
    }
  }
  return {{"ok", true}, {"command", subject.command}, {"pid", ::getpid()}, {to_string(question), std::move(lines)}};
}

}  // namespace wireside::apps

// Tables and counters of a running endpoint as JSON.
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <string_view>

#include "agent_json.hpp"
#include "control.hpp"
#include "ip/ip_layer.hpp"

namespace wireside::apps {
namespace {

namespace json = boost::json;

double ms(Duration d) { return static_cast<double>(d.count()) / 1e6; }

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
      line["timer_ms"] = std::max(0.0, ms(c.timer_due - runtime.now()));
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
    json::object line{{"dst", n.address.to_string()}, {"dev", dev}, {"state", to_string(n.state)}};
    if (!n.mac.is_zero()) line["lladdr"] = n.mac.to_string();
    if (n.parked != 0) line["waiting"] = n.parked;
    out.push_back(std::move(line));
  }
}

json::object to_json(const ip::Route& route, const std::string& dev, bool usable) {
  json::object line{{"dst", route.destination.length == 0 ? "default" : route.destination.to_string()}};
  if (!route.on_link()) line["gateway"] = route.gateway.to_string();
  line["dev"] = dev;
  line["protocol"] = origin_name(route.origin);
  if (!route.source.is_unspecified()) line["prefsrc"] = route.source.to_string();
  if (route.metric != 0) line["metric"] = route.metric;
  if (!usable) line["flags"] = json::array{"dead"};
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

/// As `ip -json addr` has it: seconds, of an address that a DHCP server lent.
void add_lifetime(const Runtime& runtime, const dhcp::Lease& lease, json::object& line) {
  line["dynamic"] = true;
  if (lease.infinite) return;
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(lease.expires_at() - runtime.now()).count();
  line["valid_life_time"] = line["preferred_life_time"] = std::max<std::int64_t>(left, 0);
}

json::object address_of(const Runtime& runtime, const Stack& stack) {
  json::array addresses;
  const dhcp::Status dhcp = stack.dhcp_status();
  for (const auto& own : stack.routes().addresses()) {
    json::object line{{"family", "inet"}, {"local", own.address.to_string()}, {"prefixlen", own.length}};
    if (const auto broadcast = own.directed_broadcast()) line["broadcast"] = broadcast->to_string();
    if (dhcp.lease && dhcp.lease->prefix == own) add_lifetime(runtime, *dhcp.lease, line);
    addresses.push_back(std::move(line));
  }
  return {{"ifname", runtime.device().name()},
          {"mtu", stack.config().link.mtu},
          {"operstate", runtime.device().link_problem() ? "DOWN" : "UP"},
          {"link_type", "ether"},
          {"address", stack.mac().to_string()},
          {"offload", runtime.device().offload()},
          {"addr_info", std::move(addresses)}};
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

json::object control_answer(const ControlSubject& subject, ControlQuestion question) {
  json::array lines;
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
        break;
      case ControlQuestion::Addr:
        lines.push_back(address_of(*runtime, stack));
        break;
      case ControlQuestion::Stats:
        lines.push_back(statistics_of(dev, stack));
        break;
    }
  }
  return {{"ok", true}, {"command", subject.command}, {"pid", ::getpid()}, {to_string(question), std::move(lines)}};
}

}  // namespace wireside::apps

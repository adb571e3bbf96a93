#include "sim_network.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <tuple>

#include "wire/arp.hpp"
#include "wire/ethernet.hpp"

namespace wireside::sim {
namespace {

constexpr std::uint8_t prefix_length = 30;

Ipv4Address address_on(std::size_t link, bool first) {
  return Ipv4Address{0x0a000000U + static_cast<std::uint32_t>(4 * link) + (first ? 1U : 2U)};
}

/// A seed of its own for each part, so that adding a link or a host leaves the others' random numbers alone.
Seed seed_of(std::uint64_t seed, std::uint64_t kind, std::uint64_t number) {
  Random mixed{make_seed(seed)};
  const SipKey key = mixed.sip_key();
  std::array<std::uint8_t, 16> octets{};
  for (unsigned i = 0; i < 8; ++i) {
    octets[i] = static_cast<std::uint8_t>(kind >> (8 * i));
    octets[8 + i] = static_cast<std::uint8_t>(number >> (8 * i));
  }
  return make_seed(siphash24(key, octets));
}

/// Where no bit is ever wrong and nobody sees the frames, checksums only cost time.
bool can_leave_checksums(const Scenario& scenario, bool frames_are_read) {
  const auto corrupts = [](const Link& l) { return l.forth.corrupt.possible() || l.back.corrupt.possible(); };
  return !frames_are_read && std::ranges::none_of(scenario.links, corrupts);
}

}  // namespace

Network::Network(const Scenario& scenario, bool frames_are_read)
    : leave_checksums_{can_leave_checksums(scenario, frames_are_read)} {
  for (std::size_t i = 0; i < scenario.links.size(); ++i) {
    const std::size_t a = add_interface(scenario, i, true);
    const std::size_t b = add_interface(scenario, i, false);
    const auto way = [&](const impair::Settings& settings, std::uint64_t number) {
      return impair::Impairment{settings, seed_of(scenario.seed, 1, 2 * i + number), observe::Direction::Out, pool_};
    };
    links_.push_back(
        std::make_unique<LinkState>(LinkState{a, b, way(scenario.links[i].forth, 0), way(scenario.links[i].back, 1)}));
    introduce(a, b);
    introduce(b, a);
  }
  add_routers(scenario);
}

std::size_t Network::add_interface(const Scenario& scenario, std::size_t link, bool forth) {
  const Link& l = scenario.links[link];
  const std::string& node = forth ? l.a : l.b;
  const std::string& peer = forth ? l.b : l.a;
  const auto host = std::ranges::find(scenario.hosts, node, &sim::Host::name);
  const bool is_host = host != scenario.hosts.end();
  Config config;
  if (is_host) config.tcp = host->tcp;
  config.link.mtu = l.mtu;
  // However far a neighbour is, it gets the time to answer.
  const Duration round_trip = l.forth.delay + l.forth.jitter + l.back.delay + l.back.jitter;
  config.link.neighbours.retransmit = std::max(config.link.neighbours.retransmit, round_trip);
  config.ip.addresses = {{address_on(link, forth), prefix_length}};
  config.ip.forwarding = !is_host;
  config.link.tx_checksum_offload = leave_checksums_;
  if (is_host && std::ranges::find(scenario.routers, peer, &sim::Router::name) != scenario.routers.end()) {
    config.ip.gateway = address_on(link, !forth);
  }
  const std::size_t number = interfaces_.size();
  interfaces_.push_back({.node = node,
                         .peer = peer,
                         .is_host = is_host,
                         .link = link,
                         .forth = forth,
                         .stack = std::make_unique<Stack>(config, seed_of(scenario.seed, 0, number))});
  return number;
}

/// An ARP request of the neighbour, as if from before the beginning; the answer goes nowhere.
void Network::introduce(std::size_t to, std::size_t neighbour) {
  std::array<std::uint8_t, wire::ethernet_header_length + wire::arp_message_length> frame{};
  const MacAddress source = stack(neighbour).mac();
  wire::emit_ethernet({.destination = stack(to).mac(), .source = source, .ether_type = 0x0806}, frame);
  wire::emit_arp({.operation = wire::ArpMessage::Operation::Request,
                  .sender_mac = source,
                  .sender_ip = address(neighbour),
                  .target_mac = {},
                  .target_ip = address(to)},
                 MutableByteView{frame}.subspan(wire::ethernet_header_length));
  stack(to).handle_frame(Instant{}, Packet{.data = pool_.copy(frame)});
  FrameOut answer;
  while (stack(to).poll_frame(Instant{}, answer)) answer.clear();
}

void Network::add_routers(const Scenario& scenario) {
  for (const sim::Router& router : scenario.routers) {
    auto state = std::make_unique<RouterState>();
    for (std::size_t i = 0; i < interfaces_.size(); ++i) {
      if (interfaces_[i].node != router.name) continue;
      state->router.add_interface(stack(i));
      interfaces_[i].router = routers_.size();
      state->interfaces.push_back(i);
    }
    add_routes(scenario, router.name, *state);
    routers_.push_back(std::move(state));
  }
}

/// Breadth first over routers: the first one found leads to the networks beyond it by the fewest links.
void Network::add_routes(const Scenario& scenario, const std::string& name, RouterState& state) {
  state.router.pump(Instant{});            // learns the networks of its interfaces
  std::map<std::string, std::size_t> way;  // router -> our interface that leads there
  std::vector<bool> known(scenario.links.size());
  std::deque<std::string> next{name};
  way[name] = SIZE_MAX;
  while (!next.empty()) {
    const std::string at = next.front();
    next.pop_front();
    for (std::size_t i = 0; i < interfaces_.size(); ++i) {
      const Interface& interface = interfaces_[i];
      if (interface.node != at) continue;
      const std::size_t through = at == name ? i : way[at];
      if (at != name && !known[interface.link]) {
        const std::size_t link = interfaces_[through].link;
        const Ipv4Prefix destination{Ipv4Prefix{address_on(interface.link, true), prefix_length}.network(),
                                     prefix_length};
        std::ignore = state.router.add_route(
            {.destination = destination, .gateway = address_on(link, !interfaces_[through].forth)});
      }
      known[interface.link] = true;
      const bool is_router =
          std::ranges::find(scenario.routers, interface.peer, &sim::Router::name) != scenario.routers.end();
      if (is_router && way.emplace(interface.peer, through).second) next.push_back(interface.peer);
    }
  }
}

std::size_t Network::host(const std::string& name) const {
  const auto found = std::ranges::find(interfaces_, name, &Interface::node);
  return static_cast<std::size_t>(found - interfaces_.begin());
}

Ipv4Address Network::address(std::size_t interface) const {
  return address_on(interfaces_[interface].link, interfaces_[interface].forth);
}

const impair::Impairment::Counters& Network::counters(std::size_t link, bool forth) const {
  return (forth ? links_[link]->forth : links_[link]->back).counters();
}

Instant Network::next_deadline() {
  Instant next = Instant::max();
  for (const auto& link : links_) next = std::min({next, link->forth.next_arrival(), link->back.next_arrival()});
  for (Interface& interface : interfaces_) next = std::min(next, deadline_of(interface));
  return next;
}

void Network::deliver(Instant now, impair::Impairment& way, std::size_t to) {
  if (way.next_arrival() > now) return;
  touch(to);
  Packet frame;
  while (way.receive(now, frame)) stack(to).handle_frame(now, std::move(frame));
}

void Network::advance(Instant now) {
  for (const auto& link : links_) {
    deliver(now, link->forth, link->b);
    deliver(now, link->back, link->a);
  }
  for (Interface& interface : interfaces_) {
    if (deadline_of(interface) > now) continue;
    touch(interface);
    interface.stack->handle_timeouts(now);
  }
}

void Network::send(Instant now) {
  for (bool again = true; again;) {
    again = false;
    for (const auto& state : routers_) {
      if (!std::exchange(state->awake, false)) continue;
      state->router.pump(now, [&](std::size_t touched) { touch(state->interfaces[touched]); });
      for (const std::size_t i : state->interfaces) interfaces_[i].deadline_known = false;
    }
    for (Interface& interface : interfaces_) {
      if (!std::exchange(interface.touched, false)) continue;
      interface.stirred = true;
      interface.deadline_known = false;
      LinkState& link = *links_[interface.link];
      impair::Impairment& way = interface.forth ? link.forth : link.back;
      while (interface.stack->poll_frame(now, frame_)) {
        way.send(now, impair::flatten(frame_, pool_), interface.stack->sink());
        frame_.clear();
      }
      if (interface.is_host) continue;
      // What came in is to be forwarded; what could not leave (no neighbour, too big) goes back to the router.
      routers_[interface.router]->awake = true;
      again = true;
    }
  }
}

}  // namespace wireside::sim

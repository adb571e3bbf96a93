// Construction and the public face of Stack. Input: stack_input.cpp. Output: stack_output.cpp.
#include "stack.hpp"

#include <algorithm>
#include <utility>

#include "stack_state.hpp"

namespace wireside {
namespace {

constexpr std::size_t ip_tcp_headers = wire::ipv4_min_header + wire::tcp_min_header;
/// Payload of the largest super-segment: an IPv4 packet of 65,535 octets with the longest TCP header.
constexpr std::size_t max_super_segment = 65535 - wire::ipv4_min_header - wire::tcp_max_header;

/// Locally administered and unicast.
MacAddress random_mac(Random& random) {
  MacAddress mac;
  std::uint64_t bits = random.next_u64();
  for (auto& octet : mac.octets) {
    octet = static_cast<std::uint8_t>(bits);
    bits >>= 8;
  }
  mac.octets[0] = static_cast<std::uint8_t>((mac.octets[0] & 0xfcU) | 0x02U);
  return mac;
}

Config completed(Config config, Random& random) {
  if (config.link.mac.is_zero()) config.link.mac = random_mac(random);
  // One default TTL for all protocols, unless TCP was given its own.
  if (config.tcp.defaults.ttl == tcp::ConnectionOptions{}.ttl) config.tcp.defaults.ttl = config.ip.default_ttl;
  return config;
}

udp::UdpConfig udp_config(const Config& config) {
  udp::UdpConfig udp;
  udp.defaults.ttl = config.ip.default_ttl;
  udp.ephemeral_first = config.tcp.ephemeral_first;
  udp.ephemeral_last = config.tcp.ephemeral_last;
  return udp;
}

SocketConfig socket_config(const Config& config) {
  return {.stream_defaults = config.tcp.defaults,
          .ephemeral_first = config.tcp.ephemeral_first,
          .ephemeral_last = config.tcp.ephemeral_last};
}

}  // namespace

Result<IpAddress> RoutedAddresses::source_for(IpAddress destination) const {
  if (gone_) return fail(Error::NetworkDown);
  const Ipv4Address to = destination.v4();
  const auto kind = routes_.classify(to);
  if (kind == ip::AddressKind::Broadcast || kind == ip::AddressKind::Multicast) {
    const auto& ours = routes_.addresses();
    if (ours.empty()) return fail(Error::NetworkUnreachable);
    const auto on_link = std::find_if(ours.begin(), ours.end(), [&](const Ipv4Prefix& p) { return p.contains(to); });
    return IpAddress{(on_link == ours.end() ? ours.front() : *on_link).address};
  }
  const auto source = routes_.source_for(to);
  if (!source) return fail(source.error());
  return IpAddress{*source};
}

bool RoutedAddresses::is_local(IpAddress address) const {
  const auto kind = routes_.classify(address.v4());
  return kind == ip::AddressKind::Local || kind == ip::AddressKind::Loopback;
}

std::uint16_t RoutedAddresses::path_mtu(IpAddress destination) const { return ip_.path_mtu(destination.v4()); }

std::uint16_t RoutedAddresses::link_mtu(IpAddress destination) const {
  return is_local(destination) ? std::uint16_t{65535} : ip_.mtu();
}

MessageLimits RoutedAddresses::message_limits(IpAddress destination, std::size_t ip_options) const {
  return {.mms_s = ip_.mms_s(destination.v4(), ip_options), .mms_r = ip::IpLayer::mms_r()};
}

bool RoutedAddresses::is_broadcast(IpAddress address) const { return routes_.is_broadcast(address.v4()); }

StackState::StackState(const Config& wanted, const Seed& seed)
    : random{seed},
      config{completed(wanted, random)},
      link{config.link, random, sink},
      ip{config.ip, config.link.mtu, random, pool, sink},
      udp{udp_config(config), random, pool, sink},
      tcp{config.tcp, random, pool, sink},
      paths{ip},
      addresses{ip},
      sockets{tcp, udp, addresses, random, pool, socket_config(config)},
      segmenter_{{.tso = config.link.tso,
                  .tx_checksum_offload = config.link.tx_checksum_offload,
                  .pad_to_minimum = config.link.pad_to_minimum}} {
  set_mtu(config.link.mtu);
  tcp.set_path_mtu(&paths);
  hold_back_unchecked();
  refresh_addresses();
}

void StackState::set_mtu(std::uint16_t mtu) {
  ++settings_generation_;
  ip.set_mtu(mtu);
  tcp.set_limits(static_cast<std::uint16_t>(mtu - ip_tcp_headers), max_super_segment);
}

void StackState::refresh_addresses() {
  ++settings_generation_;
  config.ip.addresses = ip.routes().addresses();
  ip.redirects().clear();
  link.set_addresses(config.ip.addresses);
}

void StackState::set_gateway(std::optional<Ipv4Address> gateway) {
  ++settings_generation_;
  ip.routes().set_gateway(gateway);
  ip.redirects().clear();
  config.ip.gateway = gateway;
}

/// What redirects taught was about the routes as they were.
Result<void> StackState::add_route(const ip::Route& route) {
  if (auto added = ip.routes().add_route(route); !added) return added;
  ++settings_generation_;
  ip.redirects().clear();
  return {};
}

void StackState::remove_route(Ipv4Prefix destination, std::optional<Ipv4Address> gateway) {
  ip.routes().remove_route(destination, gateway);
  ++settings_generation_;
  ip.redirects().clear();
}

std::optional<Instant> StackState::next_deadline() {
  Instant next = std::min({link.next_deadline(), ip.next_deadline(), tcp.next_deadline()});
  if (!loopback_.empty()) next = std::min(next, loopback_since_);
  next = std::min(next, dhcp_deadline());
  if (next == Instant::max()) return std::nullopt;
  return next;
}

void StackState::handle_timeouts(Instant now) {
  link.handle_timeouts(now);
  ip.handle_timeouts(now);
  handle_address_results(now);
  tcp.handle_timeouts(now);
  // A gateway that was given up has rested: it is asked for by ARP, and used again when it answers.
  while (const auto gateway = ip.routes().poll_retry(now)) link.verify(now, *gateway);
  take_advice(now);
  dhcp_timeouts(now);
  handle_unresolved(now);
  handle_loopback(now);
  sink.handled(now);
}

Stack::Stack(const Config& config, const Seed& seed) : state_{std::make_unique<StackState>(config, seed)} {}
Stack::~Stack() = default;

void Stack::handle_frame(Instant now, Packet frame) { state_->handle_frame(now, frame); }
bool Stack::poll_frame(Instant now, FrameOut& out) { return state_->poll_frame(now, out); }
std::optional<Instant> Stack::next_deadline() const { return state_->next_deadline(); }
void Stack::handle_timeouts(Instant now) { state_->handle_timeouts(now); }
std::optional<SocketEvent> Stack::poll_event() { return state_->sockets.poll_event(); }

SocketTable& Stack::sockets() { return state_->sockets; }
BufferPool& Stack::buffers() { return state_->pool; }
void Stack::attach(observe::Observer* observer) { state_->sink.attach(observer); }
const observe::Sink& Stack::sink() const { return state_->sink; }
observe::Sink& Stack::sink() { return state_->sink; }

MacAddress Stack::mac() const { return state_->config.link.mac; }
const Config& Stack::config() const { return state_->config; }
std::uint16_t Stack::mtu() const { return state_->ip.mtu(); }

Result<void> Stack::add_address(Instant now, Ipv4Prefix prefix) { return state_->add_address(now, prefix); }
Result<void> Stack::remove_address(Instant now, Ipv4Address address) { return state_->remove_address(now, address); }
void Stack::check_address(Instant now, Ipv4Address address) { state_->link.conflicts().start_probe(now, address); }
std::optional<link::ConflictResult> Stack::poll_address_event() { return state_->poll_address_event(); }

void Stack::set_gateway(std::optional<Ipv4Address> gateway) { state_->set_gateway(gateway); }

Result<void> Stack::start_dhcp(Instant now, const dhcp::Options& options) { return state_->start_dhcp(now, options); }
void Stack::stop_dhcp(Instant now, bool release) { state_->stop_dhcp(now, release); }
Result<void> Stack::inform_dhcp(Instant now, const dhcp::Options& options) { return state_->inform_dhcp(now, options); }
dhcp::Status Stack::dhcp_status() const { return state_->dhcp_status(); }
std::optional<dhcp::Change> Stack::poll_dhcp_change() { return state_->poll_dhcp_change(); }

Result<void> Stack::add_route(const ip::Route& route) { return state_->add_route(route); }
void Stack::remove_route(Ipv4Prefix destination, std::optional<Ipv4Address> gateway) {
  state_->remove_route(destination, gateway);
}
void Stack::watch_gateway(Ipv4Address gateway) { state_->ip.routes().watch(gateway); }
const ip::Routes& Stack::routes() const { return state_->ip.routes(); }

void Stack::announce(Instant now) { state_->announce(now); }
void Stack::link_down() { state_->link_down(); }
void Stack::interface_gone(Instant now) { state_->interface_gone(now); }
std::vector<tcp::ConnectionStatus> Stack::connections() const { return state_->tcp.list(); }
std::vector<tcp::ListenerStatus> Stack::listeners() const { return state_->tcp.list_listeners(); }
std::vector<udp::SocketStatus> Stack::datagram_sockets() const { return state_->udp.list(); }
std::vector<link::NeighbourInfo> Stack::neighbours() const { return state_->link.neighbours().list(); }

std::vector<ip::RedirectInfo> Stack::redirects() const { return state_->ip.redirects().list(); }
std::vector<ip::PathMtuInfo> Stack::path_mtus() const { return state_->ip.path_mtus().list(); }
std::vector<Ipv4Prefix> Stack::tentative_addresses() const { return state_->tentative_addresses(); }

Statistics Stack::statistics() const {
  Statistics all{.count = state_->sink.count};
  for (std::size_t i = 0; i < all.drops.size(); ++i) all.drops[i] = state_->sink.drops(observe::DropReason(i));
  for (const auto& c : state_->tcp.list()) {
    all.tcp_established += c.state == TcpState::Established || c.state == TcpState::CloseWait;
  }
  return all;
}

bool Stack::poll_transit(TransitPacket& out) { return state_->poll_transit(out); }
void Stack::forward(Instant now, TransitPacket&& packet, Ipv4Address next_hop) {
  state_->forward(now, std::move(packet), next_hop);
}
void Stack::deliver(Instant now, const TransitPacket& packet) { state_->deliver(now, packet); }
void Stack::refuse_transit(Instant now, observe::DropReason reason) {
  if (reason == observe::DropReason::TooBig) ++state_->sink.count.ip_fragment_failures;
  state_->sink.drop(now, reason);
}
void Stack::icmp_error(Instant now, const wire::IcmpHeader& error, const ip::IncomingDatagram& original) {
  state_->ip.icmp_error(now, error, original);
}

}  // namespace wireside

// The DHCP client joined to the rest: frames before an address is held, and what a lease sets and takes back.
#include <algorithm>
#include <utility>

#include "base/checksum.hpp"
#include "stack_state.hpp"
#include "wire/dhcp.hpp"
#include "wire/header_edit.hpp"
#include "wire/ipv4.hpp"
#include "wire/udp.hpp"

namespace wireside {
namespace {

using observe::DropReason;
using observe::TxReason;

/// News that nobody asks for is forgotten beyond this.
constexpr std::size_t max_news = 64;
/// Time for the server's neighbour entry to resolve, should it not be known, before a released address goes.
constexpr Duration release_wait = std::chrono::seconds{1};

TxReason reason_of(const wire::DhcpMessage& m) {
  switch (*m.type) {
    case wire::DhcpMessageType::Discover:
      return TxReason::DhcpDiscover;
    case wire::DhcpMessageType::Decline:
      return TxReason::DhcpDecline;
    case wire::DhcpMessageType::Release:
      return TxReason::DhcpRelease;
    case wire::DhcpMessageType::Inform:
      return TxReason::DhcpInform;
    default:
      return TxReason::DhcpRequest;
  }
}

void write_udp(FrameOut& out) {
  const auto length = static_cast<std::uint16_t>(wire::udp_header_length + out.payload.octets());
  wire::emit_udp({.source = wire::dhcp_client_port, .destination = wire::dhcp_server_port, .length = length},
                 {out.header.prepend(wire::udp_header_length), wire::udp_header_length});
  out.checksum_wanted = true;
  out.checksum_offset = wire::udp_checksum_offset;
}

/// IP sends from addresses of ours only; before there is one, this message comes from 0.0.0.0 (section 4.1).
void write_ip_from_nowhere(FrameOut& out) {
  const std::size_t length = out.size();
  const wire::Ipv4Header header{.total_length = static_cast<std::uint16_t>(wire::ipv4_min_header + length),
                                .dont_fragment = true,
                                .ttl = 64,
                                .protocol = static_cast<std::uint8_t>(wire::IpProtocol::Udp),
                                .source = {},
                                .destination = Ipv4Address{255, 255, 255, 255}};
  std::uint8_t* p = out.header.prepend(wire::ipv4_min_header);
  wire::emit_ipv4(header, {p, wire::ipv4_min_header});
  out.checksum_start = wire::ipv4_min_header;
  wire::put_pseudo_header_sum({p, wire::ipv4_min_header}, static_cast<std::uint32_t>(length),
                              p + wire::ipv4_min_header + wire::udp_checksum_offset);
}

bool udp_checksum_ok(const wire::Ipv4Header& ip, ByteView datagram, std::uint16_t field, ChecksumState state) {
  if (field == 0 || state != ChecksumState::Unverified) return true;
  ChecksumAccumulator acc;
  wire::add_pseudo_header(acc, ip.source, ip.destination, ip.protocol, static_cast<std::uint32_t>(datagram.size()));
  acc.add(datagram);
  return acc.checksum() == 0;
}

/// RFC 3442: where there are classless routes, the router option counts for nothing. What the server lists first, it
/// prefers (RFC 2132 section 3.5).
std::vector<ip::Route> leased_routes(const dhcp::Configuration& c, Ipv4Address source) {
  std::vector<ip::Route> routes;
  const auto add = [&](Ipv4Prefix destination, Ipv4Address gateway) {
    routes.push_back({.destination = {destination.network(), destination.length},
                      .gateway = gateway,
                      .metric = static_cast<std::uint32_t>(routes.size()),
                      .source = source,
                      .origin = ip::RouteOrigin::Dhcp});
  };
  for (const wire::ClasslessRoute& r : c.routes) add(r.destination, r.router);
  if (!routes.empty()) return routes;
  for (const Ipv4Address router : c.routers) add({Ipv4Address{}, 0}, router);
  return routes;
}

}  // namespace

// --- user calls ---

Result<void> StackState::start_dhcp(Instant now, const dhcp::Options& options) {
  if (gone_) return fail(Error::NetworkDown);
  if (dhcp_ && dhcp_->state() != observe::DhcpState::Stopped) return fail(Error::Already);
  finish_release(now);
  dhcp_.emplace(options, config.link.mac, config.link.mtu, random, sink);
  dhcp_->start(now);
  apply_dhcp_changes(now);
  return {};
}

void StackState::stop_dhcp(Instant now, bool release) {
  if (!dhcp_) return;
  dhcp_->stop(now, release);
  apply_dhcp_changes(now);
}

Result<void> StackState::inform_dhcp(Instant now, const dhcp::Options& options) {
  if (gone_) return fail(Error::NetworkDown);
  if (dhcp_ && dhcp_->state() != observe::DhcpState::Stopped) return fail(Error::Already);
  if (ip.routes().addresses().empty()) return fail(Error::AddressNotAvailable);
  dhcp_.emplace(options, config.link.mac, config.link.mtu, random, sink);
  dhcp_->inform(now, ip.routes().addresses().front().address);
  return {};
}

dhcp::Status StackState::dhcp_status() const {
  if (!dhcp_) return {};
  return {.state = dhcp_->state(), .lease = dhcp_->lease(), .tries = dhcp_->tries()};
}

std::optional<dhcp::Change> StackState::poll_dhcp_change() {
  if (dhcp_news_.empty()) return std::nullopt;
  dhcp::Change news = std::move(dhcp_news_.front());
  dhcp_news_.pop_front();
  return news;
}

// --- time ---

Instant StackState::dhcp_deadline() const {
  Instant next = dhcp_ ? dhcp_->next_deadline() : Instant::max();
  if (releasing_) next = std::min(next, releasing_->until);
  return next;
}

void StackState::dhcp_timeouts(Instant now) {
  if (dhcp_) {
    dhcp_->handle_timeouts(now);
    apply_dhcp_changes(now);
  }
  if (releasing_ && releasing_->until <= now) finish_release(now);
}

// --- in and out ---

bool StackState::take_dhcp_packet(Instant now, const link::ArrivedPacket& arrived) {
  if (dhcp_->state() == observe::DhcpState::Stopped) return false;
  const auto ip_header = wire::parse_ipv4(arrived.packet.view());
  if (!ip_header || !ip_header->checksum_ok || ip_header->header.is_fragment()) return false;
  const wire::Ipv4Header& header = ip_header->header;
  if (header.protocol != static_cast<std::uint8_t>(wire::IpProtocol::Udp)) return false;
  const ByteView datagram =
      arrived.packet.view().subspan(ip_header->header_length, header.total_length - ip_header->header_length);
  const auto udp_header = wire::parse_udp(datagram);
  if (!udp_header || udp_header->destination != wire::dhcp_client_port) return false;
  // Without an address, a unicast frame to our MAC address is as much ours as a broadcast (section 4.1).
  const bool broadcast = ip.routes().is_broadcast(header.destination);
  const bool unconfigured = ip.routes().addresses().empty() || !dhcp_->holds_address();
  if (!broadcast && !ip.routes().is_local(header.destination) && !(unconfigured && !arrived.link_broadcast)) {
    return false;
  }
  const ByteView whole = datagram.first(udp_header->length);
  if (!udp_checksum_ok(header, whole, udp_header->checksum, arrived.checksum)) {
    sink.drop(now, DropReason::UdpBadChecksum);
    return true;
  }
  dhcp_->handle_message(now, whole.subspan(wire::udp_header_length));
  apply_dhcp_changes(now);
  return true;
}

StackState::Pulled StackState::send_dhcp(Instant now, FrameOut& out) {
  dhcp::OutgoingMessage message;
  if (!dhcp_->poll_message(now, message)) return Pulled::Nothing;
  out.payload.push_back(pool.copy(wire::emit_dhcp(message.message)));
  write_udp(out);
  out.reason = reason_of(message.message);
  if (message.source.is_unspecified()) {
    write_ip_from_nowhere(out);
    link.send_broadcast(out);
    return Pulled::Frame;
  }
  const auto next_hop = ip.prepare(
      now, {.source = message.source, .destination = message.destination, .protocol = wire::IpProtocol::Udp}, out);
  const Pulled pulled = next_hop ? dispatch(now, *next_hop, out) : Pulled::Again;
  if (out.reason == TxReason::DhcpRelease && pulled == Pulled::Frame) finish_release(now);
  return pulled;
}

// --- what follows ---

void StackState::apply_dhcp_changes(Instant now) {
  while (auto change = dhcp_->poll_change()) apply_dhcp_change(now, std::move(*change));
}

void StackState::apply_dhcp_change(Instant now, dhcp::Change&& change) {
  if (const auto* check = std::get_if<dhcp::CheckAddress>(&change)) return check_address(now, check->address);
  if (const auto* bound = std::get_if<dhcp::Bound>(&change)) use_lease(now, bound->lease);
  if (const auto* lost = std::get_if<dhcp::Lost>(&change)) {
    if (lost->why == dhcp::Lost::Why::Released) {
      releasing_ = Releasing{lost->address, now + release_wait};
    } else {
      drop_lease(now, lost->address);
    }
  }
  if (dhcp_news_.size() >= max_news) dhcp_news_.pop_front();
  dhcp_news_.push_back(std::move(change));
}

/// RFC 2131 section 4.4.1 step 5: the address is probed for (RFC 5227), unless that is switched off.
void StackState::check_address(Instant now, Ipv4Address address) {
  if (!config.link.conflict.check_before_use) {
    dhcp_->address_unchecked(now, address);
    return apply_dhcp_changes(now);
  }
  if (ip.routes().is_local(address)) return link.conflicts().verify(now, address);  // the link was down
  link.conflicts().start_probe(now, address);
}

bool StackState::is_leased(Ipv4Address address) const { return dhcp_ && dhcp_->concerns(address); }

void StackState::address_checked(Instant now, Ipv4Address address, bool free) {
  if (!dhcp_) return;
  if (free) {
    dhcp_->address_free(now, address);
  } else {
    dhcp_->address_conflict(now, address);
  }
  apply_dhcp_changes(now);
}

void StackState::use_lease(Instant now, const dhcp::Lease& lease) {
  const bool same = used_lease_ && used_lease_->prefix == lease.prefix;
  if (used_lease_ && !same) drop_lease(now, used_lease_->prefix.address);
  if (!same) {
    // Refused only when it was set by hand as well: then it stays when the lease ends.
    if (!ip.routes().add_address(lease.prefix)) return;
    used_lease_ = UsedLease{.prefix = lease.prefix, .routes = {}};
    refresh_addresses();
    link.conflicts().announce(now, lease.prefix.address);
  }
  use_routes(lease.configuration);
  set_mtu(std::min(lease.configuration.mtu.value_or(config.link.mtu), config.link.mtu));
}

/// Only what has changed is touched: a renewal does not make a dead gateway a good one.
void StackState::use_routes(const dhcp::Configuration& c) {
  const std::vector<ip::Route> wanted = leased_routes(c, used_lease_->prefix.address);
  std::erase_if(used_lease_->routes, [&](const ip::Route& r) {
    const bool unwanted = std::ranges::find(wanted, r) == wanted.end();
    if (unwanted) remove_route(r.destination, r.gateway);
    return unwanted;
  });
  for (const ip::Route& route : wanted) {
    // One set by hand stays as it is, and stays when the lease ends.
    const auto same = [&](const ip::Route& r) {
      return r.destination == route.destination && r.gateway == route.gateway;
    };
    if (std::ranges::none_of(ip.routes().routes(), same) && add_route(route)) used_lease_->routes.push_back(route);
  }
}

void StackState::forget_routes() {
  for (const ip::Route& route : used_lease_->routes) remove_route(route.destination, route.gateway);
  used_lease_->routes.clear();
}

void StackState::drop_lease(Instant now, Ipv4Address address) {
  if (!used_lease_ || used_lease_->prefix.address != address) return;
  forget_routes();
  used_lease_.reset();
  set_mtu(config.link.mtu);
  std::ignore = remove_address(now, address);
}

void StackState::finish_release(Instant now) {
  if (!releasing_) return;
  const Ipv4Address address = std::exchange(releasing_, std::nullopt)->address;
  drop_lease(now, address);
}

}  // namespace wireside

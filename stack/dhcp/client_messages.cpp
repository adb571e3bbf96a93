// Messages of the client: what is sent in each state (RFC 2131 table 5) and what is made of the answers.
#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "dhcp/client.hpp"

namespace wireside::dhcp {
namespace {

using namespace std::chrono_literals;
using observe::DropReason;
using wire::DhcpMessage;
using wire::DhcpMessageType;
using wire::DhcpOption;

constexpr Ipv4Address everybody{255, 255, 255, 255};
constexpr std::uint16_t ip_udp_headers = 28;
constexpr std::uint16_t min_max_message = 576;
constexpr std::uint16_t min_usable_mtu = 576;
constexpr std::size_t max_offers = 16;

/// Classless routes before routers (RFC 3442), what a lease needs before what is nice to have.
constexpr std::array<DhcpOption, 13> wanted{
    DhcpOption::SubnetMask,  DhcpOption::ClasslessRoutes, DhcpOption::Router,    DhcpOption::DomainNameServer,
    DhcpOption::DomainName,  DhcpOption::InterfaceMtu,    DhcpOption::LeaseTime, DhcpOption::ServerIdentifier,
    DhcpOption::RenewalTime, DhcpOption::RebindingTime,   DhcpOption::HostName,  DhcpOption::BroadcastAddress,
    DhcpOption::NtpServers,
};

/// Prefix length of a mask whose ones are all in front, else that of the address's class (RFC 950).
std::uint8_t prefix_length(Ipv4Address address, std::optional<Ipv4Address> mask) {
  if (mask && !mask->is_unspecified()) {
    const auto ones = static_cast<std::uint8_t>(std::countl_one(mask->value()));
    if (std::popcount(mask->value()) == ones) return ones;
  }
  const std::uint32_t first = address.value() >> 24;
  return first < 128 ? 8 : first < 192 ? 16 : 24;
}

bool is_usable(const Ipv4Prefix& p) {
  const Ipv4Address a = p.address;
  if (a.is_this_network() || a.is_multicast() || a.is_loopback() || a.is_reserved() || a.is_limited_broadcast()) {
    return false;
  }
  return p.length >= 31 || (a != p.network() && p.directed_broadcast() != a);
}

bool is_unicast(Ipv4Address a) {
  return !a.is_this_network() && !a.is_multicast() && !a.is_loopback() && !a.is_reserved() && !a.is_limited_broadcast();
}

std::vector<Ipv4Address> unicast_only(std::vector<Ipv4Address> addresses) {
  std::erase_if(addresses, [](Ipv4Address a) { return !is_unicast(a); });
  return addresses;
}

Configuration configuration_of(const DhcpMessage& m) {
  Configuration c;
  c.routers = unicast_only(m.routers);
  c.routes = m.classless_routes;
  c.dns_servers = unicast_only(m.dns_servers);
  c.ntp_servers = unicast_only(m.ntp_servers);
  c.domain_name = wire::printable(m.domain_name);
  c.host_name = wire::printable(m.host_name);
  if (m.mtu && *m.mtu >= min_usable_mtu) c.mtu = m.mtu;
  c.broadcast_address = m.broadcast_address;
  return c;
}

observe::DhcpMessageSeen seen(const DhcpMessage& m, bool sent) {
  const Ipv4Address about = !m.yiaddr.is_unspecified() ? m.yiaddr : m.requested_address.value_or(m.ciaddr);
  return {.sent = sent,
          .type = static_cast<std::uint8_t>(*m.type),
          .name = wire::dhcp_type_name(*m.type),
          .xid = m.xid,
          .address = about,
          .server = m.server_id.value_or(Ipv4Address{}),
          .text = wire::printable(m.message)};
}

}  // namespace

std::string_view to_string(Lost::Why why) {
  switch (why) {
    case Lost::Why::Expired:
      return "the lease expired";
    case Lost::Why::Nak:
      return "the server took it back (DHCPNAK)";
    case Lost::Why::Conflict:
      return "another host uses it";
    case Lost::Why::Released:
      return "released";
    case Lost::Why::Stopped:
      return "the DHCP client was stopped";
    case Lost::Why::Replaced:
      return "replaced by a leased address";
  }
  return "unknown";
}

std::vector<std::uint8_t> client_identifier(MacAddress mac) {
  const auto& o = mac.octets;
  return {255, o[2], o[3], o[4], o[5], 0, 3, 0, 1, o[0], o[1], o[2], o[3], o[4], o[5]};
}

// --- out ---

/// What table 5 asks for in every message of its type; addresses are filled in by the caller.
DhcpMessage Client::make(DhcpMessageType type) const {
  DhcpMessage m;
  m.type = type;
  m.xid = xid_;
  m.secs = secs_;
  m.chaddr = mac_;
  m.client_id = options_.client_id;
  if (type == DhcpMessageType::Decline || type == DhcpMessageType::Release) return m;
  m.max_message_size = std::max<std::uint16_t>(static_cast<std::uint16_t>(mtu_ - ip_udp_headers), min_max_message);
  for (const DhcpOption option : wanted) m.parameter_request_list.push_back(static_cast<std::uint8_t>(option));
  m.host_name = options_.host_name;
  m.vendor_class = options_.vendor_class;
  if (type != DhcpMessageType::Inform && options_.requested_lease) {
    const auto s = std::chrono::duration_cast<std::chrono::seconds>(*options_.requested_lease).count();
    m.lease_seconds = static_cast<std::uint32_t>(std::clamp<std::int64_t>(s, 1, 0xffffffff));
  }
  return m;
}

void Client::send(DhcpMessage message, Ipv4Address source, Ipv4Address destination) {
  outgoing_.push_back({std::move(message), source, destination});
}

bool Client::poll_message(Instant now, OutgoingMessage& out) {
  if (outgoing_.empty()) return false;
  out = std::move(outgoing_.front());
  outgoing_.pop_front();
  sink_.emit(now, [&] { return seen(out.message, true); });
  return true;
}

std::optional<Change> Client::poll_change() {
  if (changes_.empty()) return std::nullopt;
  Change change = std::move(changes_.front());
  changes_.pop_front();
  return change;
}

void Client::send_discover(Instant now) {
  secs_ = static_cast<std::uint16_t>(
      std::min<std::int64_t>(std::chrono::duration_cast<std::chrono::seconds>(now - began_).count(), 0xffff));
  auto m = make(DhcpMessageType::Discover);
  m.broadcast = options_.broadcast_flag;
  m.requested_address = asked_;
  if (options_.link_local) m.auto_configure = std::uint8_t{1};
  send(std::move(m), Ipv4Address{}, everybody);
}

void Client::send_request(Instant) {
  auto m = make(DhcpMessageType::Request);
  switch (state_) {
    case DhcpState::Requesting:
    case DhcpState::Selecting:  // on the way to REQUESTING
      m.broadcast = options_.broadcast_flag;
      m.requested_address = chosen_->address;
      m.server_id = chosen_->server;
      return send(std::move(m), Ipv4Address{}, everybody);
    case DhcpState::InitReboot:
    case DhcpState::Rebooting:
      m.broadcast = options_.broadcast_flag;
      m.requested_address = lease_->prefix.address;
      return send(std::move(m), Ipv4Address{}, everybody);
    case DhcpState::Renewing:
      m.ciaddr = lease_->prefix.address;
      return send(std::move(m), m.ciaddr, lease_->server);
    default:
      m.ciaddr = lease_->prefix.address;
      return send(std::move(m), m.ciaddr, everybody);
  }
}

/// Section 4.1: 4, 8, 16, 32, 64, 64 ... seconds, each made random by up to one second either way.
void Client::arm_retransmission(Instant now) {
  const Duration base = std::chrono::seconds{4 << std::min(tries_, 4U)};
  const Duration jitter{static_cast<std::int64_t>(random_.below(2'000'000'001)) - 1'000'000'000};
  ++tries_;
  retry_at_ = now + base + jitter;
}

// --- in ---

void Client::handle_message(Instant now, ByteView octets) {
  const auto message = wire::parse_dhcp(octets);
  if (!message || !message->type) return sink_.drop(now, DropReason::DhcpMalformed);
  if (const auto reason = refuse(*message)) return sink_.drop(now, *reason);
  std::optional<DropReason> dropped = DropReason::DhcpUnexpected;
  switch (*message->type) {
    case DhcpMessageType::Offer:
      dropped = offer_arrives(now, *message);
      break;
    case DhcpMessageType::Ack:
      dropped = ack_arrives(now, *message);
      break;
    case DhcpMessageType::Nak:
      dropped = nak_arrives(now, *message);
      break;
    default:  // FORCERENEW among them: it must be authenticated (RFC 3203 section 6), which needs a key that we lack
      break;
  }
  if (dropped) sink_.drop(now, *dropped);
}

/// What speaks against a message before its type is looked at.
std::optional<DropReason> Client::refuse(const DhcpMessage& m) const {
  if (m.op != DhcpMessage::Op::Reply || m.chaddr != mac_) return DropReason::DhcpNotForUs;
  // RFC 6842: a server that echoes the client identifier echoes ours.
  if (!m.client_id.empty() && m.client_id != options_.client_id) return DropReason::DhcpNotForUs;
  if (!open_) return DropReason::DhcpUnexpected;
  if (m.xid != xid_) return DropReason::DhcpOtherExchange;
  if (!m.server_id || !is_unicast(*m.server_id)) return DropReason::DhcpMalformed;
  return std::nullopt;
}

void Client::report_received(Instant now, const DhcpMessage& m) {
  sink_.emit(now, [&] { return seen(m, false); });
}

std::optional<DropReason> Client::offer_arrives(Instant now, const DhcpMessage& m) {
  if (state_ != DhcpState::Selecting) return DropReason::DhcpUnexpected;
  if (m.yiaddr.is_unspecified() && m.auto_configure) {  // RFC 2563: no address, but word about link-local ones
    report_received(now, m);
    auto_configure_forbidden_ = *m.auto_configure == 0;
    if (auto_configure_forbidden_) stop_link_local(Lost::Why::Nak);
    return std::nullopt;
  }
  const Ipv4Prefix prefix{m.yiaddr, prefix_length(m.yiaddr, m.subnet_mask)};
  if (!is_usable(prefix) || m.lease_seconds == 0U) return DropReason::DhcpUnusable;
  if (offers_.size() >= max_offers) return DropReason::QueueFull;
  report_received(now, m);
  offers_.push_back({m.yiaddr, *m.server_id});
  if (options_.collect_offers == Duration{} || m.yiaddr == asked_) {
    choose_offer(now);
  } else if (!choose_at_) {
    choose_at_ = now + options_.collect_offers;
  }
  return std::nullopt;
}

void Client::choose_offer(Instant now) {
  choose_at_.reset();
  if (offers_.empty()) return;
  const auto same = std::find_if(offers_.begin(), offers_.end(), [&](const Offer& o) { return o.address == asked_; });
  chosen_ = same != offers_.end() ? *same : offers_.front();
  offers_.clear();
  tries_ = 0;
  request_sent_ = now;
  send_request(now);
  arm_retransmission(now);
  transition(now, DhcpCause::OfferChosen);
}

std::optional<DropReason> Client::ack_arrives(Instant now, const DhcpMessage& m) {
  if (state_ == DhcpState::Informing) {
    report_received(now, m);
    open_ = false;
    retry_at_.reset();
    changes_.push_back(Informed{*m.server_id, configuration_of(m)});
    transition(now, DhcpCause::AckReceived);
    return std::nullopt;
  }
  const bool extending = state_ == DhcpState::Renewing || state_ == DhcpState::Rebinding;
  if (!extending && state_ != DhcpState::Requesting && state_ != DhcpState::Rebooting) {
    return DropReason::DhcpUnexpected;
  }
  if (state_ == DhcpState::Requesting && *m.server_id != chosen_->server) return DropReason::DhcpOtherServer;
  if (state_ == DhcpState::Renewing && *m.server_id != lease_->server) return DropReason::DhcpOtherServer;
  const Ipv4Address expected = state_ == DhcpState::Requesting ? chosen_->address : lease_->prefix.address;
  auto lease = lease_of(m);
  if (!lease || m.yiaddr != expected) return DropReason::DhcpUnusable;
  report_received(now, m);
  lease_ = std::move(lease);
  if (extending) {
    become_bound(now, DhcpCause::AckReceived);
    return std::nullopt;
  }
  open_ = false;
  retry_at_.reset();
  transition(now, DhcpCause::AckReceived);
  changes_.push_back(CheckAddress{lease_->prefix.address});
  return std::nullopt;
}

std::optional<DropReason> Client::nak_arrives(Instant now, const DhcpMessage& m) {
  switch (state_) {
    case DhcpState::Requesting:
      if (*m.server_id != chosen_->server) return DropReason::DhcpOtherServer;
      break;
    case DhcpState::Renewing:
      if (*m.server_id != lease_->server) return DropReason::DhcpOtherServer;
      break;
    case DhcpState::Rebinding:
    case DhcpState::Rebooting:
      break;
    default:
      return DropReason::DhcpUnexpected;
  }
  report_received(now, m);
  changes_.push_back(Refused{*m.server_id, wire::printable(m.message)});
  options_.previous.reset();
  asked_.reset();
  take_address_down(now, Lost::Why::Nak);
  return std::nullopt;
}

/// The lease an ACK gives; nullopt when it cannot be used. Times count from the sending of the first DHCPREQUEST of the
/// exchange, so that the server's idea of the end is never earlier than ours.
std::optional<Lease> Client::lease_of(const DhcpMessage& m) {
  if (!m.lease_seconds || *m.lease_seconds == 0) return std::nullopt;
  Lease lease;
  lease.prefix = {m.yiaddr, prefix_length(m.yiaddr, m.subnet_mask)};
  if (!is_usable(lease.prefix)) return std::nullopt;
  lease.server = *m.server_id;
  lease.configuration = configuration_of(m);
  lease.obtained = request_sent_;
  lease.infinite = *m.lease_seconds == wire::dhcp_infinite_lease;
  if (lease.infinite) return lease;
  lease.duration = std::chrono::seconds{*m.lease_seconds};
  const auto earlier = [&](Duration d) {  // section 4.4.5: hosts started together must not renew together
    return d - Duration{static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(d.count()) / 32 + 1))};
  };
  Duration t1 = m.renewal_seconds ? Duration{std::chrono::seconds{*m.renewal_seconds}} : lease.duration / 2;
  Duration t2 = m.rebinding_seconds ? Duration{std::chrono::seconds{*m.rebinding_seconds}} : lease.duration * 7 / 8;
  if (t2 >= lease.duration || t2 <= Duration{}) t2 = lease.duration * 7 / 8;
  if (t1 >= t2 || t1 <= Duration{}) t1 = std::min(lease.duration / 2, t2 * 4 / 7);
  lease.t1 = earlier(t1);
  lease.t2 = std::max<Duration>(earlier(t2), t1 + 1ms);
  return lease;
}

}  // namespace wireside::dhcp

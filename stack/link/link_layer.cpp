#include "link/link_layer.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

#include "wire/ethernet.hpp"

namespace wireside::link {
namespace {

using observe::DropReason;
using observe::TxReason;

// Replies waiting to leave. Beyond this somebody floods us, and a lost reply is asked for again.
constexpr std::size_t max_queued_arp = 256;

/// RFC 1112 section 6.4: the low 23 bits of the group address.
MacAddress multicast_mac(Ipv4Address group) {
  const std::uint32_t g = group.value();
  return {{0x01, 0x00, 0x5e, static_cast<std::uint8_t>((g >> 16) & 0x7f), static_cast<std::uint8_t>(g >> 8),
           static_cast<std::uint8_t>(g)}};
}

void put_ethernet(FrameOut& frame, MacAddress destination, MacAddress source, wire::EtherType type) {
  const wire::EthernetHeader header{destination, source, static_cast<std::uint16_t>(type)};
  std::uint8_t* p = frame.header.prepend(wire::ethernet_header_length);
  wire::emit_ethernet(header, {p, wire::ethernet_header_length});
}

}  // namespace

void pad_to_minimum(FrameOut& frame) {
  const std::size_t size = frame.size();
  if (size >= wire::ethernet_min_frame) return;
  // So short a frame fits into the header block as a whole, where zeros can follow it.
  std::array<std::uint8_t, wire::ethernet_min_frame> octets{};
  const ByteView header = frame.header.view();
  std::copy(header.begin(), header.end(), octets.begin());
  frame.payload.copy_to(0, MutableByteView{octets}.subspan(header.size(), size - header.size()));
  frame.payload.clear();
  frame.header.clear();
  std::memcpy(frame.header.prepend(octets.size()), octets.data(), octets.size());
}

LinkLayer::LinkLayer(const LinkConfig& config, Random& random, observe::Sink& sink)
    : config_{config},
      sink_{sink},
      neighbours_{config.neighbours, sink},
      conflicts_{config.conflict, config.mac, random, sink} {
  assert(!config.mac.is_zero() && !config.mac.is_multicast());
}

void LinkLayer::set_addresses(std::vector<Ipv4Prefix> addresses) {
  const std::vector<Ipv4Prefix> before = std::exchange(addresses_, std::move(addresses));
  for (const Ipv4Prefix& old : before) {
    if (!is_ours(old.address)) conflicts_.cancel(old.address);
  }
  for (const Ipv4Prefix& own : addresses_) conflicts_.watch(own.address);
  std::erase_if(queue_, [&](const QueuedArp& arp) { return !is_ours(arp.message.sender_ip); });
}

std::optional<ArrivedPacket> LinkLayer::handle_frame(Instant now, const Packet& frame) {
  const auto header = wire::parse_ethernet(frame.data.view());
  if (!header) {
    sink_.drop(now, DropReason::FrameTooShort);
    return std::nullopt;
  }
  if (header->destination != config_.mac && !header->destination.is_multicast()) {
    sink_.drop(now, DropReason::NotForUs);
    return std::nullopt;
  }
  // RFC 1042 frames (an 802.3 length below 0x0600 instead of a type) fall under the unknown types: ARPC-07.
  const bool ipv4 = header->ether_type == static_cast<std::uint16_t>(wire::EtherType::Ipv4);
  const bool arp = header->ether_type == static_cast<std::uint16_t>(wire::EtherType::Arp);
  Slice payload = frame.data;
  payload.remove_prefix(wire::ethernet_header_length);
  if (arp) {
    handle_arp(now, payload.view());
    return std::nullopt;
  }
  if (!ipv4) {
    sink_.drop(now, DropReason::UnknownEtherType);
    return std::nullopt;
  }
  return ArrivedPacket{std::move(payload), frame.checksum, frame.gso_size, header->destination.is_multicast(),
                       header->source};
}

void LinkLayer::handle_arp(Instant now, ByteView payload) {
  const auto message = wire::parse_arp(payload);
  if (!message || message->sender_mac.is_multicast() || message->sender_mac.is_zero()) {
    sink_.drop(now, DropReason::ArpMalformed);
    return;
  }
  const wire::ArpMessage& m = *message;
  const bool conflict = config_.answers_arp && conflicts_.handle_arp(now, m);
  const bool is_request = m.operation == wire::ArpMessage::Operation::Request;
  ++(is_request ? sink_.count.arp_requests_in : sink_.count.arp_replies_in);
  const bool gratuitous = m.sender_ip == m.target_ip;
  const bool for_us = !gratuitous && is_ours(m.target_ip);
  // A probe (RFC 5227) has no sender address yet, and nobody else can be the neighbour behind one of our addresses.
  const bool names_sender = !m.sender_ip.is_unspecified() && !m.sender_ip.is_limited_broadcast() &&
                            !m.sender_ip.is_multicast() && !is_ours(m.sender_ip);
  const bool learnt = names_sender && neighbours_.learn(now, {m.sender_ip, m.sender_mac, !is_request, for_us});
  const bool answer = config_.answers_arp && is_request && for_us && !is_ours(m.sender_ip);
  if (!answer) {
    if (!learnt && !conflict) sink_.drop(now, DropReason::ArpNotForUs);
    return;
  }
  if (queue_.size() >= max_queued_arp) {
    sink_.drop(now, DropReason::QueueFull);
    return;
  }
  const wire::ArpMessage reply{wire::ArpMessage::Operation::Reply, config_.mac, m.target_ip, m.sender_mac, m.sender_ip};
  queue_.push_back({reply, m.sender_mac, TxReason::ArpReply});
}

Disposition LinkLayer::send(Instant now, Ipv4Address next_hop, FrameOut& frame) {
  if (next_hop.is_multicast()) {
    finish(frame, multicast_mac(next_hop));
    return Disposition::Ready;
  }
  const auto mac = neighbours_.use(now, next_hop, frame);
  if (!mac) return Disposition::Parked;
  finish(frame, *mac);
  return Disposition::Ready;
}

Disposition LinkLayer::send_broadcast(FrameOut& frame) {
  finish(frame, MacAddress::broadcast());
  return Disposition::Ready;
}

bool LinkLayer::poll(Instant /*now*/, FrameOut& out) {
  out.clear();
  if (!queue_.empty()) {
    build_arp(queue_.front(), out);
    queue_.pop_front();
    return true;
  }
  if (const auto arp = conflicts_.poll_message()) {
    build_arp({arp->message, MacAddress::broadcast(), arp->reason}, out);
    return true;
  }
  while (const auto solicitation = neighbours_.poll_solicitation()) {
    if (addresses_.empty()) continue;  // our last address was lost: from 0.0.0.0 this would be a probe (RFC 5227)
    build_request(*solicitation, out);
    return true;
  }
  MacAddress mac;
  if (!neighbours_.poll_resolved(out, mac)) return false;
  finish(out, mac);
  return true;
}

void LinkLayer::clear() {
  queue_.clear();
  neighbours_.clear();
  conflicts_.clear();
}

void LinkLayer::announce(Instant now) {
  for (const Ipv4Prefix& own : addresses_) conflicts_.announce(now, own.address);
}

void LinkLayer::handle_timeouts(Instant now) {
  neighbours_.handle_timeouts(now);
  conflicts_.handle_timeouts(now);
}

bool LinkLayer::is_ours(Ipv4Address address) const {
  return std::any_of(addresses_.begin(), addresses_.end(), [&](const Ipv4Prefix& p) { return p.address == address; });
}

Ipv4Address LinkLayer::source_for(Ipv4Address target) const {
  const Ipv4Prefix* best = nullptr;
  for (const Ipv4Prefix& own : addresses_) {
    if (own.contains(target) && (best == nullptr || own.length > best->length)) best = &own;
  }
  if (best != nullptr) return best->address;
  return addresses_.empty() ? Ipv4Address{} : addresses_.front().address;
}

void LinkLayer::finish(FrameOut& frame, MacAddress destination) const {
  put_ethernet(frame, destination, config_.mac, wire::EtherType::Ipv4);
  if (frame.checksum_wanted || frame.gso_size != 0) {
    frame.checksum_start = static_cast<std::uint16_t>(frame.checksum_start + wire::ethernet_header_length);
  }
  if (config_.pad_to_minimum) pad_to_minimum(frame);
}

void LinkLayer::build_arp(const QueuedArp& arp, FrameOut& out) const {
  const bool request = arp.message.operation == wire::ArpMessage::Operation::Request;
  ++(request ? sink_.count.arp_requests_out : sink_.count.arp_replies_out);
  wire::emit_arp(arp.message, {out.header.prepend(wire::arp_message_length), wire::arp_message_length});
  put_ethernet(out, arp.destination, config_.mac, wire::EtherType::Arp);
  if (config_.pad_to_minimum) pad_to_minimum(out);
  out.reason = arp.reason;
}

void LinkLayer::build_request(const Solicitation& solicitation, FrameOut& out) const {
  const wire::ArpMessage message{wire::ArpMessage::Operation::Request, config_.mac, source_for(solicitation.target),
                                 solicitation.mac.value_or(MacAddress{}), solicitation.target};
  const auto reason = solicitation.mac ? TxReason::ArpPoll : TxReason::ArpRequest;
  build_arp({message, solicitation.mac.value_or(MacAddress::broadcast()), reason}, out);
}

}  // namespace wireside::link

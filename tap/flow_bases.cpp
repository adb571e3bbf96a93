#include "flow_bases.hpp"

#include <utility>

#include "wire/ethernet.hpp"
#include "wire/ipv4.hpp"
#include "wire/tcp.hpp"

namespace wireside {

std::optional<TcpFrameFacts> tcp_facts(ByteView frame) {
  const auto ethernet = wire::parse_ethernet(frame);
  if (!ethernet || ethernet->ether_type != static_cast<std::uint16_t>(wire::EtherType::Ipv4)) return std::nullopt;
  const ByteView packet = frame.subspan(wire::ethernet_header_length);
  const auto ip = wire::parse_ipv4(packet);
  if (!ip || ip->header.is_fragment() || ip->header.protocol != static_cast<std::uint8_t>(wire::IpProtocol::Tcp)) {
    return std::nullopt;
  }
  const ByteView segment = packet.subspan(ip->header_length, ip->header.total_length - ip->header_length);
  const auto tcp = wire::parse_tcp(segment);
  if (!tcp) return std::nullopt;
  TcpFrameFacts facts;
  facts.direction.local = {ip->header.source, tcp->header.source};
  facts.direction.remote = {ip->header.destination, tcp->header.destination};
  facts.header = tcp->header;
  facts.payload_octets = segment.size() - tcp->header_length;
  return facts;
}

SeqNum* FlowBases::find(const FourTuple& direction) {
  if (const auto it = young_.find(direction); it != young_.end()) return &it->second;
  const auto it = old_.find(direction);
  if (it == old_.end()) return nullptr;
  const SeqNum isn = it->second;
  old_.erase(it);
  insert(direction, isn);
  return &young_.find(direction)->second;
}

void FlowBases::insert(const FourTuple& direction, SeqNum isn) {
  if (young_.size() >= max_young) old_ = std::exchange(young_, {});
  young_[direction] = isn;
}

std::optional<wire::SeqBases> FlowBases::update(const TcpFrameFacts& facts) {
  const FourTuple back{facts.direction.remote, facts.direction.local};
  const wire::TcpHeader& h = facts.header;
  if (h.flags.syn) {
    insert(facts.direction, h.seq);
    return std::nullopt;
  }
  // Values are copied at once: looking up the other direction may move what a pointer points to.
  wire::SeqBases bases;
  const SeqNum* sender = find(facts.direction);
  const bool sender_known = sender != nullptr;
  if (sender_known) bases.seq = *sender;
  const SeqNum* receiver = find(back);
  const bool receiver_known = receiver != nullptr;
  if (receiver_known) bases.ack = *receiver;
  if (!sender_known && !h.flags.rst) insert(facts.direction, h.seq - 1);
  if (!receiver_known && h.flags.ack && !h.flags.rst) insert(back, h.ack - 1);
  if (!sender_known || (!receiver_known && h.flags.ack)) return std::nullopt;
  return bases;
}

}  // namespace wireside

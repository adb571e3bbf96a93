#include "sim/invariants.hpp"

#include "wire/ethernet.hpp"
#include "wire/ipv4.hpp"

namespace wireside::testing {

namespace {

/// The TCP segment in a frame, with its payload length by the IP header.
std::optional<SeenSegment> find_segment(ByteView header, std::size_t size) {
  const auto ethernet = wire::parse_ethernet(header);
  if (!ethernet || ethernet->ether_type != 0x0800) return std::nullopt;
  const auto octets = header.subspan(wire::ethernet_header_length);
  // The payload lies elsewhere; only the header's own fields are read here.
  if (octets.size() < wire::ipv4_min_header || octets[9] != 6) return std::nullopt;
  const std::size_t ip_header = std::size_t{octets[0] & 0x0fU} * 4;
  const auto tcp = wire::parse_tcp(octets.subspan(ip_header));
  if (!tcp) return std::nullopt;
  // A frame may be padded behind the IP packet; a super-segment may not.
  const std::size_t total = load_be16(octets.data() + 2);
  const std::size_t packet = size - wire::ethernet_header_length > 65535 ? size - wire::ethernet_header_length : total;
  SeenSegment s;
  s.tuple = {{Ipv4Address{load_be32(octets.data() + 12)}, tcp->header.source},
             {Ipv4Address{load_be32(octets.data() + 16)}, tcp->header.destination}};
  s.header = tcp->header;
  s.length = static_cast<std::uint32_t>(packet - ip_header - tcp->header_length);
  return s;
}

}  // namespace

std::string SegmentChecker::check(ByteView header, std::size_t size, std::optional<SeenSegment>* seen) {
  auto s = find_segment(header, size);
  if (!s) return {};
  ++segments_;
  const auto& h = s->header;
  std::string problem;
  if (!h.flags.rst) {
    Direction& own = directions_[s->tuple];
    const auto other = directions_.find(reversed(s->tuple));
    // An old duplicate of a SYN may open once more what is over; with a SYN cookie even with the same number.
    const bool over = own.fin_end && other != directions_.end() && other->second.fin_end;
    if (h.flags.syn && (own.iss != h.seq || over)) {
      const auto earlier_end = own.highest != SeqNum{} ? std::optional{own.highest} : std::nullopt;
      own = Direction{};
      own.earlier_end = earlier_end;
    }
    const SeqNum end = h.seq + s->length + (h.flags.syn ? 1U : 0U) + (h.flags.fin ? 1U : 0U);
    if (h.flags.syn && own.highest == SeqNum{}) {
      own.iss = h.seq;
      own.highest = end;
      own.wscale = h.options.window_scale;
    } else {
      s->carries_new_data = s->length > 0 && end.after(own.highest);
      if (h.seq.after(own.highest)) problem = "leaves a gap in what was sent";
      own.highest = later(own.highest, end);
    }
    if (h.flags.fin) {
      if (own.fin_end && *own.fin_end != end) problem = "moves its FIN";
      own.fin_end = end;
    }
    if (own.fin_end && end.after(*own.fin_end)) problem = "sends behind its FIN";
    if (h.flags.ack && problem.empty()) {
      problem = other == directions_.end() ? "acknowledges a peer that has sent nothing"
                                           : check_acknowledgement(*s, own, other->second);
    }
  }
  if (!problem.empty()) {
    problem = s->tuple.local.to_string() + " > " + s->tuple.remote.to_string() + " " + problem + ": " +
              wire::describe_tcp(h, s->length);
  }
  if (seen != nullptr) *seen = std::move(s);
  return problem;
}

std::string SegmentChecker::check_acknowledgement(const SeenSegment& s, Direction& own, const Direction& other) const {
  const auto& h = s.header;
  if (h.ack.after(other.highest) && h.ack != other.earlier_end) return "acknowledges what was never sent";
  if (own.last_ack && h.ack.before(*own.last_ack)) return "takes an acknowledgement back";
  own.last_ack = h.ack;
  for (unsigned i = 0; i < h.options.sack_count; ++i) {
    const auto& b = h.options.sack[i];
    if (!b.left.before(b.right) || b.right.after(other.highest)) return "has a wrong SACK block";
    const bool duplicate = i == 0 && b.right.at_or_before(h.ack);  // RFC 2883 section 4.1
    if (b.left.before(h.ack) && !duplicate) return "has a wrong SACK block";
  }
  if (other.fin_end && h.ack == *other.fin_end) return {};  // nothing more will come: the window has no meaning
  const bool scaled = !h.flags.syn && own.wscale && other.wscale;
  const std::uint32_t unit = 1U << (scaled ? *own.wscale : 0);
  const SeqNum edge = h.ack + std::uint32_t{h.window} * unit;
  // RFC 7323 section 2.4: the edge in the segment may fall back by less than one unit of the scale (the receiver still
  // takes what it once offered).
  // That of a SYN is not scaled: a larger window than its field holds may have been offered since (a repeated SYN-ACK).
  if (h.flags.syn && h.window == 0xffff && own.right_edge && edge.before(*own.right_edge)) return {};
  if (own.right_edge && (edge + (unit - 1)).before(*own.right_edge)) return "moves its window's right edge left";
  if (!own.right_edge || edge.after(*own.right_edge)) own.right_edge = edge;
  return {};
}

}  // namespace wireside::testing

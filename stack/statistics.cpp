#include "statistics.hpp"

#include <numeric>
#include <string_view>

namespace wireside {
namespace {

using Count = Statistics::Count;
using Drop = observe::DropReason;

/// RFC 4293's predecessors named these types; the others are listed by number.
std::string icmp_name(std::string_view direction, std::size_t type) {
  const auto word = [type]() -> std::string_view {
    switch (type) {
      case 0:
        return "EchoReps";
      case 3:
        return "DestUnreachs";
      case 4:
        return "SrcQuenchs";
      case 5:
        return "Redirects";
      case 8:
        return "Echos";
      case 11:
        return "TimeExcds";
      case 12:
        return "ParmProbs";
      case 13:
        return "Timestamps";
      case 14:
        return "TimestampReps";
      default:
        return {};
    }
  }();
  std::string name = "Icmp";
  name += direction;
  if (!word.empty()) return name += word;
  return name += type + 1 == observe::Counters::icmp_types ? "OtherTypes" : "Type" + std::to_string(type);
}

/// "ImpairInRandomLosses": listed only where it happened.
void add_impairments(std::vector<Statistic>& out, const observe::Counters& c) {
  constexpr std::array<std::string_view, static_cast<std::size_t>(observe::ImpairmentAction::Count)> names = {
      "RandomLosses", "BurstLosses", "RuleDrops", "QueueDrops", "TooBigDrops",
      "Duplicates",   "BitErrors",   "EcnMarks",  "Overtakes"};
  for (std::size_t direction = 0; direction < c.impaired.size(); ++direction) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (c.impaired[direction][i] == 0) continue;
      std::string name = direction == static_cast<std::size_t>(observe::Direction::In) ? "ImpairIn" : "ImpairOut";
      out.push_back({name += names[i], c.impaired[direction][i]});
    }
  }
}

bool is_always_listed(std::size_t type) {
  return type == 0 || type == 3 || type == 4 || type == 5 || type == 8 || (type >= 11 && type <= 14);
}

void add_icmp(std::vector<Statistic>& out, std::string_view direction,
              const std::array<Count, observe::Counters::icmp_types>& by_type) {
  for (std::size_t type = 0; type < by_type.size(); ++type) {
    if (is_always_listed(type) || by_type[type] != 0) out.push_back({icmp_name(direction, type), by_type[type]});
  }
}

/// By the names Linux has for them.
void add_openings(std::vector<Statistic>& out, const observe::Counters& c) {
  const std::vector<Statistic> rows = {
      {"TcpExtSyncookiesSent", c.syn_cookies_sent},
      {"TcpExtSyncookiesRecv", c.syn_cookies_received},
      {"TcpExtSyncookiesFailed", c.syn_cookies_failed},
      {"TcpExtTCPFastOpenActive", c.fast_open_active},
      {"TcpExtTCPFastOpenActiveFail", c.fast_open_active_fails},
      {"TcpExtTCPFastOpenPassive", c.fast_open_passive},
      {"TcpExtTCPFastOpenPassiveFail", c.fast_open_passive_fails},
      {"TcpExtTCPFastOpenListenOverflow", c.fast_open_overflows},
      {"TcpExtTCPFastOpenCookieReqd", c.fast_open_cookies_requested},
  };
  out.insert(out.end(), rows.begin(), rows.end());
}

Count sum(const std::array<Count, observe::Counters::icmp_types>& by_type) {
  return std::accumulate(by_type.begin(), by_type.end(), Count{0});
}

}  // namespace

Count Statistics::ip_in_header_errors() const {
  return dropped(Drop::IpMalformed) + dropped(Drop::IpBadVersion) + dropped(Drop::IpBadChecksum) +
         dropped(Drop::IpBadOption) + dropped(Drop::TtlExpired);
}
Count Statistics::ip_in_address_errors() const {
  return dropped(Drop::IpNotOurs) + dropped(Drop::IpBadSource) + dropped(Drop::LoopbackOnWire) +
         dropped(Drop::IpSourceRoute) + dropped(Drop::NotForwarded);
}
Count Statistics::ip_in_discards() const { return dropped(Drop::Oversize); }
Count Statistics::ip_out_discards() const {
  return dropped(Drop::QueueFull) + dropped(Drop::NeighbourQueueFull) + dropped(Drop::NeighbourUnreachable) +
         dropped(Drop::NeighbourTableFull) + dropped(Drop::SourceAddressLost) + dropped(Drop::TooBig);
}
Count Statistics::icmp_in_messages() const { return sum(count.icmp_in) + dropped(Drop::IcmpMalformed); }
Count Statistics::icmp_in_errors() const { return dropped(Drop::IcmpMalformed) + dropped(Drop::IcmpBadChecksum); }
Count Statistics::icmp_out_messages() const { return sum(count.icmp_out); }
Count Statistics::udp_in_errors() const {
  return dropped(Drop::UdpMalformed) + dropped(Drop::UdpBadChecksum) + dropped(Drop::UdpReceiveQueueFull);
}

std::vector<Statistic> list(const Statistics& s) {
  const observe::Counters& c = s.count;
  std::vector<Statistic> out = {
      {"IpInReceives", c.ip_receives},
      {"IpInOctets", c.ip_octets_in},
      {"IpInHdrErrors", s.ip_in_header_errors()},
      {"IpInAddrErrors", s.ip_in_address_errors()},
      {"IpForwDatagrams", c.ip_forwarded},
      {"IpInUnknownProtos", s.dropped(Drop::IpUnknownProtocol)},
      {"IpInDiscards", s.ip_in_discards()},
      {"IpInDelivers", c.ip_delivers},
      {"IpOutRequests", c.ip_requests},
      {"IpOutDiscards", s.ip_out_discards()},
      {"IpOutNoRoutes", s.dropped(Drop::NoRoute)},
      {"IpReasmReqds", c.ip_reassembly_required},
      {"IpReasmOKs", c.ip_reassembled},
      {"IpReasmFails", c.ip_reassembly_failures},
      {"IpFragOKs", c.ip_fragmented},
      {"IpFragFails", c.ip_fragment_failures},
      {"IpFragCreates", c.ip_fragments_created},
      {"IcmpInMsgs", s.icmp_in_messages()},
      {"IcmpInErrors", s.icmp_in_errors()},
  };
  add_icmp(out, "In", c.icmp_in);
  out.push_back({"IcmpOutMsgs", s.icmp_out_messages()});
  add_icmp(out, "Out", c.icmp_out);
  const std::vector<Statistic> rest = {
      {"TcpActiveOpens", c.tcp_active_opens},
      {"TcpPassiveOpens", c.tcp_passive_opens},
      {"TcpAttemptFails", c.tcp_attempt_fails},
      {"TcpEstabResets", c.tcp_estab_resets},
      {"TcpCurrEstab", s.tcp_established},
      {"TcpInSegs", c.tcp_segments_in + s.tcp_in_errors()},
      {"TcpOutSegs", c.tcp_segments_out},
      {"TcpRetransSegs", c.tcp_segments_retransmitted},
      {"TcpInErrs", s.tcp_in_errors()},
      {"TcpOutRsts", c.tcp_resets_out},
      {"TcpOptimisticAcks", c.tcp_optimistic_acks},
      {"UdpInDatagrams", c.udp_in},
      {"UdpNoPorts", s.dropped(Drop::UdpNoSocket)},
      {"UdpInErrors", s.udp_in_errors()},
      {"UdpOutDatagrams", c.udp_out},
      {"ArpInRequests", c.arp_requests_in},
      {"ArpInReplies", c.arp_replies_in},
      {"ArpOutRequests", c.arp_requests_out},
      {"ArpOutReplies", c.arp_replies_out},
      {"IfInFrames", c.frames_in},
      {"IfInOctets", c.octets_in},
      {"IfOutFrames", c.frames_out},
      {"IfOutOctets", c.octets_out},
  };
  out.insert(out.end(), rest.begin(), rest.end());
  add_impairments(out, c);
  add_openings(out, c);
  return out;
}

std::vector<Statistic> list_drops(const Statistics& s) {
  std::vector<Statistic> out;
  for (std::size_t i = 0; i < s.drops.size(); ++i) {
    out.push_back({std::string{to_string(static_cast<Drop>(i))}, s.drops[i]});
  }
  return out;
}

}  // namespace wireside

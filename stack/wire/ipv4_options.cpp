#include "wire/ipv4_options.hpp"

#include <algorithm>

#include "wire/ipv4.hpp"

namespace wireside::wire {
namespace {

constexpr std::uint8_t option_record_route = 7;
constexpr std::uint8_t option_timestamp = 68;

constexpr std::size_t address_octets = 4;
constexpr std::size_t route_header = 3;      // type, length, pointer
constexpr std::size_t timestamp_header = 4;  // and overflow with flags
constexpr std::uint8_t only_timestamps = 0, with_addresses = 1, of_certain_hosts = 3;

/// Calls `visit(option, offset)` for each option but END and NOP; stops where the list is malformed.
template <class Visit>
void for_each_option(MutableByteView options, Visit&& visit) {
  std::size_t at = 0;
  while (at < options.size() && options[at] != ipv4_option_end) {
    if (options[at] == ipv4_option_nop) {
      ++at;
      continue;
    }
    if (at + 1 >= options.size()) return;
    const std::size_t length = options[at + 1];
    if (length < 2 || at + length > options.size()) return;
    visit(options.subspan(at, length), at);
    at += length;
  }
}

struct Entered {
  bool changed = false;
  std::optional<std::size_t> problem{};  // offset in the option
};

/// Pointers count from the option's first octet as 1.
Entered record_route(MutableByteView option, Ipv4Address own) {
  if (option.size() < route_header) return {.problem = 1};
  const std::size_t pointer = option[2];
  if (pointer < route_header + 1) return {.problem = 2};
  if (pointer > option.size()) return {};  // full: passed on as it is
  if (pointer - 1 + address_octets > option.size()) return {.problem = 2};
  store_be32(option.data() + pointer - 1, own.value());
  option[2] = static_cast<std::uint8_t>(pointer + address_octets);
  return {.changed = true};
}

Entered record_timestamp(MutableByteView option, const Ipv4Hop& hop) {
  if (option.size() < timestamp_header) return {.problem = 1};
  const std::size_t pointer = option[2];
  if (pointer < timestamp_header + 1) return {.problem = 2};
  if (pointer > option.size()) {
    if (option[3] >> 4U == 15) return {.problem = 3};  // not even the hops without room can be counted any more
    option[3] = static_cast<std::uint8_t>(option[3] + 0x10U);
    return {.changed = true};
  }
  const std::uint8_t flag = option[3] & 0x0fU;
  if (flag != only_timestamps && flag != with_addresses && flag != of_certain_hosts) return {.problem = 3};
  const std::size_t octets = flag == only_timestamps ? 4 : 8;
  if (pointer - 1 + octets > option.size()) return {.problem = 2};
  std::uint8_t* p = option.data() + pointer - 1;
  if (flag == of_certain_hosts) {
    const Ipv4Address asked{load_be32(p)};
    const bool ours = std::ranges::any_of(hop.all, [&](const Ipv4Prefix& own) { return own.address == asked; });
    if (!ours) return {};
  }
  if (flag == with_addresses) store_be32(p, hop.address.value());
  store_be32(p + octets - 4, hop.timestamp);
  option[2] = static_cast<std::uint8_t>(pointer + octets);
  return {.changed = true};
}

/// Turns a completed source route round: the routers backwards, then who asked (RFC 1122 section 3.2.1.8 (c)). The last
/// router becomes the destination and is returned.
Ipv4Address turn_round(MutableByteView option, Ipv4Address source) {
  const std::size_t routers = (option.size() - route_header) / address_octets;
  if (routers == 0) return source;
  std::array<Ipv4Address, Ipv4Options::max_octets / address_octets> way;
  std::uint8_t* p = option.data() + route_header;
  for (std::size_t i = 0; i < routers; ++i) way[i] = Ipv4Address{load_be32(p + i * address_octets)};
  for (std::size_t i = 0; i + 1 < routers; ++i) store_be32(p + i * address_octets, way[routers - 2 - i].value());
  option[2] = route_header + 1;
  std::uint8_t* last = p + (routers - 1) * address_octets;
  store_be32(last, source.value());
  // Some hosts put themselves in front of the recorded route: then the way ends with the one before.
  if (routers > 1 && way[0] == source) {
    option[1] = static_cast<std::uint8_t>(option[1] - address_octets);
    std::fill(option.begin() + option[1], option.end(), ipv4_option_nop);  // a ragged end, too
  }
  return way[routers - 1];
}

}  // namespace

Ipv4Options Ipv4Options::copy_of(ByteView options) {
  Ipv4Options copy;
  copy.length = static_cast<std::uint8_t>(std::min(options.size(), max_octets));
  std::copy_n(options.begin(), copy.length, copy.octets.begin());
  return copy;
}

RecordedHop record_hop(MutableByteView options, const Ipv4Hop& hop) {
  RecordedHop recorded;
  for_each_option(options, [&](MutableByteView option, std::size_t at) {
    Entered entered;
    if (option[0] == option_record_route) entered = record_route(option, hop.address);
    if (option[0] == option_timestamp) entered = record_timestamp(option, hop);
    recorded.changed |= entered.changed;
    if (entered.problem && !recorded.problem_at) recorded.problem_at = ipv4_min_header + at + *entered.problem;
  });
  return recorded;
}

EchoReplyOptions echo_reply_options(ByteView request, Ipv4Address source, const Ipv4Hop& hop) {
  EchoReplyOptions reply{.options = Ipv4Options::copy_of(request), .first_hop = source, .problem_at = {}};
  bool any = false;
  for_each_option(reply.options.view(), [&](MutableByteView option, std::size_t) {
    const std::uint8_t kind = option[0];
    if (kind == option_record_route || kind == option_timestamp) {
      any = true;
    } else if (kind == ipv4_option_loose_source_route || kind == ipv4_option_strict_source_route) {
      reply.first_hop = turn_round(option, source);
      any = any || reply.first_hop != source;
    } else {
      std::ranges::fill(option, ipv4_option_nop);  // said to us, not to be said back
    }
  });
  if (!any) reply.options.length = 0;
  reply.problem_at = record_hop(reply.options.view(), hop).problem_at;
  return reply;
}

}  // namespace wireside::wire

#include "wire/ipv4.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "wire/text.hpp"

namespace wireside::wire {
namespace {

constexpr std::uint16_t flag_dont_fragment = 0x4000;
constexpr std::uint16_t offset_mask = 0x1fff;

const char* protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case 1:
      return "ICMP";
    case 6:
      return "TCP";
    case 17:
      return "UDP";
    default:
      return "unknown";
  }
}

}  // namespace

Result<ParsedIpv4> parse_ipv4(ByteView packet) {
  if (packet.size() < ipv4_min_header) return fail(Error::Truncated);
  const std::uint8_t* p = packet.data();
  if ((p[0] >> 4) != 4) return fail(Error::Malformed);
  const std::size_t header_length = std::size_t{p[0] & 0x0fU} * 4;
  if (header_length < ipv4_min_header) return fail(Error::Malformed);
  if (header_length > packet.size()) return fail(Error::Truncated);
  const std::uint16_t total_length = load_be16(p + 2);
  if (total_length < header_length) return fail(Error::Malformed);
  if (total_length > packet.size()) return fail(Error::Truncated);
  Result<ParsedIpv4> result{std::in_place};
  ParsedIpv4& parsed = *result;
  parsed.header_length = header_length;
  Ipv4Header& h = parsed.header;
  h.tos = p[1];
  h.total_length = total_length;
  h.identification = load_be16(p + 4);
  const std::uint16_t fragment = load_be16(p + 6);
  h.dont_fragment = (fragment & flag_dont_fragment) != 0;
  h.more_fragments = (fragment & ipv4_flag_more_fragments) != 0;
  h.fragment_offset = static_cast<std::uint16_t>((fragment & offset_mask) * 8);
  h.ttl = p[8];
  h.protocol = p[9];
  h.source = Ipv4Address{load_be32(p + 12)};
  h.destination = Ipv4Address{load_be32(p + 16)};
  parsed.options = packet.subspan(ipv4_min_header, header_length - ipv4_min_header);
  parsed.checksum_ok = internet_checksum(packet.first(header_length)) == 0;
  return result;
}

Ipv4OptionSummary summarise_ipv4_options(ByteView options) {
  Ipv4OptionSummary summary;
  const auto malformed = [&](std::size_t at) {
    summary.malformed = true;
    summary.malformed_at = ipv4_min_header + at;
    return summary;
  };
  std::size_t at = 0;
  while (at < options.size() && options[at] != ipv4_option_end) {
    const std::uint8_t kind = options[at];
    if (kind == ipv4_option_nop) {
      ++at;
      continue;
    }
    if (at + 1 >= options.size()) return malformed(at);
    const std::size_t length = options[at + 1];
    if (length < 2 || at + length > options.size()) return malformed(at + 1);
    if (kind == ipv4_option_loose_source_route || kind == ipv4_option_strict_source_route) {
      if (length < 3) return malformed(at + 1);
      // The pointer counts from the option's first octet as 1, so the first address is at 4.
      const std::size_t pointer = options[at + 2];
      if (pointer < 4) return malformed(at + 2);
      summary.source_route = true;
      summary.source_route_complete = pointer > length;
    }
    at += length;
  }
  return summary;
}

void emit_ipv4(const Ipv4Header& header, MutableByteView out) {
  assert(out.size() >= ipv4_min_header);
  std::uint8_t* p = out.data();
  p[0] = 0x45;
  p[1] = header.tos;
  store_be16(p + 2, header.total_length);
  store_be16(p + 4, header.identification);
  const unsigned fragment = (header.dont_fragment ? flag_dont_fragment : 0U) |
                            (header.more_fragments ? ipv4_flag_more_fragments : 0U) | (header.fragment_offset / 8U);
  store_be16(p + 6, static_cast<std::uint16_t>(fragment));
  p[8] = header.ttl;
  p[9] = header.protocol;
  store_be16(p + 10, 0);
  store_be32(p + 12, header.source.value());
  store_be32(p + 16, header.destination.value());
  store_be16(p + 10, internet_checksum(out.first(ipv4_min_header)));
}

void emit_ipv4(const Ipv4Header& header, ByteView options, MutableByteView out) {
  emit_ipv4(header, out);
  if (options.empty()) return;
  const std::size_t length = ipv4_min_header + options.size();
  assert(options.size() % 4 == 0 && length <= ipv4_max_header && out.size() >= length);
  std::uint8_t* p = out.data();
  p[0] = static_cast<std::uint8_t>(0x40U | (length / 4));
  std::copy(options.begin(), options.end(), out.begin() + ipv4_min_header);
  store_be16(p + 10, 0);
  store_be16(p + 10, internet_checksum(out.first(length)));
}

std::string describe_ipv4(const Ipv4Header& header) {
  std::string out = "IP (tos 0x";
  append_hex(out, header.tos, 1);
  out += ", ttl ";
  append_number(out, header.ttl);
  out += ", id ";
  append_number(out, header.identification);
  out += ", offset ";
  append_number(out, header.fragment_offset);
  out += ", flags [";
  if (header.more_fragments) out += '+';
  if (header.more_fragments && header.dont_fragment) out += ", ";
  if (header.dont_fragment) out += "DF";
  if (!header.more_fragments && !header.dont_fragment) out += "none";
  out += "], proto ";
  out += protocol_name(header.protocol);
  out += " (";
  append_number(out, header.protocol);
  out += "), length ";
  append_number(out, header.total_length);
  return out + ") " + header.source.to_string() + " > " + header.destination.to_string();
}

}  // namespace wireside::wire

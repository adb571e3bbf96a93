#include "wire/icmp.hpp"

#include <array>
#include <cassert>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "base/address.hpp"
#include "wire/ipv4.hpp"
#include "wire/text.hpp"

namespace wireside::wire {
namespace {

/// What an error message says of the datagram that caused it; all empty where the quote is too short.
struct Quote {
  std::string destination;
  std::uint8_t protocol = 0;
  std::optional<std::uint16_t> port;
};

Quote read_quote(ByteView data) {
  Quote quote;
  if (data.size() < ipv4_min_header || data[0] >> 4 != 4) return quote;
  const std::size_t header_length = std::size_t{data[0] & 0x0fU} * 4;
  quote.destination = Ipv4Address{load_be32(data.data() + 16)}.to_string();
  quote.protocol = data[9];
  const bool has_ports = quote.protocol == static_cast<std::uint8_t>(IpProtocol::Tcp) ||
                         quote.protocol == static_cast<std::uint8_t>(IpProtocol::Udp);
  if (has_ports && header_length >= ipv4_min_header && data.size() >= header_length + 4) {
    quote.port = load_be16(data.data() + header_length + 2);
  }
  return quote;
}

/// Joins the parts that are not empty with blanks.
std::string words(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const auto part : parts) {
    if (part.empty()) continue;
    if (!out.empty()) out += ' ';
    out += part;
  }
  return out;
}

struct UnreachableWording {
  std::string_view what;
  std::string_view why;
};

constexpr auto unreachable_wordings = std::to_array<UnreachableWording>({
    {"net", "unreachable"},
    {"host", "unreachable"},
    {"", "unreachable"},  // protocol and port have wordings of their own
    {"", "unreachable"},
    {"", "unreachable - need to frag"},
    {"", "unreachable - source route failed"},
    {"net", "unreachable - unknown"},
    {"host", "unreachable - unknown"},
    {"", "unreachable - source host isolated"},
    {"net", "unreachable - admin prohibited"},
    {"host", "unreachable - admin prohibited"},
    {"net", "unreachable - tos prohibited"},
    {"host", "unreachable - tos prohibited"},
    {"host", "unreachable - admin prohibited filter"},
    {"host", "unreachable - host precedence violation"},
    {"host", "unreachable - precedence cutoff"},
});

std::string unreachable_text(const IcmpHeader& header, const Quote& quote) {
  const std::string_view destination = quote.destination;
  if (header.code == static_cast<std::uint8_t>(UnreachableCode::Protocol)) {
    return words(
        {destination, destination.empty() ? "protocol" : numbered("protocol ", quote.protocol), "unreachable"});
  }
  if (header.code == static_cast<std::uint8_t>(UnreachableCode::Port)) {
    if (!quote.port) return words({destination, "port", "unreachable"});
    return words({destination, quote.protocol == 6 ? "tcp" : "udp", numbered("port ", *quote.port), "unreachable"});
  }
  if (header.code >= unreachable_wordings.size()) return words({destination, numbered("unreachable - #", header.code)});
  const auto& wording = unreachable_wordings[header.code];
  std::string out = words({wording.what, destination, wording.why});
  const std::uint32_t mtu = header.rest & 0xffffU;
  const bool tells_mtu = header.code == static_cast<std::uint8_t>(UnreachableCode::FragmentationNeeded) && mtu != 0;
  return tells_mtu ? out + numbered(" (mtu ", mtu) + ')' : out;
}

std::string redirect_text(const IcmpHeader& header, const Quote& quote) {
  static constexpr auto scopes = std::to_array<std::string_view>({"net", "host", "tos-net", "tos-host"});
  if (header.code >= scopes.size()) return numbered("redirect-#", header.code);
  return words({"redirect", quote.destination, "to", scopes[header.code], Ipv4Address{header.rest}.to_string()});
}

std::string echo_text(const IcmpHeader& header, const char* kind) {
  return numbered(std::string{kind} + ", id ", header.echo_id()) + numbered(", seq ", header.echo_sequence());
}

std::string timestamp_text(const IcmpHeader& header, const char* kind) {
  return numbered(std::string{kind} + " id ", header.echo_id()) + numbered(" seq ", header.echo_sequence());
}

std::string time_exceeded_text(std::uint8_t code) {
  if (code == 0) return "time exceeded in-transit";
  return code == 1 ? "ip reassembly time exceeded" : numbered("time exceeded-#", code);
}

std::string body_text(const IcmpHeader& header, const Quote& quote) {
  switch (static_cast<IcmpType>(header.type)) {
    case IcmpType::EchoRequest:
      return echo_text(header, "echo request");
    case IcmpType::EchoReply:
      return echo_text(header, "echo reply");
    case IcmpType::DestinationUnreachable:
      return unreachable_text(header, quote);
    case IcmpType::SourceQuench:
      return "source quench";
    case IcmpType::Redirect:
      return redirect_text(header, quote);
    case IcmpType::TimeExceeded:
      return time_exceeded_text(header.code);
    case IcmpType::ParameterProblem:
      return header.code == 0 ? numbered("parameter problem - octet ", header.rest >> 24)
                              : numbered("parameter problem - code ", header.code);
    case IcmpType::TimestampRequest:
      return timestamp_text(header, "time stamp query");
    case IcmpType::TimestampReply:
      return timestamp_text(header, "time stamp reply");
  }
  return numbered("type-#", header.type);
}

std::string line(const IcmpHeader& header, const Quote& quote, std::size_t message_length) {
  return "ICMP " + body_text(header, quote) + numbered(", length ", static_cast<std::uint32_t>(message_length));
}

}  // namespace

Result<IcmpHeader> parse_icmp(ByteView message) {
  if (message.size() < icmp_header_length) return fail(Error::Truncated);
  return IcmpHeader{message[0], message[1], load_be32(message.data() + 4)};
}

void emit_icmp(const IcmpHeader& header, MutableByteView out) {
  assert(out.size() >= icmp_header_length);
  out[0] = header.type;
  out[1] = header.code;
  store_be16(out.data() + icmp_checksum_offset, 0);
  store_be32(out.data() + 4, header.rest);
}

std::string describe_icmp(const IcmpHeader& header, std::size_t message_length) {
  return line(header, Quote{}, message_length);
}

std::string describe_icmp(ByteView message) {
  const auto header = parse_icmp(message);
  if (!header) return numbered("ICMP truncated, length ", static_cast<std::uint32_t>(message.size()));
  return line(*header, header->is_error() ? read_quote(message.subspan(icmp_header_length)) : Quote{}, message.size());
}

}  // namespace wireside::wire

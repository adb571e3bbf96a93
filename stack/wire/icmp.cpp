#include "wire/icmp.hpp"

#include <cassert>

#include "base/address.hpp"
#include "wire/text.hpp"

namespace wireside::wire {
namespace {

std::string unreachable_text(const IcmpHeader& header) {
  switch (header.code) {
    case 0:
      return "net unreachable";
    case 1:
      return "host unreachable";
    case 2:
      return "protocol unreachable";
    case 3:
      return "port unreachable";
    case 4: {
      std::string out = "unreachable - need to frag";
      if ((header.rest & 0xffffU) != 0) {
        out += " (mtu ";
        append_number(out, header.rest & 0xffffU);
        out += ')';
      }
      return out;
    }
    case 5:
      return "unreachable - source route failed";
    case 13:
      return "unreachable - admin prohibited filter";
    default: {
      std::string out = "unreachable - #";
      append_number(out, header.code);
      return out;
    }
  }
}

std::string redirect_text(const IcmpHeader& header) {
  std::string out = "redirect ";
  switch (header.code) {
    case 0:
      out += "net";
      break;
    case 1:
      out += "host";
      break;
    case 2:
      out += "tos net";
      break;
    case 3:
      out += "tos host";
      break;
    default:
      out += '#';
      append_number(out, header.code);
  }
  return out + " to " + Ipv4Address{header.rest}.to_string();
}

std::string echo_text(const IcmpHeader& header, const char* kind) {
  std::string out = kind;
  out += ", id ";
  append_number(out, header.echo_id());
  out += ", seq ";
  append_number(out, header.echo_sequence());
  return out;
}

std::string body_text(const IcmpHeader& header) {
  switch (static_cast<IcmpType>(header.type)) {
    case IcmpType::EchoRequest:
      return echo_text(header, "echo request");
    case IcmpType::EchoReply:
      return echo_text(header, "echo reply");
    case IcmpType::DestinationUnreachable:
      return unreachable_text(header);
    case IcmpType::SourceQuench:
      return "source quench";
    case IcmpType::Redirect:
      return redirect_text(header);
    case IcmpType::TimeExceeded:
      return header.code == 0 ? "time exceeded in-transit" : "ip reassembly time exceeded";
    case IcmpType::ParameterProblem: {
      std::string out = "parameter problem - octet ";
      append_number(out, header.rest >> 24);
      return out;
    }
    case IcmpType::TimestampRequest:
      return echo_text(header, "time stamp query");
    case IcmpType::TimestampReply:
      return echo_text(header, "time stamp reply");
  }
  std::string out = "type-#";
  append_number(out, header.type);
  return out;
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
  std::string out = "ICMP " + body_text(header) + ", length ";
  append_number(out, message_length);
  return out;
}

}  // namespace wireside::wire

#include "wire/ethernet.hpp"

#include <algorithm>
#include <cassert>

#include "wire/text.hpp"

namespace wireside::wire {
namespace {

constexpr std::uint16_t first_ether_type = 0x0600;

const char* ether_type_name(std::uint16_t ether_type) {
  switch (ether_type) {
    case 0x0800:
      return "IPv4";
    case 0x0806:
      return "ARP";
    case 0x86dd:
      return "IPv6";
    case 0x8100:
      return "802.1Q";
    case 0x88cc:
      return "LLDP";
    default:
      return "Unknown";
  }
}

}  // namespace

Result<EthernetHeader> parse_ethernet(ByteView frame) {
  if (frame.size() < ethernet_header_length) return fail(Error::Truncated);
  EthernetHeader header;
  std::copy_n(frame.begin(), 6, header.destination.octets.begin());
  std::copy_n(frame.begin() + 6, 6, header.source.octets.begin());
  header.ether_type = load_be16(frame.data() + 12);
  return header;
}

void emit_ethernet(const EthernetHeader& header, MutableByteView out) {
  assert(out.size() >= ethernet_header_length);
  std::copy_n(header.destination.octets.begin(), 6, out.begin());
  std::copy_n(header.source.octets.begin(), 6, out.begin() + 6);
  store_be16(out.data() + 12, header.ether_type);
}

std::string describe_ethernet(const EthernetHeader& header) {
  std::string out = header.source.to_string() + " > ";
  out += header.destination.to_string();
  if (header.ether_type < first_ether_type) return out + ", 802.3";
  out += ", ethertype ";
  out += ether_type_name(header.ether_type);
  out += " (0x";
  append_hex(out, header.ether_type, 4);
  return out + ')';
}

}  // namespace wireside::wire

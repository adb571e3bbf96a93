#include "wire/udp.hpp"

#include <cassert>

#include "wire/text.hpp"

namespace wireside::wire {

Result<UdpHeader> parse_udp(ByteView datagram) {
  if (datagram.size() < udp_header_length) return fail(Error::Truncated);
  const std::uint8_t* p = datagram.data();
  const UdpHeader header{Port{load_be16(p)}, Port{load_be16(p + 2)}, load_be16(p + 4), load_be16(p + 6)};
  if (header.length < udp_header_length) return fail(Error::Malformed);
  if (header.length > datagram.size()) return fail(Error::Truncated);
  return header;
}

void emit_udp(const UdpHeader& header, MutableByteView out) {
  assert(out.size() >= udp_header_length);
  std::uint8_t* p = out.data();
  store_be16(p, header.source.value);
  store_be16(p + 2, header.destination.value);
  store_be16(p + 4, header.length);
  store_be16(p + 6, header.checksum);
}

std::string describe_udp(const UdpHeader& header) {
  std::string out = "UDP, length ";
  append_number(out, header.length >= udp_header_length ? header.length - udp_header_length : 0U);
  return out;
}

}  // namespace wireside::wire

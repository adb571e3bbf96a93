// What an ICMP error quotes is read safely however short it is cut, and agrees with the IPv4 parser where both apply.
#include "fuzz/require.hpp"
#include "wire/header_edit.hpp"

using namespace wireside;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView octets{data, size};
  const auto quoted = wire::parse_quoted_packet(octets);
  const auto whole = wire::parse_ipv4(octets);
  if (!quoted) return 0;
  fuzz::require(quoted->header_length + 8 <= size, "header and eight octets lie within the data");
  if (whole) fuzz::require(whole->header == quoted->header, "the same fields as in a whole packet");
  fuzz::require(quoted->seq.has_value() <= (quoted->header.protocol == 6), "only TCP has a sequence number");
  return 0;
}

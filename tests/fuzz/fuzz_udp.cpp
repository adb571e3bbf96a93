// UDP headers: what parses is written back to the same octets, and its length lies within the data.
#include <algorithm>
#include <array>

#include "fuzz/require.hpp"
#include "wire/udp.hpp"

using namespace wireside;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView datagram{data, size};
  const auto header = wire::parse_udp(datagram);
  if (!header) return 0;
  fuzz::require(header->length >= wire::udp_header_length && header->length <= size, "length within the data");
  std::array<std::uint8_t, wire::udp_header_length> out{};
  wire::emit_udp(*header, out);
  fuzz::require(std::equal(out.begin(), out.end(), datagram.begin()), "emitted octets are those parsed");
  fuzz::require(!wire::describe_udp(*header).empty(), "a header has a description");
  return 0;
}

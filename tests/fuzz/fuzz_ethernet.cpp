// Ethernet headers: what parses is written back to the same octets.
#include <algorithm>
#include <array>

#include "fuzz/require.hpp"
#include "wire/ethernet.hpp"

using namespace wireside;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView frame{data, size};
  const auto header = wire::parse_ethernet(frame);
  fuzz::require(header.has_value() == (size >= wire::ethernet_header_length), "14 octets are a header");
  if (!header) return 0;
  std::array<std::uint8_t, wire::ethernet_header_length> out{};
  wire::emit_ethernet(*header, out);
  fuzz::require(std::equal(out.begin(), out.end(), frame.begin()), "emitted octets are those parsed");
  fuzz::require(!wire::describe_ethernet(*header).empty(), "a header has a description");
  return 0;
}

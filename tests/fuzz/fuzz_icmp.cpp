// ICMP messages: type, code and rest survive; errors are described whatever they quote.
#include <array>

#include "fuzz/require.hpp"
#include "wire/icmp.hpp"

using namespace wireside;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView message{data, size};
  fuzz::require(!wire::describe_icmp(message).empty(), "a message has a description");
  const auto header = wire::parse_icmp(message);
  fuzz::require(header.has_value() == (size >= wire::icmp_header_length), "8 octets are a header");
  if (!header) return 0;
  std::array<std::uint8_t, wire::icmp_header_length> out{};
  wire::emit_icmp(*header, out);
  fuzz::require(wire::parse_icmp(out) == header, "fields survive");
  return 0;
}

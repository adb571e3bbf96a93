// ARP messages: what parses is written back to the same octets.
#include <algorithm>
#include <array>

#include "fuzz/require.hpp"
#include "wire/arp.hpp"

using namespace wireside;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView octets{data, size};
  const auto message = wire::parse_arp(octets);
  if (!message) return 0;
  std::array<std::uint8_t, wire::arp_message_length> out{};
  wire::emit_arp(*message, out);
  fuzz::require(std::equal(out.begin(), out.end(), octets.begin()), "emitted octets are those parsed");
  fuzz::require(!wire::describe_arp(*message).empty(), "a message has a description");
  return 0;
}

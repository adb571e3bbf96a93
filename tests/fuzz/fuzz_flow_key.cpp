// The flow of any octets: read within them, and in agreement with the strict parser where that takes them.
#include "fuzz/require.hpp"
#include "wire/flow_key.hpp"
#include "wire/ipv4.hpp"

using namespace wireside;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView packet{data, size};
  const auto key = wire::read_flow_key(packet);
  const auto parsed = wire::parse_ipv4(packet);
  fuzz::require(key.has_value() || !parsed.has_value(), "what is a packet has a flow");
  if (!key) return 0;
  const ByteView quoted = wire::quoted_packet(packet, *key);
  fuzz::require(quoted.size() <= size, "a quote is within the message");
  (void)wire::read_flow_key(quoted);
  if (!parsed) return 0;
  fuzz::require(parsed->header.source == key->source && parsed->header.destination == key->destination,
                "both read the same addresses");
  fuzz::require(parsed->header.is_fragment() == key->fragment, "both see the same fragment");
  return 0;
}

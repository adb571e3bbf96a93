// Headers read at one go: what is taken, the parsers of each layer take alike.
#include "fuzz/require.hpp"
#include "wire/ethernet.hpp"
#include "wire/ipv4.hpp"
#include "wire/plain_segment.hpp"

using namespace wireside;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView frame{data, size};
  const auto ethernet = wire::parse_ethernet(frame);
  if (!ethernet) {
    fuzz::require(!wire::read_plain_segment(frame, {}), "less than an Ethernet header is nothing");
    return 0;
  }
  const auto plain = wire::read_plain_segment(frame, ethernet->destination);
  if (!plain) return 0;
  const auto parsed = wire::parse_ipv4(frame.subspan(wire::ethernet_header_length));
  fuzz::require(parsed && parsed->checksum_ok && parsed->header_length == wire::ipv4_min_header, "IPv4 takes it");
  fuzz::require(!parsed->header.is_fragment() && parsed->header.protocol == 6, "a whole TCP segment");
  fuzz::require(parsed->header.source == plain->source && parsed->header.destination == plain->destination,
                "the same addresses");
  fuzz::require(parsed->header.total_length == plain->total_length && parsed->header.ttl == plain->ttl &&
                    parsed->header.tos == plain->tos,
                "the same fields");
  return 0;
}

// IPv4 headers: lengths of what parses lie within the data, and its fields survive being written and read again.
#include <vector>

#include "fuzz/require.hpp"
#include "wire/ipv4.hpp"

using namespace wireside;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView packet{data, size};
  const auto parsed = wire::parse_ipv4(packet);
  if (!parsed) return 0;
  const wire::Ipv4Header& header = parsed->header;
  fuzz::require(parsed->header_length >= wire::ipv4_min_header, "header of at least 20 octets");
  fuzz::require(parsed->header_length <= header.total_length, "header within total length");
  fuzz::require(header.total_length <= size, "total length within the data");
  fuzz::require(parsed->options.size() == parsed->header_length - wire::ipv4_min_header, "options fill the header");

  const auto options = wire::summarise_ipv4_options(parsed->options);
  if (options.malformed) {
    fuzz::require(options.malformed_at >= wire::ipv4_min_header && options.malformed_at < parsed->header_length,
                  "the malformed octet lies in the options");
  }
  fuzz::require(!options.source_route_complete || options.source_route, "only a source route can be complete");

  // Without options the header shrinks; total_length is kept valid by giving it the room it says.
  std::vector<std::uint8_t> out(header.total_length);
  wire::emit_ipv4(header, out);
  const auto again = wire::parse_ipv4(out);
  fuzz::require(again.has_value() && again->header == header, "fields survive");
  fuzz::require(again->checksum_ok, "an emitted header's checksum is right");
  fuzz::require(!wire::describe_ipv4(header).empty(), "a header has a description");
  return 0;
}

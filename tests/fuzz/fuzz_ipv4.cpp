// IPv4 headers: lengths of what parses lie within the data, and its fields survive being written and read again.
#include <algorithm>
#include <vector>

#include "fuzz/require.hpp"
#include "wire/ipv4.hpp"
#include "wire/ipv4_options.hpp"

using namespace wireside;

namespace {

/// Writing into options keeps them what they were: as long, and well-formed where they were.
void write_into(ByteView options, bool malformed) {
  const wire::Ipv4Hop hop{.address = Ipv4Address{10, 0, 0, 1}, .all = {}, .timestamp = 0x80000000};
  auto written = wire::Ipv4Options::copy_of(options);
  const auto recorded = wire::record_hop(written.view(), hop);
  const std::size_t end = wire::ipv4_min_header + options.size();
  fuzz::require(!recorded.problem_at || *recorded.problem_at < end, "the problem lies in the options");
  fuzz::require(malformed || !wire::summarise_ipv4_options(written.view()).malformed, "options stay well-formed");
  const bool same = std::equal(options.begin(), options.end(), written.view().begin());
  fuzz::require(recorded.changed == !same, "a change is told");
  if (malformed) return;
  const auto reply = wire::echo_reply_options(options, Ipv4Address{10, 0, 0, 9}, hop);
  fuzz::require(reply.options.length == 0 || reply.options.length == options.size(), "a reply's options fit a header");
  fuzz::require(!wire::summarise_ipv4_options(reply.options.view()).malformed, "a reply's options are well-formed");
}

}  // namespace

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

  write_into(parsed->options, options.malformed);

  // Without options the header shrinks; total_length is kept valid by giving it the room it says.
  std::vector<std::uint8_t> out(header.total_length);
  wire::emit_ipv4(header, out);
  const auto again = wire::parse_ipv4(out);
  fuzz::require(again.has_value() && again->header == header, "fields survive");
  fuzz::require(again->checksum_ok, "an emitted header's checksum is right");
  fuzz::require(!wire::describe_ipv4(header).empty(), "a header has a description");
  return 0;
}

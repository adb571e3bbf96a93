// TCP headers: what parses survives being written and read again, and its options always fit.
#include <array>

#include "fuzz/require.hpp"
#include "wire/tcp.hpp"
#include "wire/tcp_description.hpp"

using namespace wireside;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView segment{data, size};
  const auto parsed = wire::parse_tcp(segment);
  if (!parsed) return 0;
  fuzz::require(parsed->header_length >= wire::tcp_min_header, "header of at least 20 octets");
  fuzz::require(parsed->header_length <= size, "header within the data");
  fuzz::require(parsed->header.options.sack_count <= parsed->header.options.sack.size(), "SACK blocks fit");

  std::array<std::uint8_t, wire::tcp_max_header> out{};
  const std::size_t length = wire::emit_tcp(parsed->header, out);
  fuzz::require(length == wire::tcp_header_length(parsed->header), "length as announced");
  const auto again = wire::parse_tcp(ByteView{out}.first(length));
  fuzz::require(again.has_value() && again->header_length == length, "an emitted header parses");

  // More SACK blocks than fit beside other options are left out from the end; all else is the same.
  wire::TcpHeader expected = parsed->header;
  const std::uint8_t kept = again->header.options.sack_count;
  fuzz::require(kept <= expected.options.sack_count, "no SACK block is invented");
  expected.options.sack_count = kept;
  for (std::size_t i = kept; i < expected.options.sack.size(); ++i) expected.options.sack[i] = {};
  fuzz::require(again->header == expected, "fields survive");

  const ByteView options = segment.subspan(wire::tcp_min_header, parsed->header_length - wire::tcp_min_header);
  const std::size_t payload = size - parsed->header_length;
  fuzz::require(!wire::describe_tcp(parsed->header, options, payload, SeqNum{1}, SeqNum{2}).empty(),
                "a segment has a description");
  fuzz::require(!wire::describe_tcp(parsed->header, payload).empty(), "a header has a description");
  return 0;
}

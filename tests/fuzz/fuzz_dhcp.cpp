// DHCP messages: what parses is written to octets that parse to the same, and each has a description.
#include "fuzz/require.hpp"
#include "wire/dhcp.hpp"

using namespace wireside;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = wire::parse_dhcp({data, size});
  if (!message) return 0;
  fuzz::require(size >= wire::dhcp_options_offset, "no message is shorter than its fixed fields");
  const auto out = wire::emit_dhcp(*message);
  const auto again = wire::parse_dhcp(out);
  fuzz::require(again.has_value() && *again == *message, "emitted octets parse to the same message");
  const std::string text = wire::describe_dhcp(*message);
  fuzz::require(!text.empty(), "a message has a description");
  for (const char c : text) fuzz::require(c >= 0x20 && c <= 0x7e, "descriptions are printable");
  return 0;
}

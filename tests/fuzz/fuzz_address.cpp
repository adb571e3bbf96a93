// Text parsers of base/: what parses prints as text that parses to the same.
#include <string_view>

#include "base/address.hpp"
#include "fuzz/require.hpp"

using namespace wireside;

namespace {

template <class T>
void check(std::string_view text) {
  const auto value = T::parse(text);
  if (value) fuzz::require(T::parse(value->to_string()) == value, "what is printed parses to the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  check<MacAddress>(text);
  check<Ipv4Address>(text);
  check<Ipv4Prefix>(text);
  check<Endpoint>(text);
  return 0;
}

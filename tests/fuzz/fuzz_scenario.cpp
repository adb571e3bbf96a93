// Scenarios of `wireside sim`: what parses is told as text that parses to the same, and an error names a line that
// exists.
#include <algorithm>
#include <string_view>

#include "fuzz/require.hpp"
#include "sim_scenario.hpp"

using namespace wireside;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto scenario = sim::parse_scenario(text);
  if (!scenario) {
    const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
    fuzz::require(scenario.error().line <= lines, "the line exists");
    fuzz::require(!scenario.error().what.empty() && !scenario.error().remedy.empty(), "an error has words");
    return 0;
  }
  const std::string told = sim::describe(*scenario);
  const auto back = sim::parse_scenario(told);
  fuzz::require(back.has_value(), "what is told parses");
  fuzz::require(sim::describe(*back) == told, "and is told the same again");
  return 0;
}

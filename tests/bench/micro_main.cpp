#include <cstdlib>
#include <string_view>

#include "micro.hpp"

namespace wireside::micro {
std::vector<Micro>& all() {
  static std::vector<Micro> list;
  return list;
}
}  // namespace wireside::micro

int main(int argc, char** argv) {
  constexpr std::string_view flag = "--iterations=";
  std::vector<char*> rest;
  long iterations = 0;
  for (int i = 0; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word.starts_with(flag)) {
      iterations = std::atol(argv[i] + flag.size());
    } else {
      rest.push_back(argv[i]);
    }
  }
  for (const auto& micro : wireside::micro::all()) {
    auto* registered = benchmark::RegisterBenchmark(micro.name.c_str(), micro.run);
    if (iterations > 0) registered->Iterations(iterations);
  }
  int count = static_cast<int>(rest.size());
  benchmark::Initialize(&count, rest.data());
  if (benchmark::ReportUnrecognizedArguments(count, rest.data())) return 2;
  benchmark::RunSpecifiedBenchmarks();
}

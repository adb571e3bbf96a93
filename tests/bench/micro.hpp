// Registration of the micro-benchmarks: as BENCHMARK(), but the number of iterations can be given (--iterations=N), so
// that instruction counts of two runs can be compared.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

namespace wireside::micro {

struct Micro {
  std::string name;
  std::function<void(benchmark::State&)> run;
};
[[nodiscard]] std::vector<Micro>& all();

/// Adds one where a variable of this type is defined.
struct Add {
  Add(std::string name, std::function<void(benchmark::State&)> run) {
    all().push_back({std::move(name), std::move(run)});
  }
};

}  // namespace wireside::micro

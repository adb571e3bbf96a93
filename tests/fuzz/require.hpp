// A property the fuzzer must not be able to break.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace wireside::fuzz {

/// Ends the process, so that libFuzzer keeps the input, when `holds` is false.
inline void require(bool holds, const char* property, std::source_location where = std::source_location::current()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%u: property broken: %s\n", where.file_name(), where.line(), property);
  std::abort();
}

}  // namespace wireside::fuzz

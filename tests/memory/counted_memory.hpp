// Octets that this program has allocated at the moment, as the allocator takes them: rounded up, with its own header.
#pragma once

#include <cstddef>

namespace wireside::testing {

[[nodiscard]] std::size_t octets_allocated();

}  // namespace wireside::testing

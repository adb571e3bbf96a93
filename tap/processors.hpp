// How many processors this process may use.
#pragma once

namespace wireside {

/// Those of the calling thread's affinity mask; at least 1.
[[nodiscard]] unsigned usable_processors();

}  // namespace wireside

#include "processors.hpp"

#include <sched.h>

#include <algorithm>
#include <thread>

namespace wireside {

unsigned usable_processors() {
  cpu_set_t ours;
  CPU_ZERO(&ours);
  if (::sched_getaffinity(0, sizeof ours, &ours) == 0) return static_cast<unsigned>(std::max(CPU_COUNT(&ours), 1));
  return std::max(std::thread::hardware_concurrency(), 1U);  // more processors than a cpu_set_t has room for
}

}  // namespace wireside

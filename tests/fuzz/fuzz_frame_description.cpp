// Whole frames: whatever comes in is told in one line.
#include <algorithm>

#include "fuzz/require.hpp"
#include "wire/frame_description.hpp"

using namespace wireside;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const wire::SeqBases bases{SeqNum{1000}, SeqNum{0xfffffff0U}};
  for (const auto& line : {wire::describe_frame({data, size}), wire::describe_frame({data, size}, &bases)}) {
    fuzz::require(!line.empty(), "a frame has a description");
    fuzz::require(line.find_first_of("\n\r\t") == std::string::npos, "of one line");
  }
  // With the headers' fields the packet that an ICMP error quotes comes on lines of its own, and nothing inside of
  // that.
  const std::string verbose = wire::describe_frame({data, size}, &bases, {.link = true, .verbose = true});
  fuzz::require(!verbose.empty() && std::count(verbose.begin(), verbose.end(), '\n') <= 3, "of four lines at most");
  return 0;
}

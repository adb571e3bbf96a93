// Captures and hex dumps of any content: they end, in frames and perhaps an error.
#include <cstdio>

#include "dissect/capture_file.hpp"
#include "dissect/hex_text.hpp"
#include "require.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wireside::dissect;
  using wireside::fuzz::require;
  if (size == 0) return 0;
  (void)octets_from_text({reinterpret_cast<const char*>(data), size});
  std::FILE* file = ::fmemopen(const_cast<std::uint8_t*>(data), size, "rb");  // only read
  require(file != nullptr, "memory is a file");
  auto capture = CaptureFile::read(file);
  if (!capture) return 0;
  std::size_t octets = 0;
  while (true) {
    const auto next = capture->next();
    if (!next || !*next) return 0;
    octets += (*next)->octets.size();
    require(octets <= size, "frames come from the file");
  }
}

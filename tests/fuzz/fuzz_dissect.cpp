// Any octets, from any beginning, in both languages: no bit is read twice, and the text can be made.
#include "dissect/dissection.hpp"
#include "dissect/render.hpp"
#include "require.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wireside::dissect;
  using wireside::fuzz::require;
  if (size == 0) return 0;
  const auto start = static_cast<Start>(*data % 7);
  const auto language = (*data & 0x80) != 0 ? Language::Chinese : Language::English;
  const wireside::ByteView frame{data + 1, size - 1};
  const Dissection d = dissect(frame, {language, start, false});
  std::size_t bit = 0;
  for (const Layer& layer : d.layers) {
    for (const Field& f : layer.fields) {
      if (f.bits == 0) continue;
      require(f.bit >= bit && f.bit + f.bits <= frame.size() * 8, "each bit is in one field");
      bit = f.bit + f.bits;
    }
  }
  require(frame.size() * 8 - bit < 8, "every octet is in a field");
  require(!to_text(d, frame, {language, false, true, true}).empty(), "there is a text");
  require(!to_json(d).empty(), "there is JSON");
  (void)guess_start(frame);
  return 0;
}

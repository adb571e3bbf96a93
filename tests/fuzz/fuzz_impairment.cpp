// Impairment settings from any text: what parses is told as text that parses to the same; and any frame passes a path
// with any settings, in bounded memory, without being counted twice.
#include <algorithm>
#include <string_view>

#include "fuzz/require.hpp"
#include "impair/impairment.hpp"

using namespace wireside;

namespace {

void pass_frames(const impair::Settings& settings, ByteView octets) {
  BufferPool pool;
  observe::Sink sink;
  impair::Impairment path{settings, make_seed(1), observe::Direction::In, pool};
  Instant now = Instant::from_ns(0);
  std::uint64_t received = 0;
  Packet packet;
  while (!octets.empty()) {
    const std::size_t n = std::min<std::size_t>(octets.size(), std::size_t{octets[0]} + 1);
    path.send(now, Packet{.data = pool.copy(octets.first(n))}, sink);
    octets = octets.subspan(n);
    now += std::chrono::microseconds{100};
    while (path.receive(now, packet)) ++received;
  }
  while (const auto due = path.next_deadline()) {
    fuzz::require(path.receive(*due, packet), "a frame is there at its deadline");
    ++received;
  }
  const auto& c = path.counters();
  fuzz::require(received == c.delivered, "deliveries are counted");
  fuzz::require(c.sent + c.of(observe::ImpairmentAction::Duplicated) == c.delivered + c.lost(), "no frame vanishes");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* end = std::find(data, data + size, 0);
  const std::string_view text{reinterpret_cast<const char*>(data), static_cast<std::size_t>(end - data)};
  const auto settings = impair::parse_settings(text);
  if (!settings) {
    fuzz::require(!settings.error().what.empty() && !settings.error().remedy.empty(), "an error has words");
    return 0;
  }
  fuzz::require(impair::parse_settings(impair::describe(*settings)) == settings, "what is told parses to the same");
  const auto used = static_cast<std::size_t>(end - data);
  if (used < size) pass_frames(*settings, {data + used + 1, size - used - 1});
  return 0;
}

#include "mailbox.hpp"

#include <utility>

namespace wireside {
namespace {

// What a rush needed is not kept for ever.
constexpr std::size_t kept_octets = std::size_t{256} << 10;

}  // namespace

void Mailbox::Batch::clear() {
  frames.clear();
  octets.clear();
  if (octets.capacity() > kept_octets) std::vector<std::uint8_t>{}.swap(octets);
}

Mailbox::Posted Mailbox::post(const Packet& frame, bool placed) {
  const ByteView octets = frame.data.view();
  const std::lock_guard lock{mutex_};
  if (batch_.frames.size() >= max_frames || batch_.octets.size() + octets.size() > max_octets) return Posted::Full;
  const bool first = batch_.frames.empty();
  batch_.frames.push_back({batch_.octets.size(), octets.size(), frame.checksum, frame.gso_size, placed});
  batch_.octets.insert(batch_.octets.end(), octets.begin(), octets.end());
  return first ? Posted::First : Posted::Added;
}

void Mailbox::take(Batch& batch) {
  batch.clear();
  const std::lock_guard lock{mutex_};
  std::swap(batch, batch_);
}

}  // namespace wireside

#include "impaired_path.hpp"

#include <algorithm>
#include <utility>

namespace wireside {
namespace {

/// The directions have different seeds, so that the same settings do not lose the same frames in both.
Seed seed_of(const PathImpairment& impairment, observe::Direction direction) {
  Seed seed = impairment.seed;
  seed[0] += static_cast<std::uint64_t>(direction);
  return seed;
}

}  // namespace

FrameOut to_frame_out(Packet frame) {
  FrameOut out;
  out.payload.push_back(std::move(frame.data));
  out.reason = observe::TxReason::Raw;
  return out;
}

ImpairedPath::ImpairedPath(Stack& stack, const PathImpairment& impairment)
    : stack_{stack},
      in_{impairment.in, seed_of(impairment, observe::Direction::In), observe::Direction::In, stack.buffers()},
      out_{impairment.out, seed_of(impairment, observe::Direction::Out), observe::Direction::Out, stack.buffers()} {}

void ImpairedPath::arrived(Instant now, Packet frame) {
  in_.send(now, std::move(frame), stack_.sink());
  deliver(now);
}

void ImpairedPath::deliver(Instant now) {
  Packet frame;
  while (in_.receive(now, frame)) stack_.handle_frame(now, std::move(frame));
}

bool ImpairedPath::next_frame(Instant now, FrameOut& out) {
  Packet frame;
  // What the stack sends may be lost, or come later.
  while (!out_.receive(now, frame)) {
    if (!stack_.poll_frame(now, out)) return false;
    out_.send(now, impair::flatten(out, stack_.buffers()), stack_.sink());
  }
  out = to_frame_out(std::move(frame));
  return true;
}

std::optional<Instant> ImpairedPath::next_deadline(bool can_send) const {
  const auto in = in_.next_deadline();
  const auto out = can_send ? out_.next_deadline() : std::nullopt;
  return in && out ? std::min(in, out) : in ? in : out;
}

void ImpairedPath::clear() {
  in_.clear();
  out_.clear();
}

}  // namespace wireside

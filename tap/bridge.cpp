#include "bridge.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

#include "impaired_path.hpp"

namespace wireside {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using WaitType = asio::posix::stream_descriptor;

// Both directions get their share.
constexpr unsigned bridged_per_turn = 64;

Instant monotonic_now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return Instant::from_ns(std::chrono::duration_cast<Duration>(since).count());
}

TapDevice without_offload(TapDevice device) {
  device.stop_offload();
  return device;
}

Seed with(Seed seed, std::uint64_t direction) {
  seed[0] += direction;
  return seed;
}

}  // namespace

class Bridge::Impl : public std::enable_shared_from_this<Bridge::Impl> {
 public:
  Impl(asio::io_context& context, TapDevice first, TapDevice second, const Path& path)
      : context_{context},
        sides_{Side{context, std::move(first), {path.forth, with(path.seed, 0), observe::Direction::Out, pool_}},
               Side{context, std::move(second), {path.back, with(path.seed, 1), observe::Direction::In, pool_}}},
        timer_{context} {}
  ~Impl() {
    for (Side& side : sides_) (void)side.descriptor.release();  // TapDevice closes it
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void start() {
    for (std::size_t i = 0; i < sides_.size(); ++i) read(i);
  }
  void end() {
    ended_ = true;
    timer_.cancel();
    error_code ignored;
    for (Side& side : sides_) side.descriptor.cancel(ignored);
  }

  std::function<void(const std::string&)> on_fatal_;
  [[nodiscard]] Counters counters(std::size_t from) const {
    const auto& c = sides_[1 - from].device.counters();
    return {sides_[from].path.counters(), c.lost_link_down + c.rejected};
  }

 private:
  struct Side {
    Side(asio::io_context& context, TapDevice d, impair::Impairment p)
        : device{without_offload(std::move(d))}, descriptor{context, device.native_handle()}, path{std::move(p)} {}
    TapDevice device;
    asio::posix::stream_descriptor descriptor;
    impair::Impairment path;  // of what comes from here
    FrameOut kept;            // waits for this device to take it
    bool blocked = false;
  };

  void read(std::size_t from);
  void sleep(std::size_t from);
  void deliver(std::size_t from, Instant now);
  void arm_timer();
  void wait_writable(std::size_t to);
  void gone(const Side& side);

  asio::io_context& context_;
  BufferPool pool_;
  observe::Sink sink_;
  std::array<Side, 2> sides_;
  asio::steady_timer timer_;
  bool ended_ = false;
};

void Bridge::Impl::read(std::size_t from) {
  if (ended_) return;
  Side& side = sides_[from];
  Packet frame;
  for (unsigned n = 0; n < bridged_per_turn; ++n) {
    switch (side.device.read(pool_, frame)) {
      case TapDevice::ReadResult::Frame:
        side.path.send(monotonic_now(), std::move(frame), sink_);
        break;
      case TapDevice::ReadResult::Skipped:
        break;
      case TapDevice::ReadResult::Empty:
        deliver(from, monotonic_now());
        return sleep(from);
      case TapDevice::ReadResult::Gone:
        return gone(side);
    }
  }
  deliver(from, monotonic_now());
  asio::post(context_, [self = shared_from_this(), from] { self->read(from); });
}

void Bridge::Impl::sleep(std::size_t from) {
  if (ended_) return;
  sides_[from].descriptor.async_wait(WaitType::wait_read, [self = shared_from_this(), from](error_code ec) {
    if (!ec) self->read(from);
  });
}

/// Writes what has arrived at the other side.
void Bridge::Impl::deliver(std::size_t from, Instant now) {
  Side& to = sides_[1 - from];
  Packet frame;
  while (!ended_ && !to.blocked) {
    if (to.kept.size() == 0) {
      if (!sides_[from].path.receive(now, frame)) break;
      to.kept = to_frame_out(std::move(frame));
    }
    const auto result = to.device.write(to.kept);
    if (result == TapDevice::WriteResult::Gone) return gone(to);
    if (result == TapDevice::WriteResult::Full) {
      wait_writable(1 - from);
    } else {
      to.kept.clear();
    }
  }
  arm_timer();
}

void Bridge::Impl::arm_timer() {
  if (ended_) return;
  Instant due = Instant::max();
  for (std::size_t from = 0; from < sides_.size(); ++from) {
    if (!sides_[1 - from].blocked) due = std::min(due, sides_[from].path.next_deadline().value_or(due));
  }
  if (due == Instant::max()) return;
  timer_.expires_at(std::chrono::steady_clock::time_point{std::chrono::nanoseconds{due.ns()}});
  timer_.async_wait([self = shared_from_this()](error_code ec) {
    if (ec) return;
    const Instant now = monotonic_now();
    for (std::size_t from = 0; from < self->sides_.size(); ++from) self->deliver(from, now);
  });
}

void Bridge::Impl::wait_writable(std::size_t to) {
  sides_[to].blocked = true;
  sides_[to].descriptor.async_wait(WaitType::wait_write, [self = shared_from_this(), to](error_code ec) {
    if (ec) return;
    self->sides_[to].blocked = false;
    self->deliver(1 - to, monotonic_now());
  });
}

void Bridge::Impl::gone(const Side& side) {
  if (ended_) return;
  end();
  const std::string message = make_tap_error(TapFault::InterfaceGone, {.name = side.device.name()}).to_string();
  if (on_fatal_) asio::post(context_, [handler = on_fatal_, message] { handler(message); });
}

Bridge::Bridge(asio::io_context& context, TapDevice first, TapDevice second, const Path& path)
    : impl_{std::make_shared<Impl>(context, std::move(first), std::move(second), path)} {}
Bridge::~Bridge() {
  impl_->on_fatal_ = nullptr;
  impl_->end();
}
void Bridge::start() { impl_->start(); }
void Bridge::on_fatal(std::function<void(const std::string& message)> handler) {
  impl_->on_fatal_ = std::move(handler);
}
Bridge::Counters Bridge::counters(bool from_first) const { return impl_->counters(from_first ? 0 : 1); }

}  // namespace wireside

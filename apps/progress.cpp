#include "progress.hpp"

#include <fmt/format.h>

#include "output.hpp"
#include "text.hpp"

namespace wireside::apps {

namespace {
constexpr std::chrono::milliseconds redraw{200};
constexpr const char* erase_line = "\r\033[K";

double seconds_between(std::chrono::steady_clock::time_point a, std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}
}  // namespace

void Progress::start(std::optional<std::uint64_t> total, bool visible) {
  *this = Progress{};
  total_ = total;
  visible_ = visible;
  started_ = Clock::now();
  next_draw_ = started_ + redraw;
}

void Progress::add(std::uint64_t octets) {
  octets_ += octets;
  if (!visible_) return;
  const auto now = Clock::now();
  if (now < next_draw_) return;
  next_draw_ = now + redraw;
  draw();
}

std::string Progress::rate(double seconds) const {
  return fmt::format("{:.3g} Mbit/s", seconds > 0 ? static_cast<double>(octets_) * 8e-6 / seconds : 0.0);
}

void Progress::draw() {
  const double seconds = seconds_between(started_, Clock::now());
  std::string line = human_size(octets_);
  if (total_ && *total_ > 0) {
    line = fmt::format("{:3.0f}%  {} of {}", 100.0 * static_cast<double>(octets_) / static_cast<double>(*total_), line,
                       human_size(*total_));
  }
  tell(fmt::format("{}{}  {}", erase_line, line, rate(seconds)));
  drawn_ = true;
}

void Progress::finish(bool always) {
  clear();
  if (!visible_ && !always) return;
  const double seconds = seconds_between(started_, Clock::now());
  tell(fmt::format("{} in {:.2f} s ({})\n", human_size(octets_), seconds, rate(seconds)));
}

void Progress::clear() {
  if (drawn_) tell(erase_line);
  drawn_ = false;
}

}  // namespace wireside::apps

#include "sim_flow.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

namespace wireside::sim {
namespace {

constexpr std::uint16_t first_port = 5001;
constexpr std::size_t period = 251;
constexpr std::size_t chunk = 65536;
constexpr Duration mark_distance = std::chrono::milliseconds{1};

/// Octet i of every stream is i mod 251, so that any loss, repetition or exchange of octets shows.
const std::array<std::uint8_t, chunk + period>& pattern() {
  static const auto octets = [] {
    std::array<std::uint8_t, chunk + period> out{};
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(i % period);
    return out;
  }();
  return octets;
}

}  // namespace

FlowRun::FlowRun(const Flow& flow, Network& network, std::size_t number)
    : flow_{flow},
      network_{network},
      sender_{network.host(flow.from)},
      receiver_{network.host(flow.to)},
      port_{static_cast<std::uint16_t>(first_port + number)} {
  result_.name = flow.name;
  result_.from = flow.from;
  result_.to = flow.to;
  result_.congestion = to_string(flow.options.congestion);
  result_.start = flow.start;
  SocketTable& table = sockets(receiver_);
  const auto listener = table.open(SocketKind::Stream);
  if (listener) listener_ = *listener;
  if (!listener || !table.set_stream_options(Instant{}, listener_, flow.options) ||
      !table.bind(listener_, {IpAddress{}, port_}) || !table.listen(listener_, 1)) {
    end(Instant{}, "failed: cannot listen", false);
  }
}

Instant FlowRun::next_action() const {
  if (finished_) return Instant::max();
  if (!connecting_) return started();
  return flow_.octets ? Instant::max() : started() + flow_.run_for;
}

void FlowRun::act(Instant now) {
  if (finished_ || now < next_action()) return;
  if (!connecting_) return connect(now);
  const bool carried = read_ > 0;
  end(now, carried ? "done" : "failed: nothing was delivered in its time", carried);
}

void FlowRun::connect(Instant now) {
  connecting_ = true;
  network_.touch(sender_);
  const auto socket = sockets(sender_).open(SocketKind::Stream);
  if (!socket) return end(now, "failed: no socket", false);
  out_ = *socket;
  std::ignore = sockets(sender_).set_stream_options(now, out_, flow_.options);
  const auto begun = sockets(sender_).connect(now, out_, {network_.address(receiver_), port_});
  if (!begun && begun.error() != Error::InProgress) {
    return end(now, fmt::format("failed: {}", describe(begun.error())), false);
  }
  if (const auto status = sender_status()) connection_ = status->id;
}

std::optional<tcp::ConnectionStatus> FlowRun::sender_status() const {
  const auto status = network_.stack(sender_).sockets().status(out_);
  if (!status) return std::nullopt;
  return *status;
}

bool FlowRun::on_event(Instant now, std::size_t interface, const SocketEvent& event) {
  if (finished_) return false;
  if (interface == receiver_ && event.socket == listener_) {
    const auto accepted = sockets(receiver_).accept(listener_);
    if (accepted) in_ = accepted->socket;
    if (accepted) read(now);
    return true;
  }
  if (interface == receiver_ && event.socket == in_) {
    if (event.failed) {
      end(now, fmt::format("failed: {}", describe(event.error)), false);
    } else {
      read(now);
    }
    return true;
  }
  if (interface != sender_ || event.socket != out_) return false;
  on_sender_event(now, event);
  return true;
}

void FlowRun::on_sender_event(Instant now, const SocketEvent& event) {
  if (event.failed) return end(now, fmt::format("failed: {}", describe(event.error)), false);
  write(now);
}

void FlowRun::write(Instant now) {
  network_.touch(sender_);
  SocketTable& table = sockets(sender_);
  const std::uint64_t all = flow_.octets.value_or(UINT64_MAX);
  while (written_ < all) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(all - written_, chunk));
    const auto sent = table.send(now, out_, ByteView{pattern()}.subspan(written_ % period, n));
    if (!sent) return;  // full, or an event tells
    written_ += *sent;
  }
  if (!std::exchange(shut_, true)) std::ignore = table.shutdown(now, out_, Shutdown::Send);
}

void FlowRun::read(Instant now) {
  network_.touch(receiver_);
  std::array<std::uint8_t, chunk> octets;
  while (true) {
    const auto n = sockets(receiver_).receive(now, in_, octets);
    if (!n) return;
    if (*n == 0) {
      const bool all = flow_.octets && read_ == *flow_.octets;
      return end(now, all ? "done" : "failed: the stream ended early", all);
    }
    if (std::memcmp(octets.data(), pattern().data() + read_ % period, *n) != 0) {
      return end(now, "failed: other octets were delivered than sent", false);
    }
    delivered(now, *n);
  }
}

void FlowRun::delivered(Instant now, std::uint64_t octets) {
  read_ += octets;
  last_delivery_ = now;
  if (marks_.empty() || now - marks_.back().at >= mark_distance) {
    marks_.push_back({now, read_});
  } else {
    marks_.back().octets = read_;
  }
}

std::uint64_t FlowRun::delivered_at(Instant then) const {
  const auto after = std::ranges::upper_bound(marks_, then, {}, &Mark::at);
  return after == marks_.begin() ? 0 : std::prev(after)->octets;
}

void FlowRun::on_report(const observe::Event& event) {
  if (const auto* window = std::get_if<observe::WindowChanged>(&event); window && window->connection == connection_) {
    result_.cwnd_max = std::max(result_.cwnd_max, window->cwnd);
    if (window->cause == observe::WindowCause::FastRetransmit) ++result_.recoveries;
    loss_found_ = loss_found_ || window->cause == observe::WindowCause::FastRetransmit;
    if (window->cause == observe::WindowCause::Undo) {
      ++result_.undone;
      undone_ = true;
    }
  }
  // Not by the window: a timeout of the SYN leaves it alone.
  if (const auto* rto = std::get_if<observe::RtoChanged>(&event);
      rto && rto->connection == connection_ && rto->rto >= rto->rto_before) {
    ++result_.timeouts;
    loss_found_ = true;
  }
  if (const auto* rtt = std::get_if<observe::RttSampled>(&event); rtt && rtt->connection == connection_) {
    result_.rtt_min = result_.rtt_samples == 0 ? rtt->sample : std::min(result_.rtt_min, rtt->sample);
    result_.rtt_max = std::max(result_.rtt_max, rtt->sample);
    rtt_sum_ += rtt->sample;
    ++result_.rtt_samples;
  }
}

void FlowRun::observe(Instant now) {
  if (finished_ || (!loss_found_ && !recover_)) return;
  const auto status = sender_status();
  if (!status) return;
  if (std::exchange(loss_found_, false)) {
    if (!recover_) recovery_since_ = now;
    recover_ = status->snd_nxt;
  }
  const bool repaired = recover_ && (status->snd_una == *recover_ || status->snd_una.after(*recover_));
  if (recover_ && (std::exchange(undone_, false) || repaired)) {
    result_.in_recovery += now - recovery_since_;
    recover_.reset();
  }
}

void FlowRun::end(Instant now, const std::string& state, bool ok) {
  if (finished_) return;
  if (const auto status = sender_status()) result_.retransmitted = status->total_retransmitted;
  if (recover_) result_.in_recovery += now - recovery_since_;
  recover_.reset();
  finished_ = true;
  ended_ = now;
  result_.state = state;
  result_.ok = ok;
  close_sockets(now);
}

/// In order where all was delivered; what still is on its way is of no interest then.
void FlowRun::close_sockets(Instant now) {
  network_.touch(sender_);
  network_.touch(receiver_);
  const bool orderly = result_.ok && flow_.octets.has_value();
  for (const auto& [interface, socket] : {std::pair{sender_, out_}, std::pair{receiver_, in_}}) {
    if (!socket.is_valid()) continue;
    if (orderly) std::ignore = sockets(interface).close(now, socket);
    if (!orderly) std::ignore = sockets(interface).abort(now, socket);
  }
  if (listener_.is_valid()) std::ignore = sockets(receiver_).close(now, listener_);
}

FlowResult FlowRun::result(Instant now) const {
  FlowResult out = result_;
  if (!finished_) {
    out.state = "unfinished";
    if (const auto status = sender_status()) out.retransmitted = status->total_retransmitted;
    if (recover_) out.in_recovery += now - recovery_since_;
  }
  out.octets = read_;
  const Instant last = !flow_.octets ? ended(now) : finished_ && read_ > 0 ? last_delivery_ : now;
  out.took = std::max(Duration{}, last - started());
  if (out.took > Duration{}) out.goodput = static_cast<double>(read_) * 8e9 / static_cast<double>(out.took.count());
  if (out.rtt_samples > 0) out.rtt_mean = rtt_sum_ / static_cast<std::int64_t>(out.rtt_samples);
  return out;
}

double jain_index(const std::vector<double>& shares) {
  double sum = 0, squares = 0;
  for (const double share : shares) sum += share, squares += share * share;
  return squares == 0 ? 1 : sum * sum / (static_cast<double>(shares.size()) * squares);
}

}  // namespace wireside::sim

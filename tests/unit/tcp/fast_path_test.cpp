// What must not be seen from outside: header prediction (fast_path.cpp) against the steps of RFC 9293 section 3.10.7.4,
// and connections at rest (rest.cpp) against those that stay awake. Two layers that differ in nothing else get the same
// segments and calls, and must do the same.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "support/test_random.hpp"
#include "tcp/tcp_layer.hpp"

namespace wireside::testing {
namespace {

using tcp::ConnectionHandle;
using tcp::ConnectionOptions;

const FourTuple twins_tuple{{Ipv4Address{10, 0, 0, 1}, Port{80}}, {Ipv4Address{10, 0, 0, 2}, Port{4000}}};

/// Every event in words, as far as TCP makes them.
class Recorder : public observe::Observer {
 public:
  void on_event(Instant now, const observe::Event& event) override {
    std::string line = std::to_string(now.ns()) + ' ' + std::to_string(event.index());
    const auto add = [&](auto... values) { ((line += ' ' + std::to_string(values)), ...); };
    if (const auto* t = std::get_if<observe::TimerChanged>(&event)) {
      add(t->connection, static_cast<int>(t->timer), static_cast<int>(t->what), t->in.count());
    } else if (const auto* w = std::get_if<observe::WindowChanged>(&event)) {
      add(w->connection, w->cwnd_before, w->cwnd, w->ssthresh_before, w->ssthresh, static_cast<int>(w->cause));
    } else if (const auto* r = std::get_if<observe::RttSampled>(&event)) {
      add(r->connection, r->sample.count(), r->srtt.count(), r->rttvar.count(), r->rto.count());
    } else if (const auto* d = std::get_if<observe::Dropped>(&event)) {
      add(static_cast<int>(d->reason), d->connection);
    } else if (const auto* step = std::get_if<observe::ConnectionChanged>(&event)) {
      const observe::ConnectionView& v = *step->view;
      add(static_cast<int>(step->cause), v.connection, static_cast<int>(v.state), v.snd_una.value(), v.snd_nxt.value(),
          v.snd_wnd, v.cwnd, v.ssthresh, v.pipe, v.rcv_nxt.value(), v.rcv_wnd, v.receive_queued, v.unacknowledged);
      for (const Instant due : v.timers) add(due.ns());
    }
    lines.push_back(line);
  }
  [[nodiscard]] bool wants_steps() const override { return true; }
  std::vector<std::string> lines;
};

class End {
 public:
  explicit End(const tcp::TcpConfig& config) : layer_{config, random_, pool_, sink_} {
    sink_.attach(&recorder_);
    layer_.set_limits(1460, 65535 - 80);
    listener_ = layer_.listen(twins_tuple.local, 4, config.defaults).value();
  }
  void arrive(Instant now, const wire::TcpHeader& header, std::size_t octets, std::uint8_t tos = 0,
              std::uint16_t gso_size = 0) {
    tcp::IncomingSegment s;
    s.tuple = twins_tuple;
    s.header = header;
    s.payload = octets == 0 ? Slice{} : pool_.allocate_slice(octets);
    if (octets != 0) std::fill_n(s.payload.mutable_data(), octets, static_cast<std::uint8_t>(header.seq.value()));
    s.tos = tos;
    s.gso_size = gso_size;
    layer_.segment_arrives(now, s);
    note("progress " + std::to_string(layer_.take_forward_progress()));
  }
  void poll(Instant now) {
    tcp::OutgoingSegment out;
    while (layer_.poll_segment(now, out)) {
      last_out = out.header;
      std::string line = wire::describe_tcp(out.header, out.payload.octets()) + " tos " + std::to_string(out.tos) +
                         " gso " + std::to_string(out.gso_size) + " why " +
                         std::to_string(static_cast<int>(out.reason));
      for (const Slice& slice : out.payload) line.append(slice.view().begin(), slice.view().end());
      note(line);
    }
    while (const auto e = layer_.poll_event()) note("event " + std::to_string(static_cast<int>(e->kind)));
    note("next " + std::to_string(layer_.next_deadline().ns()));
    if (const auto s = layer_.status(connection)) note(describe(*s));
  }
  bool accept() {
    const auto c = layer_.accept(listener_);
    if (c) connection = *c;
    return c.has_value();
  }
  void send(Instant now, std::size_t octets) {
    const std::vector<std::uint8_t> data(octets, 'x');
    note("sent " + std::to_string(layer_.send(now, connection, data).value_or(0)));
  }
  void receive(Instant now, std::size_t octets) {
    std::vector<std::uint8_t> room(octets);
    const auto n = layer_.receive(now, connection, room).value_or(0);
    note("received " + std::string(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(n)));
  }
  void close(Instant now) { layer_.close(now, connection); }
  void time_out(Instant now) {
    if (layer_.next_deadline() <= now) layer_.handle_timeouts(now);
  }
  [[nodiscard]] tcp::ConnectionStatus status() { return layer_.status(connection).value_or(tcp::ConnectionStatus{}); }
  [[nodiscard]] const std::vector<std::string>& lines() const { return recorder_.lines; }
  wire::TcpHeader last_out;
  ConnectionHandle connection;

 private:
  static std::string describe(const tcp::ConnectionStatus& s) {
    std::string out = "status";
    for (const std::uint64_t n : {std::uint64_t{s.snd_una.value()},
                                  std::uint64_t{s.snd_nxt.value()},
                                  std::uint64_t{s.rcv_nxt.value()},
                                  std::uint64_t{s.snd_wnd},
                                  std::uint64_t{s.rcv_wnd},
                                  std::uint64_t{s.cwnd},
                                  std::uint64_t{s.ssthresh},
                                  std::uint64_t{s.pipe},
                                  std::uint64_t{s.sacked},
                                  std::uint64_t{s.lost},
                                  s.delivery_rate,
                                  s.delivered,
                                  static_cast<std::uint64_t>(s.min_rtt.count()),
                                  static_cast<std::uint64_t>(s.rcv_rtt.count()),
                                  static_cast<std::uint64_t>(s.srtt.count()),
                                  static_cast<std::uint64_t>(s.rto.count()),
                                  s.segments_received,
                                  s.data_segments_received,
                                  s.segments_sent,
                                  s.octets_sent,
                                  s.octets_received,
                                  std::uint64_t{s.rcv_mss},
                                  std::uint64_t{s.receive_buffer},
                                  std::uint64_t{s.send_buffer},
                                  std::uint64_t{s.received_tos},
                                  std::uint64_t{s.send_queued},
                                  std::uint64_t{s.receive_queued},
                                  s.ce_received,
                                  static_cast<std::uint64_t>(s.state),
                                  static_cast<std::uint64_t>(s.recovery),
                                  static_cast<std::uint64_t>(s.timer_due.ns()),
                                  static_cast<std::uint64_t>(s.ack_received_at.ns()),
                                  static_cast<std::uint64_t>(s.data_received_at.ns())}) {
      out += ' ' + std::to_string(n);
    }
    return out;
  }
  void note(std::string line) { recorder_.lines.push_back(std::move(line)); }

  Random random_{make_seed(7)};
  BufferPool pool_;
  observe::Sink sink_;
  Recorder recorder_;
  tcp::TcpLayer layer_;
  tcp::ListenerHandle listener_;
};

/// Both, and a peer that nearly always does what is expected, and anything else now and then.
class Twins {
 public:
  Twins(std::uint64_t seed, const tcp::TcpConfig& one, const tcp::TcpConfig& other)
      : random_{seed}, ends_{{End{one}, End{other}}} {}

  void open(bool timestamps, bool sack, bool ecn) {
    timestamps_ = timestamps;
    wire::TcpHeader syn = header();
    syn.flags = {.syn = true, .ece = ecn, .cwr = ecn};
    syn.options.mss = std::uint16_t{1460};
    syn.options.window_scale = std::uint8_t{7};
    syn.options.sack_permitted = sack;
    each([&](End& e) { e.arrive(now_, syn, 0); });
    seq_ += 1;
    poll();
    ack_ = ends_[0].last_out.seq + 1;
    each([&](End& e) { e.arrive(now_, header(), 0); });
    each([&](End& e) { ASSERT_TRUE(e.accept()); });
  }
  void step() {
    now_ = now_ + Duration{static_cast<std::int64_t>(random_.below(3) == 0 ? random_.below(60'000'000) : 20'000)};
    const auto status = ends_[0].status();
    switch (random_.below(12)) {
      case 0:
        return both(&End::send, 1 + random_.below(20'000));
      case 1:
        return both(&End::receive, 1 + random_.below(40'000));
      case 2:
        each([&](End& e) { e.time_out(now_); });
        return;
      case 3:
        return odd_segment(status);
      case 4:
      case 5:
      case 6:
        return data(1 + random_.below(random_.below(4) == 0 ? 30'000 : 1448));
      default:
        return acknowledge(status);
    }
  }
  void poll() {
    each([&](End& e) { e.poll(now_); });
  }
  /// All is acknowledged and taken, and for a while nothing happens but what timers bring about.
  void pause() {
    const auto status = ends_[0].status();
    seq_ = status.rcv_nxt;
    ack_ = status.snd_nxt;
    each([&](End& e) { e.arrive(now_, header(), 0); });
    both(&End::receive, status.receive_queued);
    poll();
    now_ = now_ + Duration{static_cast<std::int64_t>(random_.below(3'000'000'000))};
    each([&](End& e) { e.time_out(now_); });
    poll();
  }
  void finish() {
    each([&](End& e) { e.close(now_); });
    poll();
  }
  [[nodiscard]] bool same() const { return ends_[0].lines() == ends_[1].lines(); }
  [[nodiscard]] std::string first_difference() const {
    for (std::size_t i = 0; i < std::min(ends_[0].lines().size(), ends_[1].lines().size()); ++i) {
      if (ends_[0].lines()[i] != ends_[1].lines()[i]) return ends_[0].lines()[i] + "\n" + ends_[1].lines()[i];
    }
    return "one has more lines";
  }

 private:
  template <class F>
  void each(F&& f) {
    for (End& e : ends_) f(e);
  }
  void both(void (End::*call)(Instant, std::size_t), std::size_t octets) {
    each([&](End& e) { (e.*call)(now_, octets); });
  }
  [[nodiscard]] wire::TcpHeader header() const {
    wire::TcpHeader h;
    h.source = twins_tuple.remote.port;
    h.destination = twins_tuple.local.port;
    h.seq = seq_;
    h.ack = ack_;
    h.flags.ack = true;
    h.window = 600;
    if (timestamps_) {
      const auto echo = ends_[0].last_out.options.timestamps;
      h.options.timestamps =
          wire::TcpTimestamps{static_cast<std::uint32_t>(now_.ns() / 1'000'000), echo ? echo->ts_val : 0};
    }
    return h;
  }
  void acknowledge(const tcp::ConnectionStatus& status) {
    if (ack_.before(status.snd_una)) ack_ = status.snd_una;
    ack_ += static_cast<std::uint32_t>(random_.below(span_octets(ack_, status.snd_nxt) + 1));
    wire::TcpHeader h = header();
    if (random_.below(6) == 0) h.window = static_cast<std::uint16_t>(random_.below(1000));
    each([&](End& e) { e.arrive(now_, h, 0); });
  }
  void data(std::size_t octets) {
    wire::TcpHeader h = header();
    h.flags.psh = random_.below(2) == 0;
    const auto gso = static_cast<std::uint16_t>(octets > 1448 ? 1448 : 0);
    const auto tos = static_cast<std::uint8_t>(random_.below(8) == 0 ? random_.below(4) : 0);
    each([&](End& e) { e.arrive(now_, h, octets, tos, gso); });
    seq_ += static_cast<std::uint32_t>(octets);
  }
  /// Old, ahead, out of the window, with blocks, flags or stamps that mean something else.
  void odd_segment(const tcp::ConnectionStatus& status) {
    wire::TcpHeader h = header();
    const std::uint32_t far = static_cast<std::uint32_t>(random_.below(5000));
    seq_ = status.rcv_nxt;  // what did not fit is sent again
    switch (random_.below(9)) {
      case 0:
        h.seq = status.rcv_nxt + far;
        break;
      case 1:
        h.seq = status.rcv_nxt - far;
        break;
      case 2:
        h.ack = status.snd_nxt + far;
        break;
      case 3:
        h.ack = status.snd_una - far;
        break;
      case 4:
        h.options.sack = {wire::SackBlock{status.snd_una + far, status.snd_una + far + 1000}};
        h.options.sack_count = 1;
        break;
      case 5:
        h.flags.urg = true;
        h.urgent_pointer = static_cast<std::uint16_t>(far);
        break;
      case 6:
        h.flags.ece = true;
        h.flags.cwr = random_.below(2) == 0;
        break;
      case 7:
        if (h.options.timestamps) h.options.timestamps->ts_val -= far;
        break;
      default:
        h.window = 0;
        break;
    }
    const std::size_t octets = random_.below(2) == 0 ? 0 : 1 + random_.below(1448);
    each([&](End& e) { e.arrive(now_, h, octets); });
  }

  TestRandom random_;
  Instant now_ = Instant::from_ns(1'000'000'000);
  SeqNum seq_{5000}, ack_{0};
  bool timestamps_ = false;
  std::array<End, 2> ends_;
};

RC_GTEST_PROP(FastPath, DoesWhatTheStepsDo, (std::uint64_t seed, bool timestamps, bool no_sack, bool ecn, bool reno)) {
  tcp::TcpConfig config;
  if (reno) config.defaults.congestion = tcp::CongestionAlgorithm::NewReno;
  config.defaults.no_delay = true;
  tcp::TcpConfig slow = config;
  slow.fast_path = false;
  Twins twins{seed, config, slow};
  twins.open(timestamps, !no_sack, ecn);
  for (int i = 0; i < 300; ++i) {
    twins.step();
    if (i % 3 != 0) twins.poll();  // sometimes several come in one batch
  }
  twins.finish();
  if (!twins.same()) RC_FAIL(twins.first_difference());
}

RC_GTEST_PROP(Rest, MakesNoDifference,
              (std::uint64_t seed, bool timestamps, bool no_sack, bool ecn, bool reno, bool keep_alive)) {
  tcp::TcpConfig config;
  if (reno) config.defaults.congestion = tcp::CongestionAlgorithm::NewReno;
  config.defaults.keep_alive = keep_alive;
  config.defaults.keep_alive_idle = std::chrono::seconds{2};
  config.max_awake_idle = 256;
  tcp::TcpConfig resting = config;
  resting.max_awake_idle = 0;
  Twins twins{seed, config, resting};
  twins.open(timestamps, !no_sack, ecn);
  for (int i = 0; i < 150; ++i) {
    twins.step();
    if (i % 3 != 0) twins.poll();
    if (i % 7 == 0) twins.pause();
  }
  twins.finish();
  if (!twins.same()) RC_FAIL(twins.first_difference());
}

}  // namespace
}  // namespace wireside::testing

#include <array>

#include "sim/simulation.hpp"

namespace wireside::testing {

namespace {

/// Mostly small, sometimes up to `most`.
std::uint64_t skewed(TestRandom& r, std::uint64_t most) {
  const double u = r.unit();
  return static_cast<std::uint64_t>(u * u * u * static_cast<double>(most));
}

tcp::ConnectionOptions draw_options(TestRandom& r, const tcp::ConnectionOptions& defaults) {
  auto o = defaults;
  o.no_delay = r.chance(0.3);
  o.quick_ack = r.chance(0.1);
  o.cork = r.chance(0.05);
  if (r.chance(0.5)) o.receive_buffer = r.between(1500, 100'000);
  o.send_buffer = r.chance(0.1) ? 0 : r.between(1000, 300'000);
  if (r.chance(0.2)) o.notsent_lowat = r.between(500, 50'000);
  if (r.chance(0.1)) o.max_segment = static_cast<std::uint16_t>(r.between(200, 1400));
  if (r.chance(0.35)) o.congestion = tcp::CongestionAlgorithm::NewReno;
  o.ecn = static_cast<tcp::EcnMode>(r.below(3));
  o.abe = r.chance(0.3);
  o.pacing = static_cast<tcp::Pacing>(r.below(3));
  if (r.chance(0.1)) o.max_pacing_rate = r.between(100'000, 10'000'000);
  if (r.chance(0.15)) {
    o.keep_alive = true;
    o.keep_alive_idle = 1s + r.duration_below(10s);
    o.keep_alive_interval = 1s;
    o.keep_alive_probes = 60;  // the bad times last 60 s
  }
  if (r.chance(0.1)) o.user_timeout = std::chrono::minutes{15 + static_cast<int>(r.below(45))};
  o.user_timeout_option = r.chance(0.1);
  o.fast_open = r.chance(0.2);
  if (r.chance(0.3)) o.fast_open_queue = r.between(1, 4);
  if (r.chance(0.1)) o.defer_accept = 1s + r.duration_below(4s);
  return o;
}

ApplicationPlan draw_application(TestRandom& r, const tcp::ConnectionOptions& defaults) {
  ApplicationPlan p;
  p.octets = r.chance(0.15) ? 0 : skewed(r, 300'000);
  p.largest_write = 1 + skewed(r, 40'000);
  // Tiny writes of a long stream only take long.
  if (p.octets > 20'000) p.largest_write += 2000;
  p.largest_read = 500 + skewed(r, 40'000);
  if (r.chance(0.4)) p.write_pause = r.unit() * 0.3;
  if (r.chance(0.4)) p.read_pause = r.unit() * 0.5;
  p.longest_pause = 1ms + r.duration_below(r.chance(0.1) ? Duration{3s} : Duration{100ms});
  if (r.chance(0.1)) p.reads_from = r.duration_below(20s);
  p.uses_slices = r.chance(0.2);
  if (r.chance(0.1)) p.urgent_write = r.unit() * 0.3;
  if (r.chance(0.1)) p.option_change = r.unit() * 0.3;
  p.options = draw_options(r, defaults);
  return p;
}

LinkConditions draw_link(TestRandom& r) {
  LinkConditions c;
  c.delay = 10us + r.duration_below(r.chance(0.2) ? Duration{200ms} : Duration{20ms});
  if (r.chance(0.5)) c.jitter = 1us + r.duration_below(2 * c.delay);
  if (r.chance(0.7)) c.loss = r.unit() * 0.2;
  if (r.chance(0.4)) c.duplication = r.unit() * 0.2;
  if (r.chance(0.3)) c.corruption = r.unit() * 0.05;
  if (r.chance(0.4)) {
    c.bits_per_second = r.between(500'000, 1'000'000'000);
    c.queue_octets = r.between(20'000, 400'000);
    if (r.chance(0.4)) c.mark_octets = r.between(1'000, c.queue_octets);
  }
  if (r.chance(0.15)) {
    c.bursts = r.unit() * 0.02;
    c.burst_end = 0.05 + r.unit() * 0.5;
  }
  if (r.chance(0.15)) c.reorder = r.unit() * 0.3;
  if (r.chance(0.1)) {
    for (auto n = r.between(1, 5); n > 0; --n) c.lost_data.push_back(r.between(1, 40));
  }
  return c;
}

Config draw_config(TestRandom& r, unsigned side, std::uint16_t mtu) {
  Config c;
  c.ip.addresses = {{Ipv4Address{10, 0, 0, static_cast<std::uint8_t>(side + 1)}, 24}};
  c.link.mtu = mtu;
  c.link.tx_checksum_offload = r.chance(0.4);
  c.link.tso = c.link.tx_checksum_offload && r.chance(0.8);
  c.link.pad_to_minimum = r.chance(0.5);
  c.tcp.window_scaling = r.chance(0.8);
  c.tcp.timestamps = r.chance(0.7);
  c.tcp.sack = r.chance(0.7);
  c.tcp.receive_buffer_initial = r.between(4000, 200'000);
  c.tcp.receive_buffer_max = std::size_t{1} << r.between(16, 24);
  if (r.chance(0.1)) c.tcp.max_reassembly_slices = r.between(1, 20);
  c.tcp.dsack = r.chance(0.85);
  if (r.chance(0.15)) c.tcp.loss_detection = tcp::LossDetection::Rfc6675;
  c.tcp.tail_loss_probe = r.chance(0.85);
  c.tcp.mtu_probing = r.chance(0.8);
  c.tcp.abc_limit = static_cast<unsigned>(r.between(1, 2));
  c.tcp.quick_acks = static_cast<unsigned>(r.below(20));
  if (r.chance(0.2)) c.tcp.delayed_ack = 1ms + r.duration_below(400ms);
  if (r.chance(0.2)) c.tcp.rto_min = 5ms + r.duration_below(1s);
  if (r.chance(0.1)) c.tcp.memory_pressure = r.between(20'000, 2'000'000);
  if (r.chance(0.1)) c.tcp.max_time_wait = r.between(1, 4);
  return c;
}

/// Some answer with cookies, always or when one half-open connection is there already.
bool draw_cookies(TestRandom& r, tcp::TcpConfig& c) {
  if (!r.chance(0.15)) return false;
  c.syn_cookies = r.chance(0.5) ? tcp::SynCookieUse::Always : tcp::SynCookieUse::WhenFull;
  c.max_syn_queue = 1;
  return true;
}

/// Packets above a size vanish without a word. Whoever sends then has to find out (RFC 4821).
void draw_black_hole(TestRandom& r, Config& sender, LinkConditions& link) {
  if (!r.chance(0.08) || sender.link.mtu < 700) return;
  link.path_mtu = static_cast<std::uint16_t>(r.between(600, sender.link.mtu));
  sender.tcp.mtu_probing = true;
}

/// Somebody who does not stay to the end. Resets get lost, too: then only keep-alives tell an idle peer.
void draw_early_end(TestRandom& r, ConnectionPlan& c) {
  if (!r.chance(0.08)) return;
  ApplicationPlan& leaver = r.chance(0.5) ? c.client_plan : c.server_plan;
  leaver.leaves_after = skewed(r, 100'000);
  leaver.leaves_by_abort = r.chance(0.5);
  for (auto* o : {&c.client_plan.options, &c.server_plan.options}) {
    o->keep_alive = true;
    o->keep_alive_idle = 2s;
    o->keep_alive_interval = 1s;
    o->keep_alive_probes = 90;  // the links heal after 60 s
  }
}

}  // namespace

Scenario make_scenario(std::uint64_t seed) {
  TestRandom r{TestRandom{seed}.next()};  // mixed, so that neighbouring seeds have nothing in common
  Scenario s;
  s.seed = seed;
  constexpr std::uint16_t mtus[] = {576, 1400, 1500, 1500, 1500, 4000, 9000, 65521};
  const std::uint16_t mtu = mtus[r.below(std::size(mtus))];
  std::array<bool, 2> cookies{};
  for (unsigned side = 0; side < 2; ++side) {
    s.config[side] = draw_config(r, side, mtu);
    cookies[side] = draw_cookies(r, s.config[side].tcp);
    s.link[side] = draw_link(r);
    draw_black_hole(r, s.config[side], s.link[side]);
    // A queue that holds no second frame would lose the same one for ever, when an ARP request goes before it.
    const std::size_t largest = s.config[side].link.tso ? 65'600 : mtu + 100;
    s.link[side].queue_octets = std::max(s.link[side].queue_octets, 2 * largest);
    s.link[side].heals_at = Instant::from_ns(0) + 60s;
  }
  s.largest_batch = r.chance(0.5) ? 1 : r.between(2, 40);
  const auto connections = r.chance(0.6) ? 1 : r.between(2, 6);
  for (std::uint64_t i = 0; i < connections; ++i) {
    ConnectionPlan c;
    c.client = static_cast<unsigned>(r.below(2));
    c.starts_at = r.chance(0.5) ? Duration{} : r.duration_below(2s);
    c.client_plan = draw_application(r, s.config[c.client].tcp.defaults);
    c.server_plan = draw_application(r, s.config[1 - c.client].tcp.defaults);
    // Who closes first: at most one side waits for the other, or neither would begin.
    // A server that keeps nothing of a SYN learns of the connection by what the client sends after the handshake, which
    // may be lost but for its repetition: then the client has to speak.
    const auto order = r.below(5);
    const bool client_may_wait = !cookies[1 - c.client];
    if (order == 0) c.server_plan.sends_after_eof = true;
    if (order == 1 && client_may_wait) c.client_plan.sends_after_eof = true;
    if (order == 2) c.server_plan.shuts_after_eof = true;
    if (order == 3 && client_may_wait) c.client_plan.shuts_after_eof = true;
    c.client_plan.sends_early = r.chance(0.3);
    draw_early_end(r, c);
    s.connections.push_back(c);
  }
  return s;
}

}  // namespace wireside::testing

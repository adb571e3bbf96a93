// The summary of a simulation, for people and as JSON.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <iterator>

#include "agent_json.hpp"
#include "sim_run.hpp"

namespace wireside::sim {
namespace {

namespace json = boost::json;
using observe::ImpairmentAction;

constexpr auto actions = static_cast<std::size_t>(ImpairmentAction::Count);

std::string rate_text(double bits_per_second) {
  if (bits_per_second >= 1e9) return fmt::format("{:.2f} Gbit/s", bits_per_second / 1e9);
  if (bits_per_second >= 1e6) return fmt::format("{:.2f} Mbit/s", bits_per_second / 1e6);
  return fmt::format("{:.1f} kbit/s", bits_per_second / 1e3);
}

std::string ms_text(Duration d) { return fmt::format("{:.1f}", static_cast<double>(d.count()) / 1e6); }

double seconds(Duration d) { return static_cast<double>(d.count()) / 1e9; }

json::object flow_json(const FlowResult& f) {
  return {{"name", f.name},
          {"from", f.from},
          {"to", f.to},
          {"congestion", f.congestion},
          {"state", f.state},
          {"octets", f.octets},
          {"start_ms", agent::milliseconds(f.start)},
          {"took_ms", agent::milliseconds(f.took)},
          {"goodput_bps", f.goodput},
          {"retransmitted_segments", f.retransmitted},
          {"recoveries", f.recoveries},
          {"timeouts", f.timeouts},
          {"undone", f.undone},
          {"in_recovery_ms", agent::milliseconds(f.in_recovery)},
          {"rtt_samples", f.rtt_samples},
          {"rtt_min_ms", agent::milliseconds(f.rtt_min)},
          {"rtt_mean_ms", agent::milliseconds(f.rtt_mean)},
          {"rtt_max_ms", agent::milliseconds(f.rtt_max)},
          {"cwnd_max", f.cwnd_max}};
}

json::object link_json(const LinkResult& l) {
  json::object done;
  for (std::size_t i = 0; i < actions; ++i) {
    if (l.counters.actions[i] != 0) done[to_string(static_cast<ImpairmentAction>(i))] = l.counters.actions[i];
  }
  json::object out{{"from", l.from},
                   {"to", l.to},
                   {"sent", l.counters.sent},
                   {"sent_octets", l.counters.sent_octets},
                   {"delivered", l.counters.delivered},
                   {"delivered_octets", l.counters.delivered_octets},
                   {"impaired", std::move(done)}};
  if (l.utilisation != 0) out["utilisation"] = l.utilisation;
  return out;
}

}  // namespace

std::string to_text(const Summary& summary) {
  std::string text;
  const auto add = [&text](auto&&... arguments) { fmt::format_to(std::back_inserter(text), arguments...); };
  std::size_t width = 4;
  for (const FlowResult& f : summary.flows) width = std::max(width, f.name.size() + f.from.size() + f.to.size() + 2);
  add(fmt::runtime("{:<{}}  {:>12}  {:>9}  {:>14}  {:>7}  {:>10}  {:>8}  {:>11}  {:>22}\n"), "flow", width, "octets",
      "took s", "goodput", "retrans", "recoveries", "timeouts", "recovery ms", "rtt min/mean/max ms");
  for (const FlowResult& f : summary.flows) {
    add(fmt::runtime("{:<{}}  {:>12}  {:>9.3f}  {:>14}  {:>7}  {:>10}  {:>8}  {:>11}  {:>22}{}\n"),
        fmt::format("{} {}>{}", f.name, f.from, f.to), width, f.octets, seconds(f.took),
        f.goodput > 0 ? rate_text(f.goodput) : "-", f.retransmitted, f.recoveries, f.timeouts, ms_text(f.in_recovery),
        fmt::format("{}/{}/{}", ms_text(f.rtt_min), ms_text(f.rtt_mean), ms_text(f.rtt_max)),
        f.ok ? "" : "  " + f.state);
  }
  for (const LinkResult& l : summary.links) {
    add(fmt::runtime("link {}>{}: {} frames, {} delivered"), l.from, l.to, l.counters.sent, l.counters.delivered);
    for (std::size_t i = 0; i < actions; ++i) {
      if (l.counters.actions[i] != 0) {
        add(fmt::runtime(", {} {}"), l.counters.actions[i], to_string(static_cast<ImpairmentAction>(i)));
      }
    }
    if (l.utilisation != 0) add(fmt::runtime(", {:.1f}% of the rate used"), l.utilisation * 100);
    text += '\n';
  }
  if (summary.fairness) add(fmt::runtime("fairness (Jain) {:.4f}\n"), *summary.fairness);
  add(fmt::runtime("{} frames in {:.3f} s of virtual time\n"), summary.frames, seconds(summary.virtual_time));
  return text;
}

json::object to_json(const Summary& summary) {
  json::array flows, links;
  for (const FlowResult& f : summary.flows) flows.push_back(flow_json(f));
  for (const LinkResult& l : summary.links) links.push_back(link_json(l));
  json::object out{{"virtual_time_ms", agent::milliseconds(summary.virtual_time)},
                   {"frames", summary.frames},
                   {"flows", std::move(flows)},
                   {"links", std::move(links)}};
  if (summary.fairness) out["fairness"] = *summary.fairness;
  return out;
}

}  // namespace wireside::sim

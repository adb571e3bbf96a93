#include "sim_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "agent_json.hpp"
#include "pcap_writer.hpp"

namespace wireside::sim {
namespace {

/// What one interface's stack reports goes to the event file, its capture, and the flows that it sends.
class Watcher : public observe::Observer {
 public:
  Watcher(const std::string& node, std::FILE* events)
      : start_{fmt::format("{{\"node\":\"{}\",", node)}, events_{events} {}

  void on_event(Instant now, const observe::Event& event) override {
    for (FlowRun* flow : flows) flow->on_report(event);
    if (capture) capture->on_event(now, event);
    if (events_ == nullptr || agent::kind_of(event).empty()) return;
    // The node's name holds nothing that JSON would want escaped (docs/sim.md).
    const std::string text = boost::json::serialize(agent::to_json(now, event, false));
    std::fputs(start_.c_str(), events_);
    std::fwrite(text.data() + 1, 1, text.size() - 1, events_);
    std::fputc('\n', events_);
  }

  [[nodiscard]] bool wants_steps() const override { return capture != nullptr; }

  std::unique_ptr<PcapWriter> capture;
  std::vector<FlowRun*> flows;

 private:
  std::string start_;  // of each line
  std::FILE* events_;
};

class Simulation {
 public:
  Simulation(const Scenario& scenario, const Outputs& outputs)
      : scenario_{scenario},
        outputs_{outputs},
        network_{scenario, outputs.events != nullptr || !outputs.capture_folder.empty()} {}

  std::expected<Summary, std::string> run() {
    if (auto problem = attach(); !problem.empty()) return std::unexpected{std::move(problem)};
    for (std::size_t i = 0; i < scenario_.flows.size(); ++i) {
      flows_.push_back(std::make_unique<FlowRun>(scenario_.flows[i], network_, i));
      const std::size_t sender = flows_.back()->sender();
      watchers_[sender]->flows.push_back(flows_.back().get());
      network_.stack(sender).attach(watchers_[sender].get());
    }
    const Instant stop = Instant{} + scenario_.stop;
    std::uint64_t steps_here = 0;
    while (!all_finished()) {
      if (outputs_.interrupted && outputs_.interrupted()) break;
      Instant next = network_.next_deadline();
      for (const auto& flow : flows_) next = std::min(next, flow->next_action());
      if (next > stop) {
        now_ = stop;
        break;
      }
      steps_here = next > now_ ? 0 : steps_here + 1;
      if (steps_here > max_steps_at_one_instant)
        return std::unexpected{"the simulation stands still: give a link a delay"};
      now_ = std::max(now_, next);
      step();
    }
    return finish();
  }

 private:
  static constexpr std::uint64_t max_steps_at_one_instant = 1'000'000;
  static constexpr std::size_t write_buffer = std::size_t{256} << 10;

  std::string attach() {
    if (!outputs_.capture_folder.empty()) {
      std::error_code failed;
      std::filesystem::create_directories(outputs_.capture_folder, failed);
      if (failed) return fmt::format("cannot make the folder {}: {}", outputs_.capture_folder, failed.message());
    }
    for (Network::Interface& interface : network_.interfaces()) {
      const std::string name = interface.is_host ? interface.node : interface.node + "-" + interface.peer;
      watchers_.push_back(std::make_unique<Watcher>(name, outputs_.events));
      if (!outputs_.capture_folder.empty()) {
        const std::string path = outputs_.capture_folder + "/" + name + ".pcapng";
        std::FILE* file = std::fopen(path.c_str(), "wbe");
        if (file == nullptr) return fmt::format("cannot write {}: {}", path, std::strerror(errno));
        std::setvbuf(file, nullptr, _IOFBF, write_buffer);
        // Virtual time counts from 1970.
        watchers_.back()->capture = std::make_unique<PcapWriter>(file, true, CaptureOptions{.interface_name = name});
      }
      if (outputs_.events != nullptr || watchers_.back()->capture) interface.stack->attach(watchers_.back().get());
    }
    return {};
  }

  [[nodiscard]] bool all_finished() const {
    return std::ranges::all_of(flows_, [](const auto& flow) { return flow->finished(); });
  }

  void step() {
    network_.advance(now_);
    for (const auto& flow : flows_) flow->act(now_);
    dispatch();
    network_.send(now_);
    dispatch();
    network_.send(now_);
    for (const auto& flow : flows_) flow->observe(now_);
  }

  void dispatch() {
    for (std::size_t i = 0; i < network_.interfaces().size(); ++i) {
      Network::Interface& interface = network_.interfaces()[i];
      if (!std::exchange(interface.stirred, false) || !interface.is_host) continue;
      interface.deadline_known = false;
      while (const auto event = network_.stack(i).poll_event()) {
        for (const auto& flow : flows_) {
          if (flow->on_event(now_, i, *event)) break;
        }
      }
    }
  }

  std::expected<Summary, std::string> finish() {
    Summary out;
    out.virtual_time = now_ - Instant{};
    for (const auto& flow : flows_) out.flows.push_back(flow->result(now_));
    out.fairness = fairness();
    for (std::size_t i = 0; i < scenario_.links.size(); ++i) {
      const Link& link = scenario_.links[i];
      out.links.push_back(link_result(link.a, link.b, network_.counters(i, true), link.forth.rate));
      out.links.push_back(link_result(link.b, link.a, network_.counters(i, false), link.back.rate));
      out.frames += out.links[2 * i].counters.sent + out.links[2 * i + 1].counters.sent;
    }
    for (std::size_t i = 0; i < watchers_.size(); ++i) {
      network_.stack(i).attach(nullptr);
      if (!watchers_[i]->capture) continue;
      watchers_[i]->capture->flush();
      if (const auto error = watchers_[i]->capture->error()) return std::unexpected{*error};
    }
    if (outputs_.events != nullptr && std::fflush(outputs_.events) != 0) {
      return std::unexpected{fmt::format("writing the events failed: {}", std::strerror(errno))};
    }
    return out;
  }

  [[nodiscard]] LinkResult link_result(const std::string& from, const std::string& to,
                                       const impair::Impairment::Counters& counters, std::uint64_t rate) const {
    LinkResult out{from, to, counters, 0};
    const auto seconds = static_cast<double>(now_.ns()) / 1e9;
    if (rate != 0 && seconds > 0) {
      out.utilisation = static_cast<double>(counters.delivered_octets) * 8 / static_cast<double>(rate) / seconds;
    }
    return out;
  }

  [[nodiscard]] std::optional<double> fairness() const {
    if (flows_.size() < 2) return std::nullopt;
    Instant from;
    Instant to = Instant::max();
    for (const auto& flow : flows_) {
      from = std::max(from, flow->started());
      to = std::min(to, flow->ended(now_));
    }
    if (to <= from) return std::nullopt;
    std::vector<double> shares;
    for (const auto& flow : flows_) {
      shares.push_back(static_cast<double>(flow->delivered_at(to) - flow->delivered_at(from)));
    }
    return jain_index(shares);
  }

  const Scenario& scenario_;
  const Outputs& outputs_;
  std::vector<std::unique_ptr<Watcher>> watchers_;  // outlive the stacks they watch
  Network network_;
  std::vector<std::unique_ptr<FlowRun>> flows_;
  Instant now_;
};

}  // namespace

bool Summary::ok() const {
  return std::ranges::all_of(flows, [](const FlowResult& flow) { return flow.ok; });
}

std::expected<Summary, std::string> run(const Scenario& scenario, const Outputs& outputs) {
  return Simulation{scenario, outputs}.run();
}

}  // namespace wireside::sim

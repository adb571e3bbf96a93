#include "sim_scenario.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>
#include <utility>

#include "impair/quantity.hpp"
#include "sim_settings.hpp"

namespace wireside::sim {
namespace {

/// Ends the reading of one line.
struct Wrong {
  std::string what;
  std::string remedy;
};

using Words = std::vector<std::string_view>;

Words split(std::string_view line) {
  Words words;
  constexpr std::string_view space = " \t\r";
  while (true) {
    const std::size_t begin = line.find_first_not_of(space);
    if (begin == std::string_view::npos || line[begin] == '#') return words;
    line.remove_prefix(begin);
    const std::size_t end = std::min(line.find_first_of(space), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

bool is_name(std::string_view word) {
  const auto fits = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_'; };
  return !word.empty() && word.size() <= 32 && std::ranges::all_of(word, fits);
}

struct Pair {
  std::string_view name, value;
};
std::optional<Pair> as_pair(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  return Pair{word.substr(0, equals), word.substr(equals + 1)};
}

Duration duration(std::string_view word, Duration most, std::string_view example) {
  const auto d = impair::parse_duration(word);
  if (!d || *d > most) {
    throw Wrong{fmt::format("'{}' is not a duration with its unit, {} at most", word, impair::duration_text(most)),
                std::string{example}};
  }
  return *d;
}

impair::Settings impairment(std::string_view text) {
  auto settings = impair::parse_settings(text);
  if (!settings) throw Wrong{std::move(settings.error().what), std::move(settings.error().remedy)};
  return std::move(*settings);
}

/// Reads line after line; remembers which names are nodes.
class Reader {
 public:
  std::expected<Scenario, ScenarioError> read(std::string_view text) {
    try {
      for (std::size_t at = 0; at <= text.size(); ++line_) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        statement(split(text.substr(at, end - at)));
        at = end + 1;
      }
      line_ = 0;
      check();
    } catch (Wrong& wrong) {
      return std::unexpected{ScenarioError{line_, std::move(wrong.what), std::move(wrong.remedy)}};
    }
    return std::move(scenario_);
  }

 private:
  struct Keyword {
    std::string_view name;
    std::size_t words;  ///< at least, with the keyword
    std::string_view form;
    void (Reader::*take)(const Words& words, std::string_view form);
  };

  void statement(const Words& words) {
    static constexpr std::array keywords = {
        Keyword{"seed", 2, "seed N", &Reader::seed},
        Keyword{"stop", 2, "stop 60s", &Reader::stop},
        Keyword{"host", 2, "host NAME [OPTION=VALUE ...]", &Reader::host},
        Keyword{"router", 2, "router NAME", &Reader::router},
        Keyword{"link", 3, "link A B [both=IMPAIRMENT] [forth=IMPAIRMENT] [back=IMPAIRMENT] [mtu=OCTETS]",
                &Reader::link},
        Keyword{"flow", 5, "flow NAME FROM TO octets=AMOUNT|for=DURATION [start=DURATION] [OPTION=VALUE ...]",
                &Reader::flow},
    };
    if (words.empty()) return;
    const auto keyword = std::ranges::find(keywords, words[0], &Keyword::name);
    if (keyword == keywords.end()) {
      throw Wrong{fmt::format("'{}' is not understood", words[0]),
                  "a line that begins with seed, stop, host, router, link "
                  "or flow"};
    }
    if (words.size() < keyword->words)
      throw Wrong{fmt::format("{}: something is missing", words[0]), std::string{keyword->form}};
    (this->*keyword->take)(words, keyword->form);
  }

  static void no_more(const Words& words, std::size_t count, std::string_view form) {
    if (words.size() > count) throw Wrong{fmt::format("'{}' is too much", words[count]), std::string{form}};
  }
  void once(std::string_view what) {
    if (!settled_.emplace(what).second) throw Wrong{fmt::format("{} is given twice", what), "one of them"};
  }

  void seed(const Words& words, std::string_view form) {
    no_more(words, 2, form);
    once("seed");
    const auto n = impair::parse_number(words[1]);
    if (!n) throw Wrong{fmt::format("'{}' is not a number", words[1]), std::string{form}};
    scenario_.seed = *n;
  }

  void stop(const Words& words, std::string_view form) {
    no_more(words, 2, form);
    once("stop");
    scenario_.stop = duration(words[1], max_stop, form);
    if (scenario_.stop == Duration{})
      throw Wrong{fmt::format("stop {} simulates nothing", words[1]), std::string{form}};
  }

  std::string new_node(std::string_view name, std::string_view form) {
    if (!is_name(name)) {
      throw Wrong{fmt::format("'{}' is not a name: letters, digits, '-' and '_', 32 at most", name), std::string{form}};
    }
    if (!nodes_.emplace(std::string{name}, 0).second)
      throw Wrong{fmt::format("{} is there already", name), "another name"};
    return std::string{name};
  }

  void host(const Words& words, std::string_view form) {
    if (scenario_.hosts.size() == max_hosts) throw Wrong{fmt::format("more than {} hosts", max_hosts), "fewer hosts"};
    Host host{new_node(words[1], form), {}};
    std::set<std::string_view> seen;
    for (std::size_t i = 2; i < words.size(); ++i) {
      const auto pair = as_pair(words[i]);
      if (!pair) throw Wrong{fmt::format("'{}' is no OPTION=VALUE", words[i]), std::string{form}};
      if (!seen.insert(pair->name).second) throw Wrong{fmt::format("{} is given twice", pair->name), "one of them"};
      if (const auto why = set_host_option(pair->name, pair->value, host.tcp)) throw Wrong{why->what, why->remedy};
    }
    hosts_.insert(host.name);
    line_of_.emplace("host " + host.name, line_);
    scenario_.hosts.push_back(std::move(host));
  }

  void router(const Words& words, std::string_view form) {
    no_more(words, 2, form);
    if (scenario_.routers.size() == max_hosts) throw Wrong{fmt::format("more than {} routers", max_hosts), "fewer"};
    scenario_.routers.push_back({new_node(words[1], form)});
  }

  void link(const Words& words, std::string_view form) {
    if (scenario_.links.size() == max_links) throw Wrong{fmt::format("more than {} links", max_links), "fewer links"};
    Link link{std::string{words[1]}, std::string{words[2]}, {}, {}};
    for (const std::string& end : {link.a, link.b}) {
      const auto node = nodes_.find(end);
      if (node == nodes_.end()) {
        throw Wrong{fmt::format("{} is neither a host nor a router", end),
                    fmt::format("host {} in a line before", end)};
      }
      if (++node->second > 1 && hosts_.contains(end)) {
        throw Wrong{fmt::format("the host {} has a second link", end), "a router, which may have several"};
      }
    }
    if (link.a == link.b) throw Wrong{fmt::format("a link from {} to itself", link.a), std::string{form}};
    std::set<std::string_view> seen;
    for (std::size_t i = 3; i < words.size(); ++i) {
      const auto pair = as_pair(words[i]);
      if (pair && !seen.insert(pair->name).second)
        throw Wrong{fmt::format("{} is given twice", pair->name), "one of them"};
      if (!pair || !link_option(*pair, link))
        throw Wrong{fmt::format("'{}' is not understood", words[i]), std::string{form}};
    }
    if (seen.contains("both") && (seen.contains("forth") || seen.contains("back"))) {
      throw Wrong{"both says what forth and back say, too", "either both, or forth and back"};
    }
    scenario_.links.push_back(std::move(link));
  }

  static bool link_option(const Pair& pair, Link& link) {
    if (pair.name == "both") {
      link.forth = link.back = impairment(pair.value);
    } else if (pair.name == "forth") {
      link.forth = impairment(pair.value);
    } else if (pair.name == "back") {
      link.back = impairment(pair.value);
    } else if (pair.name == "mtu") {
      const auto mtu = impair::parse_number(pair.value);
      if (!mtu || *mtu < 576 || *mtu > 65521) {
        throw Wrong{fmt::format("mtu={} is not a number of octets from 576 to 65521", pair.value), "mtu=1500"};
      }
      link.mtu = static_cast<std::uint16_t>(*mtu);
    } else {
      return false;
    }
    return true;
  }

  void flow(const Words& words, std::string_view form) {
    if (scenario_.flows.size() == max_flows) throw Wrong{fmt::format("more than {} flows", max_flows), "fewer flows"};
    Flow flow;
    flow.name = words[1];
    flow.from = words[2];
    flow.to = words[3];
    if (!is_name(flow.name)) throw Wrong{fmt::format("'{}' is not a name", flow.name), std::string{form}};
    if (!flows_.insert(flow.name).second) throw Wrong{fmt::format("a second flow {}", flow.name), "another name"};
    for (const std::string& end : {flow.from, flow.to}) {
      if (!hosts_.contains(end)) throw Wrong{fmt::format("{} is not a host", end), fmt::format("host {} before", end)};
    }
    if (flow.from == flow.to) throw Wrong{fmt::format("a flow from {} to itself", flow.from), std::string{form}};
    std::set<std::string_view> seen;
    for (std::size_t i = 4; i < words.size(); ++i) {
      const auto pair = as_pair(words[i]);
      if (!pair) throw Wrong{fmt::format("'{}' is no OPTION=VALUE", words[i]), std::string{form}};
      if (!seen.insert(pair->name).second) throw Wrong{fmt::format("{} is given twice", pair->name), "one of them"};
      flow_option(*pair, flow, form);
    }
    if (flow.octets.has_value() == seen.contains("for")) {
      throw Wrong{"a flow ends after some octets or after some time", "either octets=1MB or for=10s"};
    }
    line_of_.emplace("flow " + flow.name, line_);
    scenario_.flows.push_back(std::move(flow));
  }

  static void flow_option(const Pair& pair, Flow& flow, std::string_view form) {
    if (pair.name == "octets") {
      flow.octets = impair::parse_octets(pair.value);
      if (!flow.octets || *flow.octets == 0 || *flow.octets > max_flow_octets) {
        throw Wrong{fmt::format("octets={} is not an amount with its unit (B, kB, KiB, MB, MiB)", pair.value),
                    "octets=1MB"};
      }
    } else if (pair.name == "for") {
      flow.run_for = duration(pair.value, max_stop, "for=10s");
      if (flow.run_for == Duration{}) throw Wrong{"for=0s sends nothing", "for=10s"};
    } else if (pair.name == "start") {
      flow.start = duration(pair.value, max_stop, "start=1s");
    } else if (const auto why = set_flow_option(pair.name, pair.value, flow.options)) {
      throw Wrong{why->what, why->remedy.empty() ? std::string{form} : why->remedy};
    }
  }

  /// What only all lines together can break; `line_` becomes the one to mend.
  void check() {
    if (scenario_.flows.empty()) throw Wrong{"there is no flow, so nothing would happen", "flow f1 a b octets=1MB"};
    for (const Host& host : scenario_.hosts) {
      line_ = line_of_.at("host " + host.name);
      if (nodes_.at(host.name) == 0) {
        throw Wrong{fmt::format("the host {} has no link", host.name), fmt::format("link {} ...", host.name)};
      }
      if (host.tcp.rto_min > host.tcp.rto_max) throw Wrong{"rto-min is above rto-max", "rto-min=200ms rto-max=120s"};
    }
    for (const Flow& flow : scenario_.flows) {
      line_ = line_of_.at("flow " + flow.name);
      if (flow.start + flow.run_for >= scenario_.stop) {
        throw Wrong{fmt::format("the flow {} {} the scenario's stop, which is at {}", flow.name,
                                flow.start >= scenario_.stop ? "starts after" : "would go on beyond",
                                impair::duration_text(scenario_.stop)),
                    fmt::format("stop {}", impair::duration_text(std::min(2 * (flow.start + flow.run_for), max_stop)))};
      }
      if (!connected(flow.from, flow.to)) {
        throw Wrong{fmt::format("no links lead from {} to {}", flow.from, flow.to),
                    fmt::format("link {} {}, or a router between them", flow.from, flow.to)};
      }
    }
  }

  [[nodiscard]] bool connected(const std::string& from, const std::string& to) const {
    std::set<std::string_view> reached{from};
    for (std::size_t before = 0; before != reached.size();) {
      before = reached.size();
      for (const Link& link : scenario_.links) {
        if (reached.contains(link.a) || reached.contains(link.b)) reached.insert({link.a, link.b});
      }
    }
    return reached.contains(to);
  }

  std::size_t line_ = 1;
  Scenario scenario_;
  std::map<std::string, std::size_t> nodes_;  // with the number of links of each
  std::set<std::string> hosts_, flows_;
  std::set<std::string> settled_;
  std::map<std::string, std::size_t> line_of_;  // of "host NAME" and "flow NAME"
};

}  // namespace

std::expected<Scenario, ScenarioError> parse_scenario(std::string_view text) { return Reader{}.read(text); }

std::string describe(const Scenario& s) {
  std::string text = fmt::format("seed {}\nstop {}\n", s.seed, impair::duration_text(s.stop));
  for (const Host& host : s.hosts) text += fmt::format("host {}{}\n", host.name, host_options_text(host.tcp));
  for (const Router& router : s.routers) text += fmt::format("router {}\n", router.name);
  for (const Link& link : s.links) {
    text += fmt::format("link {} {}", link.a, link.b);
    if (link.forth == link.back) {
      if (link.forth.active()) text += fmt::format(" both={}", impair::describe(link.forth));
    } else {
      text += fmt::format(" forth={} back={}", impair::describe(link.forth), impair::describe(link.back));
    }
    if (link.mtu != Link{}.mtu) text += fmt::format(" mtu={}", link.mtu);
    text += '\n';
  }
  for (const Flow& flow : s.flows) {
    text += fmt::format("flow {} {} {}", flow.name, flow.from, flow.to);
    text += flow.octets ? fmt::format(" octets={}", impair::octets_text(*flow.octets))
                        : fmt::format(" for={}", impair::duration_text(flow.run_for));
    if (flow.start != Duration{}) text += fmt::format(" start={}", impair::duration_text(flow.start));
    text += flow_options_text(flow.options) + "\n";
  }
  return text;
}

}  // namespace wireside::sim

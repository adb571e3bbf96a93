// Settings as text: NAME=VALUE pairs with commas between them.
#include <algorithm>
#include <array>
#include <utility>

#include "impair/quantity.hpp"
#include "impair/settings.hpp"

namespace wireside::impair {
namespace {

/// Empty: the value was taken. Else why not.
using Reason = std::string_view;

constexpr std::array rate_units = {Unit{"gbit", 1'000'000'000}, Unit{"mbit", 1'000'000}, Unit{"kbit", 1'000},
                                   Unit{"bit", 1}};
constexpr std::array percent = {Unit{"%", Probability::certain / 100}};

constexpr std::array<std::string_view, static_cast<std::size_t>(FrameKind::Count)> kind_names = {
    "frame", "tcp", "data", "ack", "syn", "synack", "fin", "rst", "udp", "icmp", "arp"};

std::string probability_text(Probability p) {
  constexpr std::uint32_t one_percent = Probability::certain / 100;
  std::string text = std::to_string(p.per_billion / one_percent);
  if (const std::uint32_t rest = p.per_billion % one_percent; rest != 0) {
    std::string decimals = std::to_string(one_percent + rest);  // a leading 1 keeps the zeros
    decimals.front() = '.';
    while (decimals.back() == '0') decimals.pop_back();
    text += decimals;
  }
  return text += '%';
}

bool parse_probability(std::string_view text, Probability& out) {
  const auto parts = parse_amount(text, percent);
  if (!parts || *parts > Probability::certain) return false;
  out.per_billion = static_cast<std::uint32_t>(*parts);
  return true;
}

/// Calls f(part) for each part between separators until it returns false; whether all returned true.
template <class F>
bool for_each_part(std::string_view text, char separator, F&& f) {
  while (true) {
    const std::size_t end = text.find(separator);
    if (!f(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

constexpr Reason bad_probability = "not a percentage from 0% to 100%, with 7 decimals at most";

Reason set_loss(std::string_view value, Settings& s) {
  if (!value.starts_with("ge:")) return parse_probability(value, s.loss) ? Reason{} : bad_probability;
  Bursts bursts;
  const std::array<Probability*, 4> members = {&bursts.to_bad, &bursts.to_good, &bursts.loss_in_bad,
                                               &bursts.loss_in_good};
  std::size_t n = 0;
  const bool good = for_each_part(value.substr(3), '/', [&](std::string_view part) {
    return n < members.size() && parse_probability(part, *members[n++]);
  });
  if (!good || n < 2) return "not ge:P/R[/LOSS-IN-BAD[/LOSS-IN-GOOD]], all of them percentages";
  s.bursts = bursts;
  return {};
}

Reason set_duration(std::string_view value, Duration& out) {
  const auto d = parse_duration(value);
  if (!d) return "not a duration with its unit (s, ms, us or ns)";
  if (*d > max_delay) return "longer than ten minutes";
  out = *d;
  return {};
}

Reason set_reorder(std::string_view value, Settings& s) {
  const std::size_t slash = value.find('/');
  if (!parse_probability(value.substr(0, slash), s.reorder)) return bad_probability;
  if (slash == std::string_view::npos) return {};
  const auto gap = parse_number(value.substr(slash + 1));
  if (!gap || *gap == 0 || *gap > 1'000'000) return "followed by a gap that is no number from 1 to 1000000";
  s.reorder_gap = static_cast<std::uint32_t>(*gap);
  return {};
}

Reason set_corrupt(std::string_view value, Settings& s) {
  if (value.starts_with("header:")) s.corrupt_where = BitErrors::InHeader;
  if (value.starts_with("payload:")) s.corrupt_where = BitErrors::InPayload;
  if (s.corrupt_where != BitErrors::Anywhere) value.remove_prefix(value.find(':') + 1);
  return parse_probability(value, s.corrupt) ? Reason{} : bad_probability;
}

Reason set_rate(std::string_view value, Settings& s) {
  const auto rate = parse_amount(value, rate_units);
  if (!rate || *rate < min_rate || *rate > max_rate) {
    return "not a rate with its unit (bit, kbit, mbit or gbit per second), from 1kbit to 1000gbit";
  }
  s.rate = *rate;
  return {};
}

Reason set_queue(std::string_view value, std::optional<QueueAmount>& out) {
  const auto frames = parse_number(value);
  const auto amount = frames ? frames : parse_amount(value, octet_units);
  if (!amount || *amount > max_queue) return "neither a number of frames nor one of octets (such as 64KiB)";
  out = QueueAmount{*amount, !frames};
  return {};
}

Reason set_mtu(std::string_view value, Settings& s) {
  const auto mtu = parse_number(value);
  if (!mtu || *mtu < 68 || *mtu > 65535) return "not a number of octets from 68 to 65535";
  s.mtu = static_cast<std::uint16_t>(*mtu);
  return {};
}

Reason set_order(std::string_view value, Settings& s) {
  if (value != "keep" && value != "free") return "neither keep nor free";
  s.keep_order = value == "keep";
  return {};
}

/// "3", "3-5", "3-", "*10" or "all"
std::optional<Numbers> parse_numbers(std::string_view text) {
  if (text == "all") return Numbers{1, Numbers::no_end, 1};
  if (text.starts_with('*')) {
    const auto step = parse_number(text.substr(1));
    if (!step || *step == 0) return std::nullopt;
    return Numbers{*step, Numbers::no_end, *step};
  }
  const std::size_t dash = text.find('-');
  const auto first = parse_number(text.substr(0, dash));
  if (!first || *first == 0) return std::nullopt;
  if (dash == std::string_view::npos) return Numbers{*first, *first, 1};
  if (dash + 1 == text.size()) return Numbers{*first, Numbers::no_end, 1};
  const auto last = parse_number(text.substr(dash + 1));
  if (!last || *last < *first) return std::nullopt;
  return Numbers{*first, *last, 1};
}

std::string numbers_text(const Numbers& n) {
  if (n.step > 1) return "*" + std::to_string(n.step);
  if (n.last == Numbers::no_end) return n.first == 1 ? "all" : std::to_string(n.first) + "-";
  if (n.first == n.last) return std::to_string(n.first);
  return std::to_string(n.first) + "-" + std::to_string(n.last);
}

Reason add_drop(std::string_view value, Settings& s) {
  if (s.drops.size() == max_drop_rules) return "one rule too many: 32 are allowed";
  const std::size_t colon = value.find(':');
  const auto kind = std::ranges::find(kind_names, value.substr(0, colon));
  if (kind == kind_names.end()) return "none of frame, tcp, data, ack, syn, synack, fin, rst, udp, icmp and arp";
  DropRule rule{static_cast<FrameKind>(kind - kind_names.begin()), {}};
  if (colon == std::string_view::npos) {
    rule.numbers = {Numbers{}};
  } else if (!for_each_part(value.substr(colon + 1), '/', [&](std::string_view part) {
               const auto numbers = parse_numbers(part);
               if (numbers) rule.numbers.push_back(*numbers);
               return numbers && rule.numbers.size() <= max_numbers;
             })) {
    return "followed by what is none of N, N-M, N-, *N and all, with / between several (64 at most)";
  }
  s.drops.push_back(std::move(rule));
  return {};
}

struct Key {
  std::string_view name;
  std::string_view example;
  Reason (*set)(std::string_view value, Settings& settings);
};
constexpr auto keys = std::to_array<Key>({
    {"drop", "drop=data:3 or drop=ack:2-4/7", add_drop},
    {"mtu", "mtu=1400", set_mtu},
    {"loss", "loss=1% or loss=ge:1%/30%", set_loss},
    {"corrupt", "corrupt=0.1% or corrupt=payload:0.1%", set_corrupt},
    {"duplicate", "duplicate=1%",
     [](std::string_view v, Settings& s) { return parse_probability(v, s.duplicate) ? Reason{} : bad_probability; }},
    {"rate", "rate=50mbit", set_rate},
    {"queue", "queue=100 or queue=64KiB", [](std::string_view v, Settings& s) { return set_queue(v, s.queue); }},
    {"ecn", "ecn=20 or ecn=30kB", [](std::string_view v, Settings& s) { return set_queue(v, s.ecn); }},
    {"delay", "delay=20ms", [](std::string_view v, Settings& s) { return set_duration(v, s.delay); }},
    {"jitter", "jitter=5ms", [](std::string_view v, Settings& s) { return set_duration(v, s.jitter); }},
    {"reorder", "reorder=1% or reorder=50%/5", set_reorder},
    {"order", "order=keep or order=free", set_order},
});

std::unexpected<TextError> wrong(std::string what, std::string remedy) {
  return std::unexpected{TextError{std::move(what), std::move(remedy)}};
}

std::string all_keys() {
  std::string text;
  for (const Key& key : keys) text.append(text.empty() ? "" : ", ").append(key.name);
  return text;
}

}  // namespace

std::optional<TextError> contradiction(const Settings& s) {
  if (s.jitter > s.delay) {
    return TextError{"jitter is longer than delay: a frame cannot arrive before it is sent",
                     "a delay of at least the jitter, such as delay=20ms,jitter=5ms"};
  }
  if (s.reorder.possible() && s.delay == Duration{}) {
    return TextError{"reorder without delay does nothing: a frame overtakes others by not being delayed",
                     "reorder=1%,delay=20ms"};
  }
  if (s.rate == 0 && (s.queue || s.ecn)) {
    return TextError{std::string{s.queue ? "queue" : "ecn"} +
                         " without rate does nothing: nothing waits where there is "
                         "no bottleneck",
                     "rate=50mbit,queue=100"};
  }
  return std::nullopt;
}

std::expected<Settings, TextError> parse_settings(std::string_view text) {
  Settings settings;
  if (text == "none") return settings;
  if (text.empty()) return wrong("it is empty", "loss=1%,delay=20ms, or none");
  std::array<bool, keys.size()> given{};
  bool bursts_given = false;
  std::optional<TextError> error;
  for_each_part(text, ',', [&](std::string_view part) {
    const std::size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    const auto key = std::ranges::find(keys, name, &Key::name);
    if (equals == std::string_view::npos || key == keys.end()) {
      error =
          TextError{"'" + std::string{part} + "' is not understood", "NAME=VALUE, where NAME is one of " + all_keys()};
      return false;
    }
    const Reason reason = key->set(part.substr(equals + 1), settings);
    const bool bursts = part.starts_with("loss=ge:");  // may stand beside loss at random
    bool& seen = bursts ? bursts_given : given[static_cast<std::size_t>(key - keys.begin())];
    if (!reason.empty()) {
      error = TextError{std::string{part} + ": the value is " + std::string{reason}, std::string{key->example}};
    } else if (std::exchange(seen, true) && name != "drop") {
      error = TextError{std::string{name} + " is given twice", "each name once (but drop)"};
    }
    return !error.has_value();
  });
  if (!error) error = contradiction(settings);
  if (error) return std::unexpected{std::move(*error)};
  return settings;
}

std::string describe(const Settings& s) {
  std::string text;
  const auto add = [&text](std::string_view name, const std::string& value) {
    if (!text.empty()) text += ',';
    text.append(name).append("=").append(value);
  };
  const auto queue_text = [](const QueueAmount& q) {
    return q.in_octets ? octets_text(q.amount) : std::to_string(q.amount);
  };
  for (const DropRule& rule : s.drops) {
    std::string value{kind_names[static_cast<std::size_t>(rule.kind)]};
    char separator = ':';
    if (rule.numbers != std::vector{Numbers{}}) {
      for (const Numbers& n : rule.numbers) value.append(1, std::exchange(separator, '/')).append(numbers_text(n));
    }
    add("drop", value);
  }
  if (s.mtu != 0) add("mtu", std::to_string(s.mtu));
  if (s.loss.possible()) add("loss", probability_text(s.loss));
  if (s.bursts) {
    add("loss", "ge:" + probability_text(s.bursts->to_bad) + "/" + probability_text(s.bursts->to_good) + "/" +
                    probability_text(s.bursts->loss_in_bad) + "/" + probability_text(s.bursts->loss_in_good));
  }
  constexpr std::array<std::string_view, 3> where = {"", "header:", "payload:"};
  if (s.corrupt.possible() || s.corrupt_where != BitErrors::Anywhere) {
    add("corrupt", std::string{where[static_cast<std::size_t>(s.corrupt_where)]} + probability_text(s.corrupt));
  }
  if (s.duplicate.possible()) add("duplicate", probability_text(s.duplicate));
  if (s.rate != 0) add("rate", amount_text(s.rate, rate_units));
  if (s.queue) add("queue", queue_text(*s.queue));
  if (s.ecn) add("ecn", queue_text(*s.ecn));
  if (s.delay != Duration{}) add("delay", duration_text(s.delay));
  if (s.jitter != Duration{}) add("jitter", duration_text(s.jitter));
  if (s.reorder.possible() || s.reorder_gap != 1) {
    add("reorder", probability_text(s.reorder) + (s.reorder_gap == 1 ? "" : "/" + std::to_string(s.reorder_gap)));
  }
  if (s.keep_order) add("order", *s.keep_order ? "keep" : "free");
  return text.empty() ? "none" : text;
}

}  // namespace wireside::impair

#include "support/segments.hpp"

#include <charconv>
#include <stdexcept>

namespace wireside::testing {

namespace {

[[noreturn]] void bad(std::string_view text, std::string_view word) {
  throw std::invalid_argument("segment notation \"" + std::string{text} + "\": cannot read \"" + std::string{word} +
                              "\"");
}

/// Cuts the next word (up to a space) off `rest`.
std::string_view next_word(std::string_view& rest, std::string_view separators = " ") {
  const auto begin = rest.find_first_not_of(separators);
  if (begin == std::string_view::npos) {
    rest = {};
    return {};
  }
  const auto end = rest.find_first_of(separators, begin);
  const auto word = rest.substr(begin, end == std::string_view::npos ? std::string_view::npos : end - begin);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end);
  return word;
}

template <class T>
T to_number(std::string_view text, std::string_view word) {
  T value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size()) bad(text, word);
  return value;
}

Number to_open_number(std::string_view text, std::string_view word) {
  if (word == "*") return {Number::Kind::Any, 0};
  if (word == "last") return {Number::Kind::Last, 0};
  return {Number::Kind::Exact, to_number<std::uint32_t>(text, word)};
}

wire::TcpFlags parse_flags(std::string_view text, std::string_view word) {
  wire::TcpFlags flags;
  if (word == "-") return flags;  // no flag at all
  for (const char c : word) {
    switch (c) {
      case 'S':
        flags.syn = true;
        break;
      case 'F':
        flags.fin = true;
        break;
      case 'R':
        flags.rst = true;
        break;
      case 'P':
        flags.psh = true;
        break;
      case 'U':
        flags.urg = true;
        break;
      case 'E':
        flags.ece = true;
        break;
      case 'W':
        flags.cwr = true;
        break;
      case '.':
      case 'A':
        flags.ack = true;
        break;
      default:
        bad(text, word);
    }
  }
  return flags;
}

void parse_cookie(std::string_view text, std::string_view word, OptionsSpec& out) {
  out.any_cookie = word == "*";
  std::vector<std::uint8_t> octets;
  for (std::size_t i = 0; i + 1 < word.size(); i += 2) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(word.data() + i, word.data() + i + 2, value, 16);
    if (error != std::errc{} || end != word.data() + i + 2) bad(text, word);
    octets.push_back(static_cast<std::uint8_t>(value));
  }
  out.fast_open = wire::FastOpenCookie::from(octets);
  if (!out.fast_open) bad(text, word);
}

void parse_option(std::string_view text, std::string_view option, OptionsSpec& out) {
  std::string_view rest = option;
  const auto name = next_word(rest);
  if (name.empty() || name == "nop") return;
  if (name == "...") {
    out.open = true;
  } else if (name == "mss") {
    out.mss = to_open_number(text, next_word(rest));
  } else if (name == "sackOK") {
    out.sack_permitted = true;
  } else if (name == "wscale") {
    out.window_scale = to_open_number(text, next_word(rest));
  } else if (name == "TS") {
    if (next_word(rest) != "val") bad(text, option);
    const auto value = to_open_number(text, next_word(rest));
    if (next_word(rest) != "ecr") bad(text, option);
    out.timestamps = std::pair{value, to_open_number(text, next_word(rest))};
  } else if (name == "uto") {
    out.user_timeout = to_number<std::int64_t>(text, next_word(rest));
  } else if (name == "tfo") {
    parse_cookie(text, next_word(rest), out);
  } else if (name == "sack") {
    for (auto block = next_word(rest); !block.empty(); block = next_word(rest)) {
      const auto colon = block.find(':');
      if (colon == std::string_view::npos) bad(text, block);
      out.sack.emplace_back(to_number<std::int64_t>(text, block.substr(0, colon)),
                            to_number<std::int64_t>(text, block.substr(colon + 1)));
    }
  } else {
    bad(text, option);
  }
}

SeqNum at(SeqNum base, std::int64_t relative) { return base + static_cast<std::uint32_t>(relative); }
std::int64_t relative(SeqNum base, SeqNum value) { return std::int64_t{value - base}; }

std::string flag_letters(const wire::TcpFlags& f) {
  std::string s;
  if (f.syn) s += 'S';
  if (f.fin) s += 'F';
  if (f.rst) s += 'R';
  if (f.psh) s += 'P';
  if (f.urg) s += 'U';
  if (f.ece) s += 'E';
  if (f.cwr) s += 'W';
  if (f.ack) s += '.';
  return s.empty() ? "-" : s;
}

std::string format_options(const wire::TcpOptions& o, SeqNum ack_base) {
  std::string s;
  const auto add = [&s](const std::string& part) { s += (s.empty() ? "" : ",") + part; };
  if (o.mss) add("mss " + std::to_string(*o.mss));
  if (o.sack_permitted) add("sackOK");
  if (o.timestamps) {
    add("TS val " + std::to_string(o.timestamps->ts_val) + " ecr " + std::to_string(o.timestamps->ts_ecr));
  }
  if (o.window_scale) add("wscale " + std::to_string(*o.window_scale));
  if (o.user_timeout) add("uto " + std::to_string(o.user_timeout->count()));
  if (o.fast_open) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string cookie = o.fast_open->is_request() ? "tfo" : "tfo ";
    for (const std::uint8_t octet : o.fast_open->view()) (cookie += digits[octet >> 4]) += digits[octet & 15];
    add(cookie);
  }
  if (o.sack_count != 0) {
    std::string blocks = "sack";
    for (unsigned i = 0; i < o.sack_count; ++i) {
      blocks += " " + std::to_string(relative(ack_base, o.sack[i].left)) + ":" +
                std::to_string(relative(ack_base, o.sack[i].right));
    }
    add(blocks);
  }
  return s;
}

bool matches(const std::optional<Number>& wanted, std::optional<std::uint32_t> got, bool open) {
  if (!wanted) return open || !got;
  if (!got) return false;
  return wanted->kind != Number::Kind::Exact || wanted->value == *got;
}

template <class T>
std::optional<std::uint32_t> widen(const std::optional<T>& value) {
  return value ? std::optional<std::uint32_t>{*value} : std::nullopt;
}

std::string options_difference(const OptionsSpec& want, const wire::TcpOptions& got, SeqNum ack_base) {
  if (!want.given) return {};
  if (!matches(want.mss, widen(got.mss), want.open)) return "mss";
  if (!matches(want.window_scale, widen(got.window_scale), want.open)) return "wscale";
  if (want.sack_permitted != got.sack_permitted && !(want.open && got.sack_permitted)) return "sackOK";
  std::optional<std::uint32_t> value, echo;
  if (got.timestamps) {
    value = got.timestamps->ts_val;
    echo = got.timestamps->ts_ecr;
  }
  const bool cookie_expected = want.any_cookie ? got.fast_open && !got.fast_open->is_request()
                                               : (want.open && !want.fast_open) || want.fast_open == got.fast_open;
  if (!cookie_expected) return "tfo";
  const auto& ts = want.timestamps;
  if (!matches(ts ? std::optional{ts->first} : std::nullopt, value, want.open)) return "TS val";
  if (!matches(ts ? std::optional{ts->second} : std::nullopt, echo, want.open)) return "TS ecr";
  if (want.sack.empty() && want.open) return {};
  if (want.sack.size() != got.sack_count) return "number of SACK blocks";
  for (std::size_t i = 0; i < want.sack.size(); ++i) {
    if (at(ack_base, want.sack[i].first) != got.sack[i].left) return "left edge of SACK block " + std::to_string(i);
    if (at(ack_base, want.sack[i].second) != got.sack[i].right) return "right edge of SACK block " + std::to_string(i);
  }
  return {};
}

}  // namespace

SegmentSpec parse_segment(std::string_view text) {
  SegmentSpec spec;
  std::string_view rest = text;
  if (const auto open = text.find('<'); open != std::string_view::npos) {
    const auto close = text.find('>', open);
    if (close == std::string_view::npos) bad(text, text.substr(open));
    spec.options.given = true;
    std::string_view options = text.substr(open + 1, close - open - 1);
    while (!options.empty()) parse_option(text, next_word(options, ","), spec.options);
    rest = text.substr(0, open);
  }
  spec.flags = parse_flags(text, next_word(rest));
  const auto numbers = next_word(rest);
  const auto plus = numbers.find('+');
  spec.seq = to_number<std::int64_t>(text, numbers.substr(0, plus));
  if (plus != std::string_view::npos) spec.length = to_number<std::uint32_t>(text, numbers.substr(plus + 1));
  for (auto word = next_word(rest); !word.empty(); word = next_word(rest)) {
    const auto value = next_word(rest);
    if (word == "ack") {
      spec.ack = to_number<std::int64_t>(text, value);
    } else if (word == "win") {
      spec.window = to_number<std::uint16_t>(text, value);
    } else if (word == "urg") {
      spec.urgent = to_number<std::uint16_t>(text, value);
    } else if (word == "tos") {
      spec.tos = to_number<std::uint8_t>(text, value);
    } else {
      bad(text, word);
    }
  }
  return spec;
}

std::string format_segment(const wire::TcpHeader& h, std::size_t length, SeqNum seq_base, SeqNum ack_base) {
  std::string s = flag_letters(h.flags) + " " + std::to_string(relative(seq_base, h.seq));
  if (length != 0) s += "+" + std::to_string(length);
  if (h.flags.ack) s += " ack " + std::to_string(relative(ack_base, h.ack));
  s += " win " + std::to_string(h.window);
  if (h.flags.urg) s += " urg " + std::to_string(h.urgent_pointer);
  const auto options = format_options(h.options, ack_base);
  if (!options.empty()) s += " <" + options + ">";
  return s;
}

wire::TcpHeader build_header(const SegmentSpec& spec, SeqNum seq_base, SeqNum ack_base, std::uint16_t default_window,
                             std::uint32_t last_timestamp) {
  wire::TcpHeader h;
  h.flags = spec.flags;
  h.seq = at(seq_base, spec.seq);
  if (spec.ack) h.ack = at(ack_base, *spec.ack);
  h.window = spec.window.value_or(default_window);
  h.urgent_pointer = spec.urgent.value_or(0);
  if (spec.options.mss) h.options.mss = static_cast<std::uint16_t>(spec.options.mss->value);
  if (spec.options.window_scale) h.options.window_scale = static_cast<std::uint8_t>(spec.options.window_scale->value);
  h.options.sack_permitted = spec.options.sack_permitted;
  if (const auto& ts = spec.options.timestamps) {
    h.options.timestamps =
        wire::TcpTimestamps{ts->first.value, ts->second.kind == Number::Kind::Last ? last_timestamp : ts->second.value};
  }
  if (spec.options.user_timeout) h.options.user_timeout = std::chrono::seconds{*spec.options.user_timeout};
  h.options.fast_open = spec.options.fast_open;
  for (const auto& [left, right] : spec.options.sack) {
    if (h.options.sack_count == h.options.sack.size()) break;
    h.options.sack[h.options.sack_count++] = {at(ack_base, left), at(ack_base, right)};
  }
  return h;
}

std::string difference(const SegmentSpec& spec, const wire::TcpHeader& h, std::size_t length, SeqNum seq_base,
                       SeqNum ack_base) {
  wire::TcpFlags flags = h.flags;
  if (!spec.flags.psh) flags.psh = false;
  if (flags != spec.flags) return "flags";
  if (at(seq_base, spec.seq) != h.seq) return "sequence number";
  if (spec.length != length) return "payload length";
  if (spec.ack && at(ack_base, *spec.ack) != h.ack) return "acknowledgement number";
  if (spec.window && *spec.window != h.window) return "window";
  if (spec.urgent && *spec.urgent != h.urgent_pointer) return "urgent pointer";
  return options_difference(spec.options, h.options, ack_base);
}

}  // namespace wireside::testing

#include "http_range.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "text.hpp"

namespace wireside::apps {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end != text.data() + text.size()) return std::nullopt;
  // A number too large to hold is still a valid position: beyond every file.
  if (error == std::errc::result_out_of_range) return UINT64_MAX;
  return error == std::errc{} ? std::optional{value} : std::nullopt;
}

enum class Verdict { Malformed, Outside, Inside };

/// One "first-last", "first-" or "-suffix".
Verdict parse_one(std::string_view spec, std::uint64_t size, ByteRange& out) {
  const auto dash = spec.find('-');
  if (dash == std::string_view::npos) return Verdict::Malformed;
  const std::string_view left = spec.substr(0, dash);
  const std::string_view right = spec.substr(dash + 1);
  if (left.empty()) {
    const auto suffix = number(right);
    if (!suffix) return Verdict::Malformed;
    if (*suffix == 0 || size == 0) return Verdict::Outside;
    out = {size - std::min(*suffix, size), size - 1};
    return Verdict::Inside;
  }
  const auto first = number(left);
  const auto last = right.empty() ? std::optional{UINT64_MAX} : number(right);
  if (!first || !last || *last < *first) return Verdict::Malformed;
  if (*first >= size) return Verdict::Outside;
  out = {*first, std::min(*last, size - 1)};
  return Verdict::Inside;
}

bool overlap(std::vector<ByteRange> ranges) {
  std::ranges::sort(ranges, {}, &ByteRange::first);
  return std::ranges::adjacent_find(ranges, [](const ByteRange& a, const ByteRange& b) { return b.first <= a.last; }) !=
         ranges.end();
}

}  // namespace

RangeChoice choose_ranges(std::string_view header, std::uint64_t size) {
  constexpr std::string_view unit = "bytes=";
  if (header.size() < unit.size() || !equals_ignoring_case(header.substr(0, unit.size()), unit)) return WholeFile{};
  header.remove_prefix(unit.size());
  std::vector<ByteRange> ranges;
  std::size_t seen = 0;
  while (true) {
    const auto comma = header.find(',');
    const std::string_view spec = trim(header.substr(0, comma));
    if (!spec.empty()) {  // empty list elements are to be ignored (RFC 9110 section 5.6.1)
      ByteRange range;
      const Verdict verdict = parse_one(spec, size, range);
      if (verdict == Verdict::Malformed || ++seen > max_ranges) return WholeFile{};
      if (verdict == Verdict::Inside) ranges.push_back(range);
    }
    if (comma == std::string_view::npos) break;
    header.remove_prefix(comma + 1);
  }
  if (seen == 0 || overlap(ranges)) return WholeFile{};
  if (ranges.empty()) return Unsatisfiable{};
  return ranges;
}

}  // namespace wireside::apps

// The Range header (RFC 9110 section 14).
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

namespace wireside::apps {

/// Octets first..last of a representation, both included.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  [[nodiscard]] std::uint64_t length() const { return last - first + 1; }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

struct WholeFile {};      ///< no range, one that is malformed, or one not worth granting: answer 200
struct Unsatisfiable {};  ///< nothing of it lies inside the file: answer 416
using RangeChoice = std::variant<WholeFile, Unsatisfiable, std::vector<ByteRange>>;

inline constexpr std::size_t max_ranges = 16;

/// What to send for a Range header's value and a file of `size` octets. Ranges are clamped to the file; ones outside
/// it are left out. More than max_ranges, or ranges that overlap, are ignored (section 14.2 permits it) since they
/// could make an answer far larger than the file.
[[nodiscard]] RangeChoice choose_ranges(std::string_view header, std::uint64_t size);

}  // namespace wireside::apps

// Texts that users and HTTP peers write: URLs, redirects, ranges, escapes, dates and sizes.
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "fuzz/require.hpp"
#include "host_problem.hpp"
#include "http_range.hpp"
#include "text.hpp"
#include "url.hpp"

using namespace wireside::apps;
using wireside::fuzz::require;

namespace {

void check_url(const HttpUrl& url) {
  require(!url.server.empty() && !host_problem(url.server), "a server that can be looked up");
  require(url.target.starts_with('/'), "a target");
  for (const char c : url.target + url.host) require(c > ' ' && c != 0x7f, "nothing that could end a header line");
  const auto again = parse_http_url("http://" + url.host + url.target);
  require(again == url, "a URL written from its parts is the same");
}

void check_ranges(std::string_view text) {
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}, UINT64_MAX}) {
    const RangeChoice choice = choose_ranges(text, size);
    const auto* ranges = std::get_if<std::vector<ByteRange>>(&choice);
    if (ranges == nullptr) continue;
    require(!ranges->empty() && ranges->size() <= max_ranges, "some ranges, and not too many");
    for (const ByteRange& r : *ranges) require(r.first <= r.last && r.last < size, "a range inside the file");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  if (const auto url = parse_http_url(text)) check_url(*url);
  const auto base = parse_http_url("http://example.net/a/b?c");
  require(base.has_value(), "a plain URL");
  if (const auto url = resolve_location(*base, text)) check_url(*url);
  check_ranges(text);
  check_ranges("bytes=" + std::string{text});
  require(percent_decode(percent_encode(text)) == text, "an escaped text is the same");
  (void)percent_decode(text);
  for (const char c : printable(text)) require(c >= ' ' && c <= '~', "printable text");
  if (const auto time = parse_http_date(text); time && *time >= 0 && *time < 253402300800) {
    require(parse_http_date(http_date(*time)) == time, "a date written is the same");
  }
  if (const auto octets = parse_size(text)) require(!human_size(*octets).empty(), "a size can be shown");
  return 0;
}

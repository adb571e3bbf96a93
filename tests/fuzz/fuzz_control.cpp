// The control socket: requests and answers of anybody. A request that is understood is written to a line that is
// understood the same; every table that an answer holds can be shown.
#include <array>
#include <boost/json/serialize.hpp>
#include <string_view>

#include "control_request.hpp"
#include "control_text.hpp"
#include "fuzz/require.hpp"

using namespace wireside::apps;
using wireside::fuzz::require;

namespace {

void request(std::string_view line) {
  const auto question = parse_control_request(line);
  if (!question) return require(!question.error().empty(), "a refusal has a reason");
  const std::string written = control_request(*question);
  require(written.find('\n') == std::string::npos, "a request is one line");
  require(parse_control_request(written) == *question, "a written request asks the same");
}

void answer(std::string_view line) {
  const auto fields = parse_control_answer(line);
  if (!fields) return;
  require(boost::json::serialize(*fields).find('\n') == std::string::npos, "an answer is one line");
  for (std::uint8_t i = 0; i < control_questions; ++i) {
    const auto question = static_cast<ControlQuestion>(i);
    const auto lines = control_table(*fields, question);
    if (!lines) continue;
    const SsOptions everything{.all = true, .info = true, .timers = true, .memory = true};
    require(!format_sockets(select_sockets(*lines, everything), everything).empty(), "there is a head at least");
    require(format_neighbours(*lines).empty() == lines->empty(), "a line each");
    require(format_routes(*lines).empty() == lines->empty(), "a line each");
    require(format_addresses(*lines).empty() == lines->empty(), "a line each");
    require(format_statistics(*lines, true).empty() == lines->empty(), "a line each");
    require(format_names(*lines).empty() == lines->empty(), "a line each");
    require(select_cached(*lines).size() <= lines->size(), "a part of them");
    const wireside::Ipv4Prefix everything_there{wireside::Ipv4Address{}, 0};
    require(select_prefix(*lines, everything_there, PrefixMatch::Exact).size() <=
                select_prefix(*lines, everything_there, PrefixMatch::Within).size(),
            "what is the network lies in it");
    require(select_interface(*lines, "").size() == lines->size(), "all of them");
    require(select_counters(*lines, {"Tcp*"}).size() == lines->size(), "fewer counters, as many interfaces");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line{reinterpret_cast<const char*>(data), size};
  request(line);
  answer(line);
  return 0;
}

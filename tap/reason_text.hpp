// Words for why a frame was sent, and for the variables that moved; trace lines, capture comments and pages share them.
#pragma once

#include <string>
#include <vector>

#include "story.hpp"
#include "variables.hpp"

namespace wireside {

/// One line without line end, such as "fast retransmit: 3 duplicate ACKs". Empty for what is not a frame we sent.
[[nodiscard]] std::string explain(const Happening& h);

/// "14480", "212 ms", "fast recovery"; "-" where there is none.
[[nodiscard]] std::string describe_value(Variable v, const std::optional<std::int64_t>& value);
/// "cwnd 14480 -> 7240"
[[nodiscard]] std::string describe_moved(const Moved& m);

/// What moved so much that it is shown otherwise than before; without `all` only what matters most.
[[nodiscard]] std::vector<Moved> shown_moves(const observe::ConnectionView* before,
                                             const observe::ConnectionView& after, bool all);

}  // namespace wireside

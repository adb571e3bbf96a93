// The user timeout and the option that tells the peer of it (RFC 5482).
#include "tcp/layer_state.hpp"

namespace wireside::tcp {
namespace {

constexpr Duration lower_limit = std::chrono::seconds{100};  // L_LIMIT: SHLD-11's R2
constexpr Duration upper_limit = std::chrono::hours{24};     // U_LIMIT: a peer must not hold our memory for longer

}  // namespace

/// R2 in time (MUST-20, MUST-21): how long unacknowledged data, or a SYN (MUST-22, MUST-23), is retried. What the
/// application chose counts before anything else (RFC 5482 section 3.1: then it is not CHANGEABLE).
Duration LayerState::give_up_after(const Connection& c) const {
  if (c.options.user_timeout > Duration{0}) return c.options.user_timeout;
  if (!is_synchronized(c.state())) return config.syn_timeout;
  if (!c.options.user_timeout_option || c.peer_user_timeout == Duration{0}) return config.r2_timeout;
  return std::min(upper_limit, std::max({config.r2_timeout, c.peer_user_timeout, lower_limit}));
}

/// 0, which is reserved, says nothing.
Duration LayerState::told_user_timeout(const IncomingSegment& s, const ConnectionOptions& o) {
  const auto& told = s.header.options.user_timeout;
  return told && o.user_timeout_option ? Duration{*told} : Duration{0};
}

void LayerState::take_user_timeout(Instant now, const IncomingSegment& s, Connection& c) {
  const Duration told = told_user_timeout(s, c.options);
  if (told == Duration{0} || told == c.peer_user_timeout) return;
  c.peer_user_timeout = told;
  if (is_synchronized(c.state())) arm_keep_alive(now, c);
}

/// It goes with the SYN of an active open, and with an ACK without data, where it takes no room from a segment.
void LayerState::tell_user_timeout(Connection& c) {
  c.work.user_timeout_option = true;
  ack_now(c, TxReason::Ack);
}

void LayerState::add_user_timeout(const Connection& c, wire::TcpOptions& options) const {
  if (!c.options.user_timeout_option) return;
  const Duration ours = c.options.user_timeout > Duration{0} ? c.options.user_timeout : config.r2_timeout;
  options.user_timeout = std::chrono::ceil<std::chrono::seconds>(ours);
}

}  // namespace wireside::tcp

// States and times of the client: user calls, RFC 2131 sections 4.1 (retransmission), 4.4.2, 4.4.5 and 4.4.6.
// Messages: client_messages.cpp.
#include "dhcp/client.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace wireside::dhcp {
namespace {

using namespace std::chrono_literals;
using wire::DhcpMessageType;

/// DHCPREQUEST in SELECTING: about 60 seconds in all (section 3.1 step 5).
constexpr unsigned max_request_tries = 4;
/// A host that starts again should not wait long for a server that is not there any more: about 12 seconds.
constexpr unsigned max_reboot_tries = 2;
constexpr unsigned max_inform_tries = 4;
constexpr Duration decline_wait = 10s;    // section 3.1 step 5
constexpr Duration min_renew_wait = 60s;  // section 4.4.5

/// A server that refuses what it has just offered must not be asked in a tight loop.
Duration wait_after_naks(unsigned in_a_row) {
  if (in_a_row <= 1) return 0s;
  return std::chrono::seconds{std::min(64, 1 << std::min(in_a_row - 2, 6U))};
}

}  // namespace

Client::Client(const Options& options, MacAddress mac, std::uint16_t mtu, Random& random, observe::Sink& sink)
    : options_{options}, mac_{mac}, mtu_{mtu}, random_{random}, sink_{sink}, link_local_{mac} {
  if (options_.client_id.empty()) options_.client_id = client_identifier(mac);
}

void Client::transition(Instant now, DhcpCause cause) {
  const auto to = next_state(state_, cause);
  assert(to && "no such edge in the state table");
  if (!to) return;
  const DhcpState from = std::exchange(state_, *to);
  sink_.emit(now, [&] {
    const Ipv4Address about = lease_ ? lease_->prefix.address : chosen_ ? chosen_->address : Ipv4Address{};
    return observe::DhcpStateChanged{from, *to, cause, about};
  });
}

// --- user calls ---

void Client::start(Instant now) {
  if (state_ != DhcpState::Stopped) return;
  naks_ = 0;
  said_no_server_ = false;
  auto_configure_forbidden_ = false;
  if (const auto& previous = options_.previous) {
    asked_ = previous->prefix.address;
    if (previous->expires_at() > now) return begin_reboot(now, DhcpCause::StartedWithLease, *previous);
  }
  const Duration delay = options_.start_delay ? Duration{1s} + Duration{random_.below(9'000'000'000)} : Duration{};
  enter_init(now, DhcpCause::Started, delay);
}

void Client::inform(Instant now, Ipv4Address address) {
  if (state_ != DhcpState::Stopped) return;
  informed_ = address;
  began_ = now;
  start_exchange(now);
  tries_ = 0;
  inform_again(now);
  transition(now, DhcpCause::InformSent);
}

void Client::stop(Instant now, bool release) {
  if (state_ == DhcpState::Stopped) return;
  const bool held = holds_address();
  const bool leased = held || state_ == DhcpState::Checking;
  if (leased && release) send_release(now);
  transition(now, leased && release ? DhcpCause::Released : DhcpCause::StopCalled);
  if (held) changes_.push_back(Lost{lease_->prefix.address, release ? Lost::Why::Released : Lost::Why::Stopped});
  lease_.reset();
  kept_ = false;
  retry_at_.reset();
  choose_at_.reset();
  open_ = false;
  stop_link_local(Lost::Why::Stopped);
}

void Client::send_release(Instant now) {
  start_exchange(now);
  open_ = false;  // no answer comes
  auto m = make(DhcpMessageType::Release);
  m.secs = 0;
  m.ciaddr = lease_->prefix.address;
  m.server_id = lease_->server;
  if (holds_address()) return send(std::move(m), lease_->prefix.address, lease_->server);
  // Until the check has ended nothing may be sent from the address (RFC 5227 section 2.1.1): as DHCPDECLINE, then.
  send(std::move(m), Ipv4Address{}, Ipv4Address{255, 255, 255, 255});
}

void Client::link_returned(Instant now) {
  switch (state_) {
    case DhcpState::Bound:
    case DhcpState::Renewing:
    case DhcpState::Rebinding:
    case DhcpState::Rebooting:
    case DhcpState::Checking:
      kept_ = holds_address();
      return begin_reboot(now, DhcpCause::LinkReturned, Lease{*lease_});
    case DhcpState::Selecting:
    case DhcpState::Requesting:
      return enter_init(now, DhcpCause::LinkReturned, 0s);
    case DhcpState::Stopped:
    case DhcpState::Init:  // about to begin
    case DhcpState::InitReboot:
    case DhcpState::Informing:
      return;
  }
}

void Client::interface_gone(Instant now) {
  if (state_ == DhcpState::Stopped) return;
  transition(now, DhcpCause::InterfaceGone);
  if (lease_) changes_.push_back(Lost{lease_->prefix.address, Lost::Why::Stopped});
  lease_.reset();
  kept_ = false;
  retry_at_.reset();
  choose_at_.reset();
  open_ = false;
  outgoing_.clear();
  stop_link_local(Lost::Why::Stopped);
}

std::optional<Lease> Client::lease() const {
  if (holds_address()) return lease_;
  if (const auto address = link_local_.held()) {
    Lease lease;
    lease.prefix = {*address, 16};
    lease.infinite = lease.link_local = true;
    return lease;
  }
  return std::nullopt;
}

// --- the way to an address ---

void Client::enter_init(Instant now, DhcpCause cause, Duration delay) {
  transition(now, cause);
  open_ = false;
  offers_.clear();
  choose_at_.reset();
  chosen_.reset();
  lease_.reset();
  kept_ = false;
  retry_at_ = now + delay;
  if (delay == Duration{}) discover_again(now);
}

void Client::start_exchange(Instant now) {
  xid_ = random_.next_u32();
  open_ = true;
  tries_ = 0;
  secs_ = 0;
  began_ = now;
}

void Client::begin_reboot(Instant now, DhcpCause cause, const Lease& lease) {
  transition(now, cause);
  lease_ = lease;
  start_exchange(now);
  request_sent_ = now;
  send_request(now);
  arm_retransmission(now);
  transition(now, DhcpCause::RequestSent);
}

/// INIT: the first DHCPDISCOVER of an exchange; SELECTING: the next.
void Client::discover_again(Instant now) {
  if (state_ == DhcpState::Init) {
    start_exchange(now);
    transition(now, DhcpCause::DiscoverSent);
    send_discover(now);
    arm_retransmission(now);
    return;
  }
  const unsigned unanswered = tries_;
  send_discover(now);
  arm_retransmission(now);
  report_unanswered(now, DhcpMessageType::Discover);
  if (unanswered < options_.tries_before_fallback) return;
  if (!std::exchange(said_no_server_, true)) changes_.push_back(NoServer{unanswered});
  use_link_local(now);
}

void Client::request_again(Instant now) {
  if (tries_ >= max_request_tries) return enter_init(now, DhcpCause::RequestUnanswered, 0s);
  send_request(now);
  arm_retransmission(now);
  report_unanswered(now, DhcpMessageType::Request);
}

void Client::reboot_again(Instant now) {
  if (tries_ < max_reboot_tries) {
    send_request(now);
    arm_retransmission(now);
    return report_unanswered(now, DhcpMessageType::Request);
  }
  if (lease_->expires_at() <= now) {
    if (kept_) return take_address_down(now, Lost::Why::Expired);
    return enter_init(now, DhcpCause::RequestUnanswered, 0s);
  }
  open_ = false;
  retry_at_.reset();
  transition(now, DhcpCause::LeaseKept);
  changes_.push_back(CheckAddress{lease_->prefix.address});
}

void Client::inform_again(Instant now) {
  if (tries_ >= max_inform_tries) {
    open_ = false;
    retry_at_.reset();
    changes_.push_back(NoServer{tries_});
    return transition(now, DhcpCause::InformUnanswered);
  }
  auto m = make(DhcpMessageType::Inform);
  m.ciaddr = informed_;
  send(std::move(m), informed_, Ipv4Address{255, 255, 255, 255});
  const bool again = tries_ > 0;
  arm_retransmission(now);
  if (again) report_unanswered(now, DhcpMessageType::Inform);
}

/// RENEWING and REBINDING: each DHCPREQUEST has an xid of its own, so that an ACK tells which one it answers. The next
/// one follows at half the time that remains, but not within 60 seconds (section 4.4.5).
void Client::extend_again(Instant now) {
  const unsigned before = std::exchange(tries_, 0U);
  xid_ = random_.next_u32();
  open_ = true;
  request_sent_ = now;
  secs_ = static_cast<std::uint16_t>(
      std::clamp<std::int64_t>(std::chrono::duration_cast<std::chrono::seconds>(now - began_).count(), 0, 0xffff));
  send_request(now);
  tries_ = before + 1;
  const Instant limit = state_ == DhcpState::Renewing ? lease_->t2_at() : lease_->expires_at();
  const Duration wait = std::max<Duration>((limit - now) / 2, min_renew_wait);
  retry_at_ = now + wait < limit ? std::optional{now + wait} : std::nullopt;
  if (before > 0) {
    sink_.emit(now, [&] {
      return observe::DhcpUnanswered{wire::dhcp_type_name(DhcpMessageType::Request), before,
                                     retry_at_ ? wait : limit - now};
    });
  }
}

void Client::report_unanswered(Instant now, DhcpMessageType type) {
  sink_.emit(now, [&] { return observe::DhcpUnanswered{wire::dhcp_type_name(type), tries_ - 1, *retry_at_ - now}; });
}

// --- holding it ---

void Client::address_free(Instant now, Ipv4Address address) { address_usable(now, DhcpCause::AddressFree, address); }

void Client::address_unchecked(Instant now, Ipv4Address address) {
  address_usable(now, DhcpCause::AddressUnchecked, address);
}

void Client::address_usable(Instant now, DhcpCause cause, Ipv4Address address) {
  if (state_ == DhcpState::Checking && lease_->prefix.address == address) {
    become_bound(now, cause);
  } else if (link_local_.candidate() == address && !link_local_.held()) {
    link_local_.free();
    changes_.push_back(Bound{*lease(), false});
  }
}

bool Client::concerns(Ipv4Address address) const {
  return state_ != DhcpState::Stopped &&
         ((lease_ && lease_->prefix.address == address) || link_local_.candidate() == address);
}

void Client::become_bound(Instant now, DhcpCause cause) {
  const bool renewed = holds_address();
  transition(now, cause);
  kept_ = false;
  open_ = false;
  retry_at_.reset();
  tries_ = naks_ = 0;
  said_no_server_ = false;
  asked_ = lease_->prefix.address;
  stop_link_local(Lost::Why::Replaced);
  changes_.push_back(Bound{*lease_, renewed});
}

void Client::address_conflict(Instant now, Ipv4Address address) {
  const bool ours = lease_ && lease_->prefix.address == address;
  if (ours && (state_ == DhcpState::Checking || holds_address())) {
    decline(now);
  } else if (link_local_.candidate() == address) {
    if (link_local_.held()) changes_.push_back(Lost{address, Lost::Why::Conflict});
    link_local_.conflict(now);
    run_link_local(now);
  }
}

/// Section 3.1 step 5: DHCPDECLINE, then wait at least ten seconds.
void Client::decline(Instant now) {
  const Lease lease = *lease_;
  if (holds_address()) changes_.push_back(Lost{lease.prefix.address, Lost::Why::Conflict});
  start_exchange(now);
  auto m = make(DhcpMessageType::Decline);
  m.requested_address = lease.prefix.address;
  m.server_id = lease.server;
  send(std::move(m), Ipv4Address{}, Ipv4Address{255, 255, 255, 255});
  changes_.push_back(Declined{lease.prefix.address});
  asked_.reset();
  options_.previous.reset();
  enter_init(now, DhcpCause::AddressConflict, decline_wait);
}

void Client::take_address_down(Instant now, Lost::Why why) {
  if (holds_address()) changes_.push_back(Lost{lease_->prefix.address, why});
  if (why == Lost::Why::Nak) return enter_init(now, DhcpCause::NakReceived, wait_after_naks(++naks_));
  enter_init(now, DhcpCause::LeaseExpired, 0s);
}

// --- time ---

Instant Client::next_deadline() const {
  Instant next = link_local_.next_deadline();
  if (retry_at_) next = std::min(next, *retry_at_);
  if (choose_at_) next = std::min(next, *choose_at_);
  if (state_ == DhcpState::Checking || holds_address()) next = std::min(next, lease_->expires_at());
  if (state_ == DhcpState::Bound) next = std::min(next, lease_->t1_at());
  if (state_ == DhcpState::Renewing) next = std::min(next, lease_->t2_at());
  return next;
}

void Client::handle_timeouts(Instant now) {
  lease_timeouts(now);
  if (choose_at_ && *choose_at_ <= now) choose_offer(now);
  if (retry_at_ && *retry_at_ <= now) retransmit(now);
  run_link_local(now);
}

void Client::lease_timeouts(Instant now) {
  if (state_ != DhcpState::Checking && !holds_address()) return;
  if (lease_->expires_at() <= now) return take_address_down(now, Lost::Why::Expired);
  const bool renew = state_ == DhcpState::Bound && lease_->t1_at() <= now;
  const bool may_rebind = state_ == DhcpState::Bound || state_ == DhcpState::Renewing;
  const bool rebind = may_rebind && lease_->t2_at() <= now;
  if (!renew && !rebind) return;
  if (state_ == DhcpState::Bound) began_ = now;
  transition(now, rebind ? DhcpCause::T2Reached : DhcpCause::T1Reached);
  tries_ = 0;
  extend_again(now);
}

void Client::retransmit(Instant now) {
  switch (state_) {
    case DhcpState::Init:
    case DhcpState::Selecting:
      return discover_again(now);
    case DhcpState::Requesting:
      return request_again(now);
    case DhcpState::Rebooting:
      return reboot_again(now);
    case DhcpState::Renewing:
    case DhcpState::Rebinding:
      return extend_again(now);
    case DhcpState::Informing:
      return inform_again(now);
    case DhcpState::Stopped:
    case DhcpState::Checking:
    case DhcpState::Bound:
    case DhcpState::InitReboot:
      retry_at_.reset();
  }
}

// --- link-local ---

void Client::use_link_local(Instant now) {
  if (!options_.link_local || auto_configure_forbidden_) return;
  link_local_.start(now);
  run_link_local(now);
}

void Client::run_link_local(Instant now) {
  if (const auto address = link_local_.poll_check(now)) changes_.push_back(CheckAddress{*address});
}

void Client::stop_link_local(Lost::Why why) {
  if (const auto held = link_local_.held()) changes_.push_back(Lost{*held, why});
  link_local_.stop();
}

}  // namespace wireside::dhcp

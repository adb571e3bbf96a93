#include "observe/vocabulary.hpp"

#include <array>
#include <cstddef>

namespace wireside::observe {
namespace {

template <class E>
struct Named {
  E value;
  std::string_view name;
};

/// Every enumerator in its order, so that a value is its row's number.
template <class E, std::size_t N>
constexpr bool covers(const std::array<Named<E>, N>& table, E last) {
  for (std::size_t i = 0; i < N; ++i) {
    if (static_cast<std::size_t>(table[i].value) != i || table[i].name.empty()) return false;
  }
  return static_cast<std::size_t>(last) + 1 == N;
}

template <class E, std::size_t N>
constexpr std::string_view find(const std::array<Named<E>, N>& table, E value) {
  const auto row = static_cast<std::size_t>(value);
  return row < N ? table[row].name : "unknown";
}

constexpr auto tx_reasons = std::to_array<Named<TxReason>>({
    {TxReason::Data, "data"},
    {TxReason::Ack, "ACK"},
    {TxReason::DelayedAck, "delayed ACK"},
    {TxReason::WindowUpdate, "window update"},
    {TxReason::OutOfOrder, "duplicate ACK: segment out of order"},
    {TxReason::DuplicateSegment, "ACK of a duplicate segment"},
    {TxReason::Fin, "FIN"},
    {TxReason::Syn, "SYN"},
    {TxReason::SynAck, "SYN-ACK"},
    {TxReason::SynCookie, "SYN-ACK with a cookie"},
    {TxReason::SynRetransmit, "SYN retransmit"},
    {TxReason::SynAckRetransmit, "SYN-ACK retransmit"},
    {TxReason::FastRetransmit, "fast retransmit"},
    {TxReason::PartialAckRetransmit, "partial-ACK retransmit"},
    {TxReason::RtoRetransmit, "RTO retransmit"},
    {TxReason::PathMtuRetransmit, "path-MTU retransmit"},
    {TxReason::WindowRetransmit, "closed-window retransmit"},
    {TxReason::TailLossProbe, "tail loss probe"},
    {TxReason::ZeroWindowProbe, "zero-window probe"},
    {TxReason::KeepAlive, "keep-alive"},
    {TxReason::ChallengeAck, "challenge ACK"},
    {TxReason::TimeWaitAck, "ACK in TIME-WAIT"},
    {TxReason::UnacceptableSegment, "ACK of an unacceptable segment"},
    {TxReason::ResetNoConnection, "reset: no such connection"},
    {TxReason::ResetBadAck, "reset: unacceptable ACK"},
    {TxReason::ResetAborted, "reset: aborted"},
    {TxReason::ResetDataAfterClose, "reset: data after close"},
    {TxReason::ResetUnreadData, "reset: closed with unread data"},
    {TxReason::ResetTimeout, "reset: timed out"},
    {TxReason::ResetListenerClosed, "reset: listener closed"},
    {TxReason::ResetLinger, "reset: linger time over"},
    {TxReason::ArpRequest, "ARP request"},
    {TxReason::ArpReply, "ARP reply"},
    {TxReason::ArpPoll, "ARP poll"},
    {TxReason::ArpAnnouncement, "ARP announcement"},
    {TxReason::ArpProbe, "ARP probe"},
    {TxReason::ArpDefence, "ARP announcement in defence"},
    {TxReason::EchoRequest, "echo request"},
    {TxReason::EchoReply, "echo reply"},
    {TxReason::IcmpError, "ICMP error"},
    {TxReason::UdpDatagram, "UDP datagram"},
    {TxReason::Forwarded, "forwarded"},
    {TxReason::DhcpDiscover, "DHCPDISCOVER (option 53 = 1)"},
    {TxReason::DhcpRequest, "DHCPREQUEST (option 53 = 3)"},
    {TxReason::DhcpDecline, "DHCPDECLINE (option 53 = 4)"},
    {TxReason::DhcpRelease, "DHCPRELEASE (option 53 = 7)"},
    {TxReason::DhcpInform, "DHCPINFORM (option 53 = 8)"},
    {TxReason::Raw, "raw"},
});
static_assert(covers(tx_reasons, TxReason::Raw));

constexpr auto drop_reasons = std::to_array<Named<DropReason>>({
    {DropReason::FrameTooShort, "frame too short"},
    {DropReason::NotForUs, "frame for another station"},
    {DropReason::UnknownEtherType, "unknown EtherType"},
    {DropReason::ArpMalformed, "malformed ARP message"},
    {DropReason::ArpNotForUs, "ARP for another host"},
    {DropReason::NeighbourQueueFull, "neighbour queue full"},
    {DropReason::NeighbourUnreachable, "neighbour unreachable"},
    {DropReason::NeighbourTableFull, "neighbour table full"},
    {DropReason::SourceAddressLost, "source address lost meanwhile"},
    {DropReason::IpMalformed, "malformed IP header"},
    {DropReason::IpBadVersion, "bad IP version"},
    {DropReason::IpBadChecksum, "bad IP header checksum"},
    {DropReason::IpBadSource, "bad IP source address"},
    {DropReason::IpNotOurs, "IP destination not ours"},
    {DropReason::FragmentMalformed, "malformed IP fragment"},
    {DropReason::FragmentTiny, "IP fragment splits the transport header"},
    {DropReason::FragmentEcnMixed, "fragments with and without ECN, one marked"},
    {DropReason::FragmentOverlap, "overlapping IP fragment"},
    {DropReason::FragmentRepeated, "repeated IP fragment"},
    {DropReason::FragmentsTooMany, "too many fragments of one datagram"},
    {DropReason::FragmentEvicted, "reassembly memory full"},
    {DropReason::FragmentTimeout, "reassembly timed out"},
    {DropReason::IpBadOption, "bad IP option"},
    {DropReason::IpSourceRoute, "IP source route"},
    {DropReason::IpUnknownProtocol, "unknown IP protocol"},
    {DropReason::NoRoute, "no route"},
    {DropReason::TooBig, "packet too big"},
    {DropReason::LoopbackOnWire, "loopback address on the wire"},
    {DropReason::TtlExpired, "TTL expired"},
    {DropReason::NotForwarded, "must not be forwarded"},
    {DropReason::IcmpMalformed, "malformed ICMP message"},
    {DropReason::IcmpBadChecksum, "bad ICMP checksum"},
    {DropReason::IcmpUnknownType, "unknown ICMP type"},
    {DropReason::IcmpRateLimited, "ICMP error rate limited"},
    {DropReason::IcmpSuppressed, "ICMP not wanted here"},
    {DropReason::IcmpNotCredible, "ICMP message about what we did not send"},
    {DropReason::UdpMalformed, "malformed UDP header"},
    {DropReason::UdpBadChecksum, "bad UDP checksum"},
    {DropReason::UdpNoSocket, "no UDP socket"},
    {DropReason::UdpReceiveQueueFull, "UDP receive queue full"},
    {DropReason::DhcpMalformed, "malformed DHCP message"},
    {DropReason::DhcpNotForUs, "DHCP message for another client"},
    {DropReason::DhcpOtherExchange, "DHCP message of another exchange"},
    {DropReason::DhcpOtherServer, "DHCP message from a server not chosen"},
    {DropReason::DhcpUnexpected, "DHCP message not expected now"},
    {DropReason::DhcpUnusable, "DHCP offer or lease that cannot be used"},
    {DropReason::TcpMalformed, "malformed TCP header"},
    {DropReason::TcpBadChecksum, "bad TCP checksum"},
    {DropReason::TcpBroadcast, "TCP to or from a broadcast or multicast address"},
    {DropReason::TcpNoConnection, "no TCP connection"},
    {DropReason::TcpUnacceptable, "unacceptable sequence number"},
    {DropReason::TcpNoAck, "segment without ACK"},
    {DropReason::TcpPaws, "old timestamp (PAWS)"},
    {DropReason::TcpBadAck, "unacceptable ACK"},
    {DropReason::TcpBadReset, "unacceptable reset"},
    {DropReason::TcpSynInWindow, "SYN in the window"},
    {DropReason::TcpListenBacklogFull, "listen backlog full"},
    {DropReason::TcpSynQueueFull, "SYN queue full"},
    {DropReason::TcpConnectionLimit, "connection limit reached"},
    {DropReason::TcpControlQueueFull, "TCP control queue full"},
    {DropReason::TcpReassemblyFull, "reassembly queue full"},
    {DropReason::TcpOutsideWindow, "data outside the window"},
    {DropReason::TcpMissingTimestamp, "missing timestamp"},
    {DropReason::TcpRateLimited, "answer rate limited"},
    {DropReason::TcpClosedState, "connection closed"},
    {DropReason::Oversize, "oversize frame"},
    {DropReason::QueueFull, "queue full"},
    {DropReason::DnsMalformed, "malformed DNS answer"},
    {DropReason::DnsNotExpected, "DNS message that answers nothing"},
    {DropReason::DnsWrongServer, "DNS answer from a server that was not asked"},
    {DropReason::DnsWrongId, "DNS answer with a wrong id"},
    {DropReason::DnsWrongQuestion, "DNS answer to another question"},
});
static_assert(drop_reasons.size() == static_cast<std::size_t>(DropReason::Count));
static_assert(covers(drop_reasons, DropReason::DnsWrongQuestion));

constexpr auto tcp_states = std::to_array<Named<TcpState>>({
    {TcpState::Closed, "CLOSED"},
    {TcpState::Listen, "LISTEN"},
    {TcpState::SynSent, "SYN-SENT"},
    {TcpState::SynReceived, "SYN-RECEIVED"},
    {TcpState::Established, "ESTABLISHED"},
    {TcpState::FinWait1, "FIN-WAIT-1"},
    {TcpState::FinWait2, "FIN-WAIT-2"},
    {TcpState::CloseWait, "CLOSE-WAIT"},
    {TcpState::Closing, "CLOSING"},
    {TcpState::LastAck, "LAST-ACK"},
    {TcpState::TimeWait, "TIME-WAIT"},
});
static_assert(covers(tcp_states, TcpState::TimeWait));

constexpr auto state_causes = std::to_array<Named<StateCause>>({
    {StateCause::PassiveOpen, "passive open"},
    {StateCause::ActiveOpen, "active open"},
    {StateCause::SynReceived, "SYN received"},
    {StateCause::SynAckReceived, "SYN-ACK received"},
    {StateCause::AckOfSyn, "our SYN acknowledged"},
    {StateCause::CloseCalled, "close called"},
    {StateCause::FinReceived, "FIN received"},
    {StateCause::AckOfFin, "our FIN acknowledged"},
    {StateCause::FinAndAckOfFin, "FIN received, our FIN acknowledged"},
    {StateCause::ResetReceived, "reset received"},
    {StateCause::AbortCalled, "abort called"},
    {StateCause::UserTimeout, "user timeout"},
    {StateCause::RetransmissionTimeout, "retransmissions exhausted"},
    {StateCause::KeepAliveTimeout, "keep-alive unanswered"},
    {StateCause::TimeWaitExpired, "2MSL elapsed"},
    {StateCause::FinWait2Timeout, "FIN-WAIT-2 timeout"},
    {StateCause::LingerTimeout, "linger time over"},
    {StateCause::IcmpHardError, "ICMP hard error"},
    {StateCause::TimeWaitReused, "new SYN in TIME-WAIT"},
    {StateCause::InterfaceGone, "interface gone"},
    {StateCause::SynTimeout, "SYN unanswered"},
    {StateCause::AddressLost, "our address was lost"},
});
static_assert(covers(state_causes, StateCause::AddressLost));

constexpr auto dhcp_states = std::to_array<Named<DhcpState>>({
    {DhcpState::Stopped, "STOPPED"},
    {DhcpState::Init, "INIT"},
    {DhcpState::Selecting, "SELECTING"},
    {DhcpState::Requesting, "REQUESTING"},
    {DhcpState::Checking, "CHECKING"},
    {DhcpState::Bound, "BOUND"},
    {DhcpState::Renewing, "RENEWING"},
    {DhcpState::Rebinding, "REBINDING"},
    {DhcpState::InitReboot, "INIT-REBOOT"},
    {DhcpState::Rebooting, "REBOOTING"},
    {DhcpState::Informing, "INFORMING"},
});
static_assert(covers(dhcp_states, DhcpState::Informing));

constexpr auto dhcp_causes = std::to_array<Named<DhcpCause>>({
    {DhcpCause::Started, "started"},
    {DhcpCause::StartedWithLease, "started with a lease of before"},
    {DhcpCause::DiscoverSent, "DHCPDISCOVER sent"},
    {DhcpCause::OfferChosen, "DHCPOFFER chosen"},
    {DhcpCause::AckReceived, "DHCPACK received"},
    {DhcpCause::NakReceived, "DHCPNAK received"},
    {DhcpCause::AddressFree, "nobody else has the address"},
    {DhcpCause::AddressUnchecked, "not asked whether another host has the address"},
    {DhcpCause::AddressConflict, "another host has the address"},
    {DhcpCause::RequestUnanswered, "DHCPREQUEST unanswered"},
    {DhcpCause::LeaseKept, "DHCPREQUEST unanswered, the lease still runs"},
    {DhcpCause::RequestSent, "DHCPREQUEST sent"},
    {DhcpCause::T1Reached, "T1 reached"},
    {DhcpCause::T2Reached, "T2 reached"},
    {DhcpCause::LeaseExpired, "lease expired"},
    {DhcpCause::InformSent, "DHCPINFORM sent"},
    {DhcpCause::InformUnanswered, "DHCPINFORM unanswered"},
    {DhcpCause::Released, "lease released"},
    {DhcpCause::StopCalled, "stop called"},
    {DhcpCause::InterfaceGone, "interface gone"},
    {DhcpCause::LinkReturned, "link is back"},
});
static_assert(covers(dhcp_causes, DhcpCause::LinkReturned));

constexpr auto timer_kinds = std::to_array<Named<TimerKind>>({
    {TimerKind::Retransmission, "retransmission"},
    {TimerKind::DelayedAck, "delayed ACK"},
    {TimerKind::ZeroWindowProbe, "zero-window probe"},
    {TimerKind::KeepAlive, "keep-alive"},
    {TimerKind::TimeWait, "TIME-WAIT"},
    {TimerKind::UserTimeout, "user timeout"},
    {TimerKind::FinWait2, "FIN-WAIT-2"},
    {TimerKind::SenderSws, "silly-window override"},
    {TimerKind::Reordering, "reordering"},
    {TimerKind::TailLossProbe, "tail loss probe"},
    {TimerKind::Pacing, "pacing"},
    {TimerKind::Linger, "linger"},
});
static_assert(covers(timer_kinds, TimerKind::Linger));

constexpr auto window_causes = std::to_array<Named<WindowCause>>({
    {WindowCause::SlowStart, "slow start"},
    {WindowCause::CongestionAvoidance, "congestion avoidance"},
    {WindowCause::FastRetransmit, "fast retransmit"},
    {WindowCause::RecoveryInflation, "recovery inflation"},
    {WindowCause::PartialAck, "partial ACK"},
    {WindowCause::RecoveryExit, "recovery exit"},
    {WindowCause::Timeout, "timeout"},
    {WindowCause::IdleRestart, "restart after idle"},
    {WindowCause::ProportionalReduction, "proportional rate reduction"},
    {WindowCause::TailLossRepaired, "the tail loss probe repaired a loss"},
    {WindowCause::Undo, "reduction taken back: it was spurious"},
    {WindowCause::EcnEcho, "ECN echo"},
    {WindowCause::Initial, "initial"},
});
static_assert(covers(window_causes, WindowCause::Initial));

constexpr auto recovery_phases = std::to_array<Named<RecoveryPhase>>({
    {RecoveryPhase::Open, "open"},
    {RecoveryPhase::LimitedTransmit, "limited transmit"},
    {RecoveryPhase::FastRecovery, "fast recovery"},
    {RecoveryPhase::Loss, "loss"},
    {RecoveryPhase::WindowReduced, "window reduced"},
});
static_assert(covers(recovery_phases, RecoveryPhase::WindowReduced));

constexpr auto loss_signs = std::to_array<Named<LossSign>>({
    {LossSign::Time, "RACK"},
    {LossSign::SackCount, "SACK count"},
    {LossSign::DuplicateAcks, "duplicate ACKs"},
    {LossSign::PartialAck, "partial ACK"},
    {LossSign::Timeout, "timeout"},
});
static_assert(covers(loss_signs, LossSign::Timeout));

constexpr auto step_causes = std::to_array<Named<StepCause>>({
    {StepCause::SegmentArrived, "segment arrived"},
    {StepCause::SegmentSent, "segment sent"},
    {StepCause::TimerFired, "timer fired"},
    {StepCause::UserCall, "user call"},
    {StepCause::NetworkReport, "network report"},
});
static_assert(covers(step_causes, StepCause::NetworkReport));

constexpr auto neighbour_states = std::to_array<Named<NeighbourState>>({
    {NeighbourState::Incomplete, "INCOMPLETE"},
    {NeighbourState::Reachable, "REACHABLE"},
    {NeighbourState::Stale, "STALE"},
    {NeighbourState::Delay, "DELAY"},
    {NeighbourState::Probe, "PROBE"},
    {NeighbourState::Failed, "FAILED"},
});
static_assert(covers(neighbour_states, NeighbourState::Failed));

constexpr auto gateway_advice = std::to_array<Named<GatewayAdvice>>({
    {GatewayAdvice::NoAnswer, "no answer to ARP"},
    {GatewayAdvice::NoProgress, "TCP makes no progress"},
    {GatewayAdvice::Alive, "alive"},
});
static_assert(covers(gateway_advice, GatewayAdvice::Alive));
constexpr auto dns_steps = std::to_array<Named<DnsStep>>({
    {DnsStep::Asked, "asked"},
    {DnsStep::Answered, "answered"},
    {DnsStep::Truncated, "answer truncated, asking over TCP"},
    {DnsStep::ServerFailed, "server failed"},
    {DnsStep::Unreachable, "server unreachable"},
    {DnsStep::TimedOut, "no answer yet"},
});
static_assert(covers(dns_steps, DnsStep::TimedOut));
constexpr auto address_news = std::to_array<Named<AddressNews>>({
    {AddressNews::Probing, "probing"},
    {AddressNews::Free, "free"},
    {AddressNews::Conflict, "in use by another host"},
    {AddressNews::Announced, "announced"},
    {AddressNews::Defended, "conflict, defended"},
    {AddressNews::Undefended, "conflict, not defended again so soon"},
    {AddressNews::Lost, "conflict, given up"},
});
static_assert(covers(address_news, AddressNews::Lost));
constexpr auto impairment_actions = std::to_array<Named<ImpairmentAction>>({
    {ImpairmentAction::LostAtRandom, "random loss"},
    {ImpairmentAction::LostInBurst, "loss burst"},
    {ImpairmentAction::LostByRule, "drop rule"},
    {ImpairmentAction::QueueFull, "queue full"},
    {ImpairmentAction::TooBig, "larger than the MTU"},
    {ImpairmentAction::Duplicated, "duplicated"},
    {ImpairmentAction::Corrupted, "one bit flipped"},
    {ImpairmentAction::Marked, "congestion experienced set"},
    {ImpairmentAction::Overtook, "sent ahead of others"},
});
static_assert(impairment_actions.size() == static_cast<std::size_t>(ImpairmentAction::Count));
static_assert(covers(impairment_actions, ImpairmentAction::Overtook));

}  // namespace

std::string_view to_string(TxReason r) { return find(tx_reasons, r); }
std::string_view to_string(DropReason r) { return find(drop_reasons, r); }
std::string_view to_string(TcpState s) { return find(tcp_states, s); }
std::string_view to_string(StateCause c) { return find(state_causes, c); }
std::string_view to_string(TimerKind k) { return find(timer_kinds, k); }
std::string_view to_string(WindowCause c) { return find(window_causes, c); }
std::string_view to_string(DhcpState s) { return find(dhcp_states, s); }
std::string_view to_string(ImpairmentAction a) { return find(impairment_actions, a); }
std::string_view to_string(DhcpCause c) { return find(dhcp_causes, c); }
std::string_view to_string(RecoveryPhase p) { return find(recovery_phases, p); }
std::string_view to_string(LossSign s) { return find(loss_signs, s); }
std::string_view to_string(StepCause c) { return find(step_causes, c); }
std::string_view to_string(NeighbourState s) { return find(neighbour_states, s); }
std::string_view to_string(GatewayAdvice a) { return find(gateway_advice, a); }
std::string_view to_string(DnsStep s) { return find(dns_steps, s); }
std::string_view to_string(AddressNews n) { return find(address_news, n); }

}  // namespace wireside::observe

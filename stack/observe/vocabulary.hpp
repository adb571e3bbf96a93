// The closed vocabulary of causes: why a frame was sent, why one was dropped, why a state changed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wireside::observe {

enum class TxReason : std::uint8_t {
  Data,
  Ack,
  DelayedAck,
  WindowUpdate,
  OutOfOrder,
  DuplicateSegment,
  Fin,
  Syn,
  SynAck,
  SynCookie,
  SynRetransmit,
  SynAckRetransmit,
  FastRetransmit,
  PartialAckRetransmit,
  RtoRetransmit,
  PathMtuRetransmit,
  WindowRetransmit,
  TailLossProbe,
  ZeroWindowProbe,
  KeepAlive,
  ChallengeAck,
  TimeWaitAck,
  UnacceptableSegment,
  ResetNoConnection,
  ResetBadAck,
  ResetAborted,
  ResetDataAfterClose,
  ResetUnreadData,
  ResetTimeout,
  ResetListenerClosed,
  ResetLinger,
  ArpRequest,
  ArpReply,
  ArpPoll,
  ArpAnnouncement,
  ArpProbe,
  ArpDefence,
  EchoRequest,
  EchoReply,
  IcmpError,
  UdpDatagram,
  Forwarded,
  DhcpDiscover,
  DhcpRequest,
  DhcpDecline,
  DhcpRelease,
  DhcpInform,
  Raw,
};

enum class DropReason : std::uint8_t {
  // link
  FrameTooShort,
  NotForUs,
  UnknownEtherType,
  ArpMalformed,
  ArpNotForUs,
  NeighbourQueueFull,
  NeighbourUnreachable,
  NeighbourTableFull,
  SourceAddressLost,
  // network
  IpMalformed,
  IpBadVersion,
  IpBadChecksum,
  IpBadSource,
  IpNotOurs,
  FragmentMalformed,
  FragmentTiny,
  FragmentEcnMixed,
  FragmentOverlap,
  FragmentRepeated,
  FragmentsTooMany,
  FragmentEvicted,
  FragmentTimeout,
  IpBadOption,
  IpSourceRoute,
  IpUnknownProtocol,
  NoRoute,
  TooBig,
  LoopbackOnWire,
  TtlExpired,
  NotForwarded,
  // ICMP
  IcmpMalformed,
  IcmpBadChecksum,
  IcmpUnknownType,
  IcmpRateLimited,
  IcmpSuppressed,
  IcmpNotCredible,
  // UDP
  UdpMalformed,
  UdpBadChecksum,
  UdpNoSocket,
  UdpReceiveQueueFull,
  // DHCP
  DhcpMalformed,
  DhcpNotForUs,
  DhcpOtherExchange,
  DhcpOtherServer,
  DhcpUnexpected,
  DhcpUnusable,
  // TCP
  TcpMalformed,
  TcpBadChecksum,
  TcpBroadcast,
  TcpNoConnection,
  TcpUnacceptable,
  TcpNoAck,
  TcpPaws,
  TcpBadAck,
  TcpBadReset,
  TcpSynInWindow,
  TcpListenBacklogFull,
  TcpSynQueueFull,
  TcpConnectionLimit,
  TcpControlQueueFull,
  TcpReassemblyFull,
  TcpOutsideWindow,
  TcpMissingTimestamp,
  TcpRateLimited,
  TcpClosedState,
  // edge
  Oversize,
  QueueFull,
  // DNS
  DnsMalformed,
  DnsNotExpected,
  DnsWrongServer,
  DnsWrongId,
  DnsWrongQuestion,
  Count
};

/// RFC 9293 section 3.3.2.
enum class TcpState : std::uint8_t {
  Closed,
  Listen,
  SynSent,
  SynReceived,
  Established,
  FinWait1,
  FinWait2,
  CloseWait,
  Closing,
  LastAck,
  TimeWait,
};

/// What made a connection change state.
enum class StateCause : std::uint8_t {
  PassiveOpen,
  ActiveOpen,
  SynReceived,
  SynAckReceived,
  AckOfSyn,
  CloseCalled,
  FinReceived,
  AckOfFin,
  FinAndAckOfFin,
  ResetReceived,
  AbortCalled,
  UserTimeout,
  RetransmissionTimeout,
  KeepAliveTimeout,
  TimeWaitExpired,
  FinWait2Timeout,
  LingerTimeout,
  IcmpHardError,
  TimeWaitReused,
  InterfaceGone,
  SynTimeout,
  AddressLost,
};

enum class TimerKind : std::uint8_t {
  Retransmission,
  DelayedAck,
  ZeroWindowProbe,
  KeepAlive,
  TimeWait,
  UserTimeout,
  FinWait2,
  SenderSws,
  Reordering,
  TailLossProbe,
  Pacing,
  Linger,
};
inline constexpr std::size_t timer_kind_count = 12;

enum class WindowCause : std::uint8_t {
  SlowStart,
  CongestionAvoidance,
  FastRetransmit,
  RecoveryInflation,
  PartialAck,
  RecoveryExit,
  Timeout,
  IdleRestart,
  ProportionalReduction,
  TailLossRepaired,
  Undo,
  EcnEcho,
  Initial,
};

/// Where loss recovery of a connection stands.
enum class RecoveryPhase : std::uint8_t {
  Open,             ///< nothing is being repaired
  LimitedTransmit,  ///< one or two duplicate ACKs, each of which releases a segment (RFC 3042)
  FastRecovery,     ///< RFC 5681 section 3.2, or RACK's or SACK's with PRR (RFC 6937)
  Loss,             ///< after a retransmission timeout
  WindowReduced,    ///< an ECN echo is being answered (RFC 3168)
};

/// What shows that something was lost.
enum class LossSign : std::uint8_t {
  Time,           ///< something sent later arrived a reordering window ago (RACK, RFC 8985)
  SackCount,      ///< enough was reported above it (RFC 6675 IsLost)
  DuplicateAcks,  ///< the third one (RFC 5681)
  PartialAck,     ///< in fast recovery, an ACK of less than all (RFC 6582)
  Timeout,        ///< the retransmission timer ran out
};

/// What a step of a connection was made by; every step ends with a ConnectionChanged.
enum class StepCause : std::uint8_t {
  SegmentArrived,
  SegmentSent,
  TimerFired,
  UserCall,
  NetworkReport,  ///< an ICMP message, or a route or address of ours that is gone
};

/// What a layer says of a gateway (RFC 1122 section 3.3.1.4).
enum class GatewayAdvice : std::uint8_t {
  NoAnswer,    ///< it does not answer ARP
  NoProgress,  ///< TCP retransmits through it in vain
  Alive,       ///< it answered, or TCP made progress through it
};

/// RFC 2131 figure 5, and what the text adds. Checking: the address was given and is tested for conflicts (RFC 5227).
enum class DhcpState : std::uint8_t {
  Stopped,
  Init,
  Selecting,
  Requesting,
  Checking,
  Bound,
  Renewing,
  Rebinding,
  InitReboot,
  Rebooting,
  Informing,
};

/// What made the DHCP client change state.
enum class DhcpCause : std::uint8_t {
  Started,
  StartedWithLease,
  DiscoverSent,
  OfferChosen,
  AckReceived,
  NakReceived,
  AddressFree,
  AddressUnchecked,
  AddressConflict,
  RequestUnanswered,
  LeaseKept,
  RequestSent,
  T1Reached,
  T2Reached,
  LeaseExpired,
  InformSent,
  InformUnanswered,
  Released,
  StopCalled,
  InterfaceGone,
  LinkReturned,
};

enum class NeighbourState : std::uint8_t { Incomplete, Reachable, Stale, Delay, Probe, Failed };

/// How a lookup at a DNS server goes on.
enum class DnsStep : std::uint8_t { Asked, Answered, Truncated, ServerFailed, Unreachable, TimedOut };
/// What happened to an address of ours, or one that is to become ours (RFC 5227).
enum class AddressNews : std::uint8_t {
  Probing,     ///< probing has begun (section 2.1.1)
  Free,        ///< nobody else has it
  Conflict,    ///< somebody else has it or wants it too: it is not taken
  Announced,   ///< it is in use (section 2.3)
  Defended,    ///< somebody else used it, and we insisted (section 2.4 (b), (c))
  Undefended,  ///< somebody else used it again, too soon to insist once more (section 2.4 (c))
  Lost,        ///< given up to somebody else (section 2.4 (a), (b))
};

/// Seen from the endpoint.
enum class Direction : std::uint8_t { In, Out };

/// What an impairment did to a frame. The first five are losses.
enum class ImpairmentAction : std::uint8_t {
  LostAtRandom,
  LostInBurst,
  LostByRule,
  QueueFull,
  TooBig,
  Duplicated,
  Corrupted,
  Marked,    ///< Congestion Experienced (RFC 3168)
  Overtook,  ///< sent ahead of frames under way
  Count
};
[[nodiscard]] constexpr bool is_loss(ImpairmentAction a) { return a <= ImpairmentAction::TooBig; }

[[nodiscard]] std::string_view to_string(TxReason r);
[[nodiscard]] std::string_view to_string(DropReason r);
/// As the RFC writes it: "SYN-RECEIVED".
[[nodiscard]] std::string_view to_string(TcpState s);
[[nodiscard]] std::string_view to_string(StateCause c);
[[nodiscard]] std::string_view to_string(TimerKind k);
[[nodiscard]] std::string_view to_string(WindowCause c);
[[nodiscard]] std::string_view to_string(RecoveryPhase p);
[[nodiscard]] std::string_view to_string(LossSign s);
[[nodiscard]] std::string_view to_string(StepCause c);
[[nodiscard]] std::string_view to_string(NeighbourState s);
[[nodiscard]] std::string_view to_string(GatewayAdvice a);
[[nodiscard]] std::string_view to_string(DnsStep s);
[[nodiscard]] std::string_view to_string(AddressNews n);
/// As the RFC writes it: "INIT-REBOOT".
[[nodiscard]] std::string_view to_string(DhcpState s);
[[nodiscard]] std::string_view to_string(DhcpCause c);
[[nodiscard]] std::string_view to_string(ImpairmentAction a);

}  // namespace wireside::observe

namespace wireside {
using observe::TcpState;
}

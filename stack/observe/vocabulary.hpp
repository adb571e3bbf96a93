// The closed vocabulary of causes: why a frame was sent, why one was dropped, why a state changed.
#pragma once

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
  SynRetransmit,
  SynAckRetransmit,
  FastRetransmit,
  PartialAckRetransmit,
  RtoRetransmit,
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
  ArpRequest,
  ArpReply,
  ArpPoll,
  ArpAnnouncement,
  EchoRequest,
  EchoReply,
  IcmpError,
  UdpDatagram,
  Forwarded,
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
  // network
  IpMalformed,
  IpBadVersion,
  IpBadChecksum,
  IpBadSource,
  IpNotOurs,
  IpFragment,
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
  // UDP
  UdpMalformed,
  UdpBadChecksum,
  UdpNoSocket,
  UdpReceiveQueueFull,
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
  TcpReassemblyFull,
  TcpOutsideWindow,
  TcpMissingTimestamp,
  TcpRateLimited,
  TcpClosedState,
  // edge
  Oversize,
  QueueFull,
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
  IcmpHardError,
  TimeWaitReused,
  InterfaceGone,
  SynTimeout,
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
  Reserved1,
  Reserved2,
};

enum class WindowCause : std::uint8_t {
  SlowStart,
  CongestionAvoidance,
  FastRetransmit,
  RecoveryInflation,
  PartialAck,
  RecoveryExit,
  Timeout,
  IdleRestart,
  Initial,
};

/// What a layer says of a gateway (RFC 1122 section 3.3.1.4).
enum class GatewayAdvice : std::uint8_t {
  NoAnswer,    ///< it does not answer ARP
  NoProgress,  ///< TCP retransmits through it in vain
  Alive,       ///< it answered, or TCP made progress through it
};

enum class NeighbourState : std::uint8_t { Incomplete, Reachable, Stale, Delay, Probe, Failed };

[[nodiscard]] std::string_view to_string(TxReason r);
[[nodiscard]] std::string_view to_string(DropReason r);
/// As the RFC writes it: "SYN-RECEIVED".
[[nodiscard]] std::string_view to_string(TcpState s);
[[nodiscard]] std::string_view to_string(StateCause c);
[[nodiscard]] std::string_view to_string(TimerKind k);
[[nodiscard]] std::string_view to_string(WindowCause c);
[[nodiscard]] std::string_view to_string(NeighbourState s);
[[nodiscard]] std::string_view to_string(GatewayAdvice a);

}  // namespace wireside::observe

namespace wireside {
using observe::TcpState;
}

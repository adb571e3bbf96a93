// What happened and why: the events every trace, capture, page and simulation test reads. Nothing parses log text.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/seq_num.hpp"
#include "base/time.hpp"
#include "observe/connection_view.hpp"
#include "observe/counters.hpp"
#include "observe/vocabulary.hpp"

namespace wireside::observe {

/// A frame came in. `frame` is valid only during the call. What comes next, up to Handled, is what it brought about.
struct FrameReceived {
  ByteView frame;
  std::uint16_t gso_size = 0;
  bool checksum_trusted = false;
};
/// A frame goes out. Views are valid only during the call; payload is given as up to a few runs. The connection's step
/// that made the segment ended before, mostly just before; of a segment that is cut into several frames, before the
/// first of them.
struct FrameSent {
  ByteView header;
  std::span<const ByteView> payload;
  std::uint16_t gso_size = 0;
  bool checksum_partial = false;
  TxReason reason = TxReason::Raw;
  std::uint32_t connection = 0;
};
struct Dropped {
  DropReason reason = DropReason::Count;
  /// Connection it concerned, 0 where none is known.
  std::uint32_t connection = 0;
};
struct StateChanged {
  std::uint32_t connection = 0;
  FourTuple tuple;
  TcpState from = TcpState::Closed;
  TcpState to = TcpState::Closed;
  StateCause cause = StateCause::PassiveOpen;
};
struct TimerChanged {
  enum class What : std::uint8_t { Set, Fired, Cancelled };
  std::uint32_t connection = 0;
  TimerKind timer = TimerKind::Retransmission;
  What what = What::Set;
  /// Set: from now until due.
  Duration in{};
};
/// Congestion window moved (octets).
struct WindowChanged {
  std::uint32_t connection = 0;
  std::uint32_t cwnd_before = 0;
  std::uint32_t cwnd = 0;
  std::uint32_t ssthresh_before = 0;
  std::uint32_t ssthresh = 0;
  WindowCause cause = WindowCause::Initial;
};
struct RttSampled {
  std::uint32_t connection = 0;
  Duration sample{};
  Duration srtt{};
  Duration rttvar{};
  Duration rto{};
};
/// RTO changed without a sample (back-off, or reset of it).
struct RtoChanged {
  std::uint32_t connection = 0;
  Duration rto_before{};
  Duration rto{};
};
/// Octets were found to be lost. They are sent again as the windows allow.
struct LossFound {
  std::uint32_t connection = 0;
  LossSign sign = LossSign::Time;
  std::uint32_t octets = 0;    ///< newly found
  SeqRange first;              ///< the first run of what is to be sent again
  std::uint32_t sacked = 0;    ///< octets reported beyond SND.UNA
  std::uint32_t dup_acks = 0;  ///< DuplicateAcks: how many
  Duration rtt{};              ///< Time: of what arrived (RACK.rtt)
  Duration reordering{};       ///< Time: the reordering window (RACK.reo_wnd)
};
/// A step of a connection is over: a segment arrived or was made, a timer fired, the application called. All events of
/// the connection since its last step belong to this one. A connection that has ended, or is known as nothing but a
/// four-tuple, has none: Handled ends what it was part of.
struct ConnectionChanged {
  StepCause cause = StepCause::UserCall;
  const ConnectionView* view = nullptr;  ///< valid only during the call; never nullptr from a stack
};
/// The frame, the timeouts or the call that the stack was given have been dealt with.
struct Handled {};
struct NeighbourChanged {
  Ipv4Address address;
  MacAddress mac;
  bool existed = false;
  NeighbourState from = NeighbourState::Failed;
  NeighbourState to = NeighbourState::Incomplete;
};
/// A gateway was given up, or is used again (RFC 1122 section 3.3.1.4).
struct GatewayChanged {
  Ipv4Address gateway;
  bool usable = false;
  GatewayAdvice why = GatewayAdvice::NoAnswer;
  Ipv4Address instead;  ///< who takes its place; unspecified: nobody, so it stays in use
};

/// Address conflict detection has news about one of our addresses. `other`: who else uses it, zero where nobody does.
struct AddressChanged {
  Ipv4Address address;
  AddressNews news = AddressNews::Probing;
  MacAddress other;
};

/// A lookup went on: a server was asked, answered or failed. Ignored answers are Dropped, with their reason.
struct DnsProgress {
  DnsStep step = DnsStep::Asked;
  std::string name;
  Endpoint server;
  std::uint16_t id = 0;
  bool over_tcp = false;
  /// Since the server was asked.
  Duration after{};
};

/// The DHCP client changed state. `address`: the one it is about, unspecified where none is known.
struct DhcpStateChanged {
  DhcpState from = DhcpState::Stopped;
  DhcpState to = DhcpState::Stopped;
  DhcpCause cause = DhcpCause::Started;
  Ipv4Address address;
};
/// A DHCP message was sent, or one was received and taken.
struct DhcpMessageSeen {
  bool sent = false;
  std::uint8_t type = 0;  ///< option 53
  std::string_view name;  ///< "DHCPDISCOVER"; lives for ever
  std::uint32_t xid = 0;
  Ipv4Address address;  ///< asked for or given
  Ipv4Address server;   ///< option 54, unspecified where it is absent
  std::string text;     ///< option 56, printable
};
/// A DHCP message has had no answer; the client sends it again.
struct DhcpUnanswered {
  std::string_view name;
  unsigned tries = 0;
  Duration next_in{};  ///< until the try after the one made now
};

/// An impairment did something to a frame, before it arrived or after it was sent. `frame` is valid only during the
/// call.
struct Impaired {
  ImpairmentAction action = ImpairmentAction::LostAtRandom;
  Direction direction = Direction::In;
  ByteView frame;
};

using Event = std::variant<FrameReceived, FrameSent, Dropped, StateChanged, TimerChanged, WindowChanged, RttSampled,
                           RtoChanged, NeighbourChanged, GatewayChanged, DnsProgress, AddressChanged, DhcpStateChanged,
                           DhcpMessageSeen, DhcpUnanswered, Impaired, LossFound, ConnectionChanged, Handled>;

/// Receives events in the order in which they happen. Must not call back into the stack.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_event(Instant now, const Event& event) = 0;
  /// Whether it is to be told where steps end (ConnectionChanged, Handled). Asked once, when it is attached.
  [[nodiscard]] virtual bool wants_steps() const { return false; }
};

/// Where layers report. With no observer attached the cost is one predictable branch, and no event is built.
class Sink {
 public:
  void attach(Observer* o) {
    observer_ = o;
    tells_steps_ = o != nullptr && o->wants_steps();
  }
  [[nodiscard]] bool attached() const { return observer_ != nullptr; }
  /// Somebody listens who wants to know where steps end.
  [[nodiscard]] bool tells_steps() const { return tells_steps_; }
  /// `make` returns the event; it is called only when somebody listens.
  template <class Make>
  void emit(Instant now, Make&& make) const {
    if (observer_ != nullptr) [[unlikely]]
      observer_->on_event(now, Event{make()});
  }
  void handled(Instant now) const {
    if (tells_steps_) [[unlikely]]
      observer_->on_event(now, Event{Handled{}});
  }
  /// Counts the drop and reports it.
  void drop(Instant now, DropReason reason, std::uint32_t connection = 0) {
    ++drops_[static_cast<std::size_t>(reason)];
    emit(now, [&] { return Dropped{reason, connection}; });
  }
  /// Counts and reports what an impairment did.
  void impaired(Instant now, Direction direction, ImpairmentAction action, ByteView frame) {
    ++count.impaired[static_cast<std::size_t>(direction)][static_cast<std::size_t>(action)];
    emit(now, [&] { return Impaired{action, direction, frame}; });
  }
  /// What the layers count besides drops.
  Counters count;

  [[nodiscard]] std::uint64_t drops(DropReason r) const { return drops_[static_cast<std::size_t>(r)]; }

 private:
  Observer* observer_ = nullptr;
  bool tells_steps_ = false;
  std::uint64_t drops_[static_cast<std::size_t>(DropReason::Count)] = {};
};

}  // namespace wireside::observe

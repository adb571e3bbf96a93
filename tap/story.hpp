// Story: joins a stack's events into what happened, one thing after the other: a frame with its reason and all that it
// brought about, a timer, a call. Traces, captures and pages all read this; it holds no words.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "flow_bases.hpp"
#include "observe/event.hpp"

namespace wireside {

/// Why a frame was sent, in figures. What `octets`, `segments` and `count` mean depends on the reason:
/// - Data: octets of the segment, of which the frame may be the first part; segments on the wire; 0
/// - Fin and retransmissions: payload; segments it stands for; timeouts in a row
/// - Ack, DelayedAck, OutOfOrder: octets in order that it acknowledges and no earlier one did; the peer's segments
/// these
///   are
/// - WindowUpdate: octets by which the window's right edge moved; full segments these are
/// - ZeroWindowProbe, KeepAlive: payload; which one in a row
/// - Syn, SynAck and their retransmissions: payload; timeouts in a row
struct Why {
  observe::TxReason reason = observe::TxReason::Raw;
  Duration timer{};  ///< how long the timer ran whose end made us send; 0: none did
  std::uint32_t octets = 0;
  std::uint32_t segments = 0;
  std::uint32_t count = 0;
  std::uint32_t gap = 0;                   ///< OutOfOrder: octets missing at rcv_nxt; 0: the gap is filled
  std::optional<observe::LossFound> loss;  ///< retransmissions: what showed the loss
  bool further_part = false;               ///< another frame of the segment that the frame before began
};

/// Pointers and views are valid only while it is told.
struct Happening {
  enum class Kind : std::uint8_t {
    FrameReceived,
    FrameSent,
    TimerFired,
    UserCall,
    Other,  ///< of no connection, or of one that ended without more being known
  };
  Kind kind = Kind::Other;
  Instant at;
  std::uint32_t connection = 0;  ///< 0: none
  /// FrameReceived, FrameSent: all octets, and what they are.
  ByteView frame;
  std::uint16_t gso_size = 0;
  std::optional<TcpFrameFacts> tcp;
  bool partial_checksum = false;  ///< FrameSent: whoever is below us completes it
  Why why;                        ///< FrameSent
  /// TimerFired: which, and how long it had run.
  observe::TimerKind timer = observe::TimerKind::Retransmission;
  Duration timer_after{};
  /// State changes, drops, losses, timers and so on, in their order. No frames.
  std::span<const observe::Event> events;
  /// The connection before and after. nullptr: not known, or nothing of it is left.
  const observe::ConnectionView* before = nullptr;
  const observe::ConnectionView* after = nullptr;

  [[nodiscard]] bool is_frame() const { return kind == Kind::FrameReceived || kind == Kind::FrameSent; }
};

class StoryReader {
 public:
  virtual ~StoryReader() = default;
  /// Must not call back into the stack.
  virtual void on_happening(const Happening& h) = 0;
};

/// Of one stack. Memory is bounded: of connections that nothing happened to for long the figures are forgotten.
class Story : public observe::Observer {
 public:
  static constexpr std::size_t max_connections = 16384;

  /// The reader outlives the story.
  explicit Story(StoryReader& reader) : reader_{reader} {}
  void on_event(Instant now, const observe::Event& event) override;
  [[nodiscard]] bool wants_steps() const override { return true; }

  /// Tells what is not known to be over yet.
  void flush() { handled(last_); }

  /// As the connection was last seen; nullptr where it is not known. Valid until the next event.
  [[nodiscard]] const observe::ConnectionView* view(std::uint32_t connection) const;
  /// Calls f(view) for each connection known, in no order.
  template <class F>
  void for_each_view(F&& f) const {
    for (const auto& [number, c] : connections_) {
      if (c.seen) f(c.view);
    }
  }
  [[nodiscard]] std::size_t connections() const { return connections_.size(); }

 private:
  static constexpr std::size_t max_pending = 64;
  static constexpr std::size_t max_waiting_steps = 32;
  using Times = std::array<Duration, observe::timer_kind_count>;

  struct Known {
    observe::ConnectionView view;
    bool seen = false;                        // `view` is one
    bool ended = false;                       // to be forgotten when it has been told
    Times set_for{};                          // how long each timer was set for, the last time
    Times fired_for{};                        // the same of the one that fired last
    std::optional<observe::TimerKind> fired;  // in the step that is not over yet
    std::optional<observe::LossFound> loss;
    std::vector<observe::Event> pending;  // of the step that is not over yet
    std::list<std::uint32_t>::iterator place;
  };
  /// A segment was made; its frame comes next, or later when the neighbour's address is not known yet.
  struct MadeSegment {
    Instant at;
    std::uint32_t connection = 0;
    bool had_before = false;
    observe::ConnectionView before, after;
    Times fired_for{};
    std::optional<observe::LossFound> loss;
    std::vector<observe::Event> events;
  };
  struct OpenFrame {
    Happening what;
    bool has_before = false, has_after = false;
    observe::ConnectionView before, after;
    std::vector<observe::Event> events;
  };

  Known& known(std::uint32_t connection);
  void forget(std::uint32_t connection);
  void frame_received(Instant now, const observe::FrameReceived& e);
  void frame_sent(Instant now, const observe::FrameSent& e);
  void changed(Instant now, const observe::ConnectionChanged& e);
  void handled(Instant now);
  void note(Instant now, const observe::Event& event);
  void learn(Known& c, const observe::Event& event);
  void tell_step(Instant now, Known& c, std::uint32_t connection, const observe::ConnectionView* after,
                 Happening::Kind kind);
  [[nodiscard]] std::optional<MadeSegment> take_made(Instant now, std::uint32_t connection);
  [[nodiscard]] static Why why(const observe::FrameSent& e, const std::optional<TcpFrameFacts>& tcp,
                               const MadeSegment* made);
  void close_frame();

  StoryReader& reader_;
  std::unordered_map<std::uint32_t, Known> connections_;
  std::list<std::uint32_t> order_;         // the one that something happened to last at the end
  std::vector<std::uint32_t> unfinished_;  // have pending events
  std::optional<OpenFrame> open_;
  std::deque<MadeSegment> made_;
  Instant last_;                 // of the events
  std::uint32_t sent_last_ = 0;  // connection of the frame told last, if that was one sent
  std::vector<std::uint8_t> frame_;
};

}  // namespace wireside

// Where loss recovery of a connection stands: fast recovery, recovery after a timeout, tail loss probes, and what is
// needed to take a mistaken reduction back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/seq_num.hpp"
#include "base/time.hpp"
#include "wire/tcp.hpp"

namespace wireside::tcp {

/// Proportional Rate Reduction (RFC 6937bis): the window follows ssthresh in step with what is delivered.
class Prr {
 public:
  void start(std::uint32_t flight, std::uint32_t ssthresh) {
    *this = Prr{};
    recover_fs_ = std::max(flight, 1U);
    ssthresh_ = ssthresh;
  }
  void sent(std::uint32_t octets) { out_ += octets; }
  /// The congestion window after an acknowledgement. `safe`: it advanced SND.UNA and showed no further loss.
  [[nodiscard]] std::uint32_t on_ack(std::uint32_t delivered, std::uint32_t pipe, bool safe, std::uint32_t smss) {
    delivered_ += delivered;
    std::uint64_t count = 0;
    if (pipe > ssthresh_) {
      const std::uint64_t allowed = (delivered_ * ssthresh_ + recover_fs_ - 1) / recover_fs_;
      count = allowed > out_ ? allowed - out_ : 0;
    } else {
      count = std::max<std::uint64_t>(delivered_ > out_ ? delivered_ - out_ : 0, delivered);
      if (safe) count += smss;
      count = std::min<std::uint64_t>(count, ssthresh_ - pipe);
    }
    if (out_ == 0) count = std::max<std::uint64_t>(count, smss);  // the fast retransmit
    return pipe + static_cast<std::uint32_t>(count);
  }

 private:
  std::uint64_t delivered_ = 0;   ///< prr_delivered
  std::uint64_t out_ = 0;         ///< prr_out
  std::uint64_t recover_fs_ = 1;  ///< RecoverFS
  std::uint32_t ssthresh_ = 0;
};

struct Recovery {
  enum class Phase : std::uint8_t { Open, Fast, Loss };
  Phase phase = Phase::Open;
  SeqNum recover;    ///< the phase ends when this is acknowledged (RFC 6582, RecoveryPoint of RFC 6675)
  Instant began_at;  ///< what is repeated from then on belongs to the next window (RFC 5681 section 4.3)
  Prr prr;

  // To take it back (RFC 3522, RFC 5682, RFC 3708): the window before, and what proves the mistake.
  bool undoable = false;
  bool lowered_again = false;  ///< for a further congestion event: only DSACKs can prove all of it a mistake
  std::uint32_t prior_cwnd = 0;
  std::uint32_t prior_ssthresh = 0;
  SeqNum undo_marker;                                  ///< SND.UNA when the phase began
  std::optional<wire::SackBlock> repeated;             ///< spans what was sent again in the phase
  std::int64_t unproven = 0;                           ///< repeated octets that no DSACK has reported yet
  std::optional<std::uint32_t> first_retransmit_time;  ///< our timestamp clock
  std::optional<SeqNum> f_rto_from;                    ///< first of what F-RTO sent new in vain (without SACK)
  bool f_rto = false;                                  ///< RFC 5682 is in its step 2 or 3
  bool prefer_new_data = false;                        ///< F-RTO step 2: new octets before repeated ones

  // Tail loss probe (RFC 8985 section 7).
  std::optional<SeqNum> tlp_end;  ///< TLP.end_seq
  bool tlp_is_retransmission = false;

  // Without SACK (RFC 5681 section 3.2, RFC 6582).
  unsigned dup_acks = 0;
  std::uint32_t flight_at_first_dup_ack = 0;  ///< without what limited transmit adds (RFC 5681 3.2 step 2)
  std::uint32_t flight_before_dup_acks = 0;   ///< the same, before the ACKs that came along with it
  bool partial_ack_seen = false;

  [[nodiscard]] bool open() const { return phase == Phase::Open; }
  [[nodiscard]] bool fast() const { return phase == Phase::Fast; }
};

}  // namespace wireside::tcp

// What one direction of an impaired path does to frames, and the text it is written as.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace wireside::impair {

/// In parts of 10^9, so that what is written can be told again exactly.
struct Probability {
  static constexpr std::uint32_t certain = 1'000'000'000;
  std::uint32_t per_billion = 0;

  /// From [0, 1]; anything outside is taken to the nearest bound.
  [[nodiscard]] static constexpr Probability of(double p) {
    return {p <= 0 ? 0 : p >= 1 ? certain : static_cast<std::uint32_t>(p * certain + 0.5)};
  }
  [[nodiscard]] constexpr bool possible() const { return per_billion != 0; }
  friend constexpr bool operator==(Probability, Probability) = default;
};

/// Loss in bursts (Gilbert, Elliott): a path that is good or bad, decided anew before each frame.
struct Bursts {
  Probability to_bad;   ///< p: from good to bad
  Probability to_good;  ///< r: from bad to good; its inverse is the mean length of a burst in frames
  Probability loss_in_bad{Probability::certain};
  Probability loss_in_good;
  friend constexpr bool operator==(const Bursts&, const Bursts&) = default;
};

/// What drop rules tell apart. A frame may be of several kinds. TCP kinds leave out fragments.
enum class FrameKind : std::uint8_t {
  Frame,   ///< any
  Tcp,     ///< any segment
  Data,    ///< a segment with payload, repeated ones too
  Ack,     ///< no payload, no SYN, FIN or RST
  Syn,     ///< SYN without ACK
  SynAck,  ///< SYN with ACK
  Fin,     ///< with or without payload
  Rst,
  Udp,
  Icmp,
  Arp,
  Count
};

/// Every `step`th of first..last, counted from 1.
struct Numbers {
  static constexpr std::uint64_t no_end = UINT64_MAX;
  std::uint64_t first = 1;
  std::uint64_t last = 1;
  std::uint64_t step = 1;
  [[nodiscard]] constexpr bool contains(std::uint64_t n) const {
    return n >= first && n <= last && (n - first) % step == 0;
  }
  friend constexpr bool operator==(const Numbers&, const Numbers&) = default;
};

/// Loses the frames of a kind that have these numbers, counting those of this direction.
struct DropRule {
  FrameKind kind = FrameKind::Frame;
  std::vector<Numbers> numbers{Numbers{}};
  friend bool operator==(const DropRule&, const DropRule&) = default;
};

/// An amount that waits at the bottleneck, not counting the frame being sent.
struct QueueAmount {
  std::uint64_t amount = 0;
  bool in_octets = false;  ///< else frames
  friend constexpr bool operator==(const QueueAmount&, const QueueAmount&) = default;
};

enum class BitErrors : std::uint8_t {
  Anywhere,
  InHeader,   ///< IP and transport header
  InPayload,  ///< behind the transport header; of packets that have such a part
};

inline constexpr Duration max_delay = std::chrono::minutes{10};
inline constexpr std::uint64_t min_rate = 1'000;  // bit/s
inline constexpr std::uint64_t max_rate = 1'000'000'000'000;
inline constexpr std::uint64_t max_queue = 1'000'000'000;
inline constexpr std::size_t max_drop_rules = 32;
inline constexpr std::size_t max_numbers = 64;
/// As netem's limit.
inline constexpr QueueAmount default_queue{1000, false};

/// The default does nothing. What happens to a frame happens in the order of the members.
struct Settings {
  std::vector<DropRule> drops;
  /// Larger IP packets are lost, and nobody is told: a black hole. 0 = any size passes.
  std::uint16_t mtu = 0;
  Probability loss;  ///< each frame by itself
  std::optional<Bursts> bursts;
  Probability corrupt;  ///< one bit of an IPv4 packet is flipped
  BitErrors corrupt_where = BitErrors::Anywhere;
  Probability duplicate;
  /// Bits per second of whole Ethernet frames (without preamble and FCS); 0 = no bottleneck.
  std::uint64_t rate = 0;
  std::optional<QueueAmount> queue;  ///< tail drop above it; default_queue where not given
  /// At or above this many waiting, packets that allow it (ECT) are marked CE (RFC 3168); others are not lost by it.
  std::optional<QueueAmount> ecn;
  Duration delay{};
  Duration jitter{};              ///< delay is uniform in [delay - jitter, delay + jitter]
  Probability reorder;            ///< the frame is not delayed, so it overtakes those under way
  std::uint32_t reorder_gap = 1;  ///< only every so manieth frame may
  /// Whether jitter leaves the order alone. Default: with a rate it does (a bottleneck is one queue), else it does not.
  std::optional<bool> keep_order;

  [[nodiscard]] bool keeps_order() const { return keep_order.value_or(rate != 0); }
  [[nodiscard]] bool active() const { return *this != Settings{}; }
  friend bool operator==(const Settings&, const Settings&) = default;
};

/// Why a text is no Settings, and what to write instead.
struct TextError {
  std::string what;
  std::string remedy;
  friend bool operator==(const TextError&, const TextError&) = default;
};

/// Reads "loss=1%,delay=20ms,jitter=5ms,rate=50mbit,queue=100"; every key at most once but `drop`.
[[nodiscard]] std::expected<Settings, TextError> parse_settings(std::string_view text);
/// Text that parse_settings reads back as the same; "none" where nothing is impaired.
[[nodiscard]] std::string describe(const Settings& settings);
/// Why the members do not fit together, if so.
[[nodiscard]] std::optional<TextError> contradiction(const Settings& settings);

}  // namespace wireside::impair

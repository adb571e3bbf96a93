// What must hold of every frame either end sends, whatever the network does. Reads frames, not the stack's own words.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "wire/tcp.hpp"

namespace wireside::testing {

/// A TCP segment found in a frame.
struct SeenSegment {
  FourTuple tuple;  ///< local = sender
  wire::TcpHeader header;
  std::uint32_t length = 0;  ///< payload octets
  bool carries_new_data = false;
};

class SegmentChecker {
 public:
  /// Looks at a frame as sent (header octets first; `size` counts the whole frame). Empty when all is well or the frame
  /// is not TCP, else what is wrong, in words.
  [[nodiscard]] std::string check(ByteView header, std::size_t size, std::optional<SeenSegment>* seen = nullptr);
  [[nodiscard]] std::uint64_t segments() const { return segments_; }

 private:
  /// One direction of a connection.
  struct Direction {
    SeqNum iss;
    SeqNum highest;                     // octet behind the last sent
    std::optional<SeqNum> fin_end;      // behind the FIN
    std::optional<SeqNum> earlier_end;  // of the connection before this one, which its peer may be in TIME-WAIT of
    std::optional<SeqNum> last_ack;
    std::optional<SeqNum> right_edge;
    std::optional<std::uint8_t> wscale;
  };
  [[nodiscard]] std::string check_acknowledgement(const SeenSegment& s, Direction& own, const Direction& other) const;
  static FourTuple reversed(const FourTuple& t) { return {t.remote, t.local}; }

  std::map<FourTuple, Direction> directions_;
  std::uint64_t segments_ = 0;
};

}  // namespace wireside::testing

// One line for a whole frame, worded as tcpdump words it.
#pragma once

#include <string>

#include "base/bytes.hpp"
#include "base/seq_num.hpp"
#include "wire/tcp.hpp"

namespace wireside::wire {

/// What sequence numbers are printed relative to; the caller tracks connections. With zeros they are absolute.
struct SeqBases {
  SeqNum seq;  ///< initial sequence number of the frame's sender
  SeqNum ack;  ///< initial sequence number of its receiver; SACK blocks count from it too
};

/// What tcpdump's options of the same letters add.
struct FrameStyle {
  bool link = false;     ///< -e: the Ethernet header, instead of the name of what follows
  bool verbose = false;  ///< -v: the IP header's fields and the TCP checksum; what follows the IP header goes to a line
                         ///< of its own
  /// Its TCP checksum is still to be completed below us, and so cannot be right.
  bool partial_checksum = false;
};

/// The line tcpdump -n prints for an Ethernet frame, without the time stamp:
/// "IP 10.0.0.1.43210 > 10.0.0.2.80: Flags [S], seq 123, win 64240, options [mss 1460], length 0".
/// Broken parts say what is wrong with them. nullptr = absolute sequence numbers; segments with SYN and segments
/// without ACK are always absolute.
[[nodiscard]] std::string describe_frame(ByteView frame, const SeqBases* bases = nullptr, const FrameStyle& style = {});

}  // namespace wireside::wire

// Initial sequence numbers of the connections seen on the wire, so that a trace can count from 1 as tcpdump does.
#pragma once

#include <map>
#include <optional>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/seq_num.hpp"
#include "wire/frame_description.hpp"

namespace wireside {

/// What a trace needs to know of a TCP frame.
struct TcpFrameFacts {
  FourTuple direction;  ///< local = the frame's source
  wire::TcpHeader header;
  std::size_t payload_octets = 0;
};
/// nullopt unless the frame is an unfragmented, well-formed TCP segment in IPv4.
[[nodiscard]] std::optional<TcpFrameFacts> tcp_facts(ByteView frame);

/// Bounded memory: connections not seen for long are forgotten and, if they speak again, counted anew.
class FlowBases {
 public:
  /// Learns from a segment and returns the bases to print it with; nullopt = absolute (SYN, and the first segment seen
  /// of a connection whose SYN was missed, as tcpdump does).
  std::optional<wire::SeqBases> update(const TcpFrameFacts& facts);
  [[nodiscard]] std::size_t size() const { return young_.size() + old_.size(); }
  static constexpr std::size_t max_young = 8192;

 private:
  using Map = std::map<FourTuple, SeqNum>;  // by direction: the sender's initial sequence number
  SeqNum* find(const FourTuple& direction);
  void insert(const FourTuple& direction, SeqNum isn);
  Map young_;
  Map old_;
};

}  // namespace wireside

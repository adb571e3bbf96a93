// IPv4 fragments by hand, and the simplest reassembly that can be right: what the real one is held against.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "wire/header_edit.hpp"
#include "wire/ipv4.hpp"

namespace wireside::testing {

using FragmentOctets = std::vector<std::uint8_t>;

/// The part [offset, offset + octets) of a datagram's payload as a packet of its own.
inline FragmentOctets make_fragment(wire::Ipv4Header header, ByteView payload, std::size_t offset, std::size_t octets,
                                    bool more) {
  FragmentOctets packet(wire::ipv4_min_header + octets);
  header.fragment_offset = static_cast<std::uint16_t>(offset);
  header.more_fragments = more;
  header.total_length = static_cast<std::uint16_t>(packet.size());
  wire::emit_ipv4(header, packet);
  std::copy_n(payload.begin() + static_cast<std::ptrdiff_t>(offset), octets, packet.begin() + wire::ipv4_min_header);
  return packet;
}

/// The whole datagram in fragments of at most `size` octets of payload (rounded down to a multiple of 8).
inline std::vector<FragmentOctets> cut(const wire::Ipv4Header& header, ByteView payload, std::size_t size) {
  std::vector<FragmentOctets> fragments;
  size = std::max<std::size_t>(8, size / 8 * 8);
  for (std::size_t at = 0; at < payload.size(); at += size) {
    const std::size_t n = std::min(size, payload.size() - at);
    fragments.push_back(make_fragment(header, payload, at, n, at + n < payload.size()));
  }
  return fragments;
}

/// Octet by octet, one datagram: which octets are known, and with what value. Any octet given twice by fragments that
/// are not the same range with the same content ruins it.
class ReferenceReassembly {
 public:
  /// The payload when this fragment completed it.
  std::optional<FragmentOctets> add(std::size_t offset, ByteView octets, bool more) {
    if (ruined_) return std::nullopt;
    const FragmentOctets content(octets.begin(), octets.end());
    const auto same = ranges_.find(offset);
    if (same != ranges_.end() && same->second.content == content && same->second.more == more) return std::nullopt;
    for (const auto& [begin, range] : ranges_) {
      if (begin < offset + content.size() && offset < begin + range.content.size()) ruined_ = true;
      if (!more && begin >= offset) ruined_ = true;
      if (!range.more && (!more || offset > begin)) ruined_ = true;
    }
    if (ruined_) return std::nullopt;
    ranges_[offset] = {content, more};
    FragmentOctets whole;
    bool ended = false;
    for (const auto& [begin, range] : ranges_) {
      if (begin != whole.size()) return std::nullopt;
      whole.insert(whole.end(), range.content.begin(), range.content.end());
      ended = !range.more;
    }
    if (!ended) return std::nullopt;
    ranges_.clear();
    return whole;
  }

 private:
  struct Range {
    FragmentOctets content;
    bool more = false;
  };
  std::map<std::size_t, Range> ranges_;
  bool ruined_ = false;
};

}  // namespace wireside::testing

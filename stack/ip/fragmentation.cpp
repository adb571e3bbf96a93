#include "ip/fragmentation.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "base/checksum.hpp"
#include "wire/header_edit.hpp"
#include "wire/udp.hpp"

namespace wireside::ip {

void complete_checksum_before_fragmentation(FrameOut& frame, std::size_t transport_start) {
  ChecksumAccumulator sum;
  const ByteView header = frame.header.view().subspan(transport_start);
  sum.add(header);  // takes in the pseudo-header's sum, which the field holds
  for (const Slice& slice : frame.payload) sum.add(slice.view());
  std::uint16_t checksum = sum.checksum();
  if (checksum == 0 && frame.checksum_offset == wire::udp_checksum_offset) checksum = 0xffff;  // 0 means "none"
  wire::put_checksum(frame.header.data() + transport_start + frame.checksum_offset, checksum);
  frame.checksum_wanted = false;
  frame.checksum_start = frame.checksum_offset = 0;
}

void Fragmenter::begin(FrameOut& frame, std::size_t ip_start) {
  assert(!active_ && frame.fragment_limit != 0);
  whole_ = std::move(frame);
  ip_start_ = ip_start;
  header_length_ = wire::ipv4_header_length(whole_.header.view().subspan(ip_start));
  total_ = whole_.size() - ip_start - header_length_;
  offset_ = slice_ = slice_offset_ = 0;
  active_ = true;
}

bool Fragmenter::next(FrameOut& out) {
  if (!active_) return false;
  const std::size_t header =
      offset_ == 0 ? header_length_
                   : wire::copied_ipv4_header_length(whole_.header.view().subspan(ip_start_, header_length_));
  const std::size_t room = whole_.fragment_limit - header;
  const bool last = total_ - offset_ <= room;
  const std::size_t octets = last ? total_ - offset_ : room - room % 8;
  out.clear();
  out.reason = whole_.reason;
  out.connection = whole_.connection;
  take(octets, out);
  put_header(out, octets, last);
  offset_ += octets;
  if (last) clear();
  return true;
}

void Fragmenter::clear() {
  whole_.clear();
  active_ = false;
}

/// Octets from offset_ on: first what the header block holds behind the IP header, then payload.
void Fragmenter::take(std::size_t octets, FrameOut& out) {
  const ByteView inner = whole_.header.view().subspan(ip_start_ + header_length_);
  if (offset_ < inner.size()) {
    const std::size_t n = std::min(inner.size() - offset_, octets);
    std::memcpy(out.header.prepend(n), inner.data() + offset_, n);
    octets -= n;
  }
  while (octets > 0) {
    const Slice& slice = whole_.payload[slice_];
    const std::size_t n = std::min(slice.size() - slice_offset_, octets);
    if (n > 0) out.payload.push_back(slice.sub(slice_offset_, n));
    octets -= n;
    slice_offset_ += n;
    if (slice_offset_ == slice.size()) {
      ++slice_;
      slice_offset_ = 0;
    }
  }
}

/// The first fragment has every option, the others those that say they are copied (RFC 791 section 3.1).
void Fragmenter::put_header(FrameOut& out, std::size_t octets, bool last) {
  const ByteView original = whole_.header.view().subspan(ip_start_, header_length_);
  std::array<std::uint8_t, wire::ipv4_max_header> header{};
  std::size_t length = header_length_;
  if (offset_ == 0) {
    std::copy(original.begin(), original.end(), header.begin());
  } else {
    length = wire::copy_ipv4_header_for_fragment(original, header);
  }
  // A packet that is a fragment itself keeps its place and its own "more".
  const auto before = wire::fragment_fields(original);
  wire::put_fragment_fields({header.data(), length}, static_cast<std::uint16_t>(length + octets),
                            static_cast<std::uint16_t>(before.offset + offset_), !last || before.more);
  std::memcpy(out.header.prepend(length), header.data(), length);
  if (ip_start_ > 0) std::memcpy(out.header.prepend(ip_start_), whole_.header.data(), ip_start_);
}

}  // namespace wireside::ip

#include "link/segmentation.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/checksum.hpp"
#include "link/link_layer.hpp"
#include "wire/ethernet.hpp"
#include "wire/header_edit.hpp"
#include "wire/udp.hpp"

namespace wireside::link {
namespace {

constexpr std::size_t ip_start = wire::ethernet_header_length;

MutableByteView header_from(FrameOut& frame, std::size_t start) {
  assert(start <= frame.header.size());
  return {frame.header.data() + start, frame.header.size() - start};
}

std::size_t transport_length(FrameOut& frame) {
  const std::size_t total = wire::ipv4_total_length(header_from(frame, ip_start));
  return total - (frame.checksum_start - ip_start);
}

std::uint16_t payload_sum(const SliceList& payload) {
  ChecksumAccumulator sum;
  for (const Slice& slice : payload) sum.add(slice.view());
  return sum.folded();
}

}  // namespace

void complete_checksum(FrameOut& frame) {
  // Octets behind the total length are padding and do not count.
  std::size_t left = transport_length(frame);
  MutableByteView in_header = header_from(frame, frame.checksum_start);
  in_header = in_header.first(std::min(in_header.size(), left));
  left -= in_header.size();

  // The field holds the pseudo-header's sum already, so summing over it takes that in.
  ChecksumAccumulator sum;
  sum.add(in_header);
  for (const Slice& slice : frame.payload) {
    const std::size_t n = std::min(slice.size(), left);
    sum.add(slice.view().first(n));
    left -= n;
  }
  std::uint16_t checksum = sum.checksum();
  if (checksum == 0 && frame.checksum_offset == wire::udp_checksum_offset) checksum = 0xffff;  // 0 means "none"
  wire::put_checksum(in_header.data() + frame.checksum_offset, checksum);
  frame.checksum_wanted = false;
}

void Segmenter::begin(FrameOut& frame) {
  assert(!active_);
  if (frame.gso_size != 0 && frame.payload.octets() <= frame.gso_size) frame.gso_size = 0;
  if (frame.gso_size == 0) {
    if (frame.checksum_wanted && !config_.tx_checksum_offload) complete_checksum(frame);
    return;
  }
  if (config_.tso && config_.tx_checksum_offload) return;
  whole_ = std::move(frame);
  sums_ = wire::sum_segment_headers(header_from(whole_, ip_start), header_from(whole_, whole_.checksum_start));
  offset_ = slice_ = slice_offset_ = 0;
  index_ = 0;
  active_ = true;
  cut(frame);
}

void Segmenter::clear() {
  whole_.clear();
  active_ = false;
}

void Segmenter::cut(FrameOut& out) {
  const std::size_t whole_length = whole_.payload.octets();
  const std::size_t length = std::min<std::size_t>(whole_.gso_size, whole_length - offset_);
  const bool last = offset_ + length == whole_length;
  out.clear();
  out.header = whole_.header;
  out.reason = whole_.reason;
  out.connection = whole_.connection;
  take_payload(length, out.payload);

  const std::size_t transport_start = whole_.checksum_start;
  const MutableByteView transport = header_from(out, transport_start);
  assert(wire::tcp_data_offset(transport) == transport.size());
  const MutableByteView ip = header_from(out, ip_start);
  wire::SegmentPart part{.total_length = static_cast<std::uint16_t>(ip.size() + length),
                         .index = index_,
                         .seq_step = static_cast<std::uint32_t>(offset_),
                         .first = offset_ == 0,
                         .last = last,
                         .complete = !config_.tx_checksum_offload};
  if (part.complete) part.text_sum = payload_sum(out.payload);
  wire::make_segment_headers(sums_, part, ip, transport);
  out.checksum_wanted = config_.tx_checksum_offload;
  out.checksum_start = whole_.checksum_start;
  out.checksum_offset = whole_.checksum_offset;
  if (config_.pad_to_minimum) pad_to_minimum(out);

  offset_ += length;
  ++index_;
  if (last) clear();
}

void Segmenter::take_payload(std::size_t length, SliceList& out) {
  while (length > 0) {
    const Slice& slice = whole_.payload[slice_];
    const std::size_t n = std::min(slice.size() - slice_offset_, length);
    if (n > 0) out.push_back(slice.sub(slice_offset_, n));
    length -= n;
    slice_offset_ += n;
    if (slice_offset_ == slice.size()) {
      ++slice_;
      slice_offset_ = 0;
    }
  }
}

}  // namespace wireside::link

// Fragments of a few datagrams in any order, cut and overlapping in any way: the reassembler agrees with a reference
// that keeps every octet by itself, and never holds more than its bound.
#include <array>
#include <cstring>

#include "fragments.hpp"
#include "fuzz/require.hpp"
#include "ip/reassembly.hpp"

using namespace wireside;

namespace {

/// Octets of one fragment: a filling that tells apart who wrote it.
Slice make(BufferPool& pool, const wire::Ipv4Header& header, std::size_t octets, std::uint8_t filling) {
  Slice packet = pool.allocate_slice(wire::ipv4_min_header + octets);
  wire::emit_ipv4(header, {packet.mutable_data(), wire::ipv4_min_header});
  std::memset(packet.mutable_data() + wire::ipv4_min_header, filling, octets);
  return packet;
}

}  // namespace

// Each fragment is five octets of input: datagram and MF, offset (2), length, filling.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t bound = std::size_t{4} << 20;
  Random random{make_seed(1)};
  BufferPool pool;
  observe::Sink sink;
  ip::Reassembler reassembler{
      {.max_octets = bound, .max_octets_per_source = bound, .max_fragments = 4096}, random, pool, sink};
  std::array<testing::ReferenceReassembly, 4> references;
  for (std::size_t at = 0; at + 5 <= size && at < 5 * 512; at += 5) {
    const std::uint8_t* p = data + at;
    const std::size_t which = p[0] & 3U;
    wire::Ipv4Header header;
    header.source = Ipv4Address{10, 0, 0, 1};
    header.destination = Ipv4Address{10, 0, 0, 2};
    header.protocol = 200;
    header.identification = static_cast<std::uint16_t>(which);
    header.more_fragments = (p[0] & 4U) != 0;
    // Mostly near the front, where fragments meet; sometimes anywhere.
    header.fragment_offset =
        static_cast<std::uint16_t>(((p[0] & 0x80U) != 0 ? load_be16(p + 1) & 0x1fffU : p[2] % 16U) * 8U);
    const std::size_t octets = (p[0] & 8U) != 0 ? p[3] : (p[3] % 8U) * 8U;
    header.total_length = static_cast<std::uint16_t>(wire::ipv4_min_header + octets);
    if (!header.is_fragment()) continue;
    const Slice packet = make(pool, header, octets, p[4]);
    const Slice payload = packet.sub(wire::ipv4_min_header);
    const auto got = reassembler.add({}, {.header = header, .payload = payload, .packet = packet});
    const bool refused = octets == 0 || (header.more_fragments && octets % 8 != 0) ||
                         wire::ipv4_min_header + header.fragment_offset + octets > 65535;
    std::optional<testing::FragmentOctets> expected;
    if (!refused) expected = references[which].add(header.fragment_offset, payload.view(), header.more_fragments);
    fuzz::require(got.has_value() == expected.has_value(), "whole exactly when the reference is");
    if (got) {
      const ByteView view = got->payload.view();
      fuzz::require(std::equal(view.begin(), view.end(), expected->begin(), expected->end()), "the same octets");
    }
    fuzz::require(reassembler.octets() <= bound, "within the bound");
  }
  std::optional<ip::IncomingDatagram> first;
  while (reassembler.expire(Instant::from_ns(Duration{std::chrono::minutes{2}}.count()), first)) {
  }
  first.reset();
  fuzz::require(reassembler.octets() == 0 && pool.buffers_in_use() == 0, "everything is given back");
  return 0;
}

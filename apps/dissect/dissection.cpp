#include "dissect/dissection.hpp"

#include <algorithm>
#include <array>

#include "dissect/protocols.hpp"

namespace wireside::dissect {
namespace {

void begin(Builder& b, Start start) {
  switch (start) {
    case Start::Ethernet:
      return ethernet(b);
    case Start::Arp:
      return arp(b);
    case Start::Ipv4:
      return ipv4(b);
    case Start::Tcp:
      return tcp(b, {});
    case Start::Udp:
      return udp(b, {});
    case Start::Icmp:
      return icmp(b);
    case Start::Dhcp:
      return dhcp(b);
  }
}

}  // namespace

Dissection dissect(ByteView frame, const Settings& settings) {
  Builder b{frame, settings};
  try {
    begin(b, settings.start);
  } catch (const CutOff&) {
    b.remark({"end", "结束"})
        .means({"cut off: the field that comes here is not complete", "被截断：此处的字段不完整"})
        .wrong();
  }
  // What an inner length left out, or what comes behind a cut.
  b.end_with_frame();
  b.align();
  if (b.left() != 0) payload(b, {"not dissected", "未解析"});
  return b.take();
}

Start guess_start(ByteView frame) {
  constexpr std::array<std::uint8_t, 6> arp_begins{0, 1, 8, 0, 6, 4};
  if (frame.size() >= 8 && std::equal(arp_begins.begin(), arp_begins.end(), frame.begin())) return Start::Arp;
  if (frame.size() < 20 || frame[0] >> 4 != 4) return Start::Ethernet;
  const std::size_t header = (frame[0] & 15U) * 4, length = load_be16(&frame[2]);
  if (header < 20 || length < header || header > frame.size()) return Start::Ethernet;
  return length <= frame.size() || Sum{}.add(frame.first(header)).folded() == 0xffff ? Start::Ipv4 : Start::Ethernet;
}

}  // namespace wireside::dissect

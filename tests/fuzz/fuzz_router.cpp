// Two stacks joined by a Router under arbitrary frames: what it forwards has one hop less and a right checksum, no
// error is sent about an error, nothing leaves with TTL 0 or larger than the MTU, and all memory comes back.
#include "router.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "fuzz/require.hpp"
#include "wire/arp.hpp"
#include "wire/ethernet.hpp"
#include "wire/icmp.hpp"
#include "wire/ipv4.hpp"

using namespace wireside;
using fuzz::require;

namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::size_t max_steps = 200;
constexpr int max_frames = 2000;
constexpr MacAddress host_mac{{2, 0, 0, 0, 0, 9}};
constexpr std::array<Ipv4Address, 2> own{Ipv4Address{10, 0, 0, 1}, Ipv4Address{10, 2, 0, 1}};
/// Where packets come from and go to: hosts of both networks, beyond a gateway, nowhere, and what must not be routed.
constexpr std::array<Ipv4Address, 16> places{
    Ipv4Address{10, 0, 0, 1},   Ipv4Address{10, 2, 0, 1},     Ipv4Address{10, 0, 0, 9},
    Ipv4Address{10, 2, 0, 9},   Ipv4Address{10, 0, 0, 77},    Ipv4Address{10, 2, 0, 77},
    Ipv4Address{192, 0, 2, 1},  Ipv4Address{198, 51, 100, 1}, Ipv4Address{203, 0, 113, 1},
    Ipv4Address{10, 0, 0, 255}, Ipv4Address{10, 2, 0, 255},   Ipv4Address{255, 255, 255, 255},
    Ipv4Address{224, 0, 0, 1},  Ipv4Address{127, 0, 0, 1},    Ipv4Address{0, 0, 0, 0},
    Ipv4Address{240, 0, 0, 1}};

Config interface(std::size_t which, std::uint16_t mtu) {
  Config config;
  config.link.mac = MacAddress{{2, 0, 0, 0, 1, static_cast<std::uint8_t>(which)}};
  config.link.mtu = mtu;
  config.ip.addresses = {{own.at(which), 24}};
  config.ip.forwarding = true;
  return config;
}

class Driver {
 public:
  Driver(const std::uint8_t* data, std::size_t size)
      : input_{data, size},
        left_{interface(0, 1500), make_seed(1)},
        right_{interface(1, octet() % 2 == 0 ? std::uint16_t{1500} : std::uint16_t{576}), make_seed(2)} {
    router_.add_interface(left_);
    router_.add_interface(right_);
    // A gateway that answers, and a longer prefix behind one that may not.
    require(router_.add_route({.destination = {Ipv4Address{192, 0, 2, 0}, 24}, .gateway = Ipv4Address{10, 2, 0, 9}})
                .has_value(),
            "a route through a neighbour");
    require(router_.add_route({.destination = {Ipv4Address{198, 51, 100, 0}, 24}, .gateway = Ipv4Address{10, 0, 0, 77}})
                .has_value(),
            "a route through a neighbour");
  }

  void run() {
    for (std::size_t steps = 0; !input_.empty() && steps < max_steps; ++steps) {
      const std::uint8_t what = octet();
      if (what % 16 == 15) {
        pass(std::chrono::milliseconds{octet() * 40});
      } else if (what % 16 == 14) {
        silent_ = !silent_;
      } else if (what % 16 == 13) {
        raw_frame(what >> 4U & 1U);
      } else {
        packet(what >> 4U & 1U, what);
      }
      settle();
    }
    finish();
  }

 private:
  std::uint8_t octet() {
    if (input_.empty()) return 0;
    const std::uint8_t o = input_.front();
    input_ = input_.subspan(1);
    return o;
  }
  std::uint16_t word() { return static_cast<std::uint16_t>(octet() << 8U | octet()); }
  Stack& stack(std::size_t which) { return which == 0 ? left_ : right_; }

  void deliver(std::size_t to, const Octets& frame) {
    Packet received;
    received.data = stack(to).buffers().copy(frame);
    stack(to).handle_frame(now_, std::move(received));
    router_.pump(now_);
  }

  void raw_frame(std::size_t to) {
    raw_ = true;
    const std::uint16_t type = (octet() & 1U) != 0 ? 0x0806 : 0x0800;
    const std::uint8_t length = octet();
    const std::size_t n = std::min<std::size_t>(length, input_.size());
    Octets frame(wire::ethernet_header_length);
    wire::emit_ethernet({stack(to).mac(), host_mac, type}, frame);
    frame.insert(frame.end(), input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(n));
    input_ = input_.subspan(n);
    deliver(to, frame);
  }

  /// A packet with any TTL, fragment, options and payload, among them errors about errors.
  void packet(std::size_t to, std::uint8_t shape) {
    const std::uint8_t ends = octet();
    wire::Ipv4Header header;
    header.source = places.at(ends >> 4U);
    header.destination = places.at(ends & 15U);
    header.ttl = (shape & 0x20U) != 0 ? octet() : std::uint8_t{64};
    header.protocol = std::array<std::uint8_t, 4>{1, 17, 6, 200}.at(octet() % 4);
    header.identification = ++identification_;
    header.dont_fragment = (shape & 0x40U) != 0;
    if ((shape & 0x80U) != 0) {
      const std::uint16_t fragment = word();
      header.more_fragments = (fragment & 0x8000U) != 0;
      header.fragment_offset = static_cast<std::uint16_t>((fragment & 0x1fffU) * 8U);
    }
    Octets payload = body(header.protocol);
    Octets packet(wire::ipv4_min_header);
    const Octets options = option_octets();
    header.total_length = static_cast<std::uint16_t>(packet.size() + options.size() + payload.size());
    wire::emit_ipv4(header, packet);
    packet.insert(packet.end(), options.begin(), options.end());
    packet[0] = static_cast<std::uint8_t>(0x40U | (packet.size() / 4));
    store_be16(packet.data() + 10, 0);
    store_be16(packet.data() + 10, internet_checksum(packet));
    packet.insert(packet.end(), payload.begin(), payload.end());
    Octets frame(wire::ethernet_header_length);
    wire::emit_ethernet({stack(to).mac(), host_mac, 0x0800}, frame);
    frame.insert(frame.end(), packet.begin(), packet.end());
    sent_ttl_[identification_] = header.ttl;
    deliver(to, frame);
  }

  Octets body(std::uint8_t protocol) {
    const std::uint8_t size = octet();
    Octets payload(size % 8 == 7 ? std::size_t{size} * 5 : size % 64U, 0x5a);
    if (protocol == 1 && payload.size() >= wire::icmp_header_length) {
      wire::emit_icmp({octet(), octet(), 0}, payload);
      store_be16(payload.data() + wire::icmp_checksum_offset, internet_checksum(payload));
    }
    return payload;
  }

  Octets option_octets() {
    const std::uint8_t how = octet();
    if (how < 200) return {};
    Octets options(std::size_t{4} * (1U + how % 10U));
    for (auto& o : options) o = octet();
    return options;
  }

  void pass(Duration by) {
    now_ += by;
    for (std::size_t i : {0U, 1U}) stack(i).handle_timeouts(now_);
    router_.pump(now_);
  }

  /// Takes all frames, answers ARP, until both sides are quiet.
  void settle() {
    int taken = 0;
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t i : {0U, 1U}) {
        FrameOut frame;
        while (stack(i).poll_frame(now_, frame)) {
          require(++taken < max_frames, "sending comes to an end");
          moved = true;
          sent(i, frame);
        }
      }
      router_.pump(now_, [&](std::size_t) { moved = true; });
    }
  }

  void sent(std::size_t by, const FrameOut& frame) {
    Octets octets(frame.size());
    std::copy(frame.header.view().begin(), frame.header.view().end(), octets.begin());
    (void)frame.payload.copy_to(0, MutableByteView{octets}.subspan(frame.header.size()));
    const auto ethernet = wire::parse_ethernet(octets);
    require(ethernet.has_value() && ethernet->source == stack(by).mac(), "an Ethernet frame of ours");
    const ByteView rest = ByteView{octets}.subspan(wire::ethernet_header_length);
    if (ethernet->ether_type == 0x0806) return answer_arp(by, rest);
    const auto ip = wire::parse_ipv4(rest);
    require(ip.has_value() && ip->checksum_ok, "an IPv4 packet with a right header checksum");
    require(ip->header.ttl > 0, "with a TTL");
    require(ip->header.total_length <= stack(by).config().link.mtu, "no larger than the MTU");
    require(!frame.checksum_wanted && frame.gso_size == 0, "complete: nothing is offloaded here");
    if (frame.reason == observe::TxReason::Forwarded) return forwarded(*ip, *ethernet);
    if (ip->header.protocol == 1 && !ip->header.is_fragment()) {
      own_icmp(rest.subspan(ip->header_length, ip->header.total_length - ip->header_length));
    }
  }

  void forwarded(const wire::ParsedIpv4& ip, const wire::EthernetHeader& ethernet) {
    require(!ethernet.destination.is_multicast(), "forwarded to one station");
    require(!ip.header.source.is_multicast() && !ip.header.source.is_loopback(), "a source that may be forwarded");
    require(!ip.header.destination.is_multicast() && !ip.header.destination.is_loopback(), "a destination that may be");
    const auto it = sent_ttl_.find(ip.header.identification);
    // Raw frames may carry any identification; theirs is not known.
    if (it != sent_ttl_.end() && !raw_) require(ip.header.ttl + 1 == it->second, "one hop less");
  }

  /// RFC 1812 section 4.3.2.7: about no error, no later fragment, no broadcast, no source that is none.
  static void own_icmp(ByteView message) {
    const auto header = wire::parse_icmp(message);
    require(header.has_value() && internet_checksum(message) == 0, "a right ICMP checksum");
    if (!header->is_error()) return;
    const ByteView quote = message.subspan(wire::icmp_header_length);
    require(quote.size() >= wire::ipv4_min_header, "it quotes a header");
    const std::size_t length = std::size_t{quote[0] & 0x0fU} * 4;
    require((load_be16(quote.data() + 6) & 0x1fffU) == 0, "no error about a later fragment");
    const Ipv4Address source{load_be32(quote.data() + 12)};
    const Ipv4Address destination{load_be32(quote.data() + 16)};
    require(!source.is_unspecified() && !source.is_multicast() && !source.is_loopback(), "no error to nobody");
    require(!destination.is_multicast() && destination != Ipv4Address{255, 255, 255, 255},
            "no error about a broadcast");
    if (quote[9] != 1 || quote.size() <= length) return;
    const wire::IcmpHeader inner{quote[length], 0, 0};
    require(!inner.is_error(), "no error about an error");
  }

  void answer_arp(std::size_t by, ByteView data) {
    const auto request = wire::parse_arp(data);
    require(request.has_value(), "a well-formed ARP message");
    if (silent_ || request->operation != wire::ArpMessage::Operation::Request || request->target_ip == own.at(by))
      return;
    Octets frame(wire::ethernet_header_length + wire::arp_message_length);
    wire::emit_ethernet({stack(by).mac(), host_mac, 0x0806}, frame);
    wire::emit_arp({wire::ArpMessage::Operation::Reply, host_mac, request->target_ip, stack(by).mac(), own.at(by)},
                   MutableByteView{frame}.subspan(wire::ethernet_header_length));
    deliver(by, frame);
  }

  void finish() {
    silent_ = false;  // what waits for a neighbour leaves
    for (int steps = 0;; ++steps) {
      require(steps < 20000, "a router that gets nothing comes to rest");
      std::optional<Instant> next;
      for (std::size_t i : {0U, 1U}) {
        const auto due = stack(i).next_deadline();
        if (due && (!next || *due < *next)) next = due;
      }
      if (!next) break;
      pass(std::max(*next - now_, Duration{}));
      settle();
    }
    for (std::size_t i : {0U, 1U}) require(stack(i).buffers().buffers_in_use() == 0, "all memory returns to the pool");
  }

  ByteView input_;
  Stack left_, right_;
  Router router_;
  Instant now_ = Instant::from_ns(1'000'000'000);
  std::map<std::uint16_t, std::uint8_t> sent_ttl_;
  std::uint16_t identification_ = 0;
  bool silent_ = false;
  bool raw_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Driver{data, size}.run();
  return 0;
}

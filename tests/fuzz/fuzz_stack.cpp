// A whole Stack under arbitrary frames, time steps and socket calls: it neither crashes nor loops, sends only
// well-formed frames, never asks to be woken in the past, and gives back all its memory.
#include "fuzz/stack_fuzzer.hpp"

#include <algorithm>
#include <array>

#include "fuzz/require.hpp"
#include "wire/arp.hpp"
#include "wire/ethernet.hpp"
#include "wire/icmp.hpp"
#include "wire/udp.hpp"

namespace wireside::fuzz {
namespace {

constexpr Ipv4Address our_address{10, 0, 0, 2};
constexpr Ipv4Address peer_address{10, 0, 0, 1};
constexpr MacAddress our_mac{{2, 0, 0, 0, 0, 2}};
constexpr MacAddress peer_mac{{2, 0, 0, 0, 0, 1}};
constexpr std::uint8_t tcp_protocol = 6;
constexpr std::size_t max_sockets = 16;
/// More frames than any one step can honestly cause: a send buffer of 64 KB in segments of 536 octets, twice over.
constexpr int max_frames_per_step = 4000;
constexpr int max_rounds = 200;

Config make_config(bool offload, std::uint16_t mtu) {
  Config config;
  config.link.mac = our_mac;
  config.link.mtu = mtu;
  config.link.tso = offload;
  config.link.tx_checksum_offload = offload;
  config.ip.addresses = {*Ipv4Prefix::parse("10.0.0.2/24")};
  config.ip.gateway = Ipv4Address{10, 0, 0, 254};
  config.tcp.defaults.send_buffer = 65536;
  config.tcp.defaults.fast_open = true;
  config.tcp.defaults.fast_open_queue = 2;
  config.tcp.receive_buffer_initial = 16384;
  config.tcp.receive_buffer_max = 65536;
  config.tcp.max_syn_queue = 4;
  config.tcp.max_time_wait = 4;
  return config;
}

Endpoint endpoint(Ipv4Address address, unsigned port) { return {address, Port{static_cast<std::uint16_t>(port)}}; }

}  // namespace

std::uint8_t Input::u8() {
  if (left_.empty()) return 0;
  const std::uint8_t octet = left_[0];
  left_ = left_.subspan(1);
  return octet;
}

std::uint32_t Input::distance() {
  const std::uint8_t kind = u8();
  if (kind < 128) return 0;
  if (kind < 192) return kind - 128U;
  if (kind < 224) return 0U - (kind - 191U);
  if (kind < 240) return u16();
  return u32();
}

ByteView Input::bytes(std::size_t n) {
  const ByteView taken = left_.first(std::min(n, left_.size()));
  left_ = left_.subspan(taken.size());
  return taken;
}

StackFuzzer::StackFuzzer(Input& input)
    : input_{input},
      offload_{input.flag()},
      stack_{make_config(offload_, input.flag() ? std::uint16_t{1500} : std::uint16_t{576}), make_seed(1)} {}

void StackFuzzer::step() {
  switch (input_.u8() % 16) {
    case 0:
      raw_frame();
      break;
    case 1:
      ip_packet();
      break;
    case 2:
      udp_datagram();
      break;
    case 3:
      icmp_message();
      break;
    case 4:
      arp_message();
      break;
    case 5:
      tcp_segment();
      break;
    case 6:
    case 7:
    case 8:
      expected_tcp_segment();
      break;
    case 9:
      pass_time(std::chrono::microseconds{input_.u16()});
      break;
    case 10:
      pass_time(std::chrono::milliseconds{input_.u16()});
      break;
    case 11:
      if (const auto deadline = stack_.next_deadline()) pass_time(*deadline - now_);
      break;
    default:
      socket_call();
      break;
  }
  take_frames();
  take_events();
}

// --- the peer ---

void StackFuzzer::deliver(const std::vector<std::uint8_t>& frame) {
  Packet packet;
  packet.data = stack_.buffers().copy(frame);
  stack_.handle_frame(now_, std::move(packet));
}

void StackFuzzer::deliver_ip(std::uint8_t protocol, std::vector<std::uint8_t> transport, bool checksum_at_16) {
  wire::Ipv4Header header;
  header.total_length = static_cast<std::uint16_t>(wire::ipv4_min_header + transport.size());
  header.protocol = protocol;
  header.source = peer_address;
  header.destination = our_address;
  if (checksum_at_16) {
    ChecksumAccumulator sum;
    wire::add_pseudo_header(sum, peer_address, our_address, protocol, static_cast<std::uint32_t>(transport.size()));
    sum.add(transport);
    store_be16(transport.data() + wire::tcp_checksum_offset, sum.checksum());
  }
  std::vector<std::uint8_t> frame(wire::ethernet_header_length + wire::ipv4_min_header);
  wire::emit_ethernet({our_mac, peer_mac, static_cast<std::uint16_t>(wire::EtherType::Ipv4)}, frame);
  wire::emit_ipv4(header, MutableByteView{frame}.subspan(wire::ethernet_header_length));
  frame.insert(frame.end(), transport.begin(), transport.end());
  deliver(frame);
}

void StackFuzzer::raw_frame() {
  const ByteView octets = input_.bytes(input_.u8());
  deliver({octets.begin(), octets.end()});
}

/// Header fields from the input, with a right checksum now and then.
void StackFuzzer::ip_packet() {
  const std::uint8_t shape = input_.u8();
  std::vector<std::uint8_t> frame(wire::ethernet_header_length);
  const MacAddress to = (shape & 1U) != 0 ? MacAddress::broadcast() : our_mac;
  wire::emit_ethernet({to, peer_mac, static_cast<std::uint16_t>(wire::EtherType::Ipv4)}, frame);
  const ByteView octets = input_.bytes(input_.u8());
  std::vector<std::uint8_t> packet{octets.begin(), octets.end()};
  packet.resize(std::max(packet.size(), wire::ipv4_min_header));
  packet[0] = static_cast<std::uint8_t>(0x40 | (packet[0] & 0x0f));
  if ((shape & 2U) == 0) store_be16(packet.data() + 2, static_cast<std::uint16_t>(packet.size()));
  if ((shape & 4U) == 0) store_be32(packet.data() + 16, our_address.value());
  if ((shape & 8U) == 0) store_be32(packet.data() + 12, peer_address.value());
  const std::size_t header = std::min(std::size_t{packet[0] & 0x0fU} * 4, packet.size());
  store_be16(packet.data() + 10, 0);
  store_be16(packet.data() + 10, internet_checksum(ByteView{packet}.first(header)));
  frame.insert(frame.end(), packet.begin(), packet.end());
  deliver(frame);
}

void StackFuzzer::send_tcp(wire::TcpHeader header, std::size_t payload) {
  std::vector<std::uint8_t> segment(wire::tcp_max_header);
  segment.resize(wire::emit_tcp(header, segment) + payload, 0x5a);
  deliver_ip(tcp_protocol, std::move(segment), true);
}

/// Any header at all, options as raw octets.
void StackFuzzer::tcp_segment() {
  const ByteView octets = input_.bytes(input_.u8());
  std::vector<std::uint8_t> segment{octets.begin(), octets.end()};
  segment.resize(std::max(segment.size(), wire::tcp_min_header));
  store_be16(segment.data() + 2, static_cast<std::uint16_t>(80 + segment[3] % 4));
  deliver_ip(tcp_protocol, std::move(segment), true);
}

/// A segment near what the stack expects next, by the last one it sent.
void StackFuzzer::expected_tcp_segment() {
  wire::TcpHeader header;
  const std::uint8_t flags = input_.u8();
  if (last_segment_) {
    header.source = last_segment_->destination;
    header.destination = last_segment_->source;
    header.seq = last_segment_->ack + input_.distance();
    header.ack = last_segment_->seq + last_segment_octets_ + input_.distance();
    header.flags.ack = (flags & 1U) == 0;
  } else {
    header.source = Port{40000};
    header.destination = Port{80};
    header.seq = SeqNum{input_.u32()};
  }
  header.flags.syn = (flags & 0x0eU) == 0x0e || !last_segment_;
  header.flags.fin = (flags & 0x30U) == 0x30;
  header.flags.rst = (flags & 0xc0U) == 0xc0;
  header.flags.psh = (flags & 2U) != 0;
  header.window = input_.flag() ? std::uint16_t{65535} : input_.u16();
  const std::uint8_t options = input_.u8();
  if ((options & 1U) != 0) header.options.mss = input_.u16();
  if ((options & 2U) != 0) header.options.window_scale = input_.u8();
  if ((options & 4U) != 0) header.options.sack_permitted = true;
  if ((options & 8U) != 0) header.options.timestamps = wire::TcpTimestamps{input_.u32(), input_.u16()};
  if ((options & 16U) != 0) {
    header.options.sack[0] = {header.ack + input_.distance(), header.ack + input_.distance()};
    header.options.sack_count = 1;
  }
  const std::size_t payload = (flags & 4U) != 0 ? std::min<std::size_t>(input_.u16(), 20000) : 0;
  send_tcp(header, payload);
}

void StackFuzzer::udp_datagram() {
  const ByteView octets = input_.bytes(input_.u8());
  std::vector<std::uint8_t> datagram(wire::udp_header_length);
  datagram.insert(datagram.end(), octets.begin(), octets.end());
  const auto length = input_.flag() ? static_cast<std::uint16_t>(datagram.size()) : input_.u16();
  wire::emit_udp({Port{input_.u16()}, Port{static_cast<std::uint16_t>(50 + input_.u8() % 4)}, length, 0}, datagram);
  deliver_ip(17, std::move(datagram), false);
}

/// A message about what the stack sent last, or any other.
void StackFuzzer::icmp_message() {
  std::vector<std::uint8_t> message(wire::icmp_header_length);
  wire::emit_icmp({input_.u8(), input_.u8(), input_.u32()}, message);
  if (input_.flag()) {
    const std::size_t quoted = std::min<std::size_t>(last_ip_packet_.size(), 20U + input_.u8());
    message.insert(message.end(), last_ip_packet_.begin(),
                   last_ip_packet_.begin() + static_cast<std::ptrdiff_t>(quoted));
  } else {
    const ByteView octets = input_.bytes(input_.u8());
    message.insert(message.end(), octets.begin(), octets.end());
  }
  store_be16(message.data() + wire::icmp_checksum_offset, internet_checksum(message));
  deliver_ip(1, std::move(message), false);
}

void StackFuzzer::arp_message() {
  const std::uint8_t kind = input_.u8();
  answers_arp_ = (kind & 8U) == 0;
  wire::ArpMessage message;
  message.operation = (kind & 1U) != 0 ? wire::ArpMessage::Operation::Reply : wire::ArpMessage::Operation::Request;
  message.sender_mac = (kind & 2U) != 0 ? MacAddress{{2, 0, 0, 0, 1, input_.u8()}} : peer_mac;
  message.sender_ip = (kind & 4U) != 0 ? Ipv4Address{10, 0, 0, input_.u8()} : peer_address;
  message.target_ip = (kind & 16U) != 0 ? Ipv4Address{10, 0, 0, input_.u8()} : our_address;
  std::vector<std::uint8_t> frame(wire::ethernet_header_length + wire::arp_message_length);
  wire::emit_ethernet({our_mac, peer_mac, static_cast<std::uint16_t>(wire::EtherType::Arp)}, frame);
  wire::emit_arp(message, MutableByteView{frame}.subspan(wire::ethernet_header_length));
  deliver(frame);
}

// --- the application ---

SocketHandle StackFuzzer::any_socket() {
  const std::uint8_t pick = input_.u8();
  return sockets_.empty() ? SocketHandle{} : sockets_[pick % sockets_.size()];
}

void StackFuzzer::socket_call() {
  SocketTable& table = stack_.sockets();
  const std::uint8_t what = input_.u8();
  if (what % 4 == 0 && sockets_.size() < max_sockets) {
    const auto opened = table.open(static_cast<SocketKind>(what / 4 % 3));
    require(opened.has_value(), "a socket can be opened");
    sockets_.push_back(*opened);
    (void)table.bind(*opened, endpoint({}, (what / 4 % 3 == 0 ? 80U : 50U) + what / 12 % 4));
    if (what >= 128) (void)table.listen(*opened, what % 8);
    return;
  }
  const SocketHandle socket = any_socket();
  if (what % 4 == 1) return data_call(socket);
  if (what % 16 == 3) return end_call(socket);
  stream_call(socket);
}

void StackFuzzer::stream_call(SocketHandle socket) {
  SocketTable& table = stack_.sockets();
  switch (input_.u8() % 6) {
    case 0:
      (void)table.connect(now_, socket, endpoint(peer_address, input_.u16()));
      break;
    case 1: {
      const Ipv4Address to{10, 0, static_cast<std::uint8_t>(input_.u8() % 2), input_.u8()};
      (void)table.connect(now_, socket, endpoint(to, 80U + input_.u8() % 4));
      break;
    }
    case 2:
      if (const auto accepted = table.accept(socket); accepted && sockets_.size() < 2 * max_sockets) {
        sockets_.push_back(accepted->socket);
      } else if (accepted) {
        (void)table.abort(now_, accepted->socket);
      }
      break;
    case 3: {
      const std::uint8_t bits = input_.u8();
      if (auto datagrams = table.datagram_options(socket)) {
        datagrams->report_errors = (bits & 1U) != 0;
        if ((bits & 2U) != 0) {
          wire::Ipv4Options any;
          any.length = bits >> 2U;  // up to 63: more than fit are refused
          for (std::size_t i = 0; i < std::min<std::size_t>(any.length, any.octets.size()); ++i)
            any.octets[i] = input_.u8();
          datagrams->ip_options = any;
        }
        (void)table.set_datagram_options(socket, *datagrams);
      }
      auto options = table.stream_options(socket);
      if (!options) break;
      options->no_delay = (bits & 1U) != 0;
      options->keep_alive = (bits & 2U) != 0;
      options->keep_alive_idle = std::chrono::seconds{1 + bits / 8};
      options->quick_ack = (bits & 4U) != 0;
      if ((bits & 16U) != 0) options->linger = Duration{};
      if ((bits & 32U) != 0) options->user_timeout = std::chrono::seconds{bits};
      (void)table.set_stream_options(now_, socket, *options);
      break;
    }
    case 4:
      (void)table.listen(socket, 1 + input_.u8() % 4);
      break;
    default:
      (void)table.take_error(socket);
      (void)table.take_error_report(socket);
      (void)table.status(socket);
      (void)stack_.connections();
      break;
  }
}

void StackFuzzer::data_call(SocketHandle socket) {
  SocketTable& table = stack_.sockets();
  std::vector<std::uint8_t> octets(std::min<std::size_t>(input_.u16(), 30000), 0xa5);
  switch (input_.u8() % 5) {
    case 0:
      (void)table.send(now_, socket, octets);
      break;
    case 1:
      (void)table.send_slice(now_, socket, stack_.buffers().copy(octets));
      break;
    case 2:
      if (const auto got = table.receive(now_, socket, octets))
        require(*got <= octets.size(), "no more than asked for");
      break;
    case 3:
      if (const auto got = table.receive_slice(now_, socket, octets.size())) {
        require(got->size() <= octets.size(), "no more than asked for");
      }
      break;
    default:
      (void)table.send_to(now_, socket, octets, endpoint(peer_address, input_.u8()));
      break;
  }
}

void StackFuzzer::end_call(SocketHandle socket) {
  SocketTable& table = stack_.sockets();
  const std::uint8_t how = input_.u8() % 4;
  if (how < 2) {
    (void)table.shutdown(now_, socket, static_cast<Shutdown>(input_.u8() % 3));
    return;
  }
  (void)(how == 2 ? table.close(now_, socket) : table.abort(now_, socket));
  std::erase(sockets_, socket);
}

// --- what comes of it ---

void StackFuzzer::pass_time(Duration by) {
  now_ += std::max(by, Duration{});
  // A conversation with ourselves goes on in rounds that are due at once; it must come to an end too.
  for (int rounds = 0;; ++rounds) {
    require(rounds < max_rounds, "deadlines that are due come to an end");
    stack_.handle_timeouts(now_);
    take_frames();
    const auto next = stack_.next_deadline();
    if (!next || *next > now_) return;
  }
}

void StackFuzzer::take_frames() {
  FrameOut frame;
  int taken = 0;
  while (stack_.poll_frame(now_, frame)) {
    require(++taken < max_frames_per_step, "sending comes to an end");
    check_frame(frame);
  }
}

void StackFuzzer::check_frame(const FrameOut& frame) {
  std::vector<std::uint8_t> octets(frame.size());
  std::copy(frame.header.view().begin(), frame.header.view().end(), octets.begin());
  (void)frame.payload.copy_to(0, MutableByteView{octets}.subspan(frame.header.size()));
  const auto ethernet = wire::parse_ethernet(octets);
  require(ethernet.has_value() && ethernet->source == our_mac, "an Ethernet frame of ours");
  const ByteView rest = ByteView{octets}.subspan(wire::ethernet_header_length);
  if (ethernet->ether_type == static_cast<std::uint16_t>(wire::EtherType::Arp)) return answer_arp(rest);
  require(ethernet->ether_type == static_cast<std::uint16_t>(wire::EtherType::Ipv4), "ARP or IPv4");
  check_ip(frame, {rest.begin(), rest.end()});
}

void StackFuzzer::check_ip(const FrameOut& frame, const std::vector<std::uint8_t>& octets) {
  const auto ip = wire::parse_ipv4(octets);
  require(ip.has_value() && ip->checksum_ok, "a well-formed IPv4 packet");
  require(ip->header.source == our_address, "from our address");
  require(ip->header.ttl > 0, "with a TTL");
  require(frame.gso_size != 0 || ip->header.total_length <= stack_.config().link.mtu, "no larger than the MTU");
  require(offload_ || (frame.gso_size == 0 && !frame.checksum_wanted), "offload only where it was configured");
  const ByteView transport = ByteView{octets}.subspan(ip->header_length, ip->header.total_length - ip->header_length);
  last_ip_packet_.assign(octets.begin(), octets.begin() + ip->header.total_length);
  if (ip->header.is_fragment()) return;
  check_checksum(frame, *ip, transport);
  if (ip->header.protocol != tcp_protocol) return;
  const auto segment = wire::parse_tcp(transport);
  require(segment.has_value(), "a well-formed TCP segment");
  const std::size_t payload = transport.size() - segment->header_length;
  require(frame.gso_size == 0 || payload > frame.gso_size, "only what is longer than one segment is cut");
  last_segment_ = segment->header;
  last_segment_octets_ = static_cast<std::uint32_t>(payload) + (segment->header.flags.syn ? 1U : 0U) +
                         (segment->header.flags.fin ? 1U : 0U);
}

void StackFuzzer::check_checksum(const FrameOut& frame, const wire::ParsedIpv4& ip, ByteView transport) {
  if (ip.header.protocol == 1) return require(internet_checksum(transport) == 0, "a right ICMP checksum");
  ChecksumAccumulator sum;
  wire::add_pseudo_header(sum, ip.header.source, ip.header.destination, ip.header.protocol,
                          static_cast<std::uint32_t>(transport.size()));
  if (!frame.checksum_wanted) {
    sum.add(transport);
    return require(sum.checksum() == 0, "a right transport checksum");
  }
  require(frame.checksum_start == wire::ethernet_header_length + ip.header_length, "checksum starts at the transport");
  const ByteView field = transport.subspan(frame.checksum_offset, 2);
  require(load_be16(field.data()) == sum.folded(), "the field holds the pseudo-header sum");
}

void StackFuzzer::answer_arp(ByteView data) {
  const auto request = wire::parse_arp(data);
  require(request.has_value() && request->sender_mac == our_mac, "a well-formed ARP message");
  if (!answers_arp_ || request->operation != wire::ArpMessage::Operation::Request) return;
  if (request->target_ip == our_address) return;
  std::vector<std::uint8_t> frame(wire::ethernet_header_length + wire::arp_message_length);
  wire::emit_ethernet({our_mac, peer_mac, static_cast<std::uint16_t>(wire::EtherType::Arp)}, frame);
  wire::emit_arp({wire::ArpMessage::Operation::Reply, peer_mac, request->target_ip, our_mac, our_address},
                 MutableByteView{frame}.subspan(wire::ethernet_header_length));
  deliver(frame);
}

void StackFuzzer::take_events() {
  for (int taken = 0; stack_.poll_event(); ++taken) require(taken < max_frames_per_step, "events come to an end");
}

void StackFuzzer::finish() {
  answers_arp_ = false;
  for (const SocketHandle socket : sockets_) (void)stack_.sockets().abort(now_, socket);
  take_frames();
  take_events();
  for (int steps = 0;; ++steps) {
    require(steps < 20000, "an endpoint without sockets comes to rest");
    const auto next = stack_.next_deadline();
    if (!next) break;
    pass_time(*next - now_);
  }
  take_events();
  require(stack_.connections().empty(), "no connection is left");
  require(stack_.sockets().size() == 0, "no socket is left");
  require(stack_.buffers().buffers_in_use() == 0, "all memory returns to the pool");
}

}  // namespace wireside::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wireside::fuzz::Input input{data, size};
  wireside::fuzz::StackFuzzer fuzzer{input};
  // A bound keeps one run short; inputs are rarely longer.
  for (int steps = 0; steps < 400 && !input.empty(); ++steps) fuzzer.step();
  fuzzer.finish();
  return 0;
}

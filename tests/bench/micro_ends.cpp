// One whole stack, whose peer is a few lines that make the right frames: what sending and receiving cost one end. And
// requests with responses between two stacks.
#include <algorithm>
#include <cstring>

#include "base/checksum.hpp"
#include "micro.hpp"
#include "stack.hpp"
#include "wire/arp.hpp"
#include "wire/ethernet.hpp"
#include "wire/ipv4.hpp"
#include "wire/tcp.hpp"

namespace wireside::micro {
namespace {

constexpr MacAddress peer_mac{{2, 0, 0, 0, 0, 2}};
constexpr Ipv4Address our_address{10, 0, 0, 1}, peer_address{10, 0, 0, 2};
constexpr std::size_t ip_at = wire::ethernet_header_length, tcp_at = ip_at + wire::ipv4_min_header;
constexpr std::size_t segment = 1448, batch = 64;

/// A stack with one connection to a peer that loses nothing. Payload is zeros, so its checksum costs the peer nothing.
class OneEnd {
 public:
  OneEnd() : stack_{config(), make_seed(1)} {
    const auto listener = stack_.sockets().open(SocketKind::Stream).value();
    (void)stack_.sockets().bind(listener, {our_address, Port{80}});
    (void)stack_.sockets().listen(listener, 16);
    tell_mac();
    wire::TcpHeader syn = header();
    syn.flags = {.syn = true};
    syn.options.mss = std::uint16_t{1460};
    syn.options.window_scale = std::uint8_t{10};
    syn.options.sack_permitted = true;
    arrive(syn, 0);
    seq_ += 1;
    send();
    acknowledge();
    socket_ = stack_.sockets().accept(listener).value().socket;
    tcp::ConnectionOptions options;
    options.no_delay = true;
    (void)stack_.sockets().set_stream_options(now_, socket_, options);
    settle();
    for (int i = 0; i < 256; ++i) receive_segments(16, segment);  // until the window takes a whole batch
  }

  /// The peer sends `count` segments; we acknowledge, and the application takes all.
  void receive_segments(std::size_t count, std::size_t octets) {
    for (std::size_t i = 0; i < count; ++i) arrive_data(octets);
    send();
    while (stack_.poll_event()) continue;
    while (stack_.sockets().receive(now_, socket_, room_).value_or(0) > 0) continue;
    settle();
  }
  /// The application sends, and the peer acknowledges it in `acks` steps.
  void send_segments(std::size_t count, std::size_t octets, std::size_t acks) {
    (void)stack_.sockets().send(now_, socket_, ByteView{room_}.first(count * octets));
    const SeqNum before = ack_;
    send();
    const std::uint32_t each = span_octets(before, ack_) / static_cast<std::uint32_t>(acks);
    ack_ = before;
    for (std::size_t i = 0; i < acks; ++i) {
      ack_ += each;
      acknowledge();
    }
    settle();
  }
  /// A request comes, with the acknowledgement of the last response, and is answered.
  void answer(std::size_t request, std::size_t response) {
    arrive_data(request);
    while (stack_.poll_event()) continue;
    (void)stack_.sockets().receive(now_, socket_, room_);
    (void)stack_.sockets().send(now_, socket_, ByteView{room_}.first(response));
    send();
    settle();
  }

 private:
  static Config config() {
    Config out;
    out.ip.addresses = {*Ipv4Prefix::parse("10.0.0.1/24")};
    out.link.mac = {{2, 0, 0, 0, 0, 1}};
    out.link.tx_checksum_offload = out.link.tso = false;
    return out;
  }
  void tell_mac() {
    Packet packet{.data = stack_.buffers().allocate_slice(wire::ethernet_header_length + wire::arp_message_length)};
    MutableByteView all{packet.data.mutable_data(), packet.data.size()};
    wire::emit_ethernet({stack_.mac(), peer_mac, static_cast<std::uint16_t>(wire::EtherType::Arp)}, all);
    wire::emit_arp({wire::ArpMessage::Operation::Request, peer_mac, peer_address, {}, our_address},
                   all.subspan(wire::ethernet_header_length));
    stack_.handle_frame(now_, std::move(packet));
    while (stack_.poll_frame(now_, frame_)) continue;
  }
  [[nodiscard]] wire::TcpHeader header() const {
    wire::TcpHeader h;
    h.source = Port{4000};
    h.destination = Port{80};
    h.seq = seq_;
    h.ack = ack_;
    h.flags.ack = true;
    h.window = 65535;
    h.options.timestamps = wire::TcpTimestamps{static_cast<std::uint32_t>(now_.ns() / 1'000'000), echo_};
    return h;
  }
  void arrive(const wire::TcpHeader& h, std::size_t octets) {
    const std::size_t length = wire::tcp_header_length(h);
    Packet packet{.data = stack_.buffers().allocate_slice(tcp_at + length + octets)};
    MutableByteView all{packet.data.mutable_data(), packet.data.size()};
    wire::emit_ethernet({stack_.mac(), peer_mac, static_cast<std::uint16_t>(wire::EtherType::Ipv4)}, all);
    wire::Ipv4Header ip;
    ip.total_length = static_cast<std::uint16_t>(all.size() - ip_at);
    ip.dont_fragment = true;
    ip.protocol = static_cast<std::uint8_t>(wire::IpProtocol::Tcp);
    ip.source = peer_address;
    ip.destination = our_address;
    wire::emit_ipv4(ip, all.subspan(ip_at));
    wire::emit_tcp(h, all.subspan(tcp_at));
    std::memset(all.data() + tcp_at + length, 0, octets);
    ChecksumAccumulator sum;
    wire::add_pseudo_header(sum, ip.source, ip.destination, ip.protocol, static_cast<std::uint32_t>(length + octets));
    sum.add(all.subspan(tcp_at, length));
    store_be16(all.data() + tcp_at + wire::tcp_checksum_offset, sum.checksum());
    stack_.handle_frame(now_, std::move(packet));
  }
  void acknowledge() { arrive(header(), 0); }
  void arrive_data(std::size_t octets) {
    wire::TcpHeader h = header();
    h.flags.psh = octets < segment;
    arrive(h, octets);
    seq_ += static_cast<std::uint32_t>(octets);
  }
  void send() {
    while (stack_.poll_frame(now_, frame_)) {
      const std::uint8_t* const tcp = frame_.header.view().data() + tcp_at;
      const bool syn = (tcp[13] & 2U) != 0;
      ack_ = later(ack_, SeqNum{load_be32(tcp + 4)} + static_cast<std::uint32_t>(frame_.payload.octets()) + syn);
      if (syn) ack_ = SeqNum{load_be32(tcp + 4)} + 1;
      echo_ = load_be32(tcp + 20 + (syn ? 8 : 4));
    }
  }
  void settle() {
    while (stack_.poll_event()) continue;
    now_ = now_ + std::chrono::microseconds{100};
    if (stack_.next_deadline().value_or(Instant::max()) <= now_) stack_.handle_timeouts(now_);
  }

  Instant now_ = Instant::from_ns(1);
  Stack stack_;
  SocketHandle socket_;
  FrameOut frame_;
  SeqNum seq_{1000}, ack_{0};
  std::uint32_t echo_ = 0;
  std::vector<std::uint8_t> room_ = std::vector<std::uint8_t>(batch * segment);
};

template <class F>
std::function<void(benchmark::State&)> one_end(F&& step) {
  return [step](benchmark::State& state) {
    OneEnd end;
    for (int i = 0; i < 64; ++i) step(end);
    for (auto _ : state) step(end);
  };
}

const Add received{"one end: 64 segments of 1,448 octets received",
                   one_end([](OneEnd& end) { end.receive_segments(batch, segment); })};
const Add two_received{"one end: 2 segments of 1,448 octets received",
                       one_end([](OneEnd& end) { end.receive_segments(2, segment); })};
const Add sent{"one end: 64 segments of 1,448 octets sent, one ACK",
               one_end([](OneEnd& end) { end.send_segments(batch, segment, 1); })};
const Add sent_and_acknowledged{"one end: 64 segments of 1,448 octets sent, 64 ACKs",
                                one_end([](OneEnd& end) { end.send_segments(batch, segment, batch); })};
const Add answered{"one end: a request of 80 octets, a response of 150",
                   one_end([](OneEnd& end) { end.answer(80, 150); })};

}  // namespace
}  // namespace wireside::micro

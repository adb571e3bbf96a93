// What a TAP itself can do: no stack, only the least that keeps the kernel's TCP on the other side going. Nothing is
// verified, kept or retransmitted but after a silence; what it moves in a second is what a stack can at best reach.
//
// usage: tap_limit TAP ADDRESS [--frames] [--ack-every N] [--spin]
#include <arpa/inet.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "services.hpp"
#include "tap_frames.hpp"

namespace bench {
namespace {

constexpr std::uint8_t fin = 1, syn = 2, rst = 4, psh = 8, ack = 16;
constexpr std::uint32_t segment = 1460;
constexpr unsigned window_shift = 7;
constexpr std::uint32_t window = 4U << 20;
// More than this on the way does not fit the caches: measured, it gets slower.
constexpr std::uint32_t most_on_the_way = 512 << 10;
constexpr unsigned frames_per_burst = 32;

struct Options {
  const char* tap = nullptr;
  std::uint32_t address = 0;
  bool offload = true;
  unsigned ack_every = 1;
  bool spin = false;
};

struct Connection {
  std::uint16_t port = 0;  ///< the peer's, in network order; 0 = free
  bool source = false;
  TcpFrame header{};  ///< of what we send
  std::uint32_t receive_next = 0, send_next = 1, unacknowledged = 1, peer_window = 0;
  unsigned shift = 0;
  unsigned owed = 0;  ///< frames not yet acknowledged
};

class Endpoint {
 public:
  explicit Endpoint(const Options& options)
      : options_{options}, tap_{open_tap(options.tap, options.offload)}, in_(sizeof(VnetHeader) + 66000) {
    const std::uint32_t most = options.offload ? 44 : 1;
    payload_.assign(most * segment, 'x');
    payload_sum_ = sum_of(payload_);
  }

  [[noreturn]] void run() {
    while (true) {
      bool worked = read_burst();
      for (Connection& c : connections_) {
        if (c.owed != 0) acknowledge(c);
        if (c.source && c.port != 0) worked |= pump(c);
      }
      if (!worked && !options_.spin) wait();
    }
  }

 private:
  bool read_burst() {
    const std::uint32_t most = frames_per_burst > options_.ack_every ? frames_per_burst : options_.ack_every;
    for (std::uint32_t n = 0; n < most; ++n) {
      const ssize_t octets = ::read(tap_, in_.data(), in_.size());
      if (octets < 0 && errno != EAGAIN && errno != EINTR) std::exit(1);
      if (octets <= static_cast<ssize_t>(sizeof(VnetHeader))) return n != 0;
      take({in_.data() + sizeof(VnetHeader), static_cast<std::size_t>(octets) - sizeof(VnetHeader)});
    }
    return true;
  }

  void take(std::span<std::uint8_t> frame) {
    if (frame.size() >= sizeof(TcpFrame) && frame[12] == 8 && frame[13] == 0 && frame[23] == IPPROTO_TCP) {
      TcpFrame header;
      std::memcpy(&header, frame.data(), sizeof header);
      return take_segment(header, frame);
    }
    if (!turn_around(frame, options_.address)) return;
    (void)!::write(tap_, in_.data(), sizeof(VnetHeader) + frame.size());  // with the same offload words
  }

  void take_segment(const TcpFrame& h, std::span<const std::uint8_t> frame) {
    if ((h.flags & syn) != 0) return open(h, frame);
    Connection* c = find(h.source_port);
    if (c == nullptr) return;
    if ((h.flags & rst) != 0) return void(c->port = 0);
    c->unacknowledged = ntohl(h.acknowledgement);
    c->peer_window = std::uint32_t{ntohs(h.window)} << c->shift;
    const std::uint32_t headers = 20U + (h.data_offset >> 4) * 4U;
    const std::uint32_t length = ntohs(h.total_length) - headers;
    if (length == 0 && (h.flags & fin) == 0) return;
    if (ntohl(h.sequence) == c->receive_next) c->receive_next += length;
    if (++c->owed >= options_.ack_every) acknowledge(*c);
    if ((h.flags & fin) == 0) return;
    send(*c, rst | ack, 0);
    c->port = 0;
  }

  Connection* find(std::uint16_t port) {
    for (Connection& c : connections_) {
      if (c.port == port) return &c;
    }
    return nullptr;
  }

  void open(const TcpFrame& h, std::span<const std::uint8_t> frame) {
    Connection* c = find(h.source_port);
    if (c == nullptr) c = find(0);
    if (c == nullptr) return;
    *c = {};
    c->port = h.source_port;
    const std::uint16_t ours = ntohs(h.destination_port);
    c->source = ours == port_of(Service::Source) || ours == port_of(Service::LendSource);
    c->receive_next = ntohl(h.sequence) + 1;
    const std::size_t end = 34U + (h.data_offset >> 4) * 4U;
    for (std::size_t at = sizeof(TcpFrame); at + 2 < end && frame[at] != 0;) {
      if (frame[at] == 3) c->shift = frame[at + 2];
      at += frame[at] == 1 ? 1 : frame[at + 1] < 2 ? 2 : frame[at + 1];
    }
    c->header = h;
    std::memcpy(c->header.to, h.from, 6);
    std::memcpy(c->header.from, own_mac, 6);
    c->header.source = h.destination;
    c->header.destination = h.source;
    c->header.source_port = h.destination_port;
    c->header.destination_port = h.source_port;
    c->header.tos = 0;
    c->header.id = 0;
    c->send_next = 0;
    send(*c, syn | ack, 0);
    c->send_next = 1;
  }

  void acknowledge(Connection& c) {
    c.owed = 0;
    send(c, ack, 0);
  }

  /// A segment whose payload is the first `length` octets of the one buffer (all of it, or none).
  void send(Connection& c, std::uint8_t flags, std::uint32_t length) {
    static constexpr std::array<std::uint8_t, 8> syn_options{2, 4, segment >> 8, segment & 0xff, 3, 3, window_shift, 0};
    const bool opening = (flags & syn) != 0;
    const std::uint32_t options = opening ? syn_options.size() : 0;
    TcpFrame& h = c.header;
    h.total_length = htons(static_cast<std::uint16_t>(40 + options + length));
    h.header_checksum = 0;
    h.header_checksum = static_cast<std::uint16_t>(~fold(sum_of({&h.version_length, 20})));
    h.sequence = htonl(c.send_next);
    h.acknowledgement = htonl(c.receive_next);
    h.data_offset = static_cast<std::uint8_t>((20 + options) << 2);
    h.flags = flags;
    h.window = htons(opening ? 65535 : window >> window_shift);
    h.urgent = 0;
    h.checksum = 0;
    const auto* addresses = reinterpret_cast<const std::uint8_t*>(&h) + 26;
    std::uint64_t sum =
        sum_of({addresses, 8}) + htons(IPPROTO_TCP) + htons(static_cast<std::uint16_t>(20 + options + length));
    VnetHeader vnet;
    if (options_.offload) {
      vnet = {needs_checksum,
              static_cast<std::uint8_t>(length > segment ? gso_tcp4 : 0),
              sizeof(TcpFrame),
              static_cast<std::uint16_t>(length > segment ? segment : 0),
              34,
              16};
      h.checksum = fold(sum);
    } else {
      sum += sum_of({addresses + 8, 20}) + (opening ? sum_of(syn_options) : 0) + (length != 0 ? payload_sum_ : 0);
      h.checksum = static_cast<std::uint16_t>(~fold(sum));
    }
    const iovec parts[] = {{&vnet, sizeof vnet},
                           {&h, sizeof h},
                           {const_cast<std::uint8_t*>(syn_options.data()), options},
                           {payload_.data(), length}};
    (void)!::writev(tap_, parts, 4);
  }

  bool pump(Connection& c) {
    const auto length = static_cast<std::uint32_t>(payload_.size());
    unsigned sent = 0;
    while (sent < frames_per_burst / (options_.offload ? 4 : 1) &&
           c.send_next - c.unacknowledged + length <= std::min(c.peer_window, most_on_the_way)) {
      send(c, ack | psh, length);
      c.send_next += length;
      ++sent;
    }
    return sent != 0;
  }

  /// After a silence with something unacknowledged, it is sent again.
  void wait() {
    pollfd readable{tap_, POLLIN, 0};
    if (::poll(&readable, 1, 200) != 0) return;
    for (Connection& c : connections_) {
      if (c.source) c.send_next = c.unacknowledged;
    }
  }

  Options options_;
  int tap_;
  std::vector<std::uint8_t> in_, payload_;
  std::uint64_t payload_sum_ = 0;
  std::array<Connection, 16> connections_;
};

int run(int argc, char** argv) {
  Options options;
  if (argc < 3 || inet_pton(AF_INET, argv[2], &options.address) != 1) {
    std::fprintf(stderr, "usage: tap_limit TAP ADDRESS [--frames] [--ack-every N] [--spin]\n");
    return 2;
  }
  options.tap = argv[1];
  for (int i = 3; i < argc; ++i) {
    const std::string_view word = argv[i];
    options.offload = options.offload && word != "--frames";
    options.spin = options.spin || word == "--spin";
    if (word == "--ack-every" && i + 1 < argc) options.ack_every = static_cast<unsigned>(std::atoi(argv[++i]));
  }
  Endpoint endpoint{options};
  std::puts("ready");
  std::fflush(stdout);
  endpoint.run();
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::run(argc, argv); }

// The DHCP client fed with arbitrary messages, answers about addresses, and time: it never ends in a state without a
// way on, holds an address only with a lease that runs, and its queues stay small.
#include <algorithm>
#include <array>
#include <cstring>

#include "dhcp/client.hpp"
#include "fuzz/require.hpp"

using namespace wireside;

namespace {

constexpr MacAddress mac{{2, 0, 0, 0, 0, 1}};

class Driver {
 public:
  Driver(const std::uint8_t* data, std::size_t size) : input_{data, size} {
    dhcp::Options options;
    const std::uint8_t how = octet();
    options.link_local = (how & 1U) != 0;
    options.broadcast_flag = (how & 2U) != 0;
    options.start_delay = (how & 4U) != 0;
    if ((how & 8U) != 0) options.collect_offers = std::chrono::seconds{1};
    client_.emplace(options, mac, std::uint16_t{1500}, random_, sink_);
    client_->start(now_);
  }

  void run() {
    for (int steps = 0; !input_.empty() && steps < 2000; ++steps) {
      step(octet());
      drain();
      check();
    }
  }

 private:
  std::uint8_t octet() {
    if (input_.empty()) return 0;
    const std::uint8_t o = input_.front();
    input_ = input_.subspan(1);
    return o;
  }

  void step(std::uint8_t what) {
    switch (what % 8) {
      case 0:
        return advance();
      case 1:
        if (checking_) client_->address_free(now_, *checking_);
        return;
      case 2:
        if (checking_) client_->address_conflict(now_, *checking_);
        return;
      case 3:
        now_ = now_ + std::chrono::seconds{octet()};
        return client_->handle_timeouts(now_);
      case 4:
        client_->stop(now_, (what & 8U) != 0);
        return client_->start(now_);
      default:
        return reply(what);
    }
  }

  void advance() {
    const Instant next = client_->next_deadline();
    if (next == Instant::max()) return;
    now_ = std::max(now_, next);
    client_->handle_timeouts(now_);
  }

  /// A reply that fits the exchange, its options and addresses from the input.
  void reply(std::uint8_t what) {
    wire::DhcpMessage m;
    m.op = wire::DhcpMessage::Op::Reply;
    m.xid = (what & 8U) != 0 ? xid_ : what;
    m.chaddr = mac;
    m.yiaddr = Ipv4Address{10, 0, 0, octet()};
    m.type = static_cast<wire::DhcpMessageType>(1 + octet() % 8);
    m.server_id = Ipv4Address{10, 0, 0, 1};
    m.subnet_mask = Ipv4Address{255, 255, 255, 0};
    m.lease_seconds = octet();
    m.renewal_seconds = octet();
    auto octets = wire::emit_dhcp(m);
    const std::size_t noise = std::min<std::size_t>(octet() % 32, input_.size());
    if ((what & 16U) != 0) {
      octets.resize(wire::dhcp_options_offset + 40);
      octets.insert(octets.end(), input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(noise));
    }
    client_->handle_message(now_, octets);
  }

  void drain() {
    dhcp::OutgoingMessage out;
    for (int n = 0; client_->poll_message(now_, out); ++n) {
      fuzz::require(n < 8, "few messages at a time");
      xid_ = out.message.xid;
    }
    int changes = 0;
    while (const auto change = client_->poll_change()) {
      fuzz::require(++changes < 16, "few changes at a time");
      if (const auto* check = std::get_if<dhcp::CheckAddress>(&*change)) checking_ = check->address;
    }
  }

  void check() const {
    const auto state = client_->state();
    const auto lease = client_->lease();
    if (dhcp::holds_address(state)) fuzz::require(lease.has_value(), "a bound client has a lease");
    if (lease && !lease->infinite)
      fuzz::require(lease->t1 <= lease->t2 && lease->t2 <= lease->duration, "T1 <= T2 <= lease");
    const bool waits = client_->next_deadline() != Instant::max();
    const bool endless =
        state == observe::DhcpState::Stopped || (lease && lease->infinite) || state == observe::DhcpState::Checking;
    fuzz::require(waits || endless, "there is a way on");
  }

  ByteView input_;
  Random random_{make_seed(1)};
  observe::Sink sink_;
  std::optional<dhcp::Client> client_;
  Instant now_ = Instant::from_ns(1'000'000'000);
  std::uint32_t xid_ = 0;
  std::optional<Ipv4Address> checking_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Driver{data, size}.run();
  return 0;
}

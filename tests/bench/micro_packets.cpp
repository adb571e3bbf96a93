// Checksums, and headers in and out.
#include <numeric>

#include "base/checksum.hpp"
#include "micro.hpp"
#include "wire/ethernet.hpp"
#include "wire/ipv4.hpp"
#include "wire/tcp.hpp"

namespace wireside::micro {
namespace {

std::function<void(benchmark::State&)> checksum_of(std::size_t octets) {
  return [octets](benchmark::State& state) {
    std::vector<std::uint8_t> data(octets);
    std::iota(data.begin(), data.end(), std::uint8_t{1});
    for (auto _ : state) benchmark::DoNotOptimize(internet_checksum(data));
    state.SetBytesProcessed(static_cast<std::int64_t>(octets) * state.iterations());
  };
}

const Add checksum_20{"checksum of 20 octets", checksum_of(20)};
const Add checksum_1460{"checksum of 1,460 octets", checksum_of(1460)};
const Add checksum_65000{"checksum of 65,000 octets", checksum_of(65000)};

wire::TcpHeader data_header() {
  wire::TcpHeader header;
  header.source = Port{4000};
  header.destination = Port{80};
  header.seq = SeqNum{1000};
  header.ack = SeqNum{2000};
  header.flags.ack = header.flags.psh = true;
  header.window = 1000;
  header.options.timestamps = wire::TcpTimestamps{1, 2};
  return header;
}

/// Ethernet, IPv4 and TCP with timestamps, and 100 octets of data.
std::vector<std::uint8_t> data_frame() {
  const wire::TcpHeader tcp = data_header();
  const std::size_t tcp_length = wire::tcp_header_length(tcp);
  std::vector<std::uint8_t> frame(14 + 20 + tcp_length + 100);
  const MutableByteView all{frame};
  wire::emit_ethernet({{}, {}, static_cast<std::uint16_t>(wire::EtherType::Ipv4)}, all);
  wire::Ipv4Header ip;
  ip.total_length = static_cast<std::uint16_t>(frame.size() - 14);
  ip.protocol = static_cast<std::uint8_t>(wire::IpProtocol::Tcp);
  wire::emit_ipv4(ip, all.subspan(14));
  wire::emit_tcp(tcp, all.subspan(34));
  return frame;
}

const Add parse{"parse Ethernet, IPv4, TCP with timestamps", [](benchmark::State& state) {
                  const auto frame = data_frame();
                  for (auto _ : state) {
                    const ByteView view{frame};
                    benchmark::DoNotOptimize(wire::parse_ethernet(view));
                    benchmark::DoNotOptimize(wire::parse_ipv4(view.subspan(14)));
                    benchmark::DoNotOptimize(wire::parse_tcp(view.subspan(34)));
                  }
                }};

const Add emit{"emit Ethernet, IPv4, TCP with timestamps", [](benchmark::State& state) {
                 const wire::TcpHeader tcp = data_header();
                 wire::Ipv4Header ip;
                 ip.total_length = 1500;
                 std::vector<std::uint8_t> frame(100);
                 const MutableByteView all{frame};
                 for (auto _ : state) {
                   wire::emit_ethernet({{}, {}, static_cast<std::uint16_t>(wire::EtherType::Ipv4)}, all);
                   wire::emit_ipv4(ip, all.subspan(14));
                   wire::emit_tcp(tcp, all.subspan(34));
                   benchmark::DoNotOptimize(frame.data());
                   benchmark::ClobberMemory();
                 }
               }};

}  // namespace
}  // namespace wireside::micro

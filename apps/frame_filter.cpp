#include "frame_filter.hpp"

#include <pcap/pcap.h>

#include <memory>

namespace wireside::apps {
namespace {

constexpr int whole_frames = 262144;

struct Program {
  bpf_program code{};
  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() { pcap_freecode(&code); }
};

}  // namespace

std::expected<FrameFilter, std::string> compile_frame_filter(const std::string& expression) {
  const std::unique_ptr<pcap_t, decltype(&pcap_close)> pcap{pcap_open_dead(DLT_EN10MB, whole_frames), &pcap_close};
  if (!pcap) return std::unexpected{std::string{"libpcap cannot be used"}};
  const auto program = std::make_shared<Program>();
  constexpr int optimised = 1;
  if (pcap_compile(pcap.get(), &program->code, expression.c_str(), optimised, PCAP_NETMASK_UNKNOWN) != 0) {
    return std::unexpected{std::string{pcap_geterr(pcap.get())}};
  }
  return [program](ByteView frame) {
    const auto length = static_cast<bpf_u_int32>(frame.size());
    pcap_pkthdr header{};
    header.caplen = header.len = length;
    return pcap_offline_filter(&program->code, &header, frame.data()) != 0;
  };
}

}  // namespace wireside::apps

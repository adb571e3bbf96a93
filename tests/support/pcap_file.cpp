#include "support/pcap_file.hpp"

#include <stdexcept>

namespace wireside::testing {

namespace {
constexpr std::uint32_t magic_nanoseconds = 0xa1b23c4d;
constexpr std::uint32_t version_2_4 = 0x00040002;
constexpr std::uint32_t snap_length = 262144;
constexpr std::uint32_t link_type_ethernet = 1;
}  // namespace

PcapFile::PcapFile(const std::string& path) : file_{path, std::ios::binary | std::ios::trunc} {
  if (!file_) throw std::runtime_error("cannot write " + path);
  for (const std::uint32_t word : {magic_nanoseconds, version_2_4, 0U, 0U, snap_length, link_type_ethernet}) put(word);
}

void PcapFile::write(Instant when, ByteView frame) {
  put(static_cast<std::uint32_t>(when.ns() / 1'000'000'000));
  put(static_cast<std::uint32_t>(when.ns() % 1'000'000'000));
  put(static_cast<std::uint32_t>(frame.size()));
  put(static_cast<std::uint32_t>(frame.size()));
  file_.write(reinterpret_cast<const char*>(frame.data()), static_cast<std::streamsize>(frame.size()));
}

void PcapFile::put(std::uint32_t value) { file_.write(reinterpret_cast<const char*>(&value), sizeof value); }

}  // namespace wireside::testing

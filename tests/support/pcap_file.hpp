// Classic pcap with nanosecond times, so that a failed simulation can be looked at with tcpdump or Wireshark.
#pragma once

#include <fstream>
#include <string>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace wireside::testing {

class PcapFile {
 public:
  /// Overwrites `path`. Throws std::runtime_error when it cannot be written.
  explicit PcapFile(const std::string& path);
  /// One Ethernet frame (or super-frame).
  void write(Instant when, ByteView frame);

 private:
  void put(std::uint32_t value);
  std::ofstream file_;
};

}  // namespace wireside::testing

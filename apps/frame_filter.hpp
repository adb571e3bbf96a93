// Which frames are shown: an expression in the language of tcpdump and Wireshark's capture filters.
#pragma once

#include <expected>
#include <functional>
#include <string>

#include "base/bytes.hpp"

namespace wireside::apps {

using FrameFilter = std::function<bool(ByteView frame)>;

/// "host 10.0.0.1 and tcp port 80" (pcap-filter(7)), of Ethernet frames. The error is libpcap's own sentence. No
/// address or name is looked up anywhere but in this host's own files.
[[nodiscard]] std::expected<FrameFilter, std::string> compile_frame_filter(const std::string& expression);

}  // namespace wireside::apps

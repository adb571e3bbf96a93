// tcpdump's wording of a TCP header, from the option octets as they stand on the wire.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "wire/tcp.hpp"

namespace wireside::wire {

/// As describe_tcp, with the options in the order and with the padding in which `option_octets` holds them, unknown
/// and broken ones included. `checksum`, such as "0x1c46 (correct)", is told where it is not empty.
[[nodiscard]] std::string describe_tcp(const TcpHeader& header, ByteView option_octets, std::size_t payload_length,
                                       SeqNum seq_base, SeqNum ack_base, std::string_view checksum = {});

}  // namespace wireside::wire

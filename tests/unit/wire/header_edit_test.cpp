#include "wire/header_edit.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>

#include "base/checksum.hpp"

namespace wireside::wire {
namespace {

// RFC 1812 section 5.2.1.1, RFC 1624: the checksum is right after every hop.
RC_GTEST_PROP(HeaderEdit, ATtlIsDecrementedWithTheChecksum,
              (std::uint8_t tos, std::uint16_t length, std::uint16_t id, std::uint8_t protocol, std::uint32_t from,
               std::uint32_t to)) {
  Ipv4Header header;
  header.tos = tos;
  header.total_length = length;
  header.identification = id;
  header.ttl = *rc::gen::inRange<std::uint8_t>(1, 255);
  header.protocol = protocol;
  header.source = Ipv4Address{from};
  header.destination = Ipv4Address{to};
  std::array<std::uint8_t, ipv4_min_header> octets{};
  emit_ipv4(header, octets);
  std::array<std::uint8_t, ipv4_min_header> wanted{};
  while (header.ttl > 0) {
    decrement_ttl(octets);
    --header.ttl;
    emit_ipv4(header, wanted);
    RC_ASSERT(internet_checksum(octets) == 0);
    RC_ASSERT(octets == wanted);
  }
}

}  // namespace
}  // namespace wireside::wire

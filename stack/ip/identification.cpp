#include "ip/identification.hpp"

namespace wireside::ip {

IdentificationSource::IdentificationSource(Random& random, IdentificationRange range)
    : key_{random.sip_key()}, range_{range} {
  for (auto& counter : next_) counter = static_cast<std::uint16_t>(random.next_u32());
}

std::uint16_t IdentificationSource::next(Ipv4Address source, Ipv4Address destination, std::uint8_t protocol,
                                         std::uint16_t count) {
  std::array<std::uint8_t, 9> flow{};
  store_be32(flow.data(), source.value());
  store_be32(flow.data() + 4, destination.value());
  flow[8] = protocol;
  const std::uint64_t hash = siphash24(key_, flow);
  std::uint16_t& counter = next_[hash % counters];
  const std::uint16_t value = static_cast<std::uint16_t>(counter + (hash >> 48U));
  counter = static_cast<std::uint16_t>(counter + count);
  return static_cast<std::uint16_t>(range_.first + value % range_.size);
}

}  // namespace wireside::ip

#include "wire/arp.hpp"

#include <algorithm>
#include <cassert>

namespace wireside::wire {
namespace {

constexpr std::uint16_t hardware_ethernet = 1;
constexpr std::uint16_t protocol_ipv4 = 0x0800;

MacAddress load_mac(const std::uint8_t* p) {
  MacAddress mac;
  std::copy_n(p, 6, mac.octets.begin());
  return mac;
}

}  // namespace

Result<ArpMessage> parse_arp(ByteView data) {
  if (data.size() < arp_message_length) return fail(Error::Truncated);
  const std::uint8_t* p = data.data();
  const std::uint16_t operation = load_be16(p + 6);
  if (load_be16(p) != hardware_ethernet || load_be16(p + 2) != protocol_ipv4 || p[4] != 6 || p[5] != 4 ||
      (operation != 1 && operation != 2)) {
    return fail(Error::Malformed);
  }
  ArpMessage message;
  message.operation = static_cast<ArpMessage::Operation>(operation);
  message.sender_mac = load_mac(p + 8);
  message.sender_ip = Ipv4Address{load_be32(p + 14)};
  message.target_mac = load_mac(p + 18);
  message.target_ip = Ipv4Address{load_be32(p + 24)};
  return message;
}

void emit_arp(const ArpMessage& message, MutableByteView out) {
  assert(out.size() >= arp_message_length);
  std::uint8_t* p = out.data();
  store_be16(p, hardware_ethernet);
  store_be16(p + 2, protocol_ipv4);
  p[4] = 6;
  p[5] = 4;
  store_be16(p + 6, static_cast<std::uint16_t>(message.operation));
  std::copy_n(message.sender_mac.octets.begin(), 6, p + 8);
  store_be32(p + 14, message.sender_ip.value());
  std::copy_n(message.target_mac.octets.begin(), 6, p + 18);
  store_be32(p + 24, message.target_ip.value());
}

std::string describe_arp(const ArpMessage& message) {
  if (message.operation == ArpMessage::Operation::Reply) {
    return "Reply " + message.sender_ip.to_string() + " is-at " + message.sender_mac.to_string();
  }
  std::string out = "Request who-has " + message.target_ip.to_string();
  if (!message.target_mac.is_zero()) out += " (" + message.target_mac.to_string() + ')';
  return out + " tell " + message.sender_ip.to_string();
}

}  // namespace wireside::wire

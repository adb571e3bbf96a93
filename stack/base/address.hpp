// Addresses as types. An Endpoint carries its family, so that TCP, UDP and sockets never handle four bytes of their
// own.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wireside {

/// 48-bit Ethernet address.
struct MacAddress {
  std::array<std::uint8_t, 6> octets{};

  [[nodiscard]] static constexpr MacAddress broadcast() { return {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}; }
  [[nodiscard]] constexpr bool is_multicast() const { return (octets[0] & 1U) != 0; }  // includes broadcast
  [[nodiscard]] constexpr bool is_broadcast() const { return *this == broadcast(); }
  [[nodiscard]] constexpr bool is_zero() const { return *this == MacAddress{}; }
  [[nodiscard]] constexpr bool is_locally_administered() const { return (octets[0] & 2U) != 0; }
  friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;

  /// "02:00:5e:00:53:01"
  [[nodiscard]] std::string to_string() const;
  /// Six hexadecimal octets separated by ':' or '-'; nullopt for anything else.
  [[nodiscard]] static std::optional<MacAddress> parse(std::string_view text);
};

/// IPv4 address, held in host order so that masks and comparisons are plain arithmetic.
class Ipv4Address {
 public:
  constexpr Ipv4Address() = default;
  explicit constexpr Ipv4Address(std::uint32_t host_order) : value_{host_order} {}
  constexpr Ipv4Address(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d)
      : value_{(std::uint32_t{a} << 24) | (std::uint32_t{b} << 16) | (std::uint32_t{c} << 8) | d} {}

  [[nodiscard]] constexpr std::uint32_t value() const { return value_; }
  [[nodiscard]] constexpr bool is_unspecified() const { return value_ == 0; }
  [[nodiscard]] constexpr bool is_limited_broadcast() const { return value_ == 0xffffffffU; }
  [[nodiscard]] constexpr bool is_multicast() const { return (value_ >> 28) == 0xe; }
  [[nodiscard]] constexpr bool is_loopback() const { return (value_ >> 24) == 127; }
  [[nodiscard]] constexpr bool is_this_network() const { return (value_ >> 24) == 0; }
  [[nodiscard]] constexpr bool is_reserved() const {
    return (value_ >> 28) == 0xf && !is_limited_broadcast();
  }  // class E
  friend constexpr auto operator<=>(Ipv4Address, Ipv4Address) = default;

  [[nodiscard]] std::string to_string() const;
  /// Dotted quad only (no shorthand, no leading zeros beyond a single 0).
  [[nodiscard]] static std::optional<Ipv4Address> parse(std::string_view text);

 private:
  std::uint32_t value_ = 0;
};

/// An address with its prefix length (0..32), such as 10.0.0.2/24.
struct Ipv4Prefix {
  Ipv4Address address;
  std::uint8_t length = 32;

  [[nodiscard]] constexpr std::uint32_t mask() const { return length == 0 ? 0 : 0xffffffffU << (32U - length); }
  [[nodiscard]] constexpr Ipv4Address network() const { return Ipv4Address{address.value() & mask()}; }
  [[nodiscard]] constexpr bool contains(Ipv4Address a) const {
    return (a.value() & mask()) == (address.value() & mask());
  }
  /// Directed broadcast address; meaningless (and nullopt) for /31 and /32 (RFC 3021).
  [[nodiscard]] constexpr std::optional<Ipv4Address> directed_broadcast() const {
    if (length >= 31) return std::nullopt;
    return Ipv4Address{address.value() | ~mask()};
  }
  friend constexpr auto operator<=>(const Ipv4Prefix&, const Ipv4Prefix&) = default;
  [[nodiscard]] std::string to_string() const;
  /// "10.0.0.2/24"; a missing length means /32.
  [[nodiscard]] static std::optional<Ipv4Prefix> parse(std::string_view text);
};

/// Network-layer address of either family. IPv6 has its place kept; today only V4 values are made.
class IpAddress {
 public:
  enum class Family : std::uint8_t { Unspecified, V4 };
  constexpr IpAddress() = default;
  constexpr IpAddress(Ipv4Address a) : family_{Family::V4}, v4_{a} {}  // NOLINT: a v4 address is an IP address

  [[nodiscard]] constexpr Family family() const { return family_; }
  /// Wildcard of any family.
  [[nodiscard]] constexpr bool is_unspecified() const { return v4_.is_unspecified(); }
  [[nodiscard]] constexpr bool is_multicast() const { return v4_.is_multicast(); }
  [[nodiscard]] constexpr Ipv4Address v4() const { return v4_; }
  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;
  [[nodiscard]] std::string to_string() const { return v4_.to_string(); }

 private:
  Family family_ = Family::Unspecified;
  Ipv4Address v4_;
};

/// Transport port; 0 means "not chosen yet".
struct Port {
  std::uint16_t value = 0;
  [[nodiscard]] constexpr bool is_unspecified() const { return value == 0; }
  friend constexpr auto operator<=>(Port, Port) = default;
};

struct Endpoint {
  IpAddress address;
  Port port;
  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) = default;
  /// "10.0.0.2:80"
  [[nodiscard]] std::string to_string() const;
  /// "ADDRESS:PORT"
  [[nodiscard]] static std::optional<Endpoint> parse(std::string_view text);
};

/// A connection's (or flow's) two ends as seen from here.
struct FourTuple {
  Endpoint local;
  Endpoint remote;
  friend constexpr auto operator<=>(const FourTuple&, const FourTuple&) = default;
};

}  // namespace wireside

// A frame taken apart, field by field, for people to read: where each field lies, what it holds and what that means.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace wireside::dissect {

enum class Language : std::uint8_t { English, Chinese };

/// A text in both languages.
struct Words {
  std::string_view english, chinese;
  [[nodiscard]] std::string_view in(Language l) const { return l == Language::Chinese ? chinese : english; }
};

struct Field {
  std::size_t bit = 0;   ///< its first bit, counted from the beginning of what was dissected
  std::size_t bits = 0;  ///< how many; 0 for what is said about a place
  std::string name;
  std::string value;               ///< as it is usually written
  std::string meaning;             ///< may be empty
  std::string rule;                ///< the variable or rule from which a sender takes the value; may be empty
  std::vector<std::string> steps;  ///< how a checksum comes about
  bool wrong = false;              ///< no sound sender would send this
};

struct Layer {
  std::string title;
  std::size_t octet = 0;
  std::vector<Field> fields;
};

struct Dissection {
  std::vector<Layer> layers;
  std::size_t octets = 0;
};

enum class Start : std::uint8_t { Ethernet, Arp, Ipv4, Tcp, Udp, Icmp, Dhcp };

struct Settings {
  Language language = Language::English;
  Start start = Start::Ethernet;
  /// Frames between a TAP and its host may carry checksums that only begin (virtio-net): they are not called wrong.
  bool partial_checksums = false;
};

/// Takes any octets; what is cut off or makes no sense is said where it lies.
[[nodiscard]] Dissection dissect(ByteView frame, const Settings& settings);

/// What octets without further knowledge begin with: an IPv4 header whose lengths or checksum agree, ARP for IPv4 on
/// Ethernet, or else an Ethernet header.
[[nodiscard]] Start guess_start(ByteView frame);

}  // namespace wireside::dissect

// Fragments of one datagram go to one stack, the one that the first fragment's ports name, whichever comes first.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "packet/packet.hpp"
#include "wire/flow_key.hpp"

namespace wireside {

/// Only later fragments are kept, and only until the first one has come; putting them together is the stack's.
class FragmentWays {
 public:
  static constexpr std::size_t max_datagrams = 1024;
  static constexpr std::size_t max_kept_frames = 1024;
  static constexpr std::size_t max_kept_octets = std::size_t{2} << 20;

  /// What is known of a datagram, and what is kept of it, is forgotten after `timeout`.
  explicit FragmentWays(Duration timeout) : timeout_{timeout} {}

  /// The queue that `frame`, a fragment with `key`, is for; nullopt: it is kept, or was dropped where there is no room.
  /// `owner` tells it for a first fragment, and after that for all of its datagram.
  std::optional<std::size_t> place(Instant now, const wire::FlowKey& key, std::size_t owner, const Packet& frame);
  /// Frames whose way the latest first fragment told, in the order in which they came.
  [[nodiscard]] std::vector<Packet> take_released() { return std::exchange(released_, {}); }

  /// Fragments whose first one never came, or for which there was no room.
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::size_t datagrams() const { return datagrams_.size(); }

 private:
  using Id = std::tuple<Ipv4Address, Ipv4Address, std::uint8_t, std::uint16_t>;
  struct Datagram {
    std::optional<std::size_t> owner;
    std::vector<Packet> kept;
    std::list<Id>::iterator age;
    Instant expires;
  };
  using Datagrams = std::map<Id, Datagram>;  // ordered: nobody outside can make it slow

  Datagram& find_or_add(Instant now, const Id& id);
  void forget(Datagrams::iterator at);
  void keep(Datagram& datagram, const Packet& frame);
  void release(Datagram& datagram);

  Duration timeout_;
  Datagrams datagrams_;
  std::list<Id> by_age_;  // oldest first
  std::size_t kept_frames_ = 0;
  std::size_t kept_octets_ = 0;
  std::vector<Packet> released_;
  std::uint64_t lost_ = 0;
};

}  // namespace wireside

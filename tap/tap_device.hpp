// TapDevice: Ethernet frames to and from a Linux TAP interface, one virtio-net header in front of each.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "link/link_config.hpp"
#include "packet/packet.hpp"
#include "tap_error.hpp"

namespace wireside {

/// Bounds of an interface's MTU: RFC 791's smallest reassembly size, and what leaves room for Ethernet in 65,535.
inline constexpr std::uint16_t min_mtu = 576;
inline constexpr std::uint16_t max_mtu = 65521;

struct TapOptions {
  /// Interface to use, or to create where it does not exist (needs CAP_NET_ADMIN). Empty: the kernel chooses "tapN".
  std::string name = "tap0";
  /// An attached TAP queue to use instead of opening one (--tap-fd). The device takes it over and closes it.
  std::optional<int> inherited_descriptor;
  /// Exchange checksum work and 64 KB super-segments with the kernel. Without: frames as on a real wire.
  bool offload = true;
  /// Wanted MTU; nullopt takes the interface's. Where they differ it is set on the interface, or an error.
  std::optional<std::uint16_t> mtu;
  /// Set the host's side up.
  bool bring_up = false;
};

/// A network interface of the host.
struct HostInterface {
  unsigned mtu = 0;
  bool up = false;
  bool running = false;  ///< up, and the kernel has noticed that there is a carrier: it sends
};
/// What the host says of an interface in this network namespace; nullopt where there is none of that name.
[[nodiscard]] std::optional<HostInterface> find_host_interface(const std::string& name);
/// Sets the host's side up or down. Needs CAP_NET_ADMIN.
[[nodiscard]] TapResult<void> set_host_link(const std::string& name, bool up);
/// Sets the host's side's MTU. Needs CAP_NET_ADMIN.
[[nodiscard]] TapResult<void> set_host_mtu(const std::string& name, std::uint16_t mtu);

/// Non-blocking. Not thread-safe. The descriptor is closed on destruction; an interface that is not persistent goes
/// with it.
class TapDevice {
 public:
  enum class ReadResult : std::uint8_t {
    Frame,    ///< `out` holds a frame
    Empty,    ///< nothing to read now
    Skipped,  ///< something unusable was read and counted; read on
    Gone,     ///< the interface was deleted
  };
  enum class WriteResult : std::uint8_t {
    Sent,
    Full,      ///< the kernel takes no more now; try the same frame later
    LinkDown,  ///< the host's side is down: frame lost
    Rejected,  ///< the kernel refused this frame: frame lost
    Gone,      ///< the interface was deleted
  };
  struct Counters {
    std::uint64_t frames_in = 0, octets_in = 0;
    std::uint64_t frames_out = 0, octets_out = 0;
    std::uint64_t unusable_in = 0;  ///< bad virtio-net header, or longer than any frame can be
    std::uint64_t lost_link_down = 0;
    std::uint64_t rejected = 0;
    /// Frames received and full-sized packets moved: a measure of work done that super-segments do not distort.
    [[nodiscard]] std::uint64_t packets_moved() const { return frames_in + (octets_in + octets_out) / 1500; }
  };

  [[nodiscard]] static TapResult<TapDevice> open(const TapOptions& options);
  /// `count` queues of one interface, each with a descriptor of its own: the kernel shares frames out among them, and
  /// keeps a flow on the queue that last sent for it. An interface that exists must have been made with multi_queue.
  /// With a count of 1 as open(). Not with an inherited descriptor, which is one queue.
  [[nodiscard]] static TapResult<std::vector<TapDevice>> open_queues(const TapOptions& options, std::size_t count);
  TapDevice(TapDevice&& other) noexcept;
  TapDevice& operator=(TapDevice&& other) noexcept;
  ~TapDevice();

  [[nodiscard]] int native_handle() const { return descriptor_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// Largest IP packet.
  [[nodiscard]] std::uint16_t mtu() const { return mtu_; }
  /// Checksums and segmentation are left to the kernel in both directions.
  [[nodiscard]] bool offload() const { return offload_; }
  /// Writes what the device decides (mtu, offloads, padding) into the link's settings.
  void apply_to(link::LinkConfig& link) const;
  /// InterfaceDown when the host's side is down (nothing moves until it is up), InterfaceGone when it was deleted.
  [[nodiscard]] std::optional<TapError> link_problem() const;
  [[nodiscard]] const Counters& counters() const { return counters_; }
  /// From now on frames are exchanged as on a real wire, as if opened without offload.
  void stop_offload();

  /// Next frame, in a buffer of `pool` of a fitting size.
  [[nodiscard]] ReadResult read(BufferPool& pool, Packet& out);
  [[nodiscard]] WriteResult write(const FrameOut& frame);

 private:
  TapDevice() = default;
  [[nodiscard]] static TapResult<TapDevice> open(const TapOptions& options, bool multi_queue);
  [[nodiscard]] TapResult<void> attach(const TapOptions& options, bool multi_queue);
  [[nodiscard]] bool set_interface(const std::string& name, int flags);
  [[nodiscard]] TapResult<void> adopt(int descriptor);
  [[nodiscard]] TapResult<void> set_up_offload(bool wanted);
  [[nodiscard]] TapResult<void> set_up_link(const TapOptions& options);
  [[nodiscard]] ReadResult take(BufferPool& pool, std::size_t in_front, std::size_t octets, Packet& out);
  [[nodiscard]] ssize_t write_gathered(const FrameOut& frame, ByteView vnet);
  void close();

  int descriptor_ = -1;
  std::string name_;
  std::uint16_t mtu_ = 1500;
  bool offload_ = false;
  bool vnet_header_ = true;
  BufferRef scratch_;
  Counters counters_;
};

}  // namespace wireside

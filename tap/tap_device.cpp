#include "tap_device.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <tuple>
#include <utility>

#include "vnet_header.hpp"
#include "wire/ethernet.hpp"

namespace wireside {
namespace {

// With offload one read brings up to a whole super-segment; the headers come on top of 64 KB.
constexpr std::size_t super_frame_capacity = 66560;
// Room behind the MTU for VLAN tags, so that an oversized frame is seen whole and judged by the stack.
constexpr std::size_t vlan_room = 8;
// Payload up to which a frame is copied together before it is written.
constexpr std::size_t gathered_payload = 512;

std::unexpected<TapError> error(TapFault fault, const TapErrorContext& context) {
  return std::unexpected{make_tap_error(fault, context)};
}

TapFault fault_of_attach(int error_number, const std::string& name) {
  const bool exists = !name.empty() && ::if_nametoindex(name.c_str()) != 0;
  switch (error_number) {
    case EPERM:
    case EACCES:
      return exists ? TapFault::NotOwner : TapFault::CreatePermission;
    case EBUSY:
      return TapFault::Busy;
    case EINVAL:
      return exists ? TapFault::NotTap : TapFault::System;
    default:
      return TapFault::System;
  }
}

bool is_transient(int error_number) { return error_number == EAGAIN || error_number == EINTR; }
// What a queue whose interface was deleted answers.
bool means_gone(int error_number) {
  return error_number == EBADFD || error_number == ENODEV || error_number == EBADF || error_number == ENXIO;
}

/// Whether frames carry four octets of packet information in front. TUNGETIFF tells it in a bit that it also sets when
/// no socket filter is attached, so one that accepts everything is attached while asking.
bool has_packet_information(int descriptor) {
  sock_filter accept_all{.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = UINT32_MAX};
  sock_fprog program{.len = 1, .filter = &accept_all};
  if (::ioctl(descriptor, TUNATTACHFILTER, &program) < 0) return false;
  ifreq r{};
  const bool answered = ::ioctl(descriptor, TUNGETIFF, &r) == 0;
  (void)::ioctl(descriptor, TUNDETACHFILTER, &program);
  return answered && (r.ifr_flags & IFF_NO_PI) == 0;
}

}  // namespace

TapDevice::TapDevice(TapDevice&& other) noexcept { *this = std::move(other); }

TapDevice& TapDevice::operator=(TapDevice&& other) noexcept {
  if (this == &other) return *this;
  close();
  descriptor_ = std::exchange(other.descriptor_, -1);
  name_ = std::move(other.name_);
  mtu_ = other.mtu_;
  offload_ = other.offload_;
  vnet_header_ = other.vnet_header_;
  scratch_ = std::move(other.scratch_);
  counters_ = other.counters_;
  return *this;
}

TapDevice::~TapDevice() { close(); }

void TapDevice::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

TapResult<TapDevice> TapDevice::open(const TapOptions& options) { return open(options, false); }

TapResult<std::vector<TapDevice>> TapDevice::open_queues(const TapOptions& options, std::size_t count) {
  std::vector<TapDevice> out;
  TapOptions of_next = options;
  while (out.size() < count) {
    auto device = open(of_next, count > 1);
    if (!device) return std::unexpected{device.error()};
    of_next.name = device->name();  // the kernel may have chosen it
    out.push_back(std::move(*device));
  }
  return out;
}

TapResult<TapDevice> TapDevice::open(const TapOptions& options, bool multi_queue) {
  if (options.mtu && (*options.mtu < min_mtu || *options.mtu > max_mtu)) {
    return error(TapFault::MtuOutOfRange, {.name = options.name, .mtu_wanted = *options.mtu});
  }
  TapDevice device;
  const auto attached =
      options.inherited_descriptor ? device.adopt(*options.inherited_descriptor) : device.attach(options, multi_queue);
  if (!attached) return std::unexpected{attached.error()};
  if (const auto done = device.set_up_offload(options.offload); !done) return std::unexpected{done.error()};
  if (const auto done = device.set_up_link(options); !done) return std::unexpected{done.error()};
  return device;
}

TapResult<void> TapDevice::attach(const TapOptions& options, bool multi_queue) {
  if (const auto usable = check_interface_name(options.name); !usable) return std::unexpected{usable.error()};
  descriptor_ = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (descriptor_ < 0) {
    const bool forbidden = errno == EACCES || errno == EPERM;
    const bool missing = errno == ENOENT || errno == ENODEV || errno == ENXIO || errno == ENOTDIR;
    if (!forbidden && !missing) return error(TapFault::System, {.name = "open(/dev/net/tun)", .error_number = errno});
    return error(forbidden ? TapFault::DevicePermission : TapFault::NoTunModule, {.error_number = errno});
  }
  constexpr int wanted = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  bool attached = set_interface(options.name, multi_queue ? wanted | IFF_MULTI_QUEUE : wanted);
  int error_number = errno;
  if (!attached && error_number == EINVAL && ::if_nametoindex(options.name.c_str()) != 0) {
    // A persistent interface made with multi_queue wants the flag back, where one queue of it is all we use, too; and
    // one made without has a single queue for ever.
    attached = set_interface(options.name, multi_queue ? wanted : wanted | IFF_MULTI_QUEUE);
    error_number = errno;
    if (multi_queue && (attached || error_number == EBUSY)) {
      return error(TapFault::NotMultiQueue, {.name = options.name, .error_number = EINVAL});
    }
  }
  if (attached) return {};
  const TapFault fault = fault_of_attach(error_number, options.name);
  const std::string_view name = fault == TapFault::System ? std::string_view{"TUNSETIFF"} : options.name;
  return error(fault, {.name = name, .error_number = error_number, .multi_queue = multi_queue});
}

bool TapDevice::set_interface(const std::string& name, int flags) {
  ifreq r{};
  name.copy(r.ifr_name, IFNAMSIZ - 1);
  r.ifr_flags = static_cast<short>(flags);
  if (::ioctl(descriptor_, TUNSETIFF, &r) < 0) return false;
  name_ = r.ifr_name;
  return true;
}

TapResult<void> TapDevice::adopt(int descriptor) {
  const auto bad = [&](std::string_view why, int error_number = 0) {
    return error(TapFault::BadDescriptor, {.error_number = error_number, .descriptor = descriptor, .detail = why});
  };
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags < 0) return bad("it is not open", errno);
  ifreq r{};
  if (::ioctl(descriptor, TUNGETIFF, &r) < 0) {
    return bad(errno == EBADFD ? "it is /dev/net/tun but not attached to an interface" : "it is not /dev/net/tun",
               errno);
  }
  if ((r.ifr_flags & IFF_TAP) == 0) return bad("it carries IP packets (IFF_TUN), not Ethernet frames");
  if (has_packet_information(descriptor)) return bad("it was attached without IFF_NO_PI");
  if ((flags & O_ACCMODE) != O_RDWR) return bad("it is not open for both reading and writing");
  if (::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0) return bad("it cannot be made non-blocking", errno);
  (void)::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  descriptor_ = descriptor;
  vnet_header_ = (r.ifr_flags & IFF_VNET_HDR) != 0;
  name_ = r.ifr_name;
  return {};
}

TapResult<void> TapDevice::set_up_offload(bool wanted) {
  offload_ = wanted && vnet_header_;
  if (vnet_header_) {
    int length = static_cast<int>(vnet_header_length);
    if (::ioctl(descriptor_, TUNSETVNETHDRSZ, &length) < 0) {
      return error(TapFault::System, {.name = "TUNSETVNETHDRSZ", .error_number = errno});
    }
  }
  // Without offload the kernel completes checksums and cuts super-segments before we read them.
  const unsigned long features = offload_ ? TUN_F_CSUM | TUN_F_TSO4 : 0;
  if (::ioctl(descriptor_, TUNSETOFFLOAD, features) < 0) {
    return error(TapFault::System, {.name = "TUNSETOFFLOAD", .error_number = errno});
  }
  return {};
}

namespace {

/// An attached TAP has a carrier, but until the kernel has noticed, within a second, it drops what it would send: the
/// answer to the first ARP request would be lost.
void wait_for_carrier(const std::string& name) {
  constexpr auto step = std::chrono::milliseconds{5};
  constexpr int steps = 240;
  for (int i = 0; i < steps; ++i) {
    const auto host = find_host_interface(name);
    if (!host || !host->up || host->running) return;
    std::this_thread::sleep_for(step);
  }
}

}  // namespace

TapResult<void> TapDevice::set_up_link(const TapOptions& options) {
  const auto host = find_host_interface(name_);
  if (!host) {
    // An inherited descriptor may lead into another network namespace: its settings are out of our sight.
    if (!options.inherited_descriptor) return error(TapFault::InterfaceGone, {.name = name_});
    mtu_ = options.mtu.value_or(1500);
    return {};
  }
  if (options.mtu && host->mtu != *options.mtu) {
    if (const auto done = set_host_mtu(name_, *options.mtu); !done) {
      return error(TapFault::MtuMismatch, {.name = name_,
                                           .error_number = done.error().error_number,
                                           .mtu_wanted = *options.mtu,
                                           .mtu_found = host->mtu});
    }
  }
  const unsigned mtu = options.mtu ? *options.mtu : host->mtu;
  if (mtu < min_mtu || mtu > max_mtu) return error(TapFault::MtuOutOfRange, {.name = name_, .mtu_wanted = mtu});
  mtu_ = static_cast<std::uint16_t>(mtu);
  if (options.bring_up && !host->up) {
    if (const auto done = set_host_link(name_, true); !done) {
      return error(
          TapFault::InterfaceDown,
          {.name = name_, .error_number = done.error().error_number, .detail = "bringing it up needs CAP_NET_ADMIN"});
    }
  }
  if (options.bring_up || host->up) wait_for_carrier(name_);
  return {};
}

void TapDevice::stop_offload() {
  if (!offload_) return;
  // Cannot fail: the descriptor is attached, and 0 asks for nothing.
  std::ignore = set_up_offload(false);
  scratch_ = BufferRef{};
}

void TapDevice::apply_to(link::LinkConfig& link) const {
  link.mtu = mtu_;
  link.tx_checksum_offload = offload_;
  link.tso = offload_;
}

std::optional<TapError> TapDevice::link_problem() const {
  ifreq r{};
  // The descriptor itself knows whether its interface is still there; the name may have been given to another one.
  if (::ioctl(descriptor_, TUNGETIFF, &r) < 0 && means_gone(errno)) {
    return make_tap_error(TapFault::InterfaceGone, {.name = name_, .error_number = errno});
  }
  const auto host = find_host_interface(r.ifr_name);
  if (host && !host->up) return make_tap_error(TapFault::InterfaceDown, {.name = r.ifr_name});
  return std::nullopt;
}

// One area for the virtio-net header and the frame behind it: the kernel is quicker about one than about two.
TapDevice::ReadResult TapDevice::read(BufferPool& pool, Packet& out) {
  if (!scratch_) {
    const std::size_t plain = vnet_header_length + mtu_ + wire::ethernet_header_length + vlan_room;
    scratch_ = pool.allocate(offload_ ? super_frame_capacity : plain);
  }
  const std::size_t in_front = vnet_header_ ? vnet_header_length : 0;
  const ssize_t n = ::read(descriptor_, scratch_->data(), scratch_->capacity());
  if (n < 0) {
    if (is_transient(errno)) return ReadResult::Empty;
    if (means_gone(errno)) return ReadResult::Gone;
    ++counters_.unusable_in;
    return errno == EINVAL ? ReadResult::Skipped : ReadResult::Empty;
  }
  if (static_cast<std::size_t>(n) <= in_front) {
    ++counters_.unusable_in;
    return n == 0 ? ReadResult::Empty : ReadResult::Skipped;
  }
  return take(pool, in_front, static_cast<std::size_t>(n) - in_front, out);
}

// Large frames stay where they were read; small ones move to a buffer of their size, so that little memory is pinned.
TapDevice::ReadResult TapDevice::take(BufferPool& pool, std::size_t in_front, std::size_t octets, Packet& out) {
  ReceiveAttributes attributes;
  if (vnet_header_) {
    const auto found = receive_attributes(decode_vnet_header({scratch_->data(), in_front}), octets);
    if (!found) {
      ++counters_.unusable_in;
      return ReadResult::Skipped;
    }
    attributes = *found;
  }
  BufferRef fitting = pool.allocate(octets);
  std::size_t at = 0;
  if (fitting->capacity() >= scratch_->capacity()) {
    std::swap(fitting, scratch_);
    at = in_front;
  } else {
    std::memcpy(fitting->data(), scratch_->data() + in_front, octets);
  }
  out = Packet{Slice{std::move(fitting), at, octets}, attributes.checksum, attributes.gso_size};
  ++counters_.frames_in;
  counters_.octets_in += octets;
  return ReadResult::Frame;
}

// A short frame is put together first: the kernel is quicker about one area than about three.
ssize_t TapDevice::write_gathered(const FrameOut& frame, ByteView vnet) {
  const ByteView block = frame.header.view();
  if (frame.payload.octets() <= gathered_payload) {
    std::array<std::uint8_t, vnet_header_length + HeaderBlock::capacity + gathered_payload> whole;
    std::uint8_t* end = std::copy(vnet.begin(), vnet.end(), whole.data());
    end = std::copy(block.begin(), block.end(), end);
    for (const Slice& s : frame.payload) end = std::copy_n(s.data(), s.size(), end);
    return ::write(descriptor_, whole.data(), static_cast<std::size_t>(end - whole.data()));
  }
  std::array<iovec, SliceList::max_slices + 2> parts;
  std::size_t count = 0;
  const auto add = [&](const std::uint8_t* data, std::size_t length) {
    if (length > 0) parts[count++] = iovec{const_cast<std::uint8_t*>(data), length};  // writev only reads
  };
  add(vnet.data(), vnet.size());
  add(block.data(), block.size());
  for (const Slice& s : frame.payload) add(s.data(), s.size());
  return ::writev(descriptor_, parts.data(), static_cast<int>(count));
}

TapDevice::WriteResult TapDevice::write(const FrameOut& frame) {
  std::array<std::uint8_t, vnet_header_length> header;
  if (vnet_header_) encode_vnet_header(vnet_header_for(frame), header);
  const ByteView vnet = vnet_header_ ? ByteView{header} : ByteView{};
  ssize_t n = 0;
  do n = write_gathered(frame, vnet);
  while (n < 0 && errno == EINTR);
  if (n >= 0) {
    ++counters_.frames_out;
    counters_.octets_out += frame.size();
    return WriteResult::Sent;
  }
  if (errno == EAGAIN) return WriteResult::Full;
  if (means_gone(errno)) return WriteResult::Gone;
  if (errno == EIO) {
    ++counters_.lost_link_down;
    return WriteResult::LinkDown;
  }
  ++counters_.rejected;
  return WriteResult::Rejected;
}

}  // namespace wireside

#include "driver_steering.hpp"

#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cstring>

#include "wire/dhcp.hpp"
#include "wire/ethernet.hpp"
#include "wire/icmp.hpp"
#include "wire/ipv4.hpp"

namespace wireside {
namespace {

// Offsets in an Ethernet frame that carries IPv4.
constexpr std::int32_t at_ether_type = 12;
constexpr std::int32_t at_ip = wire::ethernet_header_length;
constexpr std::int32_t at_fragment = at_ip + 6;
constexpr std::int32_t at_protocol = at_ip + 9;
constexpr std::int32_t at_source = at_ip + 12;
constexpr std::int32_t at_destination = at_ip + 16;
constexpr std::int32_t fragment_bits = 0x3fff;  // "more fragments" and the offset

constexpr std::uint8_t protocol_tcp = static_cast<std::uint8_t>(wire::IpProtocol::Tcp);
constexpr std::uint8_t protocol_udp = static_cast<std::uint8_t>(wire::IpProtocol::Udp);

/// 0 takes what is loaded, 6 is the packet's for loads, 7 our address, 8 the other's, 9 the ports.
/// 1 is lost with every load, and 10 points to the stack's end.
enum Register : std::uint8_t { R0 = 0, R1 = 1, R6 = 6, R7 = 7, R8 = 8, R9 = 9, R10 = 10 };

constexpr std::int32_t signed_bits(std::uint32_t value) { return std::bit_cast<std::int32_t>(value); }

/// Instructions one after the other; jumps go forward to places that are named later.
class Program {
 public:
  void add(std::uint8_t code, Register destination, Register source, std::int32_t immediate, std::int16_t offset = 0) {
    bpf_insn i{};
    i.code = code;
    i.dst_reg = destination & 0xfU;
    i.src_reg = source & 0xfU;
    i.off = offset;
    i.imm = immediate;
    code_.push_back(i);
  }
  void load(std::uint8_t size, std::int32_t offset) {
    add(static_cast<std::uint8_t>(BPF_LD | BPF_ABS | size), R0, R0, offset);
  }
  /// From `base` octets plus what `index` holds.
  void load_indexed(std::uint8_t size, Register index, std::int32_t base) {
    add(static_cast<std::uint8_t>(BPF_LD | BPF_IND | size), R0, index, base);
  }
  void move(Register to, Register from) { add(BPF_ALU | BPF_MOV | BPF_X, to, from, 0); }
  void set(Register to, std::uint32_t value) { add(BPF_ALU | BPF_MOV | BPF_K, to, R0, signed_bits(value)); }
  void with(std::uint8_t operation, Register to, std::uint32_t value) {
    add(static_cast<std::uint8_t>(BPF_ALU | operation | BPF_K), to, R0, signed_bits(value));
  }
  void with(std::uint8_t operation, Register to, Register from) {
    add(static_cast<std::uint8_t>(BPF_ALU | operation | BPF_X), to, from, 0);
  }
  /// Unsigned 64-bit.
  void with_long(std::uint8_t operation, Register to, std::int32_t value) {
    add(static_cast<std::uint8_t>(BPF_ALU64 | operation | BPF_K), to, R0, value);
  }
  /// A jump where `condition` holds for the low 32 bits; its place for land().
  [[nodiscard]] std::size_t jump(std::uint8_t condition, Register left, std::int32_t right) {
    add(static_cast<std::uint8_t>(BPF_JMP32 | condition | BPF_K), left, R0, right);
    return code_.size() - 1;
  }
  [[nodiscard]] std::size_t jump() {
    add(BPF_JMP | BPF_JA, R0, R0, 0);
    return code_.size() - 1;
  }
  /// The jump goes to the next instruction that is added.
  void land(std::size_t jump) { code_[jump].off = static_cast<std::int16_t>(code_.size() - jump - 1); }
  void leave() { add(BPF_JMP | BPF_EXIT, R0, R0, 0); }

  [[nodiscard]] std::vector<std::uint64_t> words() const {
    static_assert(sizeof(bpf_insn) == sizeof(std::uint64_t));
    std::vector<std::uint64_t> out(code_.size());
    std::memcpy(out.data(), code_.data(), code_.size() * sizeof(bpf_insn));
    return out;
  }

 private:
  std::vector<bpf_insn> code_;
};

/// R0 = (R0 ^ (R0 >> shift) + other) * factor, as FlowOwner::hash does it.
void mix(Program& p, std::uint8_t shift, Register other, std::uint32_t factor) {
  p.move(R1, R0);
  p.with(BPF_RSH, R1, shift);
  p.with(BPF_XOR, R0, R1);
  p.with(BPF_ADD, R0, other);
  p.with(BPF_MUL, R0, factor);
}

/// The queue from the addresses in R7 and R8 and the ports in R9.
void answer_by_hash(Program& p, const FlowOwner& owner) {
  p.move(R0, R8);
  p.with(BPF_XOR, R0, owner.key());
  p.with(BPF_MUL, R0, FlowOwner::first_factor);
  mix(p, 15, R7, FlowOwner::second_factor);
  mix(p, 13, R9, FlowOwner::third_factor);
  p.move(R1, R0);
  p.with(BPF_RSH, R1, 16);
  p.with(BPF_XOR, R0, R1);
  p.with_long(BPF_MUL, R0, static_cast<std::int32_t>(owner.queues()));
  p.with_long(BPF_RSH, R0, 32);
  p.leave();
}

/// The queue of the ephemeral port in R0.
void answer_by_port(Program& p, const FlowOwner& owner) {
  constexpr std::uint32_t first = PortShare{}.first;
  p.with(BPF_SUB, R0, first);
  p.with(BPF_MUL, R0, static_cast<std::uint32_t>(owner.queues()));
  p.with(BPF_DIV, R0, 65536 - first);
  p.leave();
}

}  // namespace

std::vector<std::uint64_t> steering_program(const FlowOwner& owner) {
  Program p;
  p.add(BPF_ALU64 | BPF_MOV | BPF_X, R6, R1, 0);  // where loads look for the packet
  p.load(BPF_H, at_ether_type);
  const auto other_type = p.jump(BPF_JNE, R0, static_cast<std::int32_t>(wire::EtherType::Ipv4));
  p.load(BPF_W, at_source);
  p.move(R8, R0);
  p.load(BPF_W, at_destination);
  p.move(R7, R0);
  p.set(R9, 0);
  p.load(BPF_H, at_fragment);
  p.with(BPF_AND, R0, fragment_bits);
  const auto fragment = p.jump(BPF_JNE, R0, 0);
  p.load(BPF_B, at_protocol);
  const auto is_tcp = p.jump(BPF_JEQ, R0, protocol_tcp);
  const auto no_ports = p.jump(BPF_JNE, R0, protocol_udp);
  p.land(is_tcp);
  p.move(R9, R0);  // the protocol, for a moment
  p.load(BPF_B, at_ip);
  p.with(BPF_AND, R0, 0x0f);
  p.with(BPF_LSH, R0, 2);
  p.add(BPF_ALU64 | BPF_MOV | BPF_X, R1, R0, 0);
  p.add(BPF_STX | BPF_MEM | BPF_W, R10, R1, 0, -4);
  p.load_indexed(BPF_H, R1, at_ip + 2);
  const auto may_be_dhcp = p.jump(BPF_JEQ, R0, wire::dhcp_client_port.value);
  const auto ephemeral = p.jump(BPF_JGE, R0, PortShare{}.first);
  const auto hashed = p.jump();
  p.land(may_be_dhcp);
  const auto dhcp = p.jump(BPF_JEQ, R9, protocol_udp);
  p.land(hashed);
  p.with(BPF_LSH, R0, 16);
  p.move(R9, R0);
  p.add(BPF_LDX | BPF_MEM | BPF_W, R1, R10, 0, -4);
  p.load_indexed(BPF_H, R1, at_ip);
  p.with(BPF_OR, R9, R0);
  p.land(fragment);
  p.land(no_ports);
  answer_by_hash(p, owner);
  p.land(ephemeral);
  answer_by_port(p, owner);
  p.land(other_type);
  p.land(dhcp);
  p.set(R0, 0);
  p.leave();
  return p.words();
}

namespace {

int load_program(const std::vector<std::uint64_t>& program) {
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attributes.insn_cnt = static_cast<std::uint32_t>(program.size());
  attributes.insns = reinterpret_cast<std::uintptr_t>(program.data());
  static constexpr char licence[] = "MIT";
  attributes.license = reinterpret_cast<std::uintptr_t>(licence);
  return static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes));
}

}  // namespace

bool steer_in_driver(const TapDevice& device, const FlowOwner& owner) {
  int program = load_program(steering_program(owner));
  if (program < 0) return false;
  const bool taken = ::ioctl(device.native_handle(), TUNSETSTEERINGEBPF, &program) == 0;
  ::close(program);
  return taken;
}

void stop_steering_in_driver(const TapDevice& device) {
  int none = -1;
  (void)::ioctl(device.native_handle(), TUNSETSTEERINGEBPF, &none);
}

}  // namespace wireside

// Ethernet (with IEEE 802.1Q tags) and ARP (RFC 826).
#include "dissect/protocols.hpp"

namespace wireside::dissect {
namespace {

constexpr std::uint64_t ipv4_type = 0x0800, arp_type = 0x0806, vlan_type = 0x8100, first_type = 0x0600;

Words type_name(std::uint64_t type) {
  switch (type) {
    case ipv4_type:
      return {"IPv4", "IPv4"};
    case arp_type:
      return {"ARP", "ARP"};
    case vlan_type:
      return {"a VLAN tag follows", "后面是 VLAN 标签"};
    case 0x86dd:
      return {"IPv6", "IPv6"};
    case 0x88cc:
      return {"LLDP", "LLDP"};
    default:
      return {"unknown", "未知"};
  }
}

std::uint64_t note_type(Builder& b) {
  Builder::Note note = b.number(16, {"type", "类型"});
  note.in_hex();
  const std::uint64_t type = note;
  if (type < first_type) {
    note.means({"a length of {} octets (IEEE 802.3)", "长度 {} 字节（IEEE 802.3）"}, type);
  } else {
    note.means(type_name(type)).rule({"what the payload is", "载荷的协议"});
  }
  return type;
}

void padding(Builder& b) {
  b.end_with_frame();
  if (b.left() == 0) return;
  b.layer({"Ethernet padding", "以太网填充"});
  const std::size_t count = b.left();
  b.bytes(count, {"padding", "填充"})
      .means({"{} octets: a frame has at least 60 without its FCS", "{} 字节：不含 FCS 的帧至少 60 字节"}, count)
      .rule({"zeros up to the smallest frame (IEEE 802.3)", "用零补到最小帧长（IEEE 802.3）"});
}

Words operation_name(std::uint64_t operation) {
  switch (operation) {
    case 1:
      return {"request", "请求"};
    case 2:
      return {"reply", "应答"};
    default:
      return {"unknown", "未知"};
  }
}

/// What the whole packet says.
void sense(Builder& b, std::uint64_t operation, std::uint64_t sender, std::uint64_t target, const std::string& mac) {
  const auto text = [](std::uint64_t a) { return Ipv4Address{static_cast<std::uint32_t>(a)}.to_string(); };
  Builder::Note note = b.remark({"in short", "含义"});
  if (operation == 1 && sender == 0) {
    note.means({"does anyone have {}? (a probe, RFC 5227)", "有人使用 {} 吗？（探测，RFC 5227）"}, text(target));
  } else if (sender == target) {
    note.means({"{} is at {} (an announcement, RFC 5227)", "{} 位于 {}（通告，RFC 5227）"}, text(sender), mac);
  } else if (operation == 1) {
    note.means({"who has {}? tell {}", "谁是 {}？请告诉 {}"}, text(target), text(sender));
  } else if (operation == 2) {
    note.means({"{} is at {}", "{} 位于 {}"}, text(sender), mac);
  }
}

}  // namespace

void ethernet(Builder& b) {
  b.layer({"Ethernet", "以太网"});
  b.mac({"destination", "目的地址"})
      .rule({"the next hop's address from the ARP cache; broadcast for an ARP request",
             "ARP 缓存中下一跳的地址；ARP 请求用广播"});
  b.mac({"source", "源地址"}).rule({"the interface's own", "本接口的地址"});
  std::uint64_t type = note_type(b);
  while (type == vlan_type) {
    b.layer({"IEEE 802.1Q tag", "IEEE 802.1Q 标签"});
    b.number(3, {"priority", "优先级"});
    b.flag({"drop eligible", "可丢弃"}, {"may be dropped first", "拥塞时可先丢弃"});
    b.number(12, {"VLAN", "VLAN 编号"});
    type = note_type(b);
  }
  if (type == ipv4_type) {
    ipv4(b);
    padding(b);
  } else if (type == arp_type) {
    arp(b);
    padding(b);
  } else if (b.left() != 0) {
    payload(b, {"payload", "载荷"});
  }
}

void arp(Builder& b) {
  b.layer({"ARP", "ARP"});
  Builder::Note hardware_note = b.number(16, {"hardware type", "硬件类型"});
  const std::uint64_t hardware = hardware_note;
  if (hardware == 1) hardware_note.means({"Ethernet", "以太网"});
  Builder::Note protocol_note = b.number(16, {"protocol type", "协议类型"});
  const std::uint64_t protocol = protocol_note.in_hex();
  if (protocol == ipv4_type) protocol_note.means({"IPv4", "IPv4"});
  const std::uint64_t hardware_length = b.number(8, {"hardware length", "硬件地址长度"});
  const std::uint64_t protocol_length = b.number(8, {"protocol length", "协议地址长度"});
  Builder::Note operation_note = b.number(16, {"operation", "操作"});
  const std::uint64_t operation = operation_note;
  operation_note.means(operation_name(operation));
  if (hardware != 1 || protocol != ipv4_type || hardware_length != 6 || protocol_length != 4) {
    return payload(b, {"addresses of unknown kinds", "未知类型的地址"});
  }
  const std::uint64_t sender_mac = b.mac({"sender hardware", "发送方硬件地址"}).rule({"own", "本机"});
  const std::uint64_t sender =
      b.ipv4({"sender protocol", "发送方协议地址"}).rule({"own; 0 in a probe", "本机；探测时为 0"});
  b.mac({"target hardware", "目标硬件地址"})
      .rule({"zeros in a request: that is the question", "请求中为零：正是要问的"});
  const std::uint64_t target = b.ipv4({"target protocol", "目标协议地址"}).rule({"the next hop", "下一跳"});
  std::string mac;
  for (int shift = 40; shift >= 0; shift -= 8) {
    mac += fmt::format("{}{:02x}", mac.empty() ? "" : ":", sender_mac >> shift & 0xff);
  }
  sense(b, operation, sender, target, mac);
}

}  // namespace wireside::dissect

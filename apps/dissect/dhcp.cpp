// DHCP (RFC 2131) and its options (RFC 2132, RFC 3442).
#include <algorithm>

#include "dissect/protocols.hpp"

namespace wireside::dissect {
namespace {

enum class Form : std::uint8_t {
  Octets,
  Address,
  Addresses,
  Text,
  Seconds,
  Number,
  Codes,
  MessageType,
  ClientId,
  Routes
};

struct OptionKind {
  std::uint64_t code;
  Words name;
  Form form;
};
constexpr OptionKind kinds[] = {
    {1, {"subnet mask", "子网掩码"}, Form::Address},
    {3, {"router", "路由器"}, Form::Addresses},
    {6, {"DNS servers", "DNS 服务器"}, Form::Addresses},
    {12, {"host name", "主机名"}, Form::Text},
    {15, {"domain name", "域名"}, Form::Text},
    {26, {"interface MTU", "接口 MTU"}, Form::Number},
    {28, {"broadcast address", "广播地址"}, Form::Address},
    {42, {"NTP servers", "NTP 服务器"}, Form::Addresses},
    {50, {"requested address", "请求的地址"}, Form::Address},
    {51, {"lease time", "租期"}, Form::Seconds},
    {52, {"overload", "选项重载"}, Form::Number},
    {53, {"message type", "消息类型"}, Form::MessageType},
    {54, {"server identifier", "服务器标识"}, Form::Address},
    {55, {"parameter request list", "参数请求列表"}, Form::Codes},
    {56, {"message", "消息"}, Form::Text},
    {57, {"largest message", "最大消息长度"}, Form::Number},
    {58, {"renewal time T1", "续租时间 T1"}, Form::Seconds},
    {59, {"rebinding time T2", "重新绑定时间 T2"}, Form::Seconds},
    {60, {"vendor class", "厂商类别"}, Form::Text},
    {61, {"client identifier", "客户标识"}, Form::ClientId},
    {121, {"classless routes", "无类路由"}, Form::Routes},
};

constexpr std::string_view message_types[] = {"",    "DISCOVER", "OFFER",   "REQUEST", "DECLINE",
                                              "ACK", "NAK",      "RELEASE", "INFORM",  "FORCERENEW"};

std::string addresses(ByteView octets) {
  std::string out;
  for (std::size_t i = 0; i + 4 <= octets.size(); i += 4) {
    out += fmt::format("{}{}", out.empty() ? "" : ", ", Ipv4Address{load_be32(&octets[i])}.to_string());
  }
  return out;
}

/// "10.0.0.0/8 via 10.1.0.1"
std::string routes(ByteView octets) {
  std::string out;
  while (!octets.empty()) {
    const std::size_t width = octets[0], significant = (width + 7) / 8;
    if (width > 32 || octets.size() < 1 + significant + 4) return out + " …";
    std::uint32_t network = 0;
    for (std::size_t i = 0; i < significant; ++i) network |= std::uint32_t{octets[1 + i]} << (24 - 8 * i);
    out += fmt::format("{}{}/{} via {}", out.empty() ? "" : ", ", Ipv4Address{network}.to_string(), width,
                       Ipv4Address{load_be32(&octets[1 + significant])}.to_string());
    octets = octets.subspan(1 + significant + 4);
  }
  return out;
}

std::uint64_t number_of(ByteView octets) {
  std::uint64_t n = 0;
  for (const std::uint8_t octet : octets.first(std::min<std::size_t>(octets.size(), 8))) n = n << 8 | octet;
  return n;
}

std::string value_of(Form form, ByteView octets) {
  switch (form) {
    case Form::Address:
    case Form::Addresses:
      return addresses(octets);
    case Form::Text:
      return quoted(octets);
    case Form::Seconds:
      return number_of(octets) == 0xffffffff ? "infinite" : fmt::format("{} s", number_of(octets));
    case Form::Number:
      return fmt::format("{}", number_of(octets));
    case Form::Codes:
      return fmt::format("{}", fmt::join(octets, ", "));
    case Form::MessageType:
      return octets[0] < std::size(message_types) ? fmt::format("{} (DHCP{})", octets[0], message_types[octets[0]])
                                                  : fmt::format("{}", octets[0]);
    case Form::ClientId:
    case Form::Octets:
      return "";
    case Form::Routes:
      return routes(octets);
  }
  return "";
}

/// False behind the end option.
bool dhcp_option(Builder& b) {
  Builder::Note code_note = b.number(8, {"option", "选项"});
  const std::uint64_t code = code_note;
  if (code == 0) {
    code_note.means({"pad", "填充"});
    return true;
  }
  if (code == 255) {
    code_note.means({"end", "结束"});
    return false;
  }
  const auto* const kind =
      std::find_if(std::begin(kinds), std::end(kinds), [&](const OptionKind& k) { return k.code == code; });
  code_note.means(kind == std::end(kinds) ? Words{"unknown", "未知"} : kind->name);
  Builder::Note length_note = b.number(8, {"option length", "选项长度"});
  const auto length = static_cast<std::size_t>(std::uint64_t{length_note});
  if (length > b.left()) length_note.means({"more than there is", "超出剩余长度"}).wrong();
  if (length == 0) return true;
  const ByteView data = b.octets(b.at(), length);
  const std::string value = kind == std::end(kinds) || data.empty() ? "" : value_of(kind->form, data);
  Builder::Note note = b.bytes(length, kind == std::end(kinds) ? Words{"data", "数据"} : kind->name);
  if (!value.empty()) note.shown_as(value);
  return true;
}

void hardware_address(Builder& b, std::uint64_t hardware, std::uint64_t length) {
  if (hardware == 1 && length == 6) {
    b.mac({"client hardware", "客户硬件地址"}).rule({"the interface's own", "本接口的地址"});
    b.bytes(10, {"fill", "填充"});
  } else {
    b.bytes(16, {"client hardware", "客户硬件地址"});
  }
}

}  // namespace

void dhcp(Builder& b) {
  b.layer({"DHCP", "DHCP"});
  Builder::Note op = b.number(8, {"op", "操作"});
  op.means(op == 1 ? Words{"request: from a client", "请求：来自客户"}
                   : Words{"reply: from a server", "应答：来自服务器"});
  const std::uint64_t hardware = b.number(8, {"hardware type", "硬件类型"});
  const std::uint64_t length = b.number(8, {"hardware length", "硬件地址长度"});
  b.number(8, {"hops", "跳数"}).means({"relays on the way", "经过的中继数"});
  b.number(32, {"xid", "事务标识"}).in_hex().rule({"random; the answers repeat it", "随机；应答照抄"});
  b.number(16, {"secs", "秒数"}).means({"since the client began", "客户开始至今"});
  b.flag({"broadcast", "广播标志"}, {"please answer by broadcast", "请用广播应答"});
  b.number(15, {"reserved", "保留"});
  b.ipv4({"ciaddr", "ciaddr"}).means({"the client's address, if it has one", "客户已有的地址"});
  b.ipv4({"yiaddr", "yiaddr"}).means({"your address: what the server gives", "分配给客户的地址"});
  b.ipv4({"siaddr", "siaddr"}).means({"server for the next step of booting", "启动下一步所用的服务器"});
  b.ipv4({"giaddr", "giaddr"}).means({"relay agent", "中继代理"});
  hardware_address(b, hardware, length);
  b.text(64, {"sname", "服务器名"});
  b.text(128, {"file", "启动文件"});
  Builder::Note cookie = b.number(32, {"magic cookie", "魔术数"});
  cookie.in_hex();
  if (cookie != 0x63825363) return cookie.means({"not DHCP", "不是 DHCP"}).wrong(), void();
  while (b.left() != 0 && dhcp_option(b)) {
  }
  if (b.left() != 0) b.bytes(b.left(), {"fill", "填充"});
}

}  // namespace wireside::dissect

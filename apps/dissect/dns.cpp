// DNS (RFC 1035).
#include "dissect/protocols.hpp"

namespace wireside::dissect {
namespace {

constexpr std::size_t name_limit = 255;

struct Name {
  std::string text;
  std::size_t octets = 0;  ///< of it at the place where it stands
};

/// The name at `from`; pointers lead backwards only, so this ends.
Name name_at(const Builder& b, std::size_t message, std::size_t from) {
  Name out;
  std::size_t at = from, limit = from;
  bool jumped = false;
  while (true) {
    const ByteView length = b.octets(at, 1);
    if (length.empty()) throw CutOff{};
    const std::size_t n = length[0];
    if (n >= 0xc0) {
      const ByteView low = b.octets(at + 1, 1);
      if (low.empty()) throw CutOff{};
      if (!jumped) out.octets = at + 2 - from;
      jumped = true;
      const std::size_t target = message + ((n & 0x3f) << 8 | low[0]);
      if (target >= limit) return out.text += "<loop>", out;
      at = limit = target;
      continue;
    }
    if (n == 0 || n >= 0x40 || out.text.size() > name_limit) break;
    const ByteView label = b.octets(at + 1, n);
    if (label.size() < n) throw CutOff{};
    for (const std::uint8_t c : label) out.text += c > 0x20 && c < 0x7f ? static_cast<char>(c) : '?';
    out.text += '.';
    at += 1 + n;
  }
  if (!jumped) out.octets = at + 1 - from;
  if (out.text.empty()) out.text = ".";
  return out;
}

Words record_type_name(std::uint64_t type) {
  switch (type) {
    case 1:
      return {"A: an IPv4 address", "A：IPv4 地址"};
    case 2:
      return {"NS: a name server", "NS：域名服务器"};
    case 5:
      return {"CNAME: another name for it", "CNAME：别名"};
    case 6:
      return {"SOA: start of authority", "SOA：起始授权机构"};
    case 12:
      return {"PTR: a name for an address", "PTR：地址对应的名字"};
    case 15:
      return {"MX: a mail server", "MX：邮件服务器"};
    case 16:
      return {"TXT", "TXT"};
    case 28:
      return {"AAAA: an IPv6 address", "AAAA：IPv6 地址"};
    case 41:
      return {"OPT (EDNS, RFC 6891)", "OPT（EDNS，RFC 6891）"};
    default:
      return {"", ""};
  }
}

void note_name(Builder& b, std::size_t message, Words name) {
  const Name found = name_at(b, message, b.at());
  b.bytes(found.octets, name).shown_as(found.text);
}

constexpr std::uint64_t opt_record = 41;

std::uint64_t note_type_and_class(Builder& b) {
  Builder::Note type = b.number(16, {"type", "类型"});
  const std::uint64_t number = type;
  type.means(record_type_name(number));
  if (number == opt_record) {
    b.number(16, {"UDP payload size", "UDP 载荷大小"})
        .means({"octets that the sender can take", "发送方可接收的字节数"});
  } else {
    b.number(16, {"class", "类"});
  }
  return number;
}

void record(Builder& b, std::size_t message) {
  note_name(b, message, {"name", "名字"});
  const std::uint64_t type = note_type_and_class(b);
  if (type == opt_record) {
    b.number(8, {"extended response code", "扩展应答码"});
    b.number(8, {"EDNS version", "EDNS 版本"});
    b.flag({"DO", "DO"}, {"DNSSEC records are wanted", "需要 DNSSEC 记录"});
    b.number(15, {"reserved", "保留"});
  } else {
    b.number(32, {"TTL", "生存时间"}).means({"seconds that this may be kept", "可缓存的秒数"});
  }
  const auto length = static_cast<std::size_t>(std::uint64_t{b.number(16, {"data length", "数据长度"})});
  const std::size_t next = b.at() + length;
  if (type == 1 && length == 4) {
    b.ipv4({"address", "地址"});
  } else if ((type == 2 || type == 5 || type == 12) && length != 0) {
    note_name(b, message, {"name", "名字"});
  } else if (length != 0) {
    b.bytes(length, {"data", "数据"});
  }
  b.go_to(next);
}

}  // namespace

void dns(Builder& b) {
  b.layer({"DNS", "DNS"});
  const std::size_t message = b.at();
  b.number(16, {"identifier", "标识"}).in_hex().rule({"random; the answer repeats it", "随机；应答照抄"});
  b.flag({"QR", "QR"}, {"a response", "应答"});
  b.number(4, {"opcode", "操作码"});
  b.flag({"AA", "AA"}, {"from a server that is responsible", "权威应答"});
  b.flag({"TC", "TC"}, {"cut short: ask again over TCP", "被截断：请改用 TCP"});
  b.flag({"RD", "RD"}, {"please ask others for me", "请求递归"});
  b.flag({"RA", "RA"}, {"the server does that", "支持递归"});
  b.number(3, {"reserved", "保留"});
  Builder::Note code = b.number(4, {"response code", "应答码"});
  if (code == 2) code.means({"the server failed", "服务器失败"});
  if (code == 3) code.means({"there is no such name", "名字不存在"});
  const std::uint64_t questions = b.number(16, {"questions", "问题数"});
  std::uint64_t records = b.number(16, {"answers", "回答数"});
  records += b.number(16, {"authority records", "权威记录数"});
  records += b.number(16, {"additional records", "附加记录数"});
  for (std::uint64_t i = 0; i < questions && b.left() != 0; ++i) {
    b.layer({"DNS question", "DNS 问题"});
    note_name(b, message, {"name", "名字"});
    note_type_and_class(b);
  }
  for (std::uint64_t i = 0; i < records && b.left() != 0; ++i) {
    b.layer({"DNS record", "DNS 记录"});
    record(b, message);
  }
}

}  // namespace wireside::dissect

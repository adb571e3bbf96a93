// TCP (RFC 9293) and UDP (RFC 768).
#include <algorithm>

#include "dissect/protocols.hpp"

namespace wireside::dissect {
namespace {

struct PortName {
  std::uint64_t port;
  std::string_view name;
};
constexpr PortName port_names[] = {{7, "echo"},    {9, "discard"}, {19, "chargen"}, {20, "ftp-data"},  {21, "ftp"},
                                   {22, "ssh"},    {23, "telnet"}, {25, "smtp"},    {53, "domain"},    {67, "bootps"},
                                   {68, "bootpc"}, {69, "tftp"},   {80, "http"},    {110, "pop3"},     {123, "ntp"},
                                   {143, "imap"},  {179, "bgp"},   {443, "https"},  {8080, "http-alt"}};

void note_port(Builder& b, Words name, Words rule) {
  Builder::Note note = b.number(16, name);
  note.shown_as(port_name(note)).rule(rule);
}

std::vector<std::string> pseudo_steps(const Builder& b, const PseudoHeader& ip, std::size_t length, ByteView segment,
                                      std::size_t field) {
  return {
      b.say({"pseudo-header {:04x} + {:04x} + {:04x} + {:04x} + {:04x} (protocol) + {:04x} (length)",
             "伪首部 {:04x} + {:04x} + {:04x} + {:04x} + {:04x}（协议）+ {:04x}（长度）"},
            ip.source >> 16, ip.source & 0xffff, ip.destination >> 16, ip.destination & 0xffff, ip.protocol, length),
      words_of(segment.first(field)) + " + 0000" +
          (segment.size() > field + 2 ? " + " + words_of(segment.subspan(field + 2)) : "")};
}

/// The checksum of the segment or datagram that began at `begin` and is `length` octets long.
void transport_checksum(Builder& b, const PseudoHeader& ip, std::size_t begin, std::size_t length) {
  const std::size_t field = b.at() - begin;
  const ByteView whole = b.octets(begin, length);
  if (!ip.known || whole.size() < length || whole.size() < field + 2) {
    b.number(16, {"checksum", "校验和"})
        .in_hex()
        .means(ip.known ? Words{"cannot be judged: octets are missing", "无法判断：缺少字节"}
                        : Words{"cannot be judged without the IP header", "没有 IP 首部，无法判断"});
    return;
  }
  Sum sum;
  sum.add(ip.source >> 16).add(ip.source & 0xffff).add(ip.destination >> 16).add(ip.destination & 0xffff);
  sum.add(ip.protocol).add(static_cast<std::uint32_t>(length));
  sum.add(whole.first(field)).add(whole.subspan(field + 2));
  note_checksum(b, sum, pseudo_steps(b, ip, length, whole, field));
}

std::string flags_in_short(std::uint64_t flags) {
  static constexpr std::string_view names[] = {"CWR", "ECE", "URG", "ACK", "PSH", "RST", "SYN", "FIN"};
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) {
    if ((flags >> (7 - i) & 1) != 0) out += fmt::format("{}{}", out.empty() ? "" : " ", names[i]);
  }
  return out.empty() ? "-" : out;
}

void tcp_flags(Builder& b) {
  const std::uint64_t octet = b.peek();
  b.flag({"CWR", "CWR"}, {"the window was reduced as asked by ECE", "已按 ECE 减小拥塞窗口"});
  b.flag({"ECE", "ECE"},
         {"a packet came with a congestion mark; in a SYN: can do ECN", "收到拥塞标记；SYN 中表示支持 ECN"});
  b.flag({"URG", "URG"}, {"the urgent pointer counts", "紧急指针有效"});
  b.flag({"ACK", "ACK"}, {"the acknowledgment number counts", "确认号有效"});
  b.flag({"PSH", "PSH"}, {"hand what came to the application now", "请立即交给应用"});
  b.flag({"RST", "RST"}, {"the connection ends at once", "连接立即终止"});
  b.flag({"SYN", "SYN"}, {"opens: the sequence number is the initial one", "建立连接：序号为初始序号"});
  b.flag({"FIN", "FIN"}, {"the sender has no more to send", "发送方不再发送数据"});
  b.remark({"flags in short", "标志汇总"}).shown_as(flags_in_short(octet));
}

void sack_blocks(Builder& b, std::size_t octets) {
  for (; octets >= 8; octets -= 8) {
    const std::uint64_t left = b.number(32, {"left edge", "左边界"});
    Builder::Note right = b.number(32, {"right edge", "右边界"});
    right.means({"{} octets have arrived there", "已收到其中 {} 字节"}, static_cast<std::uint32_t>(right - left));
  }
}

/// What an option of a known kind holds; false where its length is none that it can have.
bool option_data(Builder& b, std::uint64_t kind, std::size_t octets) {
  if (kind == 2 && octets == 2) {
    b.number(16, {"MSS", "最大报文段长度"})
        .means(
            {"octets of data that a segment to the sender of this may carry", "发给本方的报文段最多携带的数据字节数"})
        .rule({"MTU of the interface - 40 (RFC 9293 3.7.1)", "接口 MTU 减 40（RFC 9293 3.7.1）"});
  } else if (kind == 3 && octets == 1) {
    Builder::Note shift = b.number(8, {"shift", "位移"});
    shift.means({"windows count in units of {} octets (RFC 7323)", "窗口以 {} 字节为单位（RFC 7323）"},
                std::uint64_t{1} << std::min<std::uint64_t>(shift, 14));
    shift.rule({"rcv_wscale: enough for the receive buffer", "rcv_wscale：足以表示接收缓冲区"});
  } else if (kind == 5 && octets >= 8 && octets % 8 == 0) {
    sack_blocks(b, octets);
  } else if (kind == 8 && octets == 8) {
    b.number(32, {"TSval", "TSval"}).rule({"a millisecond clock with a random offset", "毫秒时钟加随机偏移"});
    b.number(32, {"TSecr", "TSecr"}).rule({"TS.Recent: the peer's TSval, sent back", "TS.Recent：送回对端的 TSval"});
  } else if (kind == 28 && octets == 2) {
    const bool minutes = b.number(1, {"granularity", "单位"}).means({"minutes", "分钟"}) != 0;
    b.number(15, {"user timeout", "用户超时"}).means(minutes ? Words{"minutes", "分钟"} : Words{"seconds", "秒"});
  } else if (kind == 34) {
    if (octets != 0) b.bytes(octets, {"cookie", "Cookie"});
  } else {
    return kind == 4 && octets == 0;
  }
  return true;
}

Words option_name(std::uint64_t kind) {
  switch (kind) {
    case 0:
      return {"end of options", "选项结束"};
    case 1:
      return {"no operation (fills up to a multiple of four)", "无操作（用于对齐）"};
    case 2:
      return {"maximum segment size", "最大报文段长度"};
    case 3:
      return {"window scale", "窗口扩大"};
    case 4:
      return {"SACK permitted: the sender can report and use gaps", "允许 SACK：可报告和利用空洞"};
    case 5:
      return {"SACK: octets that arrived behind a gap (RFC 2018)", "SACK：空洞之后已到达的数据（RFC 2018）"};
    case 8:
      return {"timestamps (RFC 7323)", "时间戳（RFC 7323）"};
    case 19:
      return {"MD5 signature", "MD5 签名"};
    case 28:
      return {"user timeout (RFC 5482)", "用户超时（RFC 5482）"};
    case 29:
      return {"authentication (RFC 5925)", "认证（RFC 5925）"};
    case 34:
      return {"Fast Open cookie (RFC 7413)", "Fast Open Cookie（RFC 7413）"};
    default:
      return {"unknown", "未知"};
  }
}

void tcp_option(Builder& b) {
  Builder::Note kind_note = b.number(8, {"option", "选项"});
  const std::uint64_t kind = kind_note;
  kind_note.means(option_name(kind));
  if (kind == 0 && b.left() != 0) b.bytes(b.left(), {"fill", "填充"});
  if (kind < 2) return;
  Builder::Note length_note = b.number(8, {"option length", "选项长度"});
  const std::uint64_t length = length_note;
  const std::size_t data =
      length < 2 ? b.left() : std::min<std::size_t>(static_cast<std::size_t>(length) - 2, b.left());
  if (length < 2 || length - 2 > data) length_note.means({"not possible", "不可能的长度"}).wrong();
  const std::size_t next = b.at() + data;
  if (!option_data(b, kind, data) && data != 0) b.bytes(data, {"option data", "选项数据"});
  b.go_to(next);
}

void tcp_options(Builder& b, std::size_t end) {
  const std::size_t outer = b.end();
  b.end_at(std::min(outer, end));
  while (b.left() != 0) tcp_option(b);
  b.end_at(outer);
}

}  // namespace

std::string port_name(std::uint64_t port) {
  const auto* const found =
      std::find_if(std::begin(port_names), std::end(port_names), [&](const PortName& p) { return p.port == port; });
  return found == std::end(port_names) ? fmt::format("{}", port) : fmt::format("{} ({})", port, found->name);
}

void tcp(Builder& b, const PseudoHeader& ip) {
  b.layer({"TCP", "TCP"});
  const std::size_t begin = b.at();
  note_port(b, {"source port", "源端口"}, {"of the socket", "套接字的端口"});
  note_port(b, {"destination port", "目的端口"}, {"of the peer's socket", "对端套接字的端口"});
  b.number(32, {"sequence number", "序号"})
      .means({"of the first octet of data", "首个数据字节的序号"})
      .rule({"snd_nxt; snd_una or a gap's edge when sent again; iss in a SYN",
             "snd_nxt；重传时为 snd_una 或空洞边界；SYN 中为 iss"});
  b.number(32, {"acknowledgment number", "确认号"})
      .means({"the next octet that the sender expects", "期望收到的下一字节"})
      .rule({"rcv_nxt", "rcv_nxt"});
  Builder::Note offset = b.number(4, {"data offset", "数据偏移"});
  const std::size_t header = static_cast<std::size_t>(std::uint64_t{offset}) * 4;
  offset.means({"{} octets of header", "首部 {} 字节"}, header);
  if (header < 20) offset.wrong();
  b.number(4, {"reserved", "保留"});
  tcp_flags(b);
  b.number(16, {"window", "窗口"})
      .means({"octets that may be sent, in units of the window scale (as they are in a SYN)",
              "允许发送的字节数，按窗口扩大因子计（SYN 中不扩大）"})
      .rule({"rcv_wnd >> rcv_wscale", "rcv_wnd >> rcv_wscale"});
  transport_checksum(b, ip, begin, b.end() - begin);
  b.number(16, {"urgent pointer", "紧急指针"})
      .rule({"snd_up - seq while there is urgent data, else 0", "有紧急数据时为 snd_up - seq，否则为 0"});
  tcp_options(b, begin + std::max<std::size_t>(header, 20));
  if (b.left() != 0) payload(b, {"data", "数据"});
}

void udp(Builder& b, const PseudoHeader& ip) {
  b.layer({"UDP", "UDP"});
  const std::size_t begin = b.at();
  const std::uint64_t source = b.peek(0) * 256U + b.peek(1), destination = b.peek(2) * 256U + b.peek(3);
  note_port(b, {"source port", "源端口"}, {"of the socket", "套接字的端口"});
  note_port(b, {"destination port", "目的端口"}, {"of the peer's socket", "对端套接字的端口"});
  Builder::Note length_note = b.number(16, {"length", "长度"});
  const auto length = static_cast<std::size_t>(std::uint64_t{length_note});
  length_note.means({"octets, 8 of them header", "字节，其中首部 8 字节"});
  if (length < 8) length_note.wrong();
  if (b.peek(0) == 0 && b.peek(1) == 0) {
    b.number(16, {"checksum", "校验和"}).in_hex().means({"none was computed", "未计算"});
  } else {
    transport_checksum(b, ip, begin, length);
  }
  b.end_at(std::min(b.end(), begin + std::max<std::size_t>(length, 8)));
  if (b.left() == 0) return;
  const auto either = [&](std::uint64_t port) { return source == port || destination == port; };
  if (either(67) || either(68)) return dhcp(b);
  if (either(53)) return dns(b);
  payload(b, {"data", "数据"});
}

void payload(Builder& b, Words title) {
  b.layer(title);
  if (b.left() == 0) return;
  const std::size_t count = b.left();
  const std::string text = quoted(b.octets(b.at(), count));
  b.bytes(count, {"octets", "字节"}).means({"{}: {}", "{}：{}"}, count, text);
}

}  // namespace wireside::dissect

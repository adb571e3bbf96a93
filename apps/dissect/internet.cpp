// IPv4 (RFC 791) and ICMP (RFC 792).
#include <algorithm>

#include "dissect/protocols.hpp"

namespace wireside::dissect {
namespace {

struct Named {
  std::uint64_t number;
  Words words;
};

template <std::size_t N>
Words name_in(const Named (&table)[N], std::uint64_t number) {
  const auto* const found =
      std::find_if(std::begin(table), std::end(table), [&](const Named& n) { return n.number == number; });
  return found == std::end(table) ? Words{"unknown", "未知"} : found->words;
}

constexpr std::uint64_t icmp_protocol = 1, tcp_protocol = 6, udp_protocol = 17;

constexpr Named protocols[] = {{1, {"ICMP", "ICMP"}},  {2, {"IGMP", "IGMP"}},  {6, {"TCP", "TCP"}},
                               {17, {"UDP", "UDP"}},   {47, {"GRE", "GRE"}},   {50, {"ESP", "ESP"}},
                               {89, {"OSPF", "OSPF"}}, {132, {"SCTP", "SCTP"}}};
constexpr Named ecn_points[] = {{0, {"not ECN-capable", "不支持 ECN"}},
                                {1, {"ECT(1)", "ECT(1)"}},
                                {2, {"ECT(0): ECN-capable", "ECT(0)：支持 ECN"}},
                                {3, {"CE: a router met congestion", "CE：路由器遇到拥塞"}}};
constexpr Named options[] = {{0, {"end of options", "选项结束"}},         {1, {"no operation", "无操作"}},
                             {7, {"record route", "记录路由"}},           {68, {"timestamp", "时间戳"}},
                             {131, {"loose source route", "宽松源路由"}}, {137, {"strict source route", "严格源路由"}},
                             {148, {"router alert", "路由器警报"}}};
constexpr Named icmp_types[] = {{0, {"echo reply", "回显应答"}},
                                {3, {"destination unreachable", "目的不可达"}},
                                {4, {"source quench", "源抑制"}},
                                {5, {"redirect", "重定向"}},
                                {8, {"echo request", "回显请求"}},
                                {9, {"router advertisement", "路由器通告"}},
                                {10, {"router solicitation", "路由器请求"}},
                                {11, {"time exceeded", "超时"}},
                                {12, {"parameter problem", "参数问题"}},
                                {13, {"timestamp request", "时间戳请求"}},
                                {14, {"timestamp reply", "时间戳应答"}}};
constexpr Named unreachable_codes[] = {{0, {"network unreachable", "网络不可达"}},
                                       {1, {"host unreachable", "主机不可达"}},
                                       {2, {"protocol unreachable", "协议不可达"}},
                                       {3, {"port unreachable", "端口不可达"}},
                                       {4, {"fragmentation needed, but DF is set", "需要分片但 DF 置位"}},
                                       {5, {"source route failed", "源路由失败"}},
                                       {9, {"network prohibited", "网络被禁止"}},
                                       {10, {"host prohibited", "主机被禁止"}},
                                       {13, {"prohibited by a filter", "被过滤器禁止"}}};
constexpr Named redirect_codes[] = {{0, {"for the network", "针对网络"}}, {1, {"for the host", "针对主机"}}};
constexpr Named exceeded_codes[] = {{0, {"TTL was used up on the way", "途中 TTL 减为零"}},
                                    {1, {"fragments did not arrive in time", "分片未按时到齐"}}};

/// One option at the cursor; what is cut off ends at the header's end.
void ip_option(Builder& b) {
  const std::uint64_t kind = b.peek();
  Builder::Note note = b.number(8, {"option", "选项"});
  note.means(name_in(options, kind));
  if (kind < 2) return;
  const std::uint64_t length = b.number(8, {"option length", "选项长度"});
  const std::size_t rest = length < 2 ? b.left() : static_cast<std::size_t>(length) - 2;
  if (rest != 0) b.bytes(std::min(rest, b.left()), {"option data", "选项数据"});
}

struct Ipv4Facts {
  PseudoHeader pseudo;
  bool more_fragments = false;
  std::uint64_t fragment_offset = 0;
  std::size_t end = 0;     ///< octet behind the datagram
  std::size_t header = 0;  ///< octets
};

void note_lengths(Builder& b, std::size_t begin, Ipv4Facts& facts) {
  Builder::Note length = b.number(16, {"total length", "总长度"});
  const std::uint64_t octets = length;
  const std::size_t there = b.left() + b.at() - begin;
  facts.end = begin + static_cast<std::size_t>(octets);
  if (octets > there) {
    length.means({"octets; only {} are here", "字节；这里只有 {} 字节"}, there);
  } else {
    length.means({"octets, {} of them header", "字节，其中首部 {} 字节"}, facts.header);
  }
  length.rule({"IHL · 4 + what is carried", "IHL · 4 加载荷"});
}

void note_fragmentation(Builder& b, Ipv4Facts& facts) {
  b.number(16, {"identification", "标识"})
      .in_hex()
      .rule({"tells the fragments of one datagram from another's (RFC 6864); any value where DF is set",
             "区分不同数据报的分片（RFC 6864）；DF 置位时任意"});
  b.flag({"reserved", "保留"}, {"must be 0", "必须为 0"});
  b.flag({"DF", "DF"}, {"do not fragment: the path MTU is being found", "不分片：用于路径 MTU 发现"});
  facts.more_fragments = b.flag({"MF", "MF"}, {"more fragments follow", "后面还有分片"}) != 0;
  Builder::Note offset = b.number(13, {"fragment offset", "片偏移"});
  facts.fragment_offset = offset;
  if (facts.fragment_offset != 0)
    offset.means({"{} octets into the datagram", "数据报的第 {} 字节处"}, facts.fragment_offset * 8);
}

/// The header, options included; the cursor is behind it then.
Ipv4Facts ipv4_header(Builder& b) {
  const std::size_t begin = b.at();
  Ipv4Facts facts;
  Builder::Note version = b.number(4, {"version", "版本"});
  if (version != 4) version.means({"not IPv4", "不是 IPv4"}).wrong();
  Builder::Note ihl = b.number(4, {"IHL", "首部长度"});
  const std::size_t header = static_cast<std::size_t>(std::uint64_t{ihl}) * 4;
  facts.header = header;
  ihl.means({"{} octets of header", "首部 {} 字节"}, header);
  if (header < 20) ihl.wrong();
  b.number(6, {"DSCP", "DSCP"}).rule({"the application's TOS option", "应用设置的 TOS 选项"});
  Builder::Note ecn = b.number(2, {"ECN", "ECN"});
  ecn.means(name_in(ecn_points, ecn));
  note_lengths(b, begin, facts);
  note_fragmentation(b, facts);
  b.number(8, {"TTL", "生存时间"})
      .rule({"64 (RFC 1122 3.2.1.7), less one at each router", "64（RFC 1122 3.2.1.7），每经一个路由器减一"});
  Builder::Note protocol = b.number(8, {"protocol", "协议"});
  facts.pseudo.protocol = static_cast<std::uint8_t>(std::uint64_t{protocol});
  protocol.means(name_in(protocols, protocol));
  const ByteView before = b.octets(begin, 10);
  const ByteView behind = b.octets(begin + 12, header < 12 ? 0 : header - 12);
  note_checksum(b, Sum{}.add(before).add(behind), {words_of(before) + " + 0000 + " + words_of(behind)});
  facts.pseudo.source = static_cast<std::uint32_t>(std::uint64_t{b.ipv4({"source", "源地址"})});
  facts.pseudo.destination = static_cast<std::uint32_t>(std::uint64_t{b.ipv4({"destination", "目的地址"})});
  facts.pseudo.known = true;
  const std::size_t outer = b.end();
  b.end_at(std::min(outer, begin + std::max<std::size_t>(header, 20)));
  while (b.left() != 0) ip_option(b);
  b.end_at(outer);
  return facts;
}

void carried(Builder& b, const Ipv4Facts& facts) {
  if (facts.fragment_offset != 0) return payload(b, {"a later fragment", "后续分片"});
  if (facts.more_fragments) return payload(b, {"the first fragment", "首个分片"});
  switch (facts.pseudo.protocol) {
    case icmp_protocol:
      return icmp(b);
    case tcp_protocol:
      return tcp(b, facts.pseudo);
    case udp_protocol:
      return udp(b, facts.pseudo);
    default:
      return payload(b, {"payload", "载荷"});
  }
}

Words code_name(std::uint64_t type, std::uint64_t code) {
  switch (type) {
    case 3:
      return name_in(unreachable_codes, code);
    case 5:
      return name_in(redirect_codes, code);
    case 11:
      return name_in(exceeded_codes, code);
    default:
      return {"", ""};
  }
}

void icmp_rest(Builder& b, std::uint64_t type, std::uint64_t code) {
  if (type == 0 || type == 8 || type == 13 || type == 14) {
    b.number(16, {"identifier", "标识符"}).rule({"one for each ping", "每个 ping 一个"});
    b.number(16, {"sequence number", "序号"})
        .rule({"one more for each request; a reply repeats it", "每个请求加一；应答照抄"});
    return;
  }
  if (type == 5) {
    b.ipv4({"gateway", "网关"});
  } else if (type == 3 && code == 4) {
    b.number(16, {"unused", "未用"});
    b.number(16, {"next-hop MTU", "下一跳 MTU"}).means({"octets (RFC 1191)", "字节（RFC 1191）"});
  } else if (type == 12) {
    b.number(8, {"pointer", "指针"}).means({"the octet at fault", "出错的字节"});
    b.number(24, {"unused", "未用"});
  } else {
    b.number(32, {"unused", "未用"});
  }
}

}  // namespace

void ipv4(Builder& b) {
  b.layer({"IPv4", "IPv4"});
  const Ipv4Facts facts = ipv4_header(b);
  b.end_at(std::min(b.end(), std::max(facts.end, b.at())));
  carried(b, facts);
}

void quoted_ipv4(Builder& b) {
  b.layer({"the packet at fault: IPv4", "出错的报文：IPv4"});
  const Ipv4Facts facts = ipv4_header(b);
  if (facts.fragment_offset != 0 || (facts.pseudo.protocol != tcp_protocol && facts.pseudo.protocol != udp_protocol)) {
    return payload(b, {"its first octets", "其开头的字节"});
  }
  b.layer(facts.pseudo.protocol == tcp_protocol ? Words{"the packet at fault: TCP", "出错的报文：TCP"}
                                                : Words{"the packet at fault: UDP", "出错的报文：UDP"});
  Builder::Note source = b.number(16, {"source port", "源端口"});
  source.shown_as(port_name(source));
  Builder::Note destination = b.number(16, {"destination port", "目的端口"});
  destination.shown_as(port_name(destination));
  if (facts.pseudo.protocol == tcp_protocol) b.number(32, {"sequence number", "序号"});
  if (b.left() != 0) payload(b, {"more of it", "其余部分"});
}

void icmp(Builder& b) {
  b.layer({"ICMP", "ICMP"});
  const std::size_t begin = b.at();
  Builder::Note type_note = b.number(8, {"type", "类型"});
  const std::uint64_t type = type_note;
  type_note.means(name_in(icmp_types, type));
  Builder::Note code_note = b.number(8, {"code", "代码"});
  const std::uint64_t code = code_note;
  code_note.means(code_name(type, code));
  const ByteView all = b.octets(begin, b.end() - begin);
  const ByteView behind = all.size() > 4 ? all.subspan(4) : ByteView{};
  note_checksum(b, Sum{}.add(all.first(std::min<std::size_t>(2, all.size()))).add(behind),
                {words_of(all.first(std::min<std::size_t>(2, all.size()))) + " + 0000 + " + words_of(behind)});
  icmp_rest(b, type, code);
  if (b.left() == 0) return;
  if (type == 3 || type == 4 || type == 5 || type == 11 || type == 12) return quoted_ipv4(b);
  payload(b, {"data", "数据"});
}

}  // namespace wireside::dissect

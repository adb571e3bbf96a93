#include "wire/tcp_description.hpp"

#include <array>

#include "wire/text.hpp"

namespace wireside::wire {
namespace {

std::string flags_text(const TcpFlags& f) {
  std::string out;
  if (f.fin) out += 'F';
  if (f.syn) out += 'S';
  if (f.rst) out += 'R';
  if (f.psh) out += 'P';
  if (f.ack) out += '.';
  if (f.urg) out += 'U';
  if (f.ece) out += 'E';
  if (f.cwr) out += 'W';
  return out.empty() ? "none" : out;
}

void append_field(std::string& out, const char* label, std::uint32_t value) {
  out += label;
  append_number(out, value);
}

void append_octets(std::string& out, ByteView data) {
  for (const std::uint8_t octet : data) append_hex(out, octet, 2);
}

void append_sack(std::string& out, ByteView data, SeqNum base) {
  append_field(out, "sack ", static_cast<std::uint32_t>(data.size() / 8));
  out += ' ';
  for (std::size_t at = 0; at < data.size(); at += 8) {
    append_field(out, "{", load_be32(data.data() + at) - base.value());
    append_field(out, ":", load_be32(data.data() + at + 4) - base.value());
    out += '}';
  }
}

/// A kind we know whose length is not its own.
void append_odd_length(std::string& out, const char* name, ByteView data) {
  out += name;
  append_field(out, "[len ", static_cast<std::uint32_t>(data.size() + 2));
  out += ']';
}

void append_option(std::string& out, std::uint8_t kind, ByteView data, SeqNum ack_base) {
  const std::size_t n = data.size();
  switch (kind) {
    case 2:
      return n == 2 ? append_field(out, "mss ", load_be16(data.data())) : append_odd_length(out, "mss", data);
    case 3:
      return n == 1 ? append_field(out, "wscale ", data[0]) : append_odd_length(out, "wscale", data);
    case 4:
      return n == 0 ? void(out += "sackOK") : append_odd_length(out, "sackOK", data);
    case 5:
      return n > 0 && n % 8 == 0 ? append_sack(out, data, ack_base) : append_odd_length(out, "sack", data);
    case 8:
      if (n != 8) return append_odd_length(out, "TS", data);
      append_field(out, "TS val ", load_be32(data.data()));
      return append_field(out, " ecr ", load_be32(data.data() + 4));
    case 28:
      if (n != 2) return append_odd_length(out, "uto", data);
      append_field(out, "uto ", load_be16(data.data()) & 0x7fffU);
      return void(out += (data[0] & 0x80) != 0 ? " min" : " s");
    case 34:
      out += n == 0 ? "tfo  cookiereq" : "tfo  cookie ";
      return append_octets(out, data);
    default:
      append_field(out, "unknown-", kind);
      if (n > 0) out += " 0x";
      return append_octets(out, data);
  }
}

std::string options_text(ByteView octets, SeqNum ack_base) {
  std::string out;
  std::size_t at = 0;
  while (at < octets.size()) {
    if (at > 0) out += ',';
    const std::uint8_t kind = octets[at];
    if (kind == 0) return out + "eol";
    if (kind == 1) {
      out += "nop";
      ++at;
      continue;
    }
    const std::size_t length = at + 1 < octets.size() ? octets[at + 1] : 0;
    if (length < 2 || at + length > octets.size()) return out + "[bad opt]";
    append_option(out, kind, octets.subspan(at + 2, length - 2), ack_base);
    at += length;
  }
  return out;
}

}  // namespace

std::string describe_tcp(const TcpHeader& header, ByteView option_octets, std::size_t payload_length, SeqNum seq_base,
                         SeqNum ack_base, std::string_view checksum) {
  const TcpFlags& f = header.flags;
  if (f.syn || !f.ack) seq_base = ack_base = SeqNum{};
  const std::uint32_t seq = header.seq.value() - seq_base.value();
  const auto length = static_cast<std::uint32_t>(payload_length);
  std::string out = "Flags [" + flags_text(f) + ']';
  if (!checksum.empty()) out.append(", cksum ").append(checksum);
  if (length > 0 || f.syn || f.fin || f.rst) append_field(out, ", seq ", seq);
  if (length > 0) append_field(out, ":", seq + length);
  if (f.ack) append_field(out, ", ack ", header.ack.value() - ack_base.value());
  append_field(out, ", win ", header.window);
  if (f.urg) append_field(out, ", urg ", header.urgent_pointer);
  if (!option_octets.empty()) out += ", options [" + options_text(option_octets, ack_base) + ']';
  append_field(out, ", length ", length);
  return out;
}

std::string describe_tcp(const TcpHeader& header, std::size_t payload_length, SeqNum seq_base, SeqNum ack_base) {
  std::array<std::uint8_t, tcp_max_header> octets{};
  const std::size_t length = emit_tcp(header, octets);
  const ByteView options = ByteView{octets}.subspan(tcp_min_header, length - tcp_min_header);
  return describe_tcp(header, options, payload_length, seq_base, ack_base);
}

}  // namespace wireside::wire

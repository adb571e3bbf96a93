#include "dissect/builder.hpp"

#include <algorithm>

#include "base/address.hpp"

namespace wireside::dissect {

Builder::Note& Builder::Note::in_hex() {
  const std::size_t digits = (field().bits + 3) / 4;
  field().value = fmt::format("0x{:0{}x}", number_, digits);
  return *this;
}

ByteView Builder::octets(std::size_t from, std::size_t count) const {
  const std::size_t start = std::min(from, end_);
  return frame_.subspan(start, std::min(count, end_ - start));
}

std::uint8_t Builder::peek(std::size_t ahead) const {
  if (ahead >= left()) throw CutOff{};
  return frame_[at() + ahead];
}

void Builder::layer(Words title) {
  Layer layer;
  layer.title = title.in(settings_.language);
  layer.octet = at();
  out_.layers.push_back(std::move(layer));
}

Field& Builder::add(std::size_t bits, Words name) {
  if (out_.layers.empty()) layer({"frame", "帧"});
  Field f;
  f.bit = bit_;
  f.bits = bits;
  f.name = name.in(settings_.language);
  auto& fields = out_.layers.back().fields;
  fields.push_back(std::move(f));
  bit_ += bits;
  return fields.back();
}

Builder::Note Builder::number(std::size_t bits, Words name) {
  if (bit_ + bits > end_ * 8) throw CutOff{};
  std::uint64_t value = 0;
  for (std::size_t i = bit_; i < bit_ + bits; ++i) value = value << 1 | ((frame_[i / 8] >> (7 - i % 8)) & 1U);
  add(bits, name).value = fmt::format("{}", value);
  return {*this, value};
}

Builder::Note Builder::ipv4(Words name) {
  Note note = number(32, name);
  const auto address = Ipv4Address{static_cast<std::uint32_t>(std::uint64_t{note})};
  return note.shown_as(address.to_string());
}

Builder::Note Builder::mac(Words name) {
  const ByteView view = octets(at(), 6);
  if (view.size() < 6) throw CutOff{};
  Note note = number(48, name);
  note.shown_as(fmt::format("{:02x}", fmt::join(view, ":")));
  if (std::uint64_t{note} == 0xffffffffffffU) return note.means({"broadcast: everyone", "广播：所有主机"});
  if ((view[0] & 1U) != 0) return note.means({"multicast: the group bit is set", "组播：组位为 1"});
  if ((view[0] & 2U) != 0) return note.means({"locally administered", "本地管理的地址"});
  return note;
}

Builder::Note Builder::bytes(std::size_t count, Words name) {
  const ByteView view = octets(at(), count);
  if (view.size() < count) throw CutOff{};
  constexpr std::size_t shown = 16;
  Field& f = add(count * 8, name);
  f.value = fmt::format("{:02x}", fmt::join(view.first(std::min(shown, count)), " "));
  if (count > shown) f.value += " …";
  return {*this, 0};
}

Builder::Note Builder::text(std::size_t count, Words name) {
  const ByteView view = octets(at(), count);
  if (view.size() < count) throw CutOff{};
  add(count * 8, name).value = quoted(view);
  return {*this, 0};
}

Builder::Note Builder::flag(Words name, Words when_set) {
  Note note = number(1, name);
  if (std::uint64_t{note} != 0) note.means(when_set);
  return note;
}

Builder::Note Builder::remark(Words name) {
  add(0, name);
  return {*this, 0};
}

std::string quoted(ByteView octets, std::size_t limit) {
  std::string out = "\"";
  for (const std::uint8_t c : octets.first(std::min(limit, octets.size()))) {
    switch (c) {
      case '\r':
        out += "\\r";
        break;
      case '\n':
        out += "\\n";
        break;
      case '"':
      case '\\':
        out += '\\';
        [[fallthrough]];
      default:
        out += c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '.';
    }
  }
  return out + (octets.size() > limit ? "\"…" : "\"");
}

Sum& Sum::add(ByteView octets) {
  for (std::size_t i = 0; i < octets.size(); i += 2) {
    total_ += static_cast<std::uint32_t>(octets[i] << 8 | (i + 1 < octets.size() ? octets[i + 1] : 0));
  }
  return *this;
}

std::uint16_t Sum::folded() const {
  std::uint64_t s = total_;
  while (s > 0xffff) s = (s & 0xffff) + (s >> 16);
  return static_cast<std::uint16_t>(s);
}

std::string Sum::folding() const {
  std::string out = fmt::format("0x{:x}", total_);
  for (std::uint64_t s = total_; s > 0xffff;) {
    const std::uint64_t next = (s & 0xffff) + (s >> 16);
    out += fmt::format(" -> 0x{:x} + 0x{:x} = 0x{:x}", s & 0xffff, s >> 16, next);
    s = next;
  }
  return out;
}

std::string words_of(ByteView octets, std::size_t limit) {
  std::string out;
  for (std::size_t i = 0; i < octets.size() && i < limit * 2; i += 2) {
    if (i != 0) out += " + ";
    out += fmt::format("{:02x}{:02x}", octets[i], i + 1 < octets.size() ? octets[i + 1] : 0);
  }
  if (octets.size() > limit * 2) out += " + …";
  return out;
}

void note_checksum(Builder& b, const Sum& others, std::vector<std::string> steps) {
  const auto right = static_cast<std::uint16_t>(~others.folded());
  Builder::Note note = b.number(16, {"checksum", "校验和"});
  note.in_hex();
  for (std::string& step : steps) note.step(std::move(step));
  note.step(b.say({"sum {}, complement 0x{:04x}", "求和 {}，取反 0x{:04x}"}, others.folding(), right));
  // 0xffff and 0 are the same number in one's complement.
  if (std::uint64_t{note} == right || (right == 0 && std::uint64_t{note} == 0xffff)) {
    note.means({"correct", "正确"});
  } else if (b.settings().partial_checksums) {
    note.means({"not completed: the device was to do it (0x{:04x})", "未完成：由设备计算（0x{:04x}）"}, right);
  } else {
    note.means({"wrong: it should be 0x{:04x}", "错误：应为 0x{:04x}"}, right).wrong();
  }
  note.rule({"the one's complement of the one's complement sum of all 16-bit words (RFC 1071)",
             "所有 16 位字的反码和再取反（RFC 1071）"});
}

}  // namespace wireside::dissect

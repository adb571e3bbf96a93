#include "dissect/render.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace wireside::dissect {
namespace {

constexpr std::size_t octets_shown = 8;
constexpr std::size_t widest_value = 40;

std::string padded(std::string_view text, std::size_t width) {
  const std::size_t taken = display_width(text);
  return std::string{text} + std::string(width > taken ? width - taken : 0, ' ');
}

std::string octets_of(const Field& f, ByteView frame) {
  if (f.bits == 0) return "";
  const std::size_t first = f.bit / 8, last = (f.bit + f.bits - 1) / 8;
  const std::size_t count = last - first + 1;
  std::string out = fmt::format("{:02x}", fmt::join(frame.subspan(first, std::min(count, octets_shown)), " "));
  if (count > octets_shown) out += " …";
  return out;
}

/// "...0 0101 ...." for what is less than whole octets.
std::string bits_of(const Field& f, ByteView frame) {
  if (f.bits == 0 || (f.bit % 8 == 0 && f.bits % 8 == 0)) return "";
  const std::size_t first = f.bit / 8 * 8, end = (f.bit + f.bits + 7) / 8 * 8;
  std::string out;
  for (std::size_t i = first; i < end; ++i) {
    if (i != first && i % 4 == 0) out += ' ';
    const bool inside = i >= f.bit && i < f.bit + f.bits;
    out += !inside ? '.' : (frame[i / 8] >> (7 - i % 8) & 1) != 0 ? '1' : '0';
  }
  return out;
}

/// One line of the table, cell by cell.
using Row = std::array<std::string, 6>;

Row row_of(const Field& f, ByteView frame) {
  return {f.bits == 0 ? "" : fmt::format("{}", f.bit / 8),
          octets_of(f, frame),
          bits_of(f, frame),
          f.name,
          f.value,
          f.meaning};
}

Row heading(Language language) {
  if (language == Language::Chinese) return {"偏移", "字节", "位", "字段", "值", "含义"};
  return {"offset", "octets", "bits", "field", "value", "meaning"};
}

class Table {
 public:
  Table(const TextSettings& settings) : settings_{settings} { note(heading(settings.language)); }
  void note(const Row& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths_[i] = std::max(widths_[i], std::min(display_width(row[i]), widest_value));
    }
  }
  [[nodiscard]] std::string line(const Row& row, std::string_view colour) const {
    std::string out = "  " + std::string(widths_[0] - display_width(row[0]), ' ') + row[0];
    for (std::size_t i = 1; i < row.size(); ++i) out += "  " + padded(row[i], widths_[i]);
    out.erase(out.find_last_not_of(' ') + 1);
    return paint(out, colour) + "\n";
  }
  [[nodiscard]] std::string under(std::string_view text) const {
    const std::size_t indent = 2 + widths_[0] + 2 + widths_[1] + 2 + widths_[2] + 2;
    return paint(std::string(indent, ' ') + std::string{text}, "\033[2m") + "\n";
  }
  [[nodiscard]] std::string paint(const std::string& text, std::string_view colour) const {
    return settings_.colour && !colour.empty() ? fmt::format("{}{}\033[0m", colour, text) : text;
  }

 private:
  const TextSettings& settings_;
  std::array<std::size_t, 6> widths_{};
};

}  // namespace

std::size_t display_width(std::string_view utf8) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < utf8.size();) {
    const auto c = static_cast<unsigned char>(utf8[i]);
    const std::size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    // What these texts have of three octets: Chinese characters and punctuation take two columns, the ellipsis one.
    const bool wide = length == 3 && utf8.substr(i, 3) != "…";
    width += wide ? 2 : 1;
    i += length;
  }
  return width;
}

std::string to_text(const Dissection& d, ByteView frame, const TextSettings& settings) {
  Table table{settings};
  for (const Layer& layer : d.layers) {
    for (const Field& f : layer.fields) table.note(row_of(f, frame));
  }
  std::string out = table.line(heading(settings.language), "\033[2m");
  for (const Layer& layer : d.layers) {
    out += table.paint(layer.title, "\033[1;36m") + "\n";
    for (const Field& f : layer.fields) {
      out += table.line(row_of(f, frame), f.wrong ? "\033[31m" : "");
      if (settings.rules && !f.rule.empty()) out += table.under("<- " + f.rule);
      if (!settings.steps) continue;
      for (const std::string& step : f.steps) out += table.under("= " + step);
    }
  }
  return out;
}

std::string to_json(const Dissection& d) {
  namespace json = boost::json;
  json::array layers;
  for (const Layer& layer : d.layers) {
    json::array fields;
    for (const Field& f : layer.fields) {
      json::object o{{"bit", f.bit}, {"bits", f.bits}, {"name", f.name}};
      if (!f.value.empty()) o["value"] = f.value;
      if (!f.meaning.empty()) o["meaning"] = f.meaning;
      if (!f.rule.empty()) o["rule"] = f.rule;
      if (!f.steps.empty()) o["steps"] = json::array(f.steps.begin(), f.steps.end());
      if (f.wrong) o["wrong"] = true;
      fields.push_back(std::move(o));
    }
    layers.push_back(json::object{{"title", layer.title}, {"offset", layer.octet}, {"fields", std::move(fields)}});
  }
  return json::serialize(json::object{{"octets", d.octets}, {"layers", std::move(layers)}});
}

}  // namespace wireside::dissect

#include "state_event_matrix.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <stdexcept>

namespace wireside::testing {

namespace {

constexpr std::array events{
    MatrixEvent{.name = "none"},
    MatrixEvent{.name = "SYN", .syn = true},
    MatrixEvent{.name = "FIN", .fin = true},
    MatrixEvent{.name = "RST", .rst = true},
    MatrixEvent{.name = "SYN+FIN", .syn = true, .fin = true},
    MatrixEvent{.name = "text", .text = true},
    MatrixEvent{.name = "text+FIN", .fin = true, .text = true},
    MatrixEvent{.name = "all flags", .syn = true, .fin = true, .rst = true, .psh_urg = true},
};
constexpr std::array<std::string_view, 7> positions{"exact", "ahead",     "left",      "right",
                                                    "last",  "over-left", "over-right"};
constexpr std::array<std::string_view, 7> acks{"absent", "new", "part", "dup", "old", "ancient", "too-new"};

std::string trim(std::string_view text) {
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return std::string{text.substr(begin, text.find_last_not_of(' ') - begin + 1)};
}

/// A list of words, or all others with ! in front.
bool fits_words(std::string_view wanted, std::string_view word) {
  if (wanted == "*") return true;
  return wanted.starts_with('!') ? !is_listed(wanted.substr(1), word) : is_listed(wanted, word);
}

bool has_bits(std::string_view bits, const MatrixCase& c) {
  if (bits == "*") return true;
  const auto asks = [&](std::string_view bit) { return is_listed(bits, bit, '+'); };
  return (!asks("SYN") || c.event.syn) && (!asks("FIN") || c.event.fin) && (!asks("RST") || c.event.rst) &&
         (!asks("text") || c.has_text());
}

bool has_ack(std::string_view wanted, std::string_view ack) {
  return wanted == "valid" ? is_listed("new,part,dup,old", ack) : fits_words(wanted, ack);
}

}  // namespace

std::vector<std::string> split_words(std::string_view list, char separator) {
  std::vector<std::string> words;
  while (true) {
    const auto end = list.find(separator);
    words.push_back(trim(list.substr(0, end)));
    if (end == std::string_view::npos) return words;
    list.remove_prefix(end + 1);
  }
}

bool is_listed(std::string_view list, std::string_view word, char separator) {
  const auto words = split_words(list, separator);
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool MatrixRow::fits(const MatrixCase& c) const {
  return has_bits(bits, c) && fits_words(position, c.position) && has_ack(ack, c.ack);
}

MatrixTable read_matrix(const std::string& path) {
  std::ifstream file{path};
  if (!file) throw std::runtime_error("cannot read " + path);
  MatrixTable table;
  std::vector<MatrixRow>* section = nullptr;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    if (line.front() == '[' && line.back() == ']') {
      section = &table[line.substr(1, line.size() - 2)];
      continue;
    }
    const auto columns = split_words(line, '|');
    if (section == nullptr || columns.size() != 9) {
      throw std::runtime_error(path + ":" + std::to_string(number) + ": a row has nine columns, in a section");
    }
    section->push_back({.bits = columns[0],
                        .position = columns[1],
                        .ack = columns[2],
                        .reply = columns[3],
                        .next = columns[4],
                        .taken = columns[5],
                        .acked = columns[6],
                        .user = columns[7],
                        .rule = columns[8],
                        .line = number});
  }
  return table;
}

std::vector<MatrixCase> matrix_cases(bool timestamps) {
  const std::vector<std::string_view> kinds =
      timestamps ? std::vector<std::string_view>{"newer", "missing", "older"} : std::vector<std::string_view>{"none"};
  std::vector<MatrixCase> cases;
  for (const auto& event : events) {
    for (const auto position : positions) {
      // What spans more than the octet taken last would reach into the window.
      if (position == "last" && (event.text || event.psh_urg || (event.syn && event.fin))) continue;
      for (const auto ack : acks) {
        for (const auto kind : kinds) cases.push_back({event, position, ack, kind});
      }
    }
  }
  return cases;
}

const MatrixRow* find_row(const MatrixTable& table, std::string_view section, const MatrixCase& c) {
  const auto it = table.find(section);
  if (it == table.end()) return nullptr;
  for (const auto& row : it->second) {
    if (row.fits(c)) return &row;
  }
  return nullptr;
}

std::string describe(const MatrixCase& c) {
  std::string text{c.event.name};
  if (c.has_text() && !c.event.text) text += "+text";
  if (c.ack != "absent") text += "+ACK";
  text += ", " + std::string{c.position};
  if (c.ack != "absent") text += ", ack " + std::string{c.ack};
  if (c.timestamp != "none") text += ", timestamp " + std::string{c.timestamp};
  return text;
}

std::string describe(const MatrixRow& row) {
  std::string text = "line " + std::to_string(row.line) + ": ";
  for (const auto* column :
       {&row.bits, &row.position, &row.ack, &row.reply, &row.next, &row.taken, &row.acked, &row.user}) {
    text += *column + " | ";
  }
  return text + row.rule;
}

}  // namespace wireside::testing

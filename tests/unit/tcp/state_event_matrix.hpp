// The table state_event_matrix.txt: what RFC 9293 section 3.10.7 asks of every state for every kind of segment.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace wireside::testing {

/// One kind of segment, in the words of the table.
struct MatrixEvent {
  std::string_view name;
  bool syn = false, fin = false, rst = false, text = false, psh_urg = false;
};

/// One case: a segment to a connection in a state.
struct MatrixCase {
  MatrixEvent event;
  std::string_view position;
  std::string_view ack;
  std::string_view timestamp = "none";  ///< none (not agreed on), newer, missing, older

  /// The segment carries octets; those that cross an edge of the window always do.
  [[nodiscard]] bool has_text() const { return event.text || position.starts_with("over-"); }
};

/// One line of the table.
struct MatrixRow {
  std::string bits, position, ack, reply, next, taken, acked, user, rule;
  int line = 0;

  [[nodiscard]] bool fits(const MatrixCase& c) const;
};

/// Sections by name, in the file's order within each.
using MatrixTable = std::map<std::string, std::vector<MatrixRow>, std::less<>>;

/// Throws std::runtime_error that names the line it did not understand.
[[nodiscard]] MatrixTable read_matrix(const std::string& path);

/// Every segment tried in a state. `timestamps`: with the three kinds of timestamp instead of none.
[[nodiscard]] std::vector<MatrixCase> matrix_cases(bool timestamps);

/// The row that holds for a case in a section; nullptr when the table has a hole.
[[nodiscard]] const MatrixRow* find_row(const MatrixTable& table, std::string_view section, const MatrixCase& c);

/// "FIN+ACK, exact, ack new".
[[nodiscard]] std::string describe(const MatrixCase& c);
[[nodiscard]] std::string describe(const MatrixRow& row);

/// The words of a list.
[[nodiscard]] std::vector<std::string> split_words(std::string_view list, char separator = ',');

/// Is `word` one of the comma-separated words of `list`?
[[nodiscard]] bool is_listed(std::string_view list, std::string_view word, char separator = ',');

}  // namespace wireside::testing

#include "tcp/state_table.hpp"

namespace wireside::tcp {

std::string state_table_dot() {
  std::string out = "digraph tcp {\n";
  for (const auto& e : state_edges) {
    out += "  \"";
    out += to_string(e.from);
    out += "\" -> \"";
    out += to_string(e.to);
    out += "\" [label=\"";
    out += to_string(e.cause);
    out += "\", tooltip=\"";
    out += e.reference;
    out += "\"];\n";
  }
  return out + "}\n";
}

}  // namespace wireside::tcp

// State machines that are tables of edges {from, cause, to, reference}: what can be said of such a table.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "observe/vocabulary.hpp"

namespace wireside::observe {

/// One (state, cause) leads to one state.
template <class Edges>
constexpr bool is_deterministic(const Edges& edges) {
  for (std::size_t i = 0; i < edges.size(); ++i) {
    for (std::size_t j = i + 1; j < edges.size(); ++j) {
      if (edges[i].from == edges[j].from && edges[i].cause == edges[j].cause) return false;
    }
  }
  return true;
}

/// The table as a Graphviz digraph: causes are labels, references tooltips.
template <class Edges>
[[nodiscard]] std::string state_graph(std::string_view name, const Edges& edges) {
  std::string out = "digraph ";
  out.append(name).append(" {\n");
  for (const auto& e : edges) {
    out.append("  \"").append(to_string(e.from)).append("\" -> \"").append(to_string(e.to));
    out.append("\" [label=\"").append(to_string(e.cause)).append("\", tooltip=\"").append(e.reference);
    out.append("\"];\n");
  }
  return out.append("}\n");
}

}  // namespace wireside::observe

// Tables of a running endpoint in the manner of iproute2 and nstat.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>

namespace wireside::apps {

// Each takes the table of an answer (control_table): an array of objects.

/// Which sockets `wireside ss` shows, and how much of each.
struct SsOptions {
  bool tcp = false, udp = false;  ///< neither: both, and echo sockets
  bool listening = false;         ///< only those that listen
  bool all = false;               ///< listening ones too
  bool info = false, timers = false, memory = false;
};

/// The lines of an "ss" answer that the options ask for.
[[nodiscard]] boost::json::array select_sockets(const boost::json::array& lines, const SsOptions& options);
/// A header and one line per socket; with info or memory an indented one below.
[[nodiscard]] std::string format_sockets(const boost::json::array& lines, const SsOptions& options);
/// "10.0.0.1 dev tap0 lladdr 02:.. REACHABLE"
[[nodiscard]] std::string format_neighbours(const boost::json::array& lines);
/// "default via 10.0.0.1 dev tap0 proto static metric 10"
[[nodiscard]] std::string format_routes(const boost::json::array& lines);
/// As `ip address` shows an interface.
[[nodiscard]] std::string format_addresses(const boost::json::array& lines);
/// "IpInReceives    12", zeros only with `zeros`; drop reasons below, those that happened.
[[nodiscard]] std::string format_statistics(const boost::json::array& lines, bool zeros);

}  // namespace wireside::apps

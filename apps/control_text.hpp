// Tables of a running endpoint in the manner of iproute2 and nstat.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "base/address.hpp"

namespace wireside::apps {

// Each takes the table of an answer (control_table): an array of objects.

/// Which sockets `wireside ss` shows, and how much of each.
struct SsOptions {
  bool tcp = false, udp = false;  ///< neither: both, and echo sockets
  bool listening = false;         ///< only those that listen
  bool all = false;               ///< listening ones too
  bool info = false, timers = false, memory = false;
  bool no_header = false;
  bool processes = false;
  std::string process{};  ///< shown with `processes`: users:(("wireside",pid=1))
};

/// The lines of an "ss" answer that the options ask for.
[[nodiscard]] boost::json::array select_sockets(const boost::json::array& lines, const SsOptions& options);
/// Those about one interface; all when `dev` is empty.
[[nodiscard]] boost::json::array select_interface(const boost::json::array& lines, const std::string& dev);
/// Those whose "dst" is exactly that network ("default" is 0.0.0.0/0), or lies in it.
enum class PrefixMatch { Exact, Within };
[[nodiscard]] boost::json::array select_prefix(const boost::json::array& lines, const Ipv4Prefix& prefix,
                                               PrefixMatch match);
/// Routes that the network taught (redirects, path MTUs), as `ip route show cache` lists them.
[[nodiscard]] boost::json::array select_cached(const boost::json::array& lines);
/// Counters whose name matches one of the patterns (as in a shell); all when there are none.
[[nodiscard]] boost::json::array select_counters(const boost::json::array& lines,
                                                 const std::vector<std::string>& patterns);
/// A header and one line per socket; with info or memory an indented one below. No column for the protocol where only
/// one is asked for.
[[nodiscard]] std::string format_sockets(const boost::json::array& lines, const SsOptions& options);
/// "10.0.0.1 dev tap0 lladdr 02:.. REACHABLE"
[[nodiscard]] std::string format_neighbours(const boost::json::array& lines);
/// "default via 10.0.0.1 dev tap0 proto static metric 10"; below what was learnt "    cache <redirected> expires 9sec"
[[nodiscard]] std::string format_routes(const boost::json::array& lines);
/// As `ip address` shows an interface, with the time left of a leased address.
[[nodiscard]] std::string format_addresses(const boost::json::array& lines);
/// "IpInReceives    12", zeros only with `zeros`; drop reasons below, those that happened.
[[nodiscard]] std::string format_statistics(const boost::json::array& lines, bool zeros);
/// Servers, search domains, cache entries with the seconds they have left, and counters of the resolver.
[[nodiscard]] std::string format_names(const boost::json::array& lines);

}  // namespace wireside::apps

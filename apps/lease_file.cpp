#include "lease_file.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

namespace wireside::apps {
namespace {

namespace json = boost::json;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t max_file = 1 << 16;
// Times of a file are believed within these bounds only, so that sums of them cannot overflow.
constexpr std::int64_t max_lease_seconds = 0xffffffff;
constexpr std::int64_t max_time_ms = std::int64_t{1} << 42;  // 139 years

/// What is wrong with the file, thrown within this unit only.
struct Bad {
  std::string what;
};

const json::value* field(const json::object& o, std::string_view name) { return o.if_contains(name); }

std::string text(const json::object& o, std::string_view name) {
  const auto* v = field(o, name);
  if (v == nullptr || !v->is_string()) throw Bad{fmt::format("\"{}\" is not a text", name)};
  return std::string{v->get_string()};
}

Ipv4Address address_of(std::string_view written) {
  const auto a = Ipv4Address::parse(written);
  if (!a) throw Bad{fmt::format("\"{}\" is not an IPv4 address", written)};
  return *a;
}

Ipv4Prefix prefix_of(std::string_view written) {
  const auto p = Ipv4Prefix::parse(written);
  if (!p) throw Bad{fmt::format("\"{}\" is not an address with a prefix length", written)};
  return *p;
}

std::int64_t number(const json::object& o, std::string_view name, std::int64_t limit) {
  const auto* v = field(o, name);
  boost::system::error_code ec = json::error::not_number;
  const auto n = v != nullptr && v->is_number() ? v->to_number<std::int64_t>(ec) : 0;
  if (ec || n < 0 || n > limit) throw Bad{fmt::format("\"{}\" is not a whole number from 0 to {}", name, limit)};
  return n;
}

std::vector<Ipv4Address> addresses(const json::object& o, std::string_view name) {
  std::vector<Ipv4Address> out;
  const auto* v = field(o, name);
  if (v == nullptr || !v->is_array()) return out;
  for (const json::value& entry : v->get_array()) {
    if (!entry.is_string()) throw Bad{fmt::format("\"{}\" holds something else than addresses", name)};
    out.push_back(address_of(entry.get_string()));
  }
  return out;
}

json::array written(const std::vector<Ipv4Address>& list) {
  json::array out;
  for (const Ipv4Address a : list) out.emplace_back(a.to_string());
  return out;
}

void read_configuration(const json::object& o, dhcp::Configuration& c) {
  c.routers = addresses(o, "routers");
  c.dns_servers = addresses(o, "dns");
  c.ntp_servers = addresses(o, "ntp");
  if (field(o, "domain") != nullptr) c.domain_name = wire::printable(text(o, "domain"));
  if (field(o, "host_name") != nullptr) c.host_name = wire::printable(text(o, "host_name"));
  if (field(o, "broadcast") != nullptr) c.broadcast_address = address_of(text(o, "broadcast"));
  if (field(o, "mtu") != nullptr)
    c.mtu = static_cast<std::uint16_t>(std::max<std::int64_t>(576, number(o, "mtu", 65535)));
  const auto* routes = field(o, "routes");
  if (routes == nullptr || !routes->is_array()) return;
  for (const json::value& entry : routes->get_array()) {
    if (!entry.is_object()) throw Bad{"\"routes\" holds something else than objects"};
    const json::object& route = entry.get_object();
    c.routes.push_back({prefix_of(text(route, "to")), address_of(text(route, "via"))});
  }
}

dhcp::Lease read_lease(const json::object& o, Duration wall_offset) {
  dhcp::Lease lease;
  lease.prefix = prefix_of(text(o, "address"));
  lease.server = address_of(text(o, "server"));
  lease.obtained = Instant::from_ns(number(o, "obtained_ms", max_time_ms) * 1'000'000) - wall_offset;
  if (const auto* infinite = field(o, "infinite"); infinite != nullptr && infinite->is_bool()) {
    lease.infinite = infinite->get_bool();
  }
  if (!lease.infinite) {
    lease.duration = seconds{number(o, "lease_s", max_lease_seconds)};
    lease.t1 = milliseconds{number(o, "t1_ms", max_lease_seconds * 1000)};
    lease.t2 = milliseconds{number(o, "t2_ms", max_lease_seconds * 1000)};
    if (lease.t1 >= lease.t2 || lease.t2 >= lease.duration) throw Bad{"T1 < T2 < lease does not hold"};
  }
  read_configuration(o, lease.configuration);
  return lease;
}

void append_list(std::string& out, std::string_view label, const std::vector<Ipv4Address>& list) {
  for (const Ipv4Address a : list) out += fmt::format("{:<10} {}\n", label, a.to_string());
}

}  // namespace

json::object lease_to_json(const StoredLease& stored, Duration wall_offset) {
  const dhcp::Lease& lease = stored.lease;
  const dhcp::Configuration& c = lease.configuration;
  json::object o;
  o["mac"] = stored.mac.to_string();
  o["address"] = lease.prefix.to_string();
  o["server"] = lease.server.to_string();
  o["obtained_ms"] = duration_cast<milliseconds>(Duration{(lease.obtained + wall_offset).ns()}).count();
  if (lease.infinite) {
    o["infinite"] = true;
  } else {
    o["lease_s"] = duration_cast<seconds>(lease.duration).count();
    o["t1_ms"] = duration_cast<milliseconds>(lease.t1).count();
    o["t2_ms"] = duration_cast<milliseconds>(lease.t2).count();
  }
  if (!c.routers.empty()) o["routers"] = written(c.routers);
  if (!c.dns_servers.empty()) o["dns"] = written(c.dns_servers);
  if (!c.ntp_servers.empty()) o["ntp"] = written(c.ntp_servers);
  if (!c.domain_name.empty()) o["domain"] = c.domain_name;
  if (!c.host_name.empty()) o["host_name"] = c.host_name;
  if (c.broadcast_address) o["broadcast"] = c.broadcast_address->to_string();
  if (c.mtu) o["mtu"] = *c.mtu;
  json::array routes;
  for (const auto& r : c.routes) {
    routes.push_back(json::object{{"to", r.destination.to_string()}, {"via", r.router.to_string()}});
  }
  if (!routes.empty()) o["routes"] = std::move(routes);
  return o;
}

std::expected<StoredLease, std::string> lease_from_json(const json::value& value, Duration wall_offset) {
  if (!value.is_object()) return std::unexpected{std::string{"it holds no JSON object"}};
  try {
    const json::object& o = value.get_object();
    const auto mac = MacAddress::parse(text(o, "mac"));
    if (!mac || mac->is_zero() || mac->is_multicast()) throw Bad{"\"mac\" is not the address of a station"};
    return StoredLease{*mac, read_lease(o, wall_offset)};
  } catch (const Bad& bad) {
    return std::unexpected{bad.what};
  }
}

std::expected<StoredLease, std::string> lease_from_text(std::string_view content, Duration wall_offset) {
  boost::system::error_code ec;
  const json::value value = json::parse(content, ec);
  if (ec) return std::unexpected{fmt::format("is not JSON: {}", ec.message())};
  auto stored = lease_from_json(value, wall_offset);
  if (!stored) return std::unexpected{fmt::format("cannot be used: {}", stored.error())};
  return stored;
}

std::string lease_to_text(const StoredLease& stored, Duration wall_offset) {
  return json::serialize(lease_to_json(stored, wall_offset)) + "\n";
}

std::expected<std::optional<StoredLease>, std::string> read_lease_file(const std::string& path, Duration wall_offset) {
  std::ifstream file{path, std::ios::binary};
  if (!file) {
    if (errno == ENOENT) return std::optional<StoredLease>{};
    return std::unexpected{fmt::format("cannot read the lease file {}: {}", path, std::strerror(errno))};
  }
  std::string content(max_file, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(file.gcount()));
  auto stored = lease_from_text(content, wall_offset);
  if (!stored) return std::unexpected{fmt::format("the lease file {} {}", path, stored.error())};
  return std::optional{std::move(*stored)};
}

std::optional<std::string> write_lease_file(const std::string& path, const StoredLease& stored, Duration wall_offset) {
  const std::string fresh = path + ".new";
  std::ofstream file{fresh, std::ios::binary | std::ios::trunc};
  file << lease_to_text(stored, wall_offset);
  file.close();
  if (!file || std::rename(fresh.c_str(), path.c_str()) != 0) {
    return fmt::format("cannot write the lease file {}: {}", path, std::strerror(errno));
  }
  return std::nullopt;
}

std::string lease_time_text(const dhcp::Lease& lease) {
  return lease.infinite ? "infinite" : fmt::format("{} s", duration_cast<seconds>(lease.duration).count());
}

std::string describe_lease(const dhcp::Lease& lease) {
  std::string out = fmt::format("{:<10} {}\n", "address", lease.prefix.to_string());
  if (lease.link_local) return out + "link-local: no DHCP server answered\n";
  out += fmt::format("{:<10} {}\n{:<10} {}", "server", lease.server.to_string(), "lease", lease_time_text(lease));
  if (!lease.infinite) {
    const auto s = [](Duration d) { return static_cast<double>(d.count()) / 1e9; };
    out += fmt::format(", renewed after {:.0f} s (T1), from any server after {:.0f} s (T2)", s(lease.t1), s(lease.t2));
  }
  return out + '\n' + describe_configuration(lease.configuration);
}

std::string describe_configuration(const dhcp::Configuration& c) {
  std::string out;
  if (c.broadcast_address) out += fmt::format("{:<10} {}\n", "broadcast", c.broadcast_address->to_string());
  append_list(out, "router", c.routers);
  for (const auto& r : c.routes) {
    out += fmt::format("{:<10} {} via {}\n", "route", r.destination.to_string(),
                       r.router.is_unspecified() ? "the link" : r.router.to_string());
  }
  append_list(out, "dns", c.dns_servers);
  if (!c.domain_name.empty()) out += fmt::format("{:<10} {}\n", "domain", c.domain_name);
  append_list(out, "ntp", c.ntp_servers);
  if (!c.host_name.empty()) out += fmt::format("{:<10} {}\n", "host name", c.host_name);
  if (c.mtu) out += fmt::format("{:<10} {}\n", "mtu", *c.mtu);
  return out;
}

}  // namespace wireside::apps

#include "common_options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <map>
#include <random>

#include "command.hpp"
#include "dns/name.hpp"
#include "flow_owner.hpp"
#include "impair/quantity.hpp"
#include "option_checks.hpp"

namespace wireside::apps {
namespace {

constexpr const char* group = "Endpoint";
constexpr std::uint32_t max_busy_poll = 1'000'000;

Ipv4Prefix parse_address(const std::string& text) {
  const std::string example = "write an address with its prefix length, such as --ip 10.0.0.2/24";
  const auto prefix = Ipv4Prefix::parse(text);
  if (!prefix || text.find('/') == std::string::npos) {
    throw UsageError{fmt::format("--ip {} is not an IPv4 address with a prefix length", text), example};
  }
  const Ipv4Address a = prefix->address;
  const bool network_itself = prefix->length < 31 && a == prefix->network();
  if (a.is_unspecified() || a.is_multicast() || a.is_loopback() || a.is_limited_broadcast() || a.is_reserved() ||
      a.is_this_network() || network_itself || prefix->directed_broadcast() == a) {
    throw UsageError{fmt::format("--ip {} is not an address that a host can have", text), example};
  }
  return *prefix;
}

void set_gateway(const std::string& text, ip::IpConfig& ip) {
  const auto gateway = Ipv4Address::parse(text);
  if (!gateway) {
    throw UsageError{fmt::format("--gateway {} is not an IPv4 address", text), "write it as in --gateway 10.0.0.1"};
  }
  const auto on_link = [&](const Ipv4Prefix& p) { return p.contains(*gateway) && p.address != *gateway; };
  if (std::ranges::none_of(ip.addresses, on_link)) {
    throw UsageError{fmt::format("--gateway {} cannot be reached: it is no neighbour in any --ip network", text),
                     "give a gateway inside the network of --ip, or an --ip in the gateway's network"};
  }
  ip.gateway = gateway;
}

ip::Route checked_route(const std::string& text, const ip::IpConfig& ip) {
  const ip::Route route = parse_route(text);
  const auto on_link = [&](const Ipv4Prefix& p) { return p.contains(route.gateway) && p.address != route.gateway; };
  if (!route.on_link() && std::ranges::none_of(ip.addresses, on_link)) {
    throw UsageError{fmt::format("--route {}: the gateway is no neighbour in any --ip network", text),
                     "give a gateway inside the network of --ip, or an --ip in the gateway's network"};
  }
  const auto ours = [&](const Ipv4Prefix& p) { return p.address == route.source; };
  if (!route.source.is_unspecified() && std::ranges::none_of(ip.addresses, ours)) {
    throw UsageError{fmt::format("--route {}: the source is none of our addresses", text), "give it with --ip, too"};
  }
  return route;
}

/// Sets the part of a route that "name=value" names; false if it makes no sense.
bool set_route_field(std::string_view name, const std::string& value, ip::Route& route) {
  if (name == "metric") {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), route.metric);
    return error == std::errc{} && end == value.data() + value.size();
  }
  const auto address = Ipv4Address::parse(value);
  if (!address || address->is_unspecified() || address->is_multicast()) return false;
  if (name == "via") route.gateway = *address;
  if (name == "src") route.source = *address;
  return name == "via" || name == "src";
}

}  // namespace

ip::Route parse_route(const std::string& text) {
  const UsageError error{fmt::format("--route {} is not a route", text),
                         "write it as in --route 10.2.0.0/16,via=10.0.0.1,metric=10 or --route default,via=10.0.0.1"};
  ip::Route route;
  std::size_t at = text.find(',');
  const std::string destination = text.substr(0, at);
  const auto prefix = destination == "default" ? Ipv4Prefix{Ipv4Address{}, 0} : Ipv4Prefix::parse(destination);
  if (!prefix || prefix->address.is_multicast() || prefix->address.is_loopback()) throw error;
  route.destination = {prefix->network(), prefix->length};
  while (at != std::string::npos) {
    const std::size_t begin = at + 1;
    at = text.find(',', begin);
    const std::string field = text.substr(begin, at == std::string::npos ? at : at - begin);
    const std::size_t equals = field.find('=');
    if (equals == std::string::npos) throw error;
    if (!set_route_field(field.substr(0, equals), field.substr(equals + 1), route)) throw error;
  }
  return route;
}

namespace {

void set_names(const CommonOptions& options, dns::DnsConfig& dns) {
  for (const auto& text : options.dns_servers) {
    const auto address = Ipv4Address::parse(text);
    if (!address || address->is_unspecified() || address->is_multicast() || address->is_limited_broadcast()) {
      throw UsageError{fmt::format("--dns {} is not the IPv4 address of a server", text),
                       "write addresses as in --dns 10.0.0.1 or --dns 10.0.0.1,10.0.0.3"};
    }
    dns.servers.push_back({*address, dns::dns_port});
  }
  if (dns.servers.size() > dns::max_servers) {
    throw UsageError{fmt::format("--dns is given {} addresses", dns.servers.size()),
                     fmt::format("give {} at most", dns::max_servers)};
  }
  for (const auto& domain : options.search_domains) {
    if (const auto name = dns::parse_host_name(domain); !name) {
      throw UsageError{fmt::format("--search {}: {}", domain, dns::describe(name.error())),
                       "write a domain as in --search example.com"};
    }
  }
  dns.search = options.search_domains;
}

void check_queues(const CommonOptions& options) {
  if (options.queues == 1) return;
  if (options.tap_descriptor) {
    throw UsageError{"--queues and --tap-fd exclude each other: a descriptor is a single queue",
                     "name the interface with --tap instead"};
  }
  if (options.impairment.path(options.seed)) {
    throw UsageError{"--queues and --impair exclude each other: an impaired path is one path for all frames",
                     "leave one of them out"};
  }
}

const std::map<std::string, link::ConflictPolicy> conflict_policies = {
    {"give-up", link::ConflictPolicy::GiveUp},
    {"defend-once", link::ConflictPolicy::DefendOnce},
    {"defend", link::ConflictPolicy::DefendAlways},
};

}  // namespace

dhcp::Options CommonOptions::dhcp_options() const {
  dhcp::Options out;
  const auto fits = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.'; };
  if (host_name.size() > 253 || !std::ranges::all_of(host_name, fits)) {
    throw UsageError{fmt::format("--hostname {} is not a host name", host_name),
                     "use letters, digits, '-' and '.' only"};
  }
  out.host_name = host_name;
  out.link_local = link_local;
  return out;
}

Config CommonOptions::config() const {
  if (addresses.empty() && !dhcp) {
    throw UsageError{"--ip is missing: the endpoint has no address to use on the TAP",
                     "add an address with its prefix length, such as --ip 10.0.0.2/24, or get one by --dhcp"};
  }
  if (!addresses.empty() && dhcp) {
    throw UsageError{"--ip and --dhcp exclude each other: an address is set by hand or given by a server",
                     "leave one of them out"};
  }
  if (!dhcp && !dhcp_by_hand && (link_local || !lease_file.empty() || !host_name.empty())) {
    throw UsageError{"--hostname, --lease-file and --link-local mean nothing without --dhcp", "add --dhcp"};
  }
  check_queues(*this);
  watch.check();
  Config config;
  if (dhcp) (void)dhcp_options();
  if (dhcp && gateway) {
    throw UsageError{"--gateway and --dhcp exclude each other: the DHCP server names the router",
                     "leave --gateway out, or set the address with --ip instead of --dhcp"};
  }
  for (const auto& text : addresses) {
    const Ipv4Prefix prefix = parse_address(text);
    const auto same = [&](const Ipv4Prefix& p) { return p.address == prefix.address; };
    if (std::ranges::any_of(config.ip.addresses, same)) {
      throw UsageError{fmt::format("--ip {} is given twice", text), "give each address once"};
    }
    config.ip.addresses.push_back(prefix);
  }
  if (gateway) set_gateway(*gateway, config.ip);
  for (const auto& text : routes) config.ip.routes.push_back(checked_route(text, config.ip));
  if (mac) {
    const auto address = MacAddress::parse(*mac);
    if (!address || address->is_multicast() || address->is_zero()) {
      throw UsageError{fmt::format("--mac {} is not the MAC address of a single station", *mac),
                       "write six octets, the first one even, such as --mac 02:00:5e:00:53:01"};
    }
    config.link.mac = *address;
  }
  set_names(*this, config.dns);
  if (reassembly_timeout) {
    config.ip.reassembly.timeout =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>{*reassembly_timeout});
  }
  config.link.conflict.check_before_use = !no_acd;
  config.link.conflict.policy = conflict_policies.at(on_conflict);
  if (adjust) adjust(config);
  return config;
}

TapOptions CommonOptions::tap_options() const {
  TapOptions options;
  options.name = tap;
  options.inherited_descriptor = tap_descriptor;
  options.offload = !no_offload && !impairment.path(seed);
  options.mtu = mtu;
  return options;
}

std::optional<Duration> CommonOptions::busy_poll_time() const {
  if (!busy_poll) return std::nullopt;
  return std::chrono::microseconds{*busy_poll};
}

Seed CommonOptions::make_stack_seed() const { return seed_from(seed); }

Seed seed_from(const std::optional<std::uint64_t>& n) {
  if (n) return make_seed(*n);
  std::random_device random;
  Seed out{};
  for (auto& word : out) word = (std::uint64_t{random()} << 32) | random();
  return out;
}

impair::Settings parse_impairment(const std::string& option, const std::string& text) {
  if (text.empty()) return {};
  const auto settings = impair::parse_settings(text);
  if (!settings) {
    throw UsageError{fmt::format("{} {}: {}", option, text, settings.error().what), settings.error().remedy};
  }
  return *settings;
}

std::optional<PathImpairment> ImpairmentOptions::path(const std::optional<std::uint64_t>& other) const {
  PathImpairment path{.in = parse_impairment("--impair", both), .out = {}, .seed = {}};
  path.out = path.in;
  if (!in.empty()) path.in = parse_impairment("--impair-in", in);
  if (!out.empty()) path.out = parse_impairment("--impair-out", out);
  if (!path.in.active() && !path.out.active()) return std::nullopt;
  path.seed = seed_from(seed ? seed : other);
  return path;
}

CLI::Option* add_seed_option(CLI::App& command, const std::string& name, std::optional<std::uint64_t>& out,
                             const std::string& what) {
  const auto take = [name, &out](const std::string& text) {
    out = impair::parse_number(text);  // "-1" is none
    if (out) return;
    throw UsageError{fmt::format("{} {} is not a whole number from 0 to {}", name, text, UINT64_MAX), name + " 7"};
  };
  return command.add_option_function<std::string>(name, take, what)->type_name("N");
}

void add_impairment_options(CLI::App& subcommand, ImpairmentOptions& out) {
  constexpr const char* what = "SPEC";
  subcommand
      .add_option("--impair", out.both,
                  "treat frames as a bad network does, both ways, such as loss=1%,delay=20ms,jitter=5ms,rate=50mbit,"
                  "queue=100 (docs/impairment.md); implies --no-offload")
      ->type_name(what)
      ->check(not_empty())
      ->group(group);
  subcommand.add_option("--impair-in", out.in, "the same for frames that come in only")
      ->type_name(what)
      ->check(not_empty())
      ->group(group);
  subcommand.add_option("--impair-out", out.out, "the same for frames that go out only")
      ->type_name(what)
      ->check(not_empty())
      ->group(group);
  add_seed_option(subcommand, "--impair-seed", out.seed, "make the impairment's random choices repeatable")
      ->group(group);
}

void add_queues_option(CLI::App& subcommand, CommonOptions& out) {
  subcommand
      .add_option("--queues", out.queues,
                  "queues of the TAP, each with a stack and a thread of its own; a TAP that exists must have been made "
                  "with multi_queue")
      ->type_name("N")
      ->check(in_range(std::size_t{1}, max_queues))
      ->capture_default_str()
      ->group(group);
}

void add_busy_poll_option(CLI::App& subcommand, CommonOptions& out) {
  subcommand
      .add_option("--busy-poll", out.busy_poll,
                  "poll the TAP for US microseconds after the last frames before sleeping: answers sooner, takes more "
                  "processor time; 0 sleeps at once (default: up to 100, where that is faster)")
      ->type_name("US")
      ->check(CLI::Range(std::uint32_t{0}, max_busy_poll))
      ->group(group);
}

static void add_dhcp_options(CLI::App& subcommand, CommonOptions& out) {
  subcommand.add_flag("--dhcp", out.dhcp, "get the address from a DHCP server, instead of --ip")->group(group);
  subcommand.add_option("--hostname", out.host_name, "with --dhcp: host name to tell the server")
      ->type_name("NAME")
      ->check(not_empty())
      ->group(group);
  subcommand
      .add_option("--lease-file", out.lease_file,
                  "with --dhcp: keep lease and MAC address in FILE, and ask for the same address next time")
      ->type_name("FILE")
      ->check(not_empty())
      ->group(group);
  subcommand
      .add_flag("--link-local", out.link_local,
                "with --dhcp: use a 169.254/16 address when no server answers (RFC 3927)")
      ->group(group);
}

void add_conflict_options(CLI::App& subcommand, CommonOptions& out) {
  subcommand
      .add_flag("--no-acd", out.no_acd,
                "use --ip at once, without the 4 to 7 seconds of asking whether another host has it (RFC 5227)")
      ->group(group);
  subcommand
      .add_option("--on-conflict", out.on_conflict,
                  "when another host uses --ip later: give-up, defend-once (then give up) or defend (for ever)")
      ->type_name("WHAT")
      ->check(CLI::IsMember(conflict_policies))
      ->capture_default_str()
      ->group(group);
}

static void add_network_options(CLI::App& subcommand, CommonOptions& out) {
  subcommand.add_option("--ip", out.addresses, "own address with prefix length, such as 10.0.0.2/24; repeatable")
      ->type_name("A/LEN")
      ->allow_extra_args(false)
      ->group(group);
  subcommand.add_option("--gateway", out.gateway, "default gateway")->type_name("A")->group(group);
  subcommand
      .add_option("--route", out.routes,
                  "further route: DESTINATION[,via=GATEWAY][,metric=N][,src=ADDRESS]; repeatable")
      ->type_name("ROUTE")
      ->allow_extra_args(false)
      ->group(group);
  subcommand.add_option("--dns", out.dns_servers, "DNS servers in order of preference; repeatable")
      ->type_name("A[,A]")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group(group);
  subcommand.add_option("--search", out.search_domains, "domains to look names without a dot up in; repeatable")
      ->type_name("DOMAIN[,DOMAIN]")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group(group);
}

void add_common_options(CLI::App& subcommand, CommonOptions& out) {
  auto* name = subcommand.add_option("--tap", out.tap, "TAP interface; created where it does not exist")
                   ->type_name("NAME")
                   ->capture_default_str()
                   ->group(group);
  subcommand.add_option("--tap-fd", out.tap_descriptor, "inherited descriptor of an attached TAP, instead of --tap")
      ->type_name("N")
      ->check(in_range(0, std::numeric_limits<int>::max()))
      ->excludes(name)
      ->group(group);
  add_network_options(subcommand, out);
  add_dhcp_options(subcommand, out);
  subcommand.add_option("--mac", out.mac, "own MAC address (default: derived from the seed)")
      ->type_name("MAC")
      ->group(group);
  subcommand.add_option("--mtu", out.mtu, "MTU of both ends (default: the interface's)")
      ->type_name("OCTETS")
      ->check(in_range(min_mtu, max_mtu))
      ->group(group);
  subcommand.add_flag("--no-offload", out.no_offload, "frames as on a real wire: no super-segments, full checksums")
      ->group(group);
  add_busy_poll_option(subcommand, out);
  subcommand
      .add_option("--reassembly-timeout", out.reassembly_timeout,
                  "wait this long for the rest of a fragmented datagram")
      ->type_name("S")
      ->check(in_range(0.001, 3600.0))
      ->group(group);
  add_impairment_options(subcommand, out.impairment);
  add_conflict_options(subcommand, out);
  add_seed_option(subcommand, "--seed", out.seed, "make every random choice repeatable")->group(group);
  add_trace_options(subcommand, out.watch);
  add_capture_options(subcommand, out.watch);
  if (out.long_running) {
    subcommand
        .add_option("--control", out.control_path, "control socket for `wireside ss` and the like (default: by TAP)")
        ->type_name("PATH")
        ->check(not_empty())
        ->check(socket_path())
        ->group(group);
    subcommand.add_flag("--no-control", out.no_control, "open no control socket")->group(group);
  }
  subcommand
      .add_flag("-v,--verbose", out.verbose,
                "say more: all timers and variables and the IP headers in the trace, link changes")
      ->group(group);
}

}  // namespace wireside::apps

// Everything a Stack is told at its start. Plain values with sensible defaults.
#pragma once

#include <cstdint>
#include <vector>

#include "dns/dns_config.hpp"
#include "ip/ip_config.hpp"
#include "link/link_config.hpp"
#include "tcp/tcp_types.hpp"

namespace wireside {

struct Config {
  link::LinkConfig link;
  ip::IpConfig ip;
  tcp::TcpConfig tcp;
  dns::DnsConfig dns;
};

}  // namespace wireside

// Tables as iproute2, nstat and resolvectl print them.
#include "control_text.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace wireside::apps {
namespace {

namespace json = boost::json;

json::array lines(const char* text) { return json::parse(text).as_array(); }

const char* const three_sockets = R"([
  {"netid":"tcp","state":"LISTEN","recv_q":0,"send_q":128,"local":"0.0.0.0:80","peer":"0.0.0.0:*","dev":"tap0"},
  {"netid":"tcp","state":"ESTABLISHED","recv_q":3,"send_q":0,"local":"10.0.0.2:80","peer":"10.0.0.1:40000","dev":"tap0"},
  {"netid":"udp","state":"UNCONN","recv_q":0,"send_q":0,"local":"0.0.0.0:7","peer":"0.0.0.0:*","dev":"tap0"}])";

std::string ss(SsOptions options) { return format_sockets(select_sockets(lines(three_sockets), options), options); }

TEST(ControlText, SocketsOfOneProtocolNeedNoColumnForIt) {
  EXPECT_EQ(ss({.tcp = true, .all = true}),
            "State       Recv-Q   Send-Q   Local Address:Port Peer Address:Port\n"
            "LISTEN      0        128              0.0.0.0:80         0.0.0.0:*\n"
            "ESTAB       3        0               10.0.0.2:80    10.0.0.1:40000\n");
}

TEST(ControlText, SocketsOfSeveralProtocols) {
  EXPECT_EQ(ss({.tcp = true, .udp = true, .listening = true, .processes = true, .process = "users:((\"x\",pid=1))"}),
            "Netid State       Recv-Q   Send-Q   Local Address:Port Peer Address:Port Process\n"
            "tcp   LISTEN      0        128              0.0.0.0:80         0.0.0.0:* users:((\"x\",pid=1))\n"
            "udp   UNCONN      0        0                 0.0.0.0:7         0.0.0.0:* users:((\"x\",pid=1))\n");
}

TEST(ControlText, SocketsWithoutTheHeader) {
  EXPECT_EQ(ss({.tcp = true, .no_header = true}),
            "ESTAB       3        0               10.0.0.2:80    10.0.0.1:40000\n");
}

TEST(ControlText, CongestionWindowsAreCountedInSegments) {
  const auto one = lines(R"([{"netid":"tcp","state":"ESTABLISHED","local":"10.0.0.2:80","peer":"10.0.0.1:4","info":{
    "mss":1000,"cwnd":10500,"ssthresh":4294967295,"flight":1500,"octets_sent":7,"rto_ms":200,"srtt_ms":1.5}}])");
  const auto text = format_sockets(one, {.tcp = true, .info = true});
  EXPECT_NE(text.find(" mss:1000 cwnd:10 bytes_sent:7 "), std::string::npos) << text;
  EXPECT_NE(text.find(" unacked:2 "), std::string::npos) << text;
}

TEST(ControlText, OfTimeWaitOnlyTheTimerIsKnown) {
  const auto one = lines(R"([{"netid":"tcp","state":"TIME-WAIT","local":"10.0.0.2:80","peer":"10.0.0.1:4",
    "timer":"TIME-WAIT","timer_ms":59903,"info":{"state":"TIME-WAIT","snd_nxt":7,"rcv_nxt":9}}])");
  const auto text = format_sockets(one, {.tcp = true, .info = true, .timers = true, .memory = true});
  EXPECT_NE(text.find(" timer:(timewait,59903ms,0)"), std::string::npos) << text;
  for (const char* unknown : {"mss:", "cwnd:", "rto:", "wscale:", "mem:"}) {
    EXPECT_EQ(text.find(unknown), std::string::npos) << text;
  }
}

TEST(ControlText, Routes) {
  EXPECT_EQ(format_routes(lines(R"([
    {"dst":"default","gateway":"10.0.0.1","dev":"tap0","protocol":"dhcp","prefsrc":"10.0.0.2","metric":10},
    {"dst":"10.2.0.0/16","gateway":"10.0.0.9","dev":"tap0","protocol":"static","flags":["dead"]},
    {"dst":"10.0.0.0/24","dev":"tap0","protocol":"kernel","prefsrc":"10.0.0.2"}])")),
            "default via 10.0.0.1 dev tap0 proto dhcp src 10.0.0.2 metric 10\n"
            "10.2.0.0/16 via 10.0.0.9 dev tap0 proto static dead\n"
            "10.0.0.0/24 dev tap0 proto kernel scope link src 10.0.0.2\n");
}

TEST(ControlText, RoutesLearntFromTheNetwork) {
  const auto all = lines(R"([
    {"dst":"10.0.0.0/24","dev":"tap0","protocol":"kernel"},
    {"dst":"192.0.2.7","gateway":"10.0.0.3","dev":"tap0","cache":["redirected"],"expires":296},
    {"dst":"192.0.2.8","gateway":"10.0.0.1","dev":"tap0","cache":[],"metrics":[{"mtu":1400}],"expires":598}])");
  EXPECT_EQ(format_routes(select_cached(all)),
            "192.0.2.7 via 10.0.0.3 dev tap0 \n"
            "    cache <redirected> expires 296sec\n"
            "192.0.2.8 via 10.0.0.1 dev tap0 \n"
            "    cache expires 598sec mtu 1400\n");
}

TEST(ControlText, TheWayToOneAddress) {
  EXPECT_EQ(format_routes(lines(R"([
    {"dst":"192.0.2.7","gateway":"10.0.0.1","dev":"tap0","prefsrc":"10.0.0.2","flags":[],"cache":[]},
    {"type":"local","dst":"10.0.0.2","dev":"lo","prefsrc":"10.0.0.2","flags":[],"cache":["local"]}])")),
            "192.0.2.7 via 10.0.0.1 dev tap0 src 10.0.0.2 \n    cache\n"
            "local 10.0.0.2 dev lo src 10.0.0.2 \n    cache <local>\n");
}

TEST(ControlText, RoutesAndNeighboursOfANetwork) {
  const auto all = lines(R"([{"dst":"default"},{"dst":"10.0.0.0/8"},{"dst":"10.1.0.0/16"},{"dst":"10.1.2.3"},
    {"dst":"10.9.9.9/32"},{},{"dst":"nonsense"}])");
  const auto dst = [](const json::array& some) {
    std::string out;
    for (const auto& v : some) out += std::string{v.as_object().at("dst").as_string()} + " ";
    return out;
  };
  const auto network = [](const char* text) { return *Ipv4Prefix::parse(text); };
  EXPECT_EQ(dst(select_prefix(all, network("0.0.0.0/0"), PrefixMatch::Exact)), "default ");
  EXPECT_EQ(dst(select_prefix(all, network("10.0.0.0/8"), PrefixMatch::Exact)), "10.0.0.0/8 ");
  EXPECT_EQ(dst(select_prefix(all, network("10.9.9.9/32"), PrefixMatch::Exact)), "10.9.9.9/32 ");
  EXPECT_EQ(dst(select_prefix(all, network("10.1.0.0/16"), PrefixMatch::Within)), "10.1.0.0/16 10.1.2.3 ");
  EXPECT_EQ(dst(select_prefix(all, network("10.1.2.4/32"), PrefixMatch::Within)), "");
}

TEST(ControlText, TheKernelsNumberOfAnInterface) {
  const auto text = format_addresses(lines(R"([{"ifindex":17,"ifname":"tap0"},{"ifname":"tap1"}])"));
  EXPECT_TRUE(text.starts_with("17: tap0: ")) << text;
  EXPECT_NE(text.find("\n2: tap1: "), std::string::npos) << text;
}

TEST(ControlText, AddressesWithTheTimeTheyHaveLeft) {
  EXPECT_EQ(format_addresses(lines(R"([{"ifname":"tap0","flags":["BROADCAST","UP","LOWER_UP"],"mtu":1500,
    "operstate":"UP","address":"02:00:00:00:00:01","broadcast":"ff:ff:ff:ff:ff:ff","addr_info":[
    {"local":"10.0.0.57","prefixlen":24,"broadcast":"10.0.0.255","scope":"global","label":"tap0","dynamic":true,
     "valid_life_time":3500,"preferred_life_time":3400},
    {"local":"169.254.3.4","prefixlen":16,"broadcast":"169.254.255.255","scope":"link","label":"tap0",
     "valid_life_time":4294967295,"preferred_life_time":4294967295},
    {"local":"10.9.0.2","prefixlen":32,"scope":"global","label":"tap0","tentative":true,
     "valid_life_time":4294967295,"preferred_life_time":4294967295}]}])")),
            "1: tap0: <BROADCAST,UP,LOWER_UP> mtu 1500 state UP\n"
            "    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n"
            "    inet 10.0.0.57/24 brd 10.0.0.255 scope global dynamic tap0\n"
            "       valid_lft 3500sec preferred_lft 3400sec\n"
            "    inet 169.254.3.4/16 brd 169.254.255.255 scope link tap0\n"
            "       valid_lft forever preferred_lft forever\n"
            "    inet 10.9.0.2/32 scope global tentative tap0\n"
            "       valid_lft forever preferred_lft forever\n");
}

TEST(ControlText, Names) {
  EXPECT_EQ(format_names(lines(R"([{"ifname":"tap0","servers":["10.0.0.1","10.0.0.3:5353"],"search":["lab."],"cache":[
    {"name":"www.lab.","ttl":10,"type":"CNAME","target":"web.lab."},
    {"name":"web.lab.","ttl":290,"type":"A","status":"NOERROR","addresses":["10.0.0.1"]},
    {"name":"no.lab.","ttl":5,"type":"A","status":"NXDOMAIN","addresses":[]}],
    "statistics":{"queries":3,"cache_hits":1}}])")),
            "tap0\n"
            "  servers: 10.0.0.1 10.0.0.3:5353\n"
            "  search: lab.\n"
            "cache: 3 entries\n"
            "  www.lab.                             10 IN CNAME web.lab.\n"
            "  web.lab.                            290 IN A     10.0.0.1\n"
            "  no.lab.                               5 IN A     (the name does not exist)\n"
            "statistics:\n"
            "  queries              3\n"
            "  cache hits           1\n");
}

TEST(ControlText, CountersByPattern) {
  const auto all = lines(R"([{"dev":"tap0","counters":{"IpInReceives":4,"TcpActiveOpens":2,"TcpPassiveOpens":0},
    "drops":{"TcpBadChecksum":1}}])");
  EXPECT_EQ(format_statistics(select_counters(all, {"Tcp*"}), false),
            "#tap0\n"
            "TcpActiveOpens                  2\n"
            "dropped: TcpBadChecksum                         1\n");
  EXPECT_EQ(format_statistics(select_counters(all, {"TcpPassiveOpens"}), true),
            "#tap0\n"
            "TcpPassiveOpens                 0\n");
  EXPECT_EQ(json::serialize(select_counters(all, {})), json::serialize(all));
}

TEST(ControlText, OneInterfaceOfARouter) {
  const auto all = lines(R"([{"ifname":"tap0"},{"ifname":"tap1"},{"dst":"10.0.0.1","dev":"tap1"}])");
  EXPECT_EQ(select_interface(all, "tap1").size(), 2U);
  EXPECT_EQ(select_interface(all, "").size(), 3U);
}

/// Another version of wireside may leave fields out, or send what we do not expect.
TEST(ControlText, FieldsThatAreMissingShowAsNothing) {
  const auto odd = lines(R"([{},{"addr_info":[1,{}],"cache":[7],"metrics":[{}],"servers":"x","statistics":[]}])");
  for (const auto& text : {format_addresses(odd), format_routes(odd), format_names(odd), format_neighbours(odd),
                           format_statistics(odd, true), format_sockets(odd, {})}) {
    EXPECT_FALSE(text.empty());
  }
}

}  // namespace
}  // namespace wireside::apps

// JSON forms of connection status and of events.
#include <array>
#include <boost/json/object.hpp>

#include "agent_json.hpp"
#include "wire/frame_description.hpp"

namespace wireside::agent {
namespace {

namespace json = boost::json;

struct Describe {
  json::object& line;
  bool frames;

  void put_frame(ByteView header, std::span<const ByteView> payload, std::uint16_t gso_size) const {
    std::size_t length = header.size();
    for (const ByteView p : payload) length += p.size();
    line["length"] = length;
    if (gso_size != 0) line["gso_size"] = gso_size;
    if (!frames) return;
    std::string hex = to_hex(header);
    for (const ByteView p : payload) hex += to_hex(p);
    line["frame"] = hex;
  }

  void operator()(const observe::FrameReceived& e) const { put_frame(e.frame, {}, e.gso_size); }
  void operator()(const observe::FrameSent& e) const {
    line["reason"] = to_string(e.reason);
    line["connection"] = e.connection;
    put_frame(e.header, e.payload, e.gso_size);
  }
  void operator()(const observe::Dropped& e) const {
    line["reason"] = to_string(e.reason);
    line["connection"] = e.connection;
  }
  void operator()(const observe::StateChanged& e) const {
    line["connection"] = e.connection;
    line["local"] = e.tuple.local.to_string();
    line["peer"] = e.tuple.remote.to_string();
    line["from"] = to_string(e.from);
    line["to"] = to_string(e.to);
    line["reason"] = to_string(e.cause);
  }
  void operator()(const observe::TimerChanged& e) const {
    static constexpr std::array<std::string_view, 3> whats = {"set", "fired", "cancelled"};
    line["connection"] = e.connection;
    line["timer"] = to_string(e.timer);
    line["what"] = whats[static_cast<std::size_t>(e.what)];
    if (e.what == observe::TimerChanged::What::Set) line["in_ms"] = milliseconds(e.in);
  }
  void operator()(const observe::WindowChanged& e) const {
    line["connection"] = e.connection;
    line["reason"] = to_string(e.cause);
    line["cwnd_before"] = e.cwnd_before;
    line["cwnd"] = e.cwnd;
    line["ssthresh_before"] = e.ssthresh_before;
    line["ssthresh"] = e.ssthresh;
  }
  void operator()(const observe::RttSampled& e) const {
    line["connection"] = e.connection;
    line["sample_ms"] = milliseconds(e.sample);
    line["srtt_ms"] = milliseconds(e.srtt);
    line["rttvar_ms"] = milliseconds(e.rttvar);
    line["rto_ms"] = milliseconds(e.rto);
  }
  void operator()(const observe::RtoChanged& e) const {
    line["connection"] = e.connection;
    line["rto_before_ms"] = milliseconds(e.rto_before);
    line["rto_ms"] = milliseconds(e.rto);
  }
  void operator()(const observe::NeighbourChanged& e) const {
    line["address"] = e.address.to_string();
    line["mac"] = e.mac.to_string();
    if (e.existed) line["from"] = to_string(e.from);
    line["to"] = to_string(e.to);
  }
  void operator()(const observe::GatewayChanged& e) const {
    line["address"] = e.gateway.to_string();
    line["usable"] = e.usable;
    line["why"] = to_string(e.why);
    if (!e.instead.is_unspecified()) line["instead"] = e.instead.to_string();
  }
  void operator()(const observe::DnsProgress& e) const {
    line["step"] = to_string(e.step);
    line["name"] = e.name;
    line["server"] = e.server.to_string();
    line["id"] = e.id;
    line["over_tcp"] = e.over_tcp;
    line["after_ms"] = milliseconds(e.after);
  }
  void operator()(const observe::AddressChanged& e) const {
    line["address"] = e.address.to_string();
    line["news"] = to_string(e.news);
    if (!e.other.is_zero()) line["other"] = e.other.to_string();
  }
  void operator()(const observe::DhcpStateChanged& e) const {
    line["from"] = to_string(e.from);
    line["to"] = to_string(e.to);
    line["cause"] = to_string(e.cause);
    if (!e.address.is_unspecified()) line["address"] = e.address.to_string();
  }
  void operator()(const observe::DhcpMessageSeen& e) const {
    line["direction"] = e.sent ? "sent" : "received";
    line["type"] = e.type;
    line["name"] = e.name;
    line["xid"] = e.xid;
    line["address"] = e.address.to_string();
    line["server"] = e.server.to_string();
    if (!e.text.empty()) line["text"] = e.text;
  }
  void operator()(const observe::DhcpUnanswered& e) const {
    line["name"] = e.name;
    line["tries"] = e.tries;
    line["next_in_ms"] = milliseconds(e.next_in);
  }
  void operator()(const observe::Impaired& e) const {
    line["action"] = to_string(e.action);
    line["direction"] = e.direction == observe::Direction::In ? "in" : "out";
    line["frame"] = wire::describe_frame(e.frame);
  }
};

// In the order of observe::Event's alternatives.
constexpr std::array<std::string_view, 16> kinds = {
    "received", "sent", "drop",    "state",      "timer",        "window",          "rtt",     "rto", "neighbour",
    "gateway",  "dns",  "address", "dhcp_state", "dhcp_message", "dhcp_unanswered", "impaired"};
static_assert(std::variant_size_v<observe::Event> == kinds.size());

}  // namespace

namespace {

/// What is known of the path and of what went over it.
void add_path(json::object& o, const tcp::ConnectionStatus& s) {
  o["sacked"] = s.sacked;
  o["lost"] = s.lost;
  o["recovery"] = json::string_view(to_string(s.recovery));
  o["reordering_seen"] = s.reordering_seen;
  o["duplicates_reported"] = s.duplicates_reported;
  o["delivered"] = s.delivered;
  o["delivery_rate"] = s.delivery_rate;
  o["delivery_rate_app_limited"] = s.delivery_rate_app_limited;
  o["min_rtt_ms"] = milliseconds(s.min_rtt);
  o["rcv_rtt_ms"] = milliseconds(s.rcv_rtt);
  o["advertised_mss"] = s.advertised_mss;
  o["rcv_mss"] = s.rcv_mss;
  o["path_mtu"] = s.path_mtu;
  o["segments_sent"] = s.segments_sent;
  o["segments_received"] = s.segments_received;
  o["data_segments_sent"] = s.data_segments_sent;
  o["data_segments_received"] = s.data_segments_received;
  o["octets_retransmitted"] = s.octets_retransmitted;
  o["unsent"] = s.unsent;
  o["send_buffer"] = s.send_buffer;
  o["user_timeout_ms"] = milliseconds(s.user_timeout);
}

}  // namespace

json::object to_json(const tcp::ConnectionStatus& s) {
  json::object o;
  o["connection"] = s.id;
  o["local"] = s.tuple.local.to_string();
  o["peer"] = s.tuple.remote.to_string();
  o["state"] = to_string(s.state);
  o["iss"] = s.iss.value();
  o["irs"] = s.irs.value();
  o["snd_una"] = s.snd_una.value();
  o["snd_nxt"] = s.snd_nxt.value();
  o["rcv_nxt"] = s.rcv_nxt.value();
  o["snd_wnd"] = s.snd_wnd;
  o["rcv_wnd"] = s.rcv_wnd;
  o["snd_wscale"] = s.snd_wscale;
  o["rcv_wscale"] = s.rcv_wscale;
  o["mss"] = s.mss;
  o["timestamps"] = s.timestamps;
  o["sack"] = s.sack;
  o["ecn"] = s.ecn;
  o["ce_received"] = s.ce_received;
  o["ece_received"] = s.ece_received;
  o["cwnd"] = s.cwnd;
  o["ssthresh"] = s.ssthresh;
  o["flight"] = s.flight;
  o["pipe"] = s.pipe;
  add_path(o, s);
  o["urgent_ahead"] = s.urgent_ahead;
  o["received_tos"] = s.received_tos;
  o["congestion"] = json::string_view(to_string(s.congestion));
  o["pacing_rate"] = s.pacing_rate;
  o["srtt_ms"] = milliseconds(s.srtt);
  o["rttvar_ms"] = milliseconds(s.rttvar);
  o["rto_ms"] = milliseconds(s.rto);
  o["retransmissions"] = s.retransmissions;
  o["total_retransmitted"] = s.total_retransmitted;
  o["octets_sent"] = s.octets_sent;
  o["octets_received"] = s.octets_received;
  o["send_queued"] = s.send_queued;
  o["receive_queued"] = s.receive_queued;
  o["out_of_order"] = s.out_of_order;
  o["receive_buffer"] = s.receive_buffer;
  o["error"] = s.error ? json::value(errno_name(*s.error)) : json::value(nullptr);
  return o;
}

std::string_view kind_of(const observe::Event& event) { return kinds[event.index()]; }

bool is_event_kind(std::string_view name) {
  for (const auto kind : kinds) {
    if (kind == name) return true;
  }
  return false;
}

json::object to_json(Instant now, const observe::Event& event, bool frames) {
  json::object line;
  line["event"] = kind_of(event);
  line["t_ms"] = static_cast<double>(now.ns()) / 1e6;
  std::visit(Describe{line, frames}, event);
  return line;
}

}  // namespace wireside::agent

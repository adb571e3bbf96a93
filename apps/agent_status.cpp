// JSON forms of connection status and of events.
#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <span>

#include "agent_json.hpp"
#include "wire/frame_description.hpp"

namespace wireside::agent {
namespace {

namespace json = boost::json;
using Status = tcp::ConnectionStatus;

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
  void operator()(const observe::LossFound& e) const {
    line["sign"] = to_string(e.sign);
    line["octets"] = e.octets;
    line["left"] = e.first.left.value();
    line["right"] = e.first.right.value();
    line["sacked"] = e.sacked;
    if (e.sign == observe::LossSign::DuplicateAcks) line["dup_acks"] = e.dup_acks;
    if (e.sign != observe::LossSign::Time) return;
    line["rtt_ms"] = milliseconds(e.rtt);
    line["reordering_ms"] = milliseconds(e.reordering);
  }
  void operator()(const observe::ConnectionChanged&) const {}
  void operator()(const observe::Handled&) const {}
};

// In the order of observe::Event's alternatives; the last two, which only mark where a step ends, are not told.
constexpr std::array<std::string_view, 17> kinds = {
    "received", "sent", "drop",    "state",      "timer",        "window",          "rtt",      "rto", "neighbour",
    "gateway",  "dns",  "address", "dhcp_state", "dhcp_message", "dhcp_unanswered", "impaired", "loss"};
static_assert(std::variant_size_v<observe::Event> == kinds.size() + 2);

/// A member of the status as its type goes into JSON: times in milliseconds, enumerations by name.
template <auto member>
json::value member_value(const Status& s) {
  const auto& value = s.*member;
  using Type = std::remove_cvref_t<decltype(value)>;
  if constexpr (std::is_same_v<Type, Duration>) {
    return milliseconds(value);
  } else if constexpr (std::is_same_v<Type, SeqNum>) {
    return value.value();
  } else if constexpr (std::is_enum_v<Type>) {
    return json::string_view(to_string(value));
  } else {
    return value;
  }
}

struct StatusField {
  std::string_view name;
  json::value (*of)(const Status&);
};

// In the order in which they are written.
constexpr StatusField status_fields[] = {
    {"connection", member_value<&Status::id>},
    {"local", [](const Status& s) { return json::value(s.tuple.local.to_string()); }},
    {"peer", [](const Status& s) { return json::value(s.tuple.remote.to_string()); }},
    {"state", member_value<&Status::state>},
    {"iss", member_value<&Status::iss>},
    {"irs", member_value<&Status::irs>},
    {"snd_una", member_value<&Status::snd_una>},
    {"snd_nxt", member_value<&Status::snd_nxt>},
    {"rcv_nxt", member_value<&Status::rcv_nxt>},
    {"snd_wnd", member_value<&Status::snd_wnd>},
    {"rcv_wnd", member_value<&Status::rcv_wnd>},
    {"snd_wscale", member_value<&Status::snd_wscale>},
    {"rcv_wscale", member_value<&Status::rcv_wscale>},
    {"mss", member_value<&Status::mss>},
    {"timestamps", member_value<&Status::timestamps>},
    {"sack", member_value<&Status::sack>},
    {"ecn", member_value<&Status::ecn>},
    {"ce_received", member_value<&Status::ce_received>},
    {"ece_received", member_value<&Status::ece_received>},
    {"cwnd", member_value<&Status::cwnd>},
    {"ssthresh", member_value<&Status::ssthresh>},
    {"flight", member_value<&Status::flight>},
    {"pipe", member_value<&Status::pipe>},
    {"sacked", member_value<&Status::sacked>},
    {"lost", member_value<&Status::lost>},
    {"recovery", member_value<&Status::recovery>},
    {"reordering_seen", member_value<&Status::reordering_seen>},
    {"duplicates_reported", member_value<&Status::duplicates_reported>},
    {"delivered", member_value<&Status::delivered>},
    {"delivery_rate", member_value<&Status::delivery_rate>},
    {"delivery_rate_app_limited", member_value<&Status::delivery_rate_app_limited>},
    {"min_rtt_ms", member_value<&Status::min_rtt>},
    {"rcv_rtt_ms", member_value<&Status::rcv_rtt>},
    {"advertised_mss", member_value<&Status::advertised_mss>},
    {"rcv_mss", member_value<&Status::rcv_mss>},
    {"path_mtu", member_value<&Status::path_mtu>},
    {"segments_sent", member_value<&Status::segments_sent>},
    {"segments_received", member_value<&Status::segments_received>},
    {"data_segments_sent", member_value<&Status::data_segments_sent>},
    {"data_segments_received", member_value<&Status::data_segments_received>},
    {"octets_retransmitted", member_value<&Status::octets_retransmitted>},
    {"unsent", member_value<&Status::unsent>},
    {"send_buffer", member_value<&Status::send_buffer>},
    {"user_timeout_ms", member_value<&Status::user_timeout>},
    {"urgent_ahead", member_value<&Status::urgent_ahead>},
    {"received_tos", member_value<&Status::received_tos>},
    {"congestion", member_value<&Status::congestion>},
    {"pacing_rate", member_value<&Status::pacing_rate>},
    {"srtt_ms", member_value<&Status::srtt>},
    {"rttvar_ms", member_value<&Status::rttvar>},
    {"rto_ms", member_value<&Status::rto>},
    {"retransmissions", member_value<&Status::retransmissions>},
    {"total_retransmitted", member_value<&Status::total_retransmitted>},
    {"octets_sent", member_value<&Status::octets_sent>},
    {"octets_received", member_value<&Status::octets_received>},
    {"send_queued", member_value<&Status::send_queued>},
    {"receive_queued", member_value<&Status::receive_queued>},
    {"out_of_order", member_value<&Status::out_of_order>},
    {"receive_buffer", member_value<&Status::receive_buffer>},
    {"error", [](const Status& s) { return s.error ? json::value(errno_name(*s.error)) : json::value(nullptr); }},
};

constexpr std::array<std::string_view, 6> time_wait_fields = {"connection", "local",   "peer",
                                                              "state",      "snd_nxt", "rcv_nxt"};
constexpr std::array<std::string_view, 6> half_open_fields = {"connection", "local", "peer", "state", "iss", "irs"};

}  // namespace

json::object to_json(const tcp::ConnectionStatus& s) {
  json::object o;
  // Half-open connections and those in TIME-WAIT may be records of their own, which hold a few numbers only.
  const bool record = s.send_buffer == 0 && s.receive_buffer == 0;
  std::span<const std::string_view> known;
  if (record && s.state == TcpState::TimeWait) known = time_wait_fields;
  if (record && s.state == TcpState::SynReceived) known = half_open_fields;
  for (const StatusField& f : status_fields) {
    if (known.empty() || std::ranges::find(known, f.name) != known.end()) o[f.name] = f.of(s);
  }
  return o;
}

std::string_view kind_of(const observe::Event& event) {
  return event.index() < kinds.size() ? kinds[event.index()] : std::string_view{};
}

std::string event_kinds() {
  std::string text;
  for (const auto kind : kinds) {
    text.append(text.empty() ? "" : kind == kinds.back() ? " and " : ", ").append(kind);
  }
  return text;
}

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

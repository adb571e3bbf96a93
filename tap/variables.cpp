#include "variables.hpp"

#include <array>

namespace wireside {
namespace {

using observe::ConnectionView;
using Value = std::optional<std::int64_t>;

Value count_of(std::uint64_t n) { return static_cast<std::int64_t>(n); }
/// Sequence numbers go round: the distance is taken modulo 2^32.
Value since(SeqNum start, SeqNum seq) { return static_cast<std::int64_t>(span_octets(start, seq)); }
Value time_of(Duration d) { return d == Duration{0} ? Value{} : Value{d.count()}; }

struct Row {
  Variable variable;
  std::string_view name;
  VariableKind kind;
  bool in_records;  // half-open ones have it, too
  Value (*of)(const ConnectionView&);
};

constexpr auto rows = std::to_array<Row>({
    {Variable::SndUna, "snd_una", VariableKind::Sequence, true, [](const auto& v) { return since(v.iss, v.snd_una); }},
    {Variable::SndNxt, "snd_nxt", VariableKind::Sequence, true, [](const auto& v) { return since(v.iss, v.snd_nxt); }},
    {Variable::SndWnd, "snd_wnd", VariableKind::Octets, true, [](const auto& v) { return count_of(v.snd_wnd); }},
    {Variable::Mss, "mss", VariableKind::Octets, false, [](const auto& v) { return count_of(v.mss); }},
    {Variable::Flight, "flight", VariableKind::Octets, false, [](const auto& v) { return count_of(v.flight()); }},
    {Variable::Pipe, "pipe", VariableKind::Octets, false, [](const auto& v) { return count_of(v.pipe); }},
    {Variable::Sacked, "sacked", VariableKind::Octets, false, [](const auto& v) { return count_of(v.sacked); }},
    {Variable::Lost, "lost", VariableKind::Octets, false, [](const auto& v) { return count_of(v.lost); }},
    {Variable::SendQueue, "send queue", VariableKind::Octets, false,
     [](const auto& v) { return count_of(v.send_queued); }},
    {Variable::Cwnd, "cwnd", VariableKind::Octets, false, [](const auto& v) { return count_of(v.cwnd); }},
    {Variable::Ssthresh, "ssthresh", VariableKind::Octets, false,
     [](const auto& v) { return v.ssthresh == UINT32_MAX ? Value{} : count_of(v.ssthresh); }},
    {Variable::Recovery, "recovery", VariableKind::Phase, false,
     [](const auto& v) { return count_of(static_cast<std::uint64_t>(v.recovery)); }},
    {Variable::DupAcks, "dup_acks", VariableKind::Count, false, [](const auto& v) { return count_of(v.dup_acks); }},
    {Variable::Retransmissions, "back-offs", VariableKind::Count, true,
     [](const auto& v) { return count_of(v.retransmissions); }},
    {Variable::Probes, "window probes", VariableKind::Count, false, [](const auto& v) { return count_of(v.probes); }},
    {Variable::KeepAlives, "keep-alives", VariableKind::Count, false,
     [](const auto& v) { return count_of(v.keep_alives); }},
    {Variable::Srtt, "srtt", VariableKind::Time, false, [](const auto& v) { return time_of(v.srtt); }},
    {Variable::Rttvar, "rttvar", VariableKind::Time, false, [](const auto& v) { return time_of(v.rttvar); }},
    {Variable::Rto, "rto", VariableKind::Time, true, [](const auto& v) { return time_of(v.rto); }},
    {Variable::RcvNxt, "rcv_nxt", VariableKind::Sequence, true, [](const auto& v) { return since(v.irs, v.rcv_nxt); }},
    {Variable::RcvWnd, "rcv_wnd", VariableKind::Octets, true, [](const auto& v) { return count_of(v.rcv_wnd); }},
    {Variable::OutOfOrder, "out of order", VariableKind::Octets, false,
     [](const auto& v) { return count_of(v.out_of_order); }},
    {Variable::ReceiveQueue, "receive queue", VariableKind::Octets, false,
     [](const auto& v) { return count_of(v.receive_queued); }},
    {Variable::Unacknowledged, "not acknowledged", VariableKind::Octets, false,
     [](const auto& v) { return count_of(v.unacknowledged); }},
});
static_assert(rows.size() == variable_count);
static_assert([] {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (static_cast<std::size_t>(rows[i].variable) != i) return false;
  }
  return true;
}());

const Row& row_of(Variable v) { return rows[static_cast<std::size_t>(v)]; }

}  // namespace

std::string_view to_string(Variable v) { return row_of(v).name; }
VariableKind kind_of(Variable v) { return row_of(v).kind; }

std::optional<std::int64_t> value_of(const ConnectionView& view, Variable v) {
  const Row& row = row_of(v);
  if (view.record == ConnectionView::Record::TimeWait) return std::nullopt;
  // Before the peer's SYN nothing is known of what it sends.
  const bool opening = view.state == TcpState::SynSent || view.state == TcpState::Closed;
  if (opening && row.kind == VariableKind::Sequence && v == Variable::RcvNxt && view.rcv_nxt == view.irs) return {};
  return view.record == ConnectionView::Record::Whole || row.in_records ? row.of(view) : std::nullopt;
}

std::vector<Moved> moved(const ConnectionView* before, const ConnectionView& after) {
  std::vector<Moved> out;
  if (after.record == ConnectionView::Record::TimeWait) return out;
  for (const Row& row : rows) {
    const Value was = before != nullptr ? value_of(*before, row.variable) : std::nullopt;
    const Value is = value_of(after, row.variable);
    const bool nothing_yet = !was && is == 0;
    if (was != is && is && !nothing_yet) out.push_back({row.variable, was, is});
  }
  return out;
}

}  // namespace wireside

#include "ip/icmp.hpp"

#include <algorithm>
#include <utility>

#include "base/checksum.hpp"
#include "ip/own_hop.hpp"
#include "wire/header_edit.hpp"

namespace wireside::ip {
namespace {

using observe::DropReason;
using observe::TxReason;
using wire::IcmpType;

constexpr std::int64_t ns_per_second = 1'000'000'000;
// Precedence "internetwork control", as RFC 1812 section 4.3.2.5 wants it for errors.
constexpr std::uint8_t error_tos = 0xc0;

}  // namespace

bool TokenBucket::take(Instant now) {
  if (!started_) {
    started_ = true;
    refilled_ = now;
  }
  if (rate_ > 0) {
    const std::int64_t interval = std::max<std::int64_t>(1, ns_per_second / rate_);
    const std::int64_t due = (now - refilled_).count() / interval;
    if (due >= std::int64_t{burst_} - tokens_) {
      tokens_ = burst_;
      refilled_ = now;
    } else if (due > 0) {
      tokens_ += static_cast<std::uint32_t>(due);
      refilled_ += Duration{due * interval};
    }
  }
  if (tokens_ == 0) return false;
  --tokens_;
  return true;
}

void complete_icmp_checksum(FrameOut& frame) {
  std::uint8_t* header = frame.header.data() + frame.header.size() - wire::icmp_header_length;
  ChecksumAccumulator sum;
  sum.add({header, wire::icmp_header_length});
  for (const Slice& slice : frame.payload) sum.add(slice.view());
  wire::put_checksum(header + wire::icmp_checksum_offset, sum.checksum());
}

Icmp::Icmp(const IcmpConfig& config, const Routes& routes, observe::Sink& sink)
    : config_{config}, routes_{routes}, sink_{sink}, bucket_{config.errors_per_second, config.error_burst} {}

Arrived Icmp::handle(Instant now, const IncomingDatagram& datagram) {
  const auto header = wire::parse_icmp(datagram.payload.view());
  if (!header) {
    sink_.drop(now, DropReason::IcmpMalformed);
    return {};
  }
  ++sink_.count.icmp_in[observe::Counters::icmp_row(header->type)];
  if (internet_checksum(datagram.payload.view()) != 0) {
    sink_.drop(now, DropReason::IcmpBadChecksum);
    return {};
  }
  switch (static_cast<IcmpType>(header->type)) {
    case IcmpType::EchoRequest:
      answer_echo(now, *header, datagram);
      return {};
    case IcmpType::EchoReply:
      if (datagram.broadcast) break;
      return EchoReplyReport{datagram.header.source,
                             datagram.header.destination,
                             header->echo_id(),
                             header->echo_sequence(),
                             datagram.header.ttl,
                             datagram.header.tos,
                             datagram.payload.sub(wire::icmp_header_length),
                             options_for_transport(now, datagram, routes_)};
    case IcmpType::DestinationUnreachable:
    case IcmpType::TimeExceeded:
    case IcmpType::ParameterProblem:
    case IcmpType::Redirect:
      if (datagram.broadcast) break;
      return report_error(now, *header, datagram);
    case IcmpType::SourceQuench:  // RFC 6633: ignored
    case IcmpType::TimestampRequest:
    case IcmpType::TimestampReply:
    default:
      sink_.drop(now, DropReason::IcmpUnknownType);
      return {};
  }
  sink_.drop(now, DropReason::IcmpSuppressed);
  return {};
}

void Icmp::answer_echo(Instant now, const wire::IcmpHeader& request, const IncomingDatagram& datagram) {
  if (!config_.answer_echo || datagram.broadcast) {
    sink_.drop(now, DropReason::IcmpSuppressed);
    return;
  }
  const std::size_t header_length = wire::ipv4_header_length(datagram.packet.view());
  const ByteView options = datagram.packet.view().subspan(wire::ipv4_min_header, header_length - wire::ipv4_min_header);
  const wire::EchoReplyOptions back =
      wire::echo_reply_options(options, datagram.header.source, own_hop(now, datagram.header.destination, routes_));
  if (back.problem_at) {
    sink_.drop(now, DropReason::IpBadOption);
    return parameter_problem(now, static_cast<std::uint8_t>(*back.problem_at), datagram);
  }
  IcmpMessageOut reply;
  // The pinged address answers (RFC 1122 section 3.2.2.6), with the request's TOS (RFC 1349 section 5.1).
  reply.parameters = {.source = datagram.header.destination,
                      .destination = back.first_hop,
                      .protocol = wire::IpProtocol::Icmp,
                      .tos = datagram.header.tos,
                      .options = back.options,
                      .dont_fragment = false};
  const wire::IcmpHeader header{static_cast<std::uint8_t>(IcmpType::EchoReply), 0, request.rest};
  wire::emit_icmp(header, {reply.frame.header.prepend(wire::icmp_header_length), wire::icmp_header_length});
  Slice data = datagram.payload.sub(wire::icmp_header_length);
  if (!data.empty()) reply.frame.payload.push_back(std::move(data));
  complete_icmp_checksum(reply.frame);
  reply.frame.reason = TxReason::EchoReply;
  enqueue(now, std::move(reply));
}

Arrived Icmp::report_error(Instant now, const wire::IcmpHeader& header, const IncomingDatagram& datagram) {
  const Slice quote = datagram.payload.sub(wire::icmp_header_length);
  const auto quoted = wire::parse_quoted_packet(quote.view());
  if (!quoted || quoted->header.fragment_offset != 0) {
    sink_.drop(now, DropReason::IcmpMalformed);
    return {};
  }
  const AddressKind kind = routes_.classify(quoted->header.source);
  const bool sent_by_us = kind == AddressKind::Local || (datagram.loopback && kind == AddressKind::Loopback);
  if (!sent_by_us) {
    sink_.drop(now, DropReason::IpNotOurs);
    return {};
  }
  IcmpErrorReport report;
  report.type = static_cast<IcmpType>(header.type);
  report.code = header.code;
  report.reporter = datagram.header.source;
  report.protocol = quoted->header.protocol;
  report.tuple.local = {quoted->header.source, quoted->source_port};
  report.tuple.remote = {quoted->header.destination, quoted->destination_port};
  if (report.protocol == static_cast<std::uint8_t>(wire::IpProtocol::Icmp)) {
    report.tuple.local.port = Port{quoted->echo_id};
    report.echo_sequence = quoted->echo_sequence;
  }
  report.seq = quoted->seq;
  report.quoted_length = quoted->header.total_length;
  report.quoted_dont_fragment = quoted->header.dont_fragment;
  report.quoted_ttl = quoted->header.ttl;
  report.quote = quote;
  if (report.type == IcmpType::Redirect) report.gateway = Ipv4Address{header.rest};
  if (report.type == IcmpType::DestinationUnreachable &&
      report.code == static_cast<std::uint8_t>(wire::UnreachableCode::FragmentationNeeded)) {
    report.mtu = static_cast<std::uint16_t>(header.rest);
  }
  return report;
}

void Icmp::unreachable(Instant now, wire::UnreachableCode code, const IncomingDatagram& original) {
  send_error(now, {static_cast<std::uint8_t>(IcmpType::DestinationUnreachable), static_cast<std::uint8_t>(code), 0},
             original);
}

void Icmp::time_exceeded(Instant now, wire::TimeExceededCode code, const IncomingDatagram& original) {
  send_error(now, {static_cast<std::uint8_t>(IcmpType::TimeExceeded), static_cast<std::uint8_t>(code), 0}, original);
}

void Icmp::parameter_problem(Instant now, std::uint8_t pointer, const IncomingDatagram& original) {
  send_error(now, {static_cast<std::uint8_t>(IcmpType::ParameterProblem), 0, std::uint32_t{pointer} << 24U}, original);
}

void Icmp::send_error(Instant now, const wire::IcmpHeader& header, const IncomingDatagram& original) {
  if (!may_send_error(original)) {
    sink_.drop(now, DropReason::IcmpSuppressed);
    return;
  }
  if (!bucket_.take(now)) {
    sink_.drop(now, DropReason::IcmpRateLimited);
    return;
  }
  IcmpMessageOut message;
  // What we sent and cannot get rid of is answered like a foreign packet: the destination is not ours.
  const Ipv4Address asked = original.header.destination;
  const bool for_us = routes_.is_local(asked) || (original.loopback && asked.is_loopback());
  message.parameters = {.source = for_us ? asked : Ipv4Address{},
                        .destination = original.header.source,
                        .protocol = wire::IpProtocol::Icmp,
                        .tos = error_tos,
                        .dont_fragment = false};
  wire::emit_icmp(header, {message.frame.header.prepend(wire::icmp_header_length), wire::icmp_header_length});
  constexpr std::size_t quote_length = max_error_packet - wire::ipv4_min_header - wire::icmp_header_length;
  message.frame.payload.push_back(original.packet.sub(0, quote_length));
  complete_icmp_checksum(message.frame);
  message.frame.reason = TxReason::IcmpError;
  enqueue(now, std::move(message));
}

bool Icmp::may_send_error(const IncomingDatagram& original) const {
  if (original.broadcast || original.header.fragment_offset != 0) return false;
  const AddressKind source = routes_.classify(original.header.source);
  const bool from_one_host = source == AddressKind::Unicast ||
                             (original.loopback && (source == AddressKind::Local || source == AddressKind::Loopback));
  if (!from_one_host) return false;
  if (original.header.protocol != static_cast<std::uint8_t>(wire::IpProtocol::Icmp)) return true;
  const auto icmp = wire::parse_icmp(original.payload.view());
  return icmp && !icmp->is_error();
}

bool Icmp::sent_to(Ipv4Address destination) const {
  return !destination.is_unspecified() && std::ranges::find(sent_to_, destination) != sent_to_.end();
}

bool Icmp::poll(IcmpMessageOut& out) {
  if (queue_.empty()) return false;
  out = std::move(queue_.front());
  queue_.pop_front();
  return true;
}

void Icmp::enqueue(Instant now, IcmpMessageOut&& message) {
  if (queue_.size() >= max_queued) {
    sink_.drop(now, DropReason::QueueFull);
    return;
  }
  ++sink_.count.icmp_out[observe::Counters::icmp_row(message.frame.header.view().front())];
  sent_to_[next_sent_++ % sent_to_.size()] = message.parameters.destination;
  queue_.push_back(std::move(message));
}

}  // namespace wireside::ip

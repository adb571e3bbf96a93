// Parsing. Emission and description: dhcp_emit.cpp.
#include "wire/dhcp.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace wireside::wire {
namespace {

using Options = std::map<std::uint8_t, std::vector<std::uint8_t>>;

constexpr std::size_t sname_offset = 44, sname_length = 64;
constexpr std::size_t file_offset = 108, file_length = 128;
constexpr std::uint8_t overload_file = 1, overload_sname = 2;

constexpr std::uint8_t code_of(DhcpOption option) { return static_cast<std::uint8_t>(option); }

/// Takes the options out of the collection, each by the form its RFC gives it.
class Reader {
 public:
  explicit Reader(const Options& options) : options_{options} {}

  /// False once an option the protocol hangs on had a wrong length.
  [[nodiscard]] bool good() const { return good_; }

  void must(DhcpOption code, std::optional<std::uint32_t>& out) {
    const auto* octets = find(code);
    if (octets == nullptr) return;
    if (octets->size() == 4) {
      out = load_be32(octets->data());
    } else {
      good_ = false;
    }
  }
  void must(DhcpOption code, std::optional<Ipv4Address>& out) {
    std::optional<std::uint32_t> value;
    must(code, value);
    if (value) out = Ipv4Address{*value};
  }
  void must(std::optional<DhcpMessageType>& out) {
    const auto* octets = find(DhcpOption::MessageType);
    if (octets == nullptr) return;
    constexpr auto last = static_cast<std::uint8_t>(DhcpMessageType::ForceRenew);
    if (octets->size() == 1 && octets->front() >= 1 && octets->front() <= last) {
      out = static_cast<DhcpMessageType>(octets->front());
    } else {
      good_ = false;
    }
  }
  void may(DhcpOption code, std::optional<Ipv4Address>& out) const {
    if (const auto* octets = find(code); octets != nullptr && octets->size() == 4) {
      out = Ipv4Address{load_be32(octets->data())};
    }
  }
  void may(DhcpOption code, std::optional<std::uint16_t>& out) const {
    if (const auto* octets = find(code); octets != nullptr && octets->size() == 2) out = load_be16(octets->data());
  }
  void may(DhcpOption code, std::optional<std::uint8_t>& out) const {
    if (const auto* octets = find(code); octets != nullptr && octets->size() == 1) out = octets->front();
  }
  void may(DhcpOption code, std::vector<Ipv4Address>& out) const {
    const auto* octets = find(code);
    if (octets == nullptr || octets->size() % 4 != 0) return;
    for (std::size_t i = 0; i < octets->size(); i += 4) out.emplace_back(load_be32(octets->data() + i));
  }
  void may(DhcpOption code, std::vector<std::uint8_t>& out) const {
    if (const auto* octets = find(code)) out = *octets;
  }
  /// Servers may end text with NUL octets, which are no part of it (RFC 2132 section 2).
  void may(DhcpOption code, std::string& out) const {
    const auto* octets = find(code);
    if (octets == nullptr) return;
    out.assign(octets->begin(), octets->end());
    while (!out.empty() && out.back() == '\0') out.pop_back();
  }
  void may(std::vector<ClasslessRoute>& out) const;

 private:
  [[nodiscard]] const std::vector<std::uint8_t>* find(DhcpOption code) const {
    const auto it = options_.find(code_of(code));
    return it == options_.end() ? nullptr : &it->second;
  }

  const Options& options_;
  bool good_ = true;
};

/// RFC 3442: prefix length, as many octets of the destination as it covers, router.
void Reader::may(std::vector<ClasslessRoute>& out) const {
  const auto* octets = find(DhcpOption::ClasslessRoutes);
  if (octets == nullptr) return;
  std::vector<ClasslessRoute> routes;
  for (std::size_t at = 0; at < octets->size();) {
    const std::uint8_t length = (*octets)[at++];
    const std::size_t significant = (length + 7U) / 8;
    if (length > 32 || octets->size() - at < significant + 4) return;
    std::array<std::uint8_t, 4> destination{};
    std::copy_n(octets->begin() + static_cast<std::ptrdiff_t>(at), significant, destination.begin());
    at += significant;
    Ipv4Prefix prefix{Ipv4Address{load_be32(destination.data())}, length};
    prefix.address = prefix.network();
    routes.push_back({prefix, Ipv4Address{load_be32(octets->data() + at)}});
    at += 4;
  }
  out = std::move(routes);
}

DhcpMessage fixed_fields(ByteView octets) {
  const std::uint8_t* p = octets.data();
  DhcpMessage m;
  m.op = static_cast<DhcpMessage::Op>(p[0]);
  m.hops = p[3];
  m.xid = load_be32(p + 4);
  m.secs = load_be16(p + 8);
  m.broadcast = (p[10] & 0x80U) != 0;
  m.ciaddr = Ipv4Address{load_be32(p + 12)};
  m.yiaddr = Ipv4Address{load_be32(p + 16)};
  m.siaddr = Ipv4Address{load_be32(p + 20)};
  m.giaddr = Ipv4Address{load_be32(p + 24)};
  std::copy_n(p + 28, 6, m.chaddr.octets.begin());
  return m;
}

}  // namespace

/// Calls visit(code, value) for each option of one field; false when one runs past the field's end.
template <class Visit>
bool DhcpView::walk(ByteView field, Visit&& visit) const {
  for (std::size_t at = 0; at < field.size();) {
    const std::uint8_t code = field[at++];
    if (code == code_of(DhcpOption::Pad)) continue;
    if (code == code_of(DhcpOption::End)) return true;
    if (at == field.size()) return false;
    const std::size_t length = field[at++];
    if (field.size() - at < length) return false;
    visit(code, field.subspan(at, length));
    at += length;
  }
  return true;  // a missing END is forgiven
}

template <class Visit>
bool DhcpView::walk_all(Visit&& visit) const {
  // The order in which RFC 3396 section 5 joins what is split over the fields.
  if (!walk(octets_.subspan(dhcp_options_offset), visit)) return false;
  if ((overload_ & overload_file) != 0 && !walk(octets_.subspan(file_offset, file_length), visit)) return false;
  return (overload_ & overload_sname) == 0 || walk(octets_.subspan(sname_offset, sname_length), visit);
}

Result<DhcpView> DhcpView::parse(ByteView octets) {
  if (octets.size() < dhcp_options_offset) return fail(Error::Truncated);
  const std::uint8_t* p = octets.data();
  const bool known = (p[0] == 1 || p[0] == 2) && p[1] == 1 && p[2] == 6;
  if (!known || load_be32(p + dhcp_options_offset - 4) != dhcp_magic_cookie) return fail(Error::Malformed);
  DhcpView view{octets};
  bool good = true;
  std::uint8_t overload = 0;
  const bool walked = view.walk(octets.subspan(dhcp_options_offset), [&](std::uint8_t code, ByteView value) {
    if (code != code_of(DhcpOption::Overload)) return;
    good = good && value.size() == 1 && value[0] >= 1 && value[0] <= 3;
    if (good) overload = value[0];
  });
  view.overload_ = overload;
  if (!walked || !good || !view.walk_all([](std::uint8_t, ByteView) {})) return fail(Error::Malformed);
  return view;
}

std::optional<std::vector<std::uint8_t>> DhcpView::option(DhcpOption wanted) const {
  std::optional<std::vector<std::uint8_t>> out;
  (void)walk_all([&](std::uint8_t code, ByteView value) {
    if (code != code_of(wanted)) return;
    if (!out) out.emplace();
    out->insert(out->end(), value.begin(), value.end());
  });
  return out;
}

Result<DhcpMessage> parse_dhcp(ByteView octets) {
  const auto view = DhcpView::parse(octets);
  if (!view) return fail(view.error());
  Options options;
  for (const DhcpOption code :
       {DhcpOption::SubnetMask,    DhcpOption::Router,           DhcpOption::DomainNameServer,
        DhcpOption::HostName,      DhcpOption::DomainName,       DhcpOption::InterfaceMtu,
        DhcpOption::NtpServers,    DhcpOption::BroadcastAddress, DhcpOption::RequestedAddress,
        DhcpOption::LeaseTime,     DhcpOption::MessageType,      DhcpOption::ServerIdentifier,
        DhcpOption::Message,       DhcpOption::MaxMessageSize,   DhcpOption::ParameterRequestList,
        DhcpOption::RenewalTime,   DhcpOption::RebindingTime,    DhcpOption::VendorClass,
        DhcpOption::AutoConfigure, DhcpOption::ClientIdentifier, DhcpOption::ClasslessRoutes}) {
    if (auto value = view->option(code)) options.emplace(code_of(code), std::move(*value));
  }
  DhcpMessage m = fixed_fields(octets);
  Reader reader{options};
  reader.must(m.type);
  reader.must(DhcpOption::RequestedAddress, m.requested_address);
  reader.must(DhcpOption::ServerIdentifier, m.server_id);
  reader.must(DhcpOption::LeaseTime, m.lease_seconds);
  reader.must(DhcpOption::RenewalTime, m.renewal_seconds);
  reader.must(DhcpOption::RebindingTime, m.rebinding_seconds);
  reader.must(DhcpOption::SubnetMask, m.subnet_mask);
  if (!reader.good()) return fail(Error::Malformed);
  reader.may(DhcpOption::BroadcastAddress, m.broadcast_address);
  reader.may(DhcpOption::InterfaceMtu, m.mtu);
  reader.may(DhcpOption::MaxMessageSize, m.max_message_size);
  reader.may(DhcpOption::AutoConfigure, m.auto_configure);
  reader.may(DhcpOption::Router, m.routers);
  reader.may(DhcpOption::DomainNameServer, m.dns_servers);
  reader.may(DhcpOption::NtpServers, m.ntp_servers);
  reader.may(m.classless_routes);
  reader.may(DhcpOption::ParameterRequestList, m.parameter_request_list);
  reader.may(DhcpOption::ClientIdentifier, m.client_id);
  reader.may(DhcpOption::HostName, m.host_name);
  reader.may(DhcpOption::DomainName, m.domain_name);
  reader.may(DhcpOption::VendorClass, m.vendor_class);
  reader.may(DhcpOption::Message, m.message);
  return m;
}

}  // namespace wireside::wire

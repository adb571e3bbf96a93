// A DHCP lease as JSON, and the file that keeps it until the next start.
#pragma once

#include <boost/json/object.hpp>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.hpp"
#include "dhcp/dhcp_types.hpp"

namespace wireside::apps {

/// A lease belongs to the MAC address it was given to.
struct StoredLease {
  MacAddress mac;
  dhcp::Lease lease;
};

/// `wall_offset` takes the lease's time line to the time since 1970.
[[nodiscard]] boost::json::object lease_to_json(const StoredLease& stored, Duration wall_offset);
[[nodiscard]] std::expected<StoredLease, std::string> lease_from_json(const boost::json::value& json,
                                                                      Duration wall_offset);

/// What the file holds: that object on a line. The error says what is wrong, after "the file".
[[nodiscard]] std::string lease_to_text(const StoredLease& stored, Duration wall_offset);
[[nodiscard]] std::expected<StoredLease, std::string> lease_from_text(std::string_view content, Duration wall_offset);

/// nullopt: there is no such file. The error says what is wrong with it.
[[nodiscard]] std::expected<std::optional<StoredLease>, std::string> read_lease_file(const std::string& path,
                                                                                     Duration wall_offset);
/// Replaces the file as a whole. nullopt on success, else what went wrong.
[[nodiscard]] std::optional<std::string> write_lease_file(const std::string& path, const StoredLease& stored,
                                                          Duration wall_offset);

/// "3600 s", or "infinite".
[[nodiscard]] std::string lease_time_text(const dhcp::Lease& lease);
/// The lease for people, a line for each thing known.
[[nodiscard]] std::string describe_lease(const dhcp::Lease& lease);
[[nodiscard]] std::string describe_configuration(const dhcp::Configuration& configuration);

}  // namespace wireside::apps

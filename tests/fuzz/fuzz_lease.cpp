// The lease file: what is believed is written to a file that is read as the same lease, and can be shown.
#include "lease_file.hpp"

#include <string_view>

#include "fuzz/require.hpp"

using namespace wireside;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr Duration wall = std::chrono::seconds{1'700'000'000};
  const auto stored = apps::lease_from_text({reinterpret_cast<const char*>(data), size}, wall);
  if (!stored) {
    require(!stored.error().empty(), "a refusal has a reason");
    return 0;
  }
  const dhcp::Lease& lease = stored->lease;
  require(lease.infinite || (lease.t1 < lease.t2 && lease.t2 < lease.duration), "T1 < T2 < lease");
  require(lease.infinite || lease.expires_at() >= lease.obtained, "times can be added");
  const auto again = apps::lease_from_text(apps::lease_to_text(*stored, wall), wall);
  require(again.has_value(), "what is written can be read");
  require(again->mac == stored->mac && again->lease == lease, "what is written is the same lease");
  for (const char c : apps::describe_lease(lease)) require(c == '\n' || (c >= 0x20 && c <= 0x7e), "printable text");
  return 0;
}

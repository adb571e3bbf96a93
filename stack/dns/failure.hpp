// Why a name has no address for its asker.
#pragma once

#include <cstdint>
#include <string_view>

namespace wireside::dns {

enum class Failure : std::uint8_t {
  // the name cannot be asked for
  EmptyName,
  EmptyLabel,
  LabelTooLong,
  NameTooLong,
  BadCharacter,
  BadHyphen,
  International,
  BadAddress,
  // nobody can be asked
  NoServer,
  TooManyQueries,
  // what the servers said, or did not
  NotFound,       ///< NXDOMAIN
  NoData,         ///< the name exists without an IPv4 address
  ChainTooLong,   ///< CNAMEs go in a circle or never end
  ServerFailure,  ///< every server failed or refused
  TimedOut,       ///< no server answered
  Unreachable,    ///< no server could be reached
};

/// One lower-case sentence fragment, such as "the name does not exist (NXDOMAIN)".
[[nodiscard]] std::string_view describe(Failure f);
/// The name itself is wrong: no server would help.
[[nodiscard]] constexpr bool is_name_error(Failure f) { return f <= Failure::BadAddress; }

}  // namespace wireside::dns

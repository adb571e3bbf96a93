// What `wireside agent --help` says about the protocol.
#pragma once

#include <string_view>

namespace wireside::agent {

extern const std::string_view protocol_help;

}  // namespace wireside::agent

// Names and addresses that users write, checked before anything runs.
#pragma once

#include <optional>
#include <string>

namespace wireside::apps {

/// What is wrong with a name or address that a user wrote, as a sentence; nullopt when it can be looked up.
[[nodiscard]] std::optional<std::string> host_problem(const std::string& host);

}  // namespace wireside::apps

// The `agent` subcommand: an endpoint that a script drives with JSON lines.
#pragma once

#include "command.hpp"

namespace wireside::agent {

/// Adds the subcommand to `app`; when it is given, its callback sets `chosen`.
void register_agent(CLI::App& app, apps::Action& chosen);

}  // namespace wireside::agent

// TCP settings that a scenario may give to hosts and flows, by name.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tcp/tcp_types.hpp"

namespace wireside::sim {

struct SettingError {
  std::string what;
  std::string remedy;
};

/// Sets what "name=value" says; else why not.
[[nodiscard]] std::optional<SettingError> set_host_option(std::string_view name, std::string_view value,
                                                          tcp::TcpConfig& out);
[[nodiscard]] std::optional<SettingError> set_flow_option(std::string_view name, std::string_view value,
                                                          tcp::ConnectionOptions& out);
/// " name=value" for each that is not the default.
[[nodiscard]] std::string host_options_text(const tcp::TcpConfig& config);
[[nodiscard]] std::string flow_options_text(const tcp::ConnectionOptions& options);

}  // namespace wireside::sim

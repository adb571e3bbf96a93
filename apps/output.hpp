// Standard output and standard error of the command. Neither throws where a stream cannot be written.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace wireside::apps {

/// Writes to standard error; what cannot be written there is lost, since nobody could be told.
void tell(std::string_view text) noexcept;
/// Prints "wireside: MESSAGE" to standard error.
void complain(const std::string& message);
/// Writes to standard output at once. false: it could not. The first failure is told on standard error; whether there
/// was one, `output_failed` says.
bool write_out(std::string_view text);
/// Some output was lost: the process ends with status 1.
[[nodiscard]] bool output_failed();

/// Formats, and writes to standard output at once.
template <class... T>
void put(fmt::format_string<T...> format, T&&... values) {
  (void)write_out(fmt::format(format, std::forward<T>(values)...));
}

}  // namespace wireside::apps

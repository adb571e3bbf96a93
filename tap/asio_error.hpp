// The core's errors in Asio's terms.
#pragma once

#include <boost/system/error_code.hpp>

#include "base/result.hpp"

namespace wireside::net {

using error_code = boost::system::error_code;

/// The error_code with the same errno value (system category), so that it compares equal to asio::error::basic_errors.
[[nodiscard]] inline error_code to_error_code(Error e) { return {to_errno(e), boost::system::system_category()}; }

/// Success, or the error of a failed Result.
template <class T>
[[nodiscard]] error_code to_error_code(const Result<T>& r) {
  return r.has_value() ? error_code{} : to_error_code(r.error());
}

}  // namespace wireside::net

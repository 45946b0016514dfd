// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace attnscope {

// What went wrong, by whose hand it can be mended. The numbers are the exit statuses of the command line.
enum class ErrorKind {
  Usage = 2,        // an unknown option, mechanism or parameter; a value out of its range
  Input = 3,        // a file or recipe that cannot be read, or data that no mechanism can take
  Compute = 4,      // not enough memory, a device that failed, a combination that is not defined
  Output = 5,       // a file that cannot be written
  Cancelled = 130,  // stopped on request; nothing is lost
};

// Which part of a text that the user wrote is to blame: bytes [begin, end), end may be one past the text.
struct TextFault {
  std::string text;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// One failure in words for the user: which file, key or option; what was found; what was expected; what to
// do.
struct Error {
  ErrorKind kind = ErrorKind::Compute;
  std::string message;
  std::optional<TextFault> fault = std::nullopt;
};

// The only way in which core and kernels report failure: no exception crosses their interfaces.
template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return tl::unexpected<Error>(Error{kind, std::move(message), std::nullopt});
}

[[nodiscard]] inline tl::unexpected<Error> cancelled() {
  return fail(ErrorKind::Cancelled, "Cancelled.");
}

}  // namespace attnscope

// Evaluates a Result or Status and returns its error from the enclosing function.
#define ATTN_TRY(expression)                                                    \
  do {                                                                          \
    if (auto attnStatus = (expression); !attnStatus)                            \
      return tl::unexpected<::attnscope::Error>(std::move(attnStatus.error())); \
  } while (false)

// Declares `name` from a Result<T>, or returns its error from the enclosing function.
#define ATTN_ASSIGN(name, expression)                                                            \
  auto name##Result = (expression);                                                              \
  if (!name##Result) return tl::unexpected<::attnscope::Error>(std::move(name##Result.error())); \
  auto name = std::move(*name##Result)

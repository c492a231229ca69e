// SPDX-License-Identifier: Apache-2.0
// Errors: one vocabulary. A fallible function returns Result<T>; nothing here throws, logs or exits.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <tl/expected.hpp>
#include <utility>

namespace svd {

// Why an operation failed: a code to branch on and a sentence to show.
// The sentence reads "cannot <verb> <object>: <reason>", lower case, no full stop.
struct Error {
  std::errc code{};
  std::string text;
  bool operator==(const Error&) const = default;
};

template <class T = void>
class [[nodiscard]] Result : public tl::expected<T, Error> {  // tl::expected alone isn't nodiscard
 public:
  using tl::expected<T, Error>::expected;
};

[[nodiscard]] inline tl::unexpected<Error> fail(std::errc code, std::string text) {
  return tl::make_unexpected(Error{code, std::move(text)});
}

// "No such file or directory" for ENOENT; thread-safe, unlike strerror().
[[nodiscard]] inline std::string errno_text(int err) { return std::generic_category().message(err); }

// `err` is a saved errno: composing `what` may change the global one.
[[nodiscard]] inline tl::unexpected<Error> fail_errno(int err, std::string_view what) {
  return fail(static_cast<std::errc>(err), std::string{what} + ": " + errno_text(err));
}

#define SVD_CONCAT_INNER(a, b) a##b
#define SVD_CONCAT(a, b) SVD_CONCAT_INNER(a, b)
// SVD_TRY(auto fd, open_dir(path)); binds the value, or returns the error to the caller.
#define SVD_TRY(declaration, expression)                                           \
  auto SVD_CONCAT(svd_try_, __LINE__) = (expression);                              \
  if (!SVD_CONCAT(svd_try_, __LINE__))                                             \
    return tl::make_unexpected(std::move(SVD_CONCAT(svd_try_, __LINE__)).error()); \
  declaration = std::move(*SVD_CONCAT(svd_try_, __LINE__))
// SVD_CHECK(write_all(fd, text)); for a Result<> whose value is nothing.
#define SVD_CHECK(expression)                                                              \
  if (auto SVD_CONCAT(svd_try_, __LINE__) = (expression); !SVD_CONCAT(svd_try_, __LINE__)) \
  return tl::make_unexpected(std::move(SVD_CONCAT(svd_try_, __LINE__)).error())

}  // namespace svd

// SPDX-License-Identifier: Apache-2.0
#include "daemon/options.h"

#include <charconv>
#include <string>
#include <string_view>

namespace svd {
namespace {

Result<> check_descriptor(std::string_view text) {
  int number = -1;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec == std::errc{} && read.ptr == end && number >= 0) return {};
  return fail(std::errc::invalid_argument,
              "cannot use --ready-fd '" + std::string{text} + "': want a descriptor's number");
}

}  // namespace

Result<Options> parse_options(std::span<const char* const> arguments) {
  constexpr std::string_view ready_fd = "--ready-fd";
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--help" || argument == "-h") {
      options.help = true;
    } else if (argument == "--version") {
      options.version = true;
    } else if (argument == "--daemonize" || argument == "--foreground") {
      options.daemonize = argument == "--daemonize";
    } else if (argument == ready_fd && i + 1 < arguments.size()) {
      SVD_CHECK(check_descriptor(arguments[++i]));
    } else if (argument.starts_with("--ready-fd=")) {
      SVD_CHECK(check_descriptor(argument.substr(ready_fd.size() + 1)));
    } else {
      return fail(std::errc::invalid_argument,
                  "cannot understand the argument '" + std::string{argument} + "'");
    }
  }
  return options;
}

}  // namespace svd

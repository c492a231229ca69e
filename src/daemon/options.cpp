// SPDX-License-Identifier: Apache-2.0
#include "daemon/options.h"

#include <charconv>
#include <string>
#include <string_view>

namespace svd {
namespace {

tl::unexpected<Error> mistake(std::string text) { return fail(std::errc::invalid_argument, std::move(text)); }

Result<> check_descriptor(std::string_view text) {
  int number = -1;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec == std::errc{} && read.ptr == end && number >= 0) return {};
  return mistake("cannot use --ready-fd '" + std::string{text} + "': want a descriptor's number");
}

// Together they make sense.
Result<> check(const Options& options) {
  if (options.file.empty() && !options.profile.empty()) return mistake("cannot use --profile without FILE");
  if (options.file == "-")
    return mistake(
        "cannot read the ecosystem from standard input: SIGHUP reads it again, so it must be a file");
  if (!options.file.empty() && options.daemonize)
    return mistake("cannot use FILE with --daemonize: `svctl apply FILE` starts a daemon in the background");
  return {};
}

}  // namespace

Result<Options> parse_options(std::span<const char* const> arguments) {
  constexpr std::string_view ready_fd = "--ready-fd", profile = "--profile";
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
    } else if (argument == profile && i + 1 < arguments.size()) {
      options.profile = arguments[++i];
    } else if (argument.starts_with("--profile=")) {
      options.profile = argument.substr(profile.size() + 1);
    } else if (!argument.empty() && options.file.empty() && (argument == "-" || argument.front() != '-')) {
      options.file = argument;
    } else {
      return mistake("cannot understand the argument '" + std::string{argument} + "'");
    }
  }
  SVD_CHECK(check(options));
  return options;
}

}  // namespace svd

// SPDX-License-Identifier: Apache-2.0
#include "model/directories.h"

#include <charconv>

namespace svd {
namespace {

constexpr std::string_view unix_path = "unix:path=";

// What the D-Bus specification (Server Addresses) lets stand as it is.
bool stands_in_address(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view{"-_/.*\\"}.find(c) != std::string_view::npos;
}

std::optional<char> unescaped(std::string_view digits) {
  unsigned value = 0;
  const auto* end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, value, 16);
  if (digits.size() != 2 || read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return static_cast<char>(value);
}

std::optional<std::string> absolute(const Environment& environment, const std::string& name) {
  auto value = environment(name);
  if (!value || value->empty() || value->front() != '/')
    return std::nullopt;  // the XDG specification says to ignore relative ones
  return value;
}

Result<Directories> user_directories(const Environment& environment, std::uint32_t uid,
                                     const std::function<bool(const std::string&)>& runtime_exists) {
  Directories found;
  if (const auto state = absolute(environment, "XDG_STATE_HOME")) {
    found.state = *state + "/svd";
  } else if (const auto home = absolute(environment, "HOME")) {
    found.state = (*home == "/" ? "" : *home) + "/.local/state/svd";
  } else {
    return fail(std::errc::no_such_file_or_directory,
                "cannot find a place for the daemon: neither SVD_HOME, XDG_STATE_HOME nor HOME is set to an "
                "absolute path");
  }
  found.log = found.state + "/log";
  const auto standard = "/run/user/" + std::to_string(uid);
  if (const auto runtime = absolute(environment, "XDG_RUNTIME_DIR"))
    found.runtime = *runtime + "/svd";
  else
    found.runtime = runtime_exists(standard) ? standard + "/svd" : found.state + "/run";
  return found;
}

}  // namespace

std::string address_of_path(std::string_view path) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string address{unix_path};
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (stands_in_address(c))
      address += c;
    else
      address.append(1, '%').append(1, digits[byte >> 4U]).append(1, digits[byte & 15U]);
  }
  return address;
}

std::optional<std::string> path_of_address(std::string_view address) {
  if (!address.starts_with(unix_path)) return std::nullopt;
  address.remove_prefix(unix_path.size());
  std::string path;
  for (std::size_t i = 0; i < address.size(); ++i) {
    if (address[i] == ',' || address[i] == ';') return std::nullopt;
    const auto escaped = address[i] == '%' ? unescaped(address.substr(i + 1, 2)) : std::optional{address[i]};
    if (!escaped) return std::nullopt;
    if (address[i] == '%') i += 2;
    path += *escaped;
  }
  return path;
}

Result<Directories> find_directories(const Environment& environment, std::uint32_t uid,
                                     const std::function<bool(const std::string&)>& runtime_exists) {
  Directories found;
  if (const auto home = environment("SVD_HOME"); home && !home->empty()) {
    if (home->front() != '/')
      return fail(std::errc::invalid_argument, "cannot use SVD_HOME='" + *home + "': want an absolute path");
    found = {*home + "/run", *home + "/state", *home + "/log"};
  } else if (uid == 0) {
    found = {"/run/svd", "/var/lib/svd", "/var/log/svd"};
  } else {
    SVD_TRY(found, user_directories(environment, uid, runtime_exists));
  }
  constexpr std::size_t longest = 107;  // sun_path without its NUL
  if (found.socket().size() > longest)
    return fail(std::errc::filename_too_long, "cannot use the socket path '" + found.socket() +
                                                  "': " + std::to_string(found.socket().size()) +
                                                  " bytes, at most 107 are possible");
  return found;
}

std::vector<Directories> fallback_directories(std::uint32_t uid, std::uint64_t place) {
  std::vector<Directories> found;
  for (const std::string parent : {"/dev/shm", "/tmp"}) {
    const auto home = parent + "/svd-" + std::to_string(uid) + "-" + std::to_string(place);
    found.push_back({home, home + "/state", home + "/log", true});
  }
  return found;
}

}  // namespace svd

// SPDX-License-Identifier: Apache-2.0
#include "cli/context.h"

#include "base/text.h"

namespace svd::cli {
namespace {

constexpr const char* system_socket = "/run/svd/bus";

// "/x/run/bus" is short for "unix:path=/x/run/bus".
std::string as_address(const std::string& text) {
  return text.starts_with('/') ? address_of_path(text) : text;
}

// One unix socket. D-Bus addresses can also be programs to run (unixexec:), hosts, and lists of all these.
Result<std::string> address_from_environment(const std::string& text) {
  auto address = as_address(text);
  const bool is_socket = address.starts_with("unix:path=") || address.starts_with("unix:abstract=");
  if (is_socket && address.find(';') == std::string::npos) return address;
  return fail(std::errc::argument_out_of_domain,
              "cannot use SVD_ADDRESS '" + printable(text) +
                  "': want a socket's path, or unix:path=…; other D-Bus addresses are for --address");
}

Error unreachable(const Endpoint& where, std::int64_t pid) {
  const auto number = std::to_string(pid);
  return {std::errc::not_connected,
          "a daemon runs (pid " + number + "), but nobody listens at " + where.address +
              ": its socket was removed, or it has another runtime directory; "
              "'kill -HUP " +
              number + "' has it make its socket anew, and no app is touched by that"};
}

}  // namespace

Result<Endpoint> Context::endpoint() const {
  if (!address_option.empty()) return Endpoint{as_address(address_option), std::nullopt, true};
  if (const auto address = system.environment("SVD_ADDRESS"); address && !address->empty()) {
    SVD_TRY(auto known, address_from_environment(*address));
    return Endpoint{std::move(known), std::nullopt};
  }
  auto directories = find_directories(system.environment, system.uid, system.exists);
  const bool asked = !system.environment("SVD_HOME").value_or("").empty();
  if (!asked && !(directories && system.exists(directories->socket())))
    for (const auto& fallback : system.fallbacks)
      if (system.exists(fallback.socket())) return Endpoint{fallback.address(), std::nullopt};
  if (!directories) return tl::make_unexpected(directories.error());
  return Endpoint{directories->address(), *directories};
}

Result<std::unique_ptr<Client>> Context::connect() const {
  SVD_TRY(const auto where, endpoint());
  auto client = system.connect(where);
  if (client) return client;
  std::optional<std::int64_t> running;
  if (client.error().code == std::errc::connection_refused && where.directories && system.await_daemon)
    running = system.await_daemon(*where.directories);
  if (running == 0) client = system.connect(where);
  if (client) return client;
  if (client.error().code == std::errc::connection_refused) {
    if (running && *running > 0) return tl::make_unexpected(unreachable(where, *running));
    auto text = "no daemon runs at " + where.address + "; start one with 'svctl apply FILE'";
    if (where.directories && where.directories->socket() != system_socket && system.exists(system_socket))
      text += std::string{"\n(a system-wide one runs: 'svctl --address "} + system_socket +
              "', as root or as a member of group svd)";
    return fail(std::errc::connection_refused, text + daemons_elsewhere(where.address));
  }
  if (client.error().code == std::errc::permission_denied)
    return fail(std::errc::permission_denied,
                "cannot reach the daemon at " + where.address +
                    ": permission denied (it answers to root, its own user and the group svd)");
  return fail(client.error().code,
              "cannot reach the daemon at " + where.address + ": " + client.error().text);
}

// "sudo svctl ls" asks root's daemon, not that of whoever types.
std::string Context::daemons_elsewhere(const std::string& tried) const {
  std::string text;
  if (!system.daemons_here) return text;
  for (const auto& [user, address] : system.daemons_here())
    if (address != tried) text += "\n(a daemon of user " + user + " runs: 'svctl --address " + address + "')";
  return text;
}

Result<std::unique_ptr<Client>> Context::connect_or_start() const {
  SVD_TRY(const auto where, endpoint());
  auto client = connect();
  const bool hidden = !client && client.error().code == std::errc::not_connected;
  if (client || (!hidden && client.error().code != std::errc::connection_refused)) return client;
  if (!where.directories)
    return fail(std::errc::connection_refused,
                "no daemon runs at " + where.address +
                    ", and svctl starts one only in the standard place or in $SVD_HOME, not at an address");
  const auto started = system.start_daemon(*where.directories);  // what holds the lock is for svd to say
  if (!started && hidden) return client;
  SVD_CHECK(started);
  return connect();
}

std::vector<int> Context::endings() const {
  std::vector<int> descriptors{system.interrupts()};
  if (const int reader = system.reader_gone ? system.reader_gone() : -1; reader >= 0)
    descriptors.push_back(reader);
  return descriptors;
}

void Context::finish(const Result<Exit>& outcome) {
  if (outcome) {
    exit_ = *outcome;
    return;
  }
  exit_ = exit_of(outcome.error());
  if (!outcome.error().text.empty()) err("svctl: " + safe_lines(outcome.error().text) + "\n");
}

}  // namespace svd::cli

// SPDX-License-Identifier: Apache-2.0
// The engine: libexec/svd/engine, started by the keeper `svd`.
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "base/text.h"
#include "daemon/daemon.h"
#include "daemon/ecosystem_file.h"
#include "daemon/exit_codes.h"
#include "daemon/keeper_socket.h"
#include "files/own_directory.h"
#include "keeper/protocol.h"

namespace {

// One thread and small objects: give memory back early, and take what is large straight from the kernel.
void tune_memory() {
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_THRESHOLD, 128 << 10);
  ::mallopt(M_TRIM_THRESHOLD, 128 << 10);
  ::mallopt(M_TOP_PAD, 64 << 10);
}

// The keeper decides when the daemon ends: a signal to the whole process group or cgroup (^C, systemd)
// reaches it, too, and it asks us. Handlers rather than SIG_IGN, which helpers would inherit through
// execve(2).
void leave_signals_to_the_keeper() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  for (const int number : {SIGTERM, SIGINT, SIGQUIT, SIGRTMIN + 3, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2})
    ::sigaction(number, &action, nullptr);
}

// Under a service manager the keeper is the service. When it dies, both are started anew, and find everything
// where it was left; an engine that went on without it would only be in the way.
void end_with_the_keeper_of_a_service() {
  if (std::getenv("NOTIFY_SOCKET") == nullptr) return;
  const auto keeper = ::getppid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != keeper) ::raise(SIGKILL);  // it was faster
}

// Logs may need a descriptor for each instance.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::string own_directory() {
  std::array<char, 4096> path{};
  const auto size = ::readlink("/proc/self/exe", path.data(), path.size());
  const std::string program{path.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  return program.substr(0, program.rfind('/'));
}

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

// Best first. With a file, svd may live elsewhere than in the standard place, which a random user of a
// container has not even got; a place that was asked for is kept to.
svd::Result<std::vector<svd::Directories>> find_places(const svd::Options& options) {
  std::vector<svd::Directories> places;
  auto standard = svd::find_directories(environment, ::geteuid(), exists);
  if (standard) places.push_back(std::move(*standard));
  const bool asked = !environment("SVD_HOME").value_or("").empty();
  if (!options.file.empty() && !asked) {
    auto more = svd::fallback_directories(::geteuid(), svd::mount_namespace());
    places.insert(places.end(), more.begin(), more.end());
  }
  if (places.empty()) return tl::make_unexpected(standard.error());
  return places;
}

// For a keeper in the place of ours: it need not be where ours was.
std::vector<std::string> arguments_again(const svd::Options& options,
                                         std::span<const char* const> arguments) {
  if (options.file.empty()) return {arguments.begin(), arguments.end()};
  if (options.profile.empty()) return {options.file};
  return {"--profile=" + options.profile, options.file};
}

// To whoever waits for the daemon to be ready.
int give_up(const svd::Error& error, int code) {
  svd::send_quit(svd::keeper::engine_fd, code, svd::safe_lines(error.text));
  return code;
}

int complain(const svd::Error& error, int code) {
  std::fprintf(stderr, "svd: %s\n", svd::safe_lines(error.text).c_str());
  return give_up(error, code);
}

}  // namespace

int main(int argc, char** argv) {
  const std::span<const char* const> arguments{argv + 1, static_cast<std::size_t>(std::max(argc - 1, 0))};
  auto options = svd::parse_options(arguments);
  if (options && !options->file.empty()) options->file = svd::absolute_path(options->file);
  if (!options) return complain(options.error(), svd::exit_usage);
  if (options->help) return std::fputs(svd::usage_text, stdout) < 0 ? svd::exit_failed : 0;
  if (options->version) return std::puts("svd " SVD_VERSION) < 0 ? svd::exit_failed : 0;
  if (!svd::is_keeper(svd::keeper::engine_fd)) {
    std::fputs("svd: cannot run the engine by itself: start `svd`\n", stderr);
    return svd::exit_usage;
  }
  tune_memory();
  leave_signals_to_the_keeper();
  raise_descriptor_limit();
  if (!options->daemonize) end_with_the_keeper_of_a_service();
  const auto places = find_places(*options);
  if (!places)  // somebody waits for a daemon in the background, and says it
    return (options->daemonize ? give_up : complain)(places.error(), svd::exit_failed);
  svd::Daemon daemon{{.options = *options,
                      .arguments = arguments_again(*options, arguments),
                      .directories = places->front(),
                      .fallbacks = {places->begin() + 1, places->end()},
                      .programs = own_directory(),
                      .keeper_socket = svd::keeper::engine_fd,
                      .use_cgroups = environment("SVD_CGROUPS") != "off",
                      .own_cgroup_is_given = environment("SVD_CGROUPS") == "delegated",
                      .confine = environment("SVD_CONFINE") != "off"}};
  return daemon.run();
}

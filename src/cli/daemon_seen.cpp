// SPDX-License-Identifier: Apache-2.0
#include "cli/daemon_seen.h"

#include <fstream>
#include <sstream>

#include "model/directories.h"

namespace svd::cli {
namespace {

// "PID (COMM) STATE PPID …" of /proc/PID/stat; COMM may hold anything, so from the last ')'.
struct Process {
  std::string name;
  char state = '?';
};

std::optional<Process> look_at(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  const auto open = line.find('(');
  const auto close = line.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close + 2 >= line.size())
    return std::nullopt;
  return Process{line.substr(open + 1, close - open - 1), line[close + 2]};
}

void find_engine(DaemonSeen& seen) {
  const auto keeper = std::to_string(seen.keeper);
  std::ifstream file{"/proc/" + keeper + "/task/" + keeper + "/children"};
  pid_t child = 0;
  while (file >> child) {
    const auto process = look_at(child);
    if (!process || process->name != "engine") continue;
    seen.engine = child;
    seen.engine_is_stopped = process->state == 'T' || process->state == 't';
    return;
  }
}

}  // namespace

std::optional<DaemonSeen> daemon_by_lock(const std::string& path) {
  std::ifstream file{path};
  DaemonSeen seen;
  if (!(file >> seen.keeper) || seen.keeper <= 0) return std::nullopt;
  const auto process = look_at(seen.keeper);
  if (!process || process->name != "svd" || process->state == 'Z') return std::nullopt;
  find_engine(seen);
  return seen;
}

std::optional<DaemonSeen> daemon_at(const std::string& address) {
  const auto path = path_of_address(address);
  if (!path) return std::nullopt;
  return daemon_by_lock(path->substr(0, path->rfind('/') + 1) + "lock");
}

}  // namespace svd::cli

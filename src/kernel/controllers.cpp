// SPDX-License-Identifier: Apache-2.0
#include "kernel/controllers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/proc.h"

namespace svd {
namespace {

constexpr int most_passes = 10;  // over processes that are to move: they may fork meanwhile

bool write_at(int directory, const std::string& file, std::string_view text) {
  const UniqueFd fd{::openat(directory, file.c_str(), O_WRONLY | O_CLOEXEC)};
  return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

ControllerSet given(int directory) {
  return parse_controllers(read_file_at(directory, "cgroup.subtree_control"));
}

// systemd's sign on a cgroup that it leaves to the unit's own processes.
bool is_marked(const std::string& path) {
  for (const char* const name : {"user.delegate", "trusted.delegate"}) {
    char value = 0;
    if (::getxattr(path.c_str(), name, &value, 1) == 1 && value == '1') return true;
  }
  return false;
}

bool is_ours(const Home& home, int directory) {
  if (home.name == "/" || home.is_given || is_marked(home.path())) return true;
  const auto stranger = [](std::int64_t pid) { return pid != ::getpid() && pid != ::getppid(); };
  return !home.has_owner &&
         std::ranges::none_of(parse_pids(read_file_at(directory, "cgroup.procs")), stranger);
}

void move_all(const std::string& from, const std::string& to) {
  for (int pass = 0; pass < most_passes; ++pass) {
    const auto pids = parse_pids(read_file(from + "/cgroup.procs"));
    if (pids.empty()) return;
    for (const auto pid : pids) write_at(AT_FDCWD, to + "/cgroup.procs", std::to_string(pid));
  }
}

// Nothing stays in HOME: then it may have controllers for its children.
void move_out(const std::string& home, const std::string& base) {
  const auto to = base + "/" + std::string{supervisor_name};
  if (::mkdir(to.c_str(), 0755) == 0 || errno == EEXIST) move_all(home, to);
}

void take_away_all(const std::string& path) {
  const auto given_now = parse_controllers(read_file(path + "/cgroup.subtree_control"));
  std::string text;
  for (std::size_t i = 0; i < controller_names.size(); ++i)
    if (given_now.contains(static_cast<Controller>(i)))
      text += (text.empty() ? "-" : " -") + std::string{controller_names[i]};
  if (!text.empty()) write_at(AT_FDCWD, path + "/cgroup.subtree_control", text);
}

// The root of the whole hierarchy is the only cgroup without a type.
bool is_root(int directory) { return ::faccessat(directory, "cgroup.type", F_OK, 0) < 0; }

std::string refusal(const Home& home, int err) {
  return "not given to cgroups below svd's own, " + home.name + ": " +
         (err == EBUSY ? "other processes are in it" : errno_text(err));
}

}  // namespace

ControllerSet parse_controllers(std::string_view text) {
  ControllerSet set;
  while (!text.empty()) {
    const auto end = text.find_first_of(" \n");
    const auto found = std::ranges::find(controller_names, text.substr(0, end));
    if (found != controller_names.end())
      set.insert(static_cast<Controller>(found - controller_names.begin()));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return set;
}

ControllerSet enable_controllers(int directory, ControllerSet wanted) {
  const auto have = given(directory);
  std::string all;
  std::vector<std::string> each;
  for (std::size_t i = 0; i < controller_names.size(); ++i) {
    if (!(wanted - have).contains(static_cast<Controller>(i))) continue;
    each.push_back("+" + std::string{controller_names[i]});
    all += (all.empty() ? "" : " ") + each.back();
  }
  if (each.empty() || write_at(directory, "cgroup.subtree_control", all)) return given(directory);
  int err = errno;  // one that is refused takes the others along, so one by one
  for (const auto& one : each)
    if (!write_at(directory, "cgroup.subtree_control", one)) err = errno;
  const auto now = given(directory);
  errno = err;
  return now;
}

std::string Controllers::why_not(Controller one) const {
  const auto& what = missing[static_cast<std::size_t>(one)];
  return what.empty() ? "" : "the " + std::string{to_text(one)} + " controller is " + what;
}

std::vector<std::string> Controllers::degraded() const {
  std::map<std::string_view, std::vector<std::string_view>> names;
  for (std::size_t i = 0; i < missing.size(); ++i)
    if (!missing[i].empty()) names[missing[i]].push_back(controller_names[i]);
  std::vector<std::string> sentences;
  for (const auto& [what, all] : names) {
    std::string text{"limits and figures are incomplete: of the cgroup controllers, "};
    for (std::size_t i = 0; i < all.size(); ++i)
      text.append(i == 0 ? "" : i + 1 == all.size() ? " and " : ", ").append(all[i]);
    sentences.push_back(text.append(all.size() == 1 ? " is " : " are ").append(what));
  }
  return sentences;
}

Controllers prepare_controllers(const Home& home, const std::string& base) {
  Controllers out;
  const auto path = home.path();
  const UniqueFd directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  const UniqueFd top{::open(home.top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  const auto exist = parse_controllers(read_file_at(top.get(), "cgroup.controllers"));
  const auto offered = parse_controllers(read_file_at(directory.get(), "cgroup.controllers"));
  const bool ours =
      !offered.empty() && ((offered - given(directory.get())).empty() || is_ours(home, directory.get()));
  int err = 0;
  if (ours) {
    if (!is_root(directory.get())) move_out(path, base);
    errno = 0;
    out.usable = enable_controllers(directory.get(), offered) & offered;
    err = errno;
  }
  for (std::size_t i = 0; i < controller_names.size(); ++i) {
    const auto one = static_cast<Controller>(i);
    if (out.usable.contains(one)) continue;
    if (!exist.contains(one))
      out.missing[i] = is_root(top.get()) ? "not in cgroup v2 here (off, or in use by cgroup v1)"
                                          : "not delegated to svd's cgroup namespace";
    else if (!offered.contains(one) || !ours)
      out.missing[i] = "not delegated to svd's cgroup " + home.name;
    else
      out.missing[i] = refusal(home, err);
  }
  return out;
}

void give_back(const Home& home, const std::string& base) {
  const auto own = base + "/" + std::string{supervisor_name};
  if (::access(own.c_str(), F_OK) < 0) return;
  take_away_all(base);
  take_away_all(home.path());
  move_all(own, home.path());
  ::rmdir(own.c_str());
}

}  // namespace svd

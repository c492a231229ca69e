// SPDX-License-Identifier: Apache-2.0
#include "kernel/hardening.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

#include "files/trusted_path.h"
#include "kernel/syscall_filter.h"

namespace svd {
namespace {

using keeper::Op;

constexpr std::size_t max_credential = 1U << 20;
constexpr unsigned long plain = MS_NOSUID | MS_NODEV | MS_NOEXEC;
// Read-only trees leave the kernel's own file systems as they are; nothing is stored there.
constexpr std::array api_trees{"/dev", "/proc", "/sys"};

StartFailure failure(int err, std::string detail) { return {StartStage::hardening, err, std::move(detail)}; }

bool is_below(std::string_view path, std::string_view tree) {
  if (tree == "/") return true;
  return path.starts_with(tree) && (path.size() == tree.size() || path[tree.size()] == '/');
}

int error_of(const Error& error) { return static_cast<int>(error.code); }

tl::expected<std::string, StartFailure> read_credential(const std::string& path) {
  auto content = read_chosen_file(path, max_credential);
  if (content) return std::move(*content);
  return tl::make_unexpected(failure(error_of(content.error()), path));
}

int policy_number(Scheduling::Policy policy) {
  switch (policy) {
    case Scheduling::Policy::other:
      return SCHED_OTHER;
    case Scheduling::Policy::batch:
      return 3;  // SCHED_BATCH, which <sched.h> shows to GNU programs only
    case Scheduling::Policy::idle:
      return 5;  // SCHED_IDLE
    case Scheduling::Policy::fifo:
      return SCHED_FIFO;
    case Scheduling::Policy::rr:
      return SCHED_RR;
  }
  return SCHED_OTHER;
}

// The steps of one start under construction.
class Planner {
 public:
  Planner(const LaunchPlan& plan, const Identity& identity, const std::vector<Credential>& credentials,
          const HardeningPlaces& places)
      : plan_{plan}, harden_{plan.harden}, identity_{identity}, credentials_{credentials}, places_{places} {}

  tl::expected<std::vector<HardenStep>, StartFailure> run() {
    if (plan_.scheduling.policy)
      add({.op = Op::scheduler,
           .number = plan_.scheduling.priority,
           .extra = static_cast<std::uint32_t>(policy_number(*plan_.scheduling.policy)),
           .words = "the scheduling policy"});
    if (needs_own_mounts(harden_, mounts_credentials())) mounts();
    capabilities();
    if (harden_.no_new_privileges || !harden_.syscalls.empty())
      add({.op = Op::no_new_privileges, .late = true, .words = "no new privileges"});
    if (!harden_.syscalls.empty()) filter();
    if (failed_.err != 0) return tl::make_unexpected(std::move(failed_));
    return std::move(steps_);
  }

 private:
  void add(HardenStep step) { steps_.push_back(std::move(step)); }
  void mount(std::string source, std::string target, std::string type, unsigned long flags, std::string data,
             std::string words) {
    add({.op = Op::mount,
         .a = std::move(source),
         .b = std::move(target),
         .c = std::move(type),
         .d = std::move(data),
         .number = flags,
         .words = std::move(words)});
  }
  void read_only(const std::string& path) {
    add({.op = Op::set_read_only, .b = path, .words = "making " + path + " read-only"});
  }

  [[nodiscard]] bool mounts_credentials() const {
    return !credentials_.empty() && !places_.credentials.empty();
  }

  void mounts() {
    add({.op = Op::private_mounts, .words = "mounts of its own"});
    if (harden_.private_tmp)
      for (const char* path : {"/tmp", "/var/tmp"})
        mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777", std::string{"a private "} + path);
    if (mounts_credentials()) put_credentials();
    trees();
    if (harden_.protect_proc) mount("proc", "/proc", "proc", plain, "hidepid=invisible", "protecting /proc");
  }

  // A ramfs is never swapped out (tmpfs may be).
  void put_credentials() {
    const auto& at = places_.credentials;
    mount("ramfs", at, "ramfs", plain, "mode=0755", "a place for credentials");
    const auto owner = identity_.uid.value_or(static_cast<std::uint32_t>(::geteuid()));
    for (const auto& [name, content] : credentials_)
      add({.op = Op::put_file,
           .a = content,
           .b = at + "/" + name,
           .number = owner,
           .extra = 0400,
           .words = "credential " + name});
    read_only(at);
  }

  // Each path that is told about becomes a mount of its own, so that each mount is under exactly one of them.
  void trees() {
    std::set<std::string> points{places_.mount_points.begin(), places_.mount_points.end()};
    std::set<std::string> paths{harden_.read_only.begin(), harden_.read_only.end()};
    paths.insert(harden_.read_write.begin(), harden_.read_write.end());
    for (const auto& path : paths) {
      if (points.contains(path)) continue;
      if (const auto there = find_trusted(path); !there) return fail(error_of(there.error()), path);
      mount(path, path, "", MS_BIND | MS_REC, "", "mounting " + path);
      points.insert(path);
    }
    for (const auto& point : points)
      if (becomes_read_only(point, paths)) read_only(point);
    for (const auto& path : harden_.inaccessible) hide(path);
  }

  [[nodiscard]] bool becomes_read_only(const std::string& point, const std::set<std::string>& paths) const {
    std::string governing;
    for (const auto& path : paths)
      if (is_below(point, path) && path.size() >= governing.size()) governing = path;
    if (governing.empty() || std::ranges::find(harden_.read_only, governing) == harden_.read_only.end())
      return false;
    if (harden_.private_tmp && (is_below(point, "/tmp") || is_below(point, "/var/tmp"))) return false;
    const auto is_api = [&](const char* tree) { return is_below(point, tree); };
    return governing != "/" || std::ranges::none_of(api_trees, is_api);
  }

  void hide(const std::string& path) {
    const auto there = find_trusted(path);
    if (!there) return fail(error_of(there.error()), path);
    const auto words = "hiding " + path;
    if (S_ISDIR(there->st_mode))
      mount("tmpfs", path, "tmpfs", plain | MS_RDONLY, "mode=000,size=4k", words);
    else
      mount(places_.inaccessible, path, "", MS_BIND, "", words);
  }

  void capabilities() {
    if (harden_.capabilities)
      add({.op = Op::bounding, .number = *harden_.capabilities, .words = "the capability bounding set"});
    if (harden_.ambient == 0) {
      if (harden_.capabilities)
        add({.op = Op::keep_only,
             .number = *harden_.capabilities,
             .late = true,
             .words = "dropping capabilities"});
      return;
    }
    if (identity_.uid) add({.op = Op::keep_capabilities, .words = "keeping capabilities"});
    add({.op = Op::ambient, .number = harden_.ambient, .late = true, .words = "ambient capabilities"});
  }

  void filter() {
    auto program = syscall_filter(harden_.syscalls);
    if (!program) return fail(static_cast<int>(program.error().code), program.error().text);
    add({.op = Op::filter, .a = std::move(*program), .late = true, .words = "the system call filter"});
  }

  void fail(int err, std::string detail) {
    if (failed_.err == 0) failed_ = failure(err, std::move(detail));
  }

  const LaunchPlan& plan_;
  const Hardening& harden_;
  const Identity& identity_;
  const std::vector<Credential>& credentials_;
  const HardeningPlaces& places_;
  std::vector<HardenStep> steps_;
  StartFailure failed_;
};

// "\040" is a blank, and so on.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 3 >= text.size()) {
      out += text[i];
      continue;
    }
    out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
    i += 3;
  }
  return out;
}

}  // namespace

bool needs_own_mounts(const Hardening& harden, bool mounts_credentials) {
  return harden.private_tmp || harden.protect_proc || !harden.read_only.empty() ||
         !harden.read_write.empty() || !harden.inaccessible.empty() || mounts_credentials;
}

std::vector<std::string> mount_points_of(std::string_view mountinfo) {
  constexpr int field = 4;  // "36 35 98:0 /root /mount/point …"
  std::vector<std::string> points;
  while (!mountinfo.empty()) {
    auto line = mountinfo.substr(0, mountinfo.find('\n'));
    mountinfo.remove_prefix(std::min(line.size() + 1, mountinfo.size()));
    for (int i = 0; i < field && !line.empty(); ++i)
      line.remove_prefix(std::min(line.find(' '), line.size() - 1) + 1);
    if (const auto point = line.substr(0, line.find(' ')); !point.empty()) points.push_back(unescape(point));
  }
  return points;
}

tl::expected<std::vector<Credential>, StartFailure> read_credentials(const LaunchPlan& plan) {
  std::vector<Credential> found;
  for (const auto& [name, path] : plan.credentials) {
    auto content = read_credential(path);
    if (!content) return tl::make_unexpected(std::move(content.error()));
    found.push_back({name, std::move(*content)});
  }
  return found;
}

tl::expected<std::vector<HardenStep>, StartFailure> plan_hardening(const LaunchPlan& plan,
                                                                   const Identity& identity,
                                                                   const std::vector<Credential>& credentials,
                                                                   const HardeningPlaces& places) {
  return Planner{plan, identity, credentials, places}.run();
}

}  // namespace svd

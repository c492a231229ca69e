// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroups.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <memory>

#include "kernel/former_base.h"
#include "kernel/proc.h"

namespace svd {
namespace {

constexpr auto label_name = "user.svd";
constexpr int deepest = 16;  // of the cgroups that a process may have made below its leaf

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};
using Dir = std::unique_ptr<DIR, CloseDir>;

Dir open_dir(int at, const std::string& path) {
  const int fd = ::openat(at, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  return Dir{fd < 0 ? nullptr : ::fdopendir(fd)};
}

std::vector<std::string> directories(int at, const std::string& path) {
  std::vector<std::string> found;
  const Dir dir = open_dir(at, path);
  if (!dir) return found;
  while (const dirent* const entry = ::readdir(dir.get()))
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') found.emplace_back(entry->d_name);
  return found;
}

UniqueFd open_at(int at, const std::string& path, int flags) {
  return UniqueFd{::openat(at, path.c_str(), flags | O_CLOEXEC)};
}

std::string joined(std::string path, std::string_view name) {
  path += '/';
  path += name;
  return path;
}

std::string hash8(std::string_view text) {  // FNV-1a
  std::uint32_t value = 2166136261U;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 16777619U;
  std::string out(8, '0');
  for (std::size_t i = 8; i-- > 0; value >>= 4) out[i] = "0123456789abcdef"[value & 15];
  return out;
}

template <class Number>
bool parse_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

bool says_populated(int events) {
  std::array<char, 128> text{};
  const auto size = ::pread(events, text.data(), text.size(), 0);
  return size > 0 && std::string_view{text.data(), static_cast<std::size_t>(size)}.find("populated 1") !=
                         std::string_view::npos;
}

// Empty cgroups only, from the bottom up.
bool remove_tree(int at, const std::string& path, int depth) {
  if (::unlinkat(at, path.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
  if (depth == 0) return false;
  for (const auto& name : directories(at, path)) remove_tree(at, joined(path, name), depth - 1);
  return ::unlinkat(at, path.c_str(), AT_REMOVEDIR) == 0;
}

// One pass of SIGKILL over a leaf and what is below; how many processes it met.
std::size_t kill_pass(int at, const std::string& path, int depth) {
  std::size_t met = 0;
  for (const auto pid : parse_pids(read_file_at(at, path + "/cgroup.procs"))) {
    ::kill(static_cast<pid_t>(pid), SIGKILL);
    ++met;
  }
  if (depth > 0)
    for (const auto& name : directories(at, path)) met += kill_pass(at, joined(path, name), depth - 1);
  return met;
}

// Where this process was before its engine moved it to BASE/supervisor.
std::string home_of(std::string_view own, std::string_view base_name) {
  auto tail = std::string{base_name} + "/";
  tail += supervisor_name;
  if (own.ends_with(tail)) own.remove_suffix(tail.size());
  return own.empty() ? "/" : std::string{own};
}

}  // namespace

Cgroups Cgroups::find(std::string_view state_directory, bool own_is_given) {
  Cgroups cgroups;
  cgroups.home_.is_given = own_is_given;
  if (const auto found = cgroups.find_base(state_directory); !found) return none(found.error().text);
  cgroups.probe();
  return cgroups;
}

Cgroups Cgroups::none(std::string_view why) {
  Cgroups cgroups;
  cgroups.why_not_ = "there are no cgroups (" + std::string{why} + ")";
  cgroups.degraded_.push_back(
      "no cgroups (" + std::string{why} +
      "): stray children are found by their session, parent or environment; those that "
      "leave all three are not");
  return cgroups;
}

Result<> Cgroups::find_base(std::string_view state_directory) {
  const auto mount = find_cgroup2_mount(read_file("/proc/self/mountinfo"));
  const auto own = find_own_cgroup(read_file("/proc/self/cgroup"));
  if (!mount || !own) return fail(std::errc::no_such_device, "no cgroup v2 hierarchy is mounted");
  const auto below = path_below(mount->root, *own);
  if (!below) return fail(std::errc::no_such_device, "our own cgroup " + *own + " is not visible here");
  const auto name = "/svd-" + hash8(state_directory);
  home_ = {mount->point, home_of(*below, name), ::access("/run/systemd/system", F_OK) == 0, home_.is_given};
  // Where the last daemon's instances run on, if that is somewhere else and we can put others beside them.
  if (const auto former = former_base(std::string{state_directory});
      former.starts_with(mount->point) && former.ends_with(name) &&
      is_in_reach(mount->point, home_.path(), former)) {
    const auto found = home_.name;
    home_.name = former.substr(mount->point.size(), former.size() - mount->point.size() - name.size());
    home_.is_given = home_.is_given && home_.name == found;
  }
  if (home_.name.empty()) home_.name = "/";
  base_ = home_.path() + name;
  root_ = mount->root;
  base_below_root_ = base_.substr(mount->point.size());
  if (::mkdir(base_.c_str(), 0755) < 0 && errno != EEXIST) return fail_errno(errno, "cannot make " + base_);
  base_fd_ = open_at(AT_FDCWD, base_, O_PATH | O_DIRECTORY);
  if (!base_fd_) return fail_errno(errno, "cannot open " + base_);
  if (::faccessat(base_fd_.get(), "cgroup.procs", W_OK, AT_EACCESS) < 0)
    return fail_errno(errno, "cannot write below " + base_);
  controllers_ = prepare_controllers(home_, base_);
  for (const auto& app : directories(base_fd_.get(), "."))
    for (const auto& leaf : directories(base_fd_.get(), app))
      if (parse_leaf(joined(app, leaf))) ++apps_[app];
  return {};
}

void Cgroups::probe() {
  if (::faccessat(base_fd_.get(), "cgroup.kill", F_OK, 0) < 0)
    degraded_.emplace_back(
        "no cgroup.kill (Linux 5.14): processes that fork fast may outrun a kill for a while");
  for (auto& sentence : controllers_.degraded()) degraded_.push_back(std::move(sentence));
}

std::string Cgroups::leaf(const SlotId& slot, StartId id) {
  return slot.app.str() + "/" + std::to_string(slot.slot) + "." +
         std::to_string(static_cast<std::uint64_t>(id));
}

std::optional<Cgroups::Leaf> Cgroups::parse_leaf(std::string_view path) {
  const auto slash = path.find('/');
  const auto colon = path.find(':');
  if (slash == std::string_view::npos || colon > slash) return std::nullopt;
  const auto name = path.substr(slash + 1);
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  auto ecosystem = Name::parse(path.substr(0, colon));
  auto app = Name::parse(path.substr(colon + 1, slash - colon - 1));
  Leaf leaf;
  std::uint64_t id = 0;
  if (!ecosystem || !app || !parse_number(name.substr(0, dot), leaf.slot.slot) ||
      !parse_number(name.substr(dot + 1), id) || id == 0)
    return std::nullopt;
  leaf.slot.app = {std::move(*ecosystem), std::move(*app)};
  leaf.id = StartId{id};
  return leaf;
}

std::optional<Cgroups::Leaf> Cgroups::leaf_of(std::int64_t pid) const {
  if (!available()) return std::nullopt;
  const auto path = find_own_cgroup(read_file("/proc/" + std::to_string(pid) + "/cgroup"));
  const auto visible = path ? path_below(root_, *path) : std::nullopt;
  const auto below = visible ? path_below(base_below_root_, *visible) : std::nullopt;
  if (!below || below->empty()) return std::nullopt;
  const auto app_end = below->find('/', 1);
  if (app_end == std::string::npos) return std::nullopt;
  return parse_leaf(below->substr(1, below->find('/', app_end + 1) - 1));
}

Result<bool> Cgroups::make(const std::string& leaf) {
  const auto app = leaf.substr(0, leaf.find('/'));
  int made = ::mkdirat(base_fd_.get(), leaf.c_str(), 0755);
  bool is_first = false;
  if (made < 0 && errno == ENOENT) {
    is_first = ::mkdirat(base_fd_.get(), app.c_str(), 0755) == 0;
    if (!is_first && errno != EEXIST) return fail_errno(errno, "cannot make " + base_ + "/" + app);
    made = ::mkdirat(base_fd_.get(), leaf.c_str(), 0755);
  }
  // Left of a former life, whose state is not ours: that of a `svd FILE`, or of a state directory that is
  // gone. It goes, unless somebody is in there: each start has a fresh one.
  if (made < 0 && errno == EEXIST && remove_tree(base_fd_.get(), leaf, deepest))
    made = ::mkdirat(base_fd_.get(), leaf.c_str(), 0755);
  if (made < 0) return fail_errno(errno, "cannot make " + base_ + "/" + leaf);
  ++apps_[app];
  return is_first;
}

bool Cgroups::populated(const std::string& leaf) const {
  const auto events = open_at(base_fd_.get(), leaf + "/cgroup.events", O_RDONLY);
  if (!events) return errno != ENOENT && errno != ENODEV;  // no descriptors left say nothing about it
  return says_populated(events.get());
}

void Cgroups::kill(const std::string& leaf) const {
  const auto file = open_at(base_fd_.get(), leaf + "/cgroup.kill", O_WRONLY);
  if (file && ::write(file.get(), "1", 1) == 1) return;
  // Each pass meets fewer: what was killed forks no more. The bound is for what cannot die at once (D state).
  for (int pass = 0; pass < 100 && kill_pass(base_fd_.get(), leaf, deepest) > 0; ++pass) continue;
}

bool Cgroups::vacate(const std::string& leaf) const {
  return ::unlinkat(base_fd_.get(), leaf.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT;
}

void Cgroups::remove(const std::string& leaf) {
  if (!remove_tree(base_fd_.get(), leaf, deepest)) return;
  const auto app = apps_.find(std::string_view{leaf}.substr(0, leaf.find('/')));
  if (app == apps_.end() || --app->second > 0) return;
  ::unlinkat(base_fd_.get(), app->first.c_str(), AT_REMOVEDIR);
  apps_.erase(app);
}

void Cgroups::remove_base() {
  if (!available()) return;
  const bool is_empty = leaves().empty();
  base_fd_.reset();
  if (!is_empty) return;  // what runs is for the next one to find
  give_back(home_, base_);
  ::rmdir(base_.c_str());
}

Result<UniqueFd> Cgroups::events(const std::string& leaf) const {
  auto file = open_at(base_fd_.get(), leaf + "/cgroup.events", O_RDONLY);
  if (!file) return fail_errno(errno, "cannot watch " + base_ + "/" + leaf);
  says_populated(file.get());
  return file;
}

std::vector<std::int64_t> Cgroups::members(const std::string& leaf) const {
  return parse_pids(read_file_at(base_fd_.get(), leaf + "/cgroup.procs"));
}

void Cgroups::set_label(const std::string& leaf, std::string_view label) const {
  ::setxattr((base_ + "/" + leaf).c_str(), label_name, label.data(), label.size(), 0);
}

std::string Cgroups::label(const std::string& leaf) const {
  std::string text(512, '\0');
  const auto size = ::getxattr((base_ + "/" + leaf).c_str(), label_name, text.data(), text.size());
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

std::vector<std::string> Cgroups::leaves() const {
  std::vector<std::string> found;
  for (const auto& app : directories(base_fd_.get(), "."))
    for (const auto& name : directories(base_fd_.get(), app))
      if (auto path = joined(app, name); parse_leaf(path)) found.push_back(std::move(path));
  return found;
}

}  // namespace svd

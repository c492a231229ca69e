// SPDX-License-Identifier: Apache-2.0
#include "kernel/logs.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>

#include "files/apart.h"
#include "files/io.h"
#include "kernel/log_drivers.h"
#include "kernel/log_rotation.h"
#include "kernel/log_writers.h"

namespace svd {
namespace {

// What views and the writer processes call it.
std::string journal_name(const SlotId& slot) { return "journal:" + slot.str(); }

bool is_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/' &&
         path.find("/../") == std::string_view::npos && !path.ends_with("/..");
}

bool rotates(const LogPolicy& policy) { return policy.rotate > 0 || policy.max_age.count() > 0; }

WallTime wall_now() { return Loop::now().wall; }

std::vector<std::string> file_writer(const std::string& path, const LogPolicy& policy) {
  std::vector<std::string> arguments{"write",
                                     "--keep",
                                     std::to_string(policy.keep),
                                     "--size",
                                     std::to_string(policy.rotate),
                                     "--age",
                                     std::to_string(policy.max_age.count())};
  if (policy.compress) arguments.emplace_back("--compress");
  arguments.push_back(path);
  return arguments;
}

std::vector<std::string> journal_writer(const std::string& socket, const SlotId& slot,
                                        std::uint64_t revision) {
  return {"journal",
          socket,
          "SYSLOG_IDENTIFIER=" + slot.str(),
          "SVD_ECOSYSTEM=" + slot.app.ecosystem.str(),
          "SVD_APP=" + slot.app.app.str(),
          "SVD_INSTANCE=" + std::to_string(slot.slot),
          "SVD_REVISION=" + std::to_string(revision)};
}

}  // namespace

struct Logs::State {
  State(const Loop& loop, LogOptions with)
      : options{std::move(with)},
        rotation{loop,
                 {options.tool, options.look, options.wall, options.changed,
                  [this](const SlotId& slot, const LogPolicy& policy) { return path_of(slot, policy); }}},
        writers{loop, options.tool, options.changed} {}

  [[nodiscard]] LogPolicy::To resolved(const LogPolicy& policy) const {
    if (policy.to == LogPolicy::To::console && options.no_console) return LogPolicy::To::file;
    return policy.to == LogPolicy::To::automatic ? usual : policy.to;
  }
  [[nodiscard]] std::string path_of(const SlotId& slot, const LogPolicy& policy) const {
    if (!policy.path.empty()) return policy.path;
    return options.directory + "/" + slot.app.ecosystem.str() + "/" + slot.app.app.str() + "." +
           std::to_string(slot.slot) + ".log";
  }
  // The same from outside of a start: what does not answer is tried again by each start.
  bool would_cut(const std::string& directory) {
    if (directory == options.directory || is_below(directory, options.directory)) return can_cut(directory);
    const auto said = apart(directory, [&] { return std::string{can_cut(directory) ? "cut" : ""}; });
    return said && *said == "cut";
  }
  // Asked once for each file system.
  bool can_cut(const std::string& directory) {
    if (options.force_pipe) return false;
    struct stat about {};
    if (::stat(directory.c_str(), &about) != 0) return true;
    const auto [found, fresh] = cutting.try_emplace(about.st_dev, true);
    if (fresh) found->second = can_cut_files(directory);
    return found->second;
  }
  // A directory that the file names may be on a file system that does not answer. "": it cannot be cut there;
  // "cut"; else why it cannot be used.
  Result<bool> prepare(const std::string& directory, bool rotates) {
    const auto work = [&]() -> std::string {
      const auto made = make_directories(directory, 0750);
      if (!made) return std::to_string(static_cast<int>(made.error().code)) + " " + made.error().text;
      return rotates && can_cut(directory) ? "cut" : "";
    };
    SVD_TRY(const auto said, directory == options.directory || is_below(directory, options.directory)
                                 ? Result<std::string>{work()}
                                 : apart(directory, work));
    if (said.empty() || said == "cut") return said == "cut";
    const auto blank = said.find(' ');
    return tl::make_unexpected(
        Error{static_cast<std::errc>(std::stoi(said.substr(0, blank))), said.substr(blank + 1)});
  }
  Result<Stdio> open_file(const SlotId& slot, const LogPolicy& policy) {
    auto path = path_of(slot, policy);
    const std::string directory{split_path(path).directory};
    SVD_TRY(const bool is_cut, prepare(directory, rotates(policy)));
    if (rotates(policy) && !is_cut) {
      rotation.detach(slot);
      SVD_TRY(auto fd, writers.open(path, file_writer(path, policy)));
      piped[slot] = path;
      return Stdio{Stdio::Kind::fd, std::move(path), std::move(fd)};
    }
    rotation.expect_writes(slot);
    return Stdio{Stdio::Kind::path, std::move(path), UniqueFd{}};
  }

  Result<Stdio> open_journal(const SlotId& slot, const LogPolicy& policy, std::uint64_t revision) {
    if (!policy.fields) {
      SVD_TRY(auto stream, open_journal_stream(options.journal, slot.str()));
      return Stdio{Stdio::Kind::fd, {}, std::move(stream)};
    }
    const auto log = journal_name(slot);
    const auto socket = std::string{split_path(options.journal).directory} + "/socket";
    SVD_TRY(auto fd, writers.open(log, journal_writer(socket, slot, revision)));
    piped[slot] = log;
    return Stdio{Stdio::Kind::fd, {}, std::move(fd)};
  }

  // What the slot's pipe would be the one of; empty: it needs none.
  [[nodiscard]] std::string pipe_of(const SlotId& slot, const LogPolicy& policy) const {
    const auto to = resolved(policy);
    if (to == LogPolicy::To::journal && policy.fields) return journal_name(slot);
    return to == LogPolicy::To::file && rotates(policy) ? path_of(slot, policy) : "";
  }

  // The last slot of a path takes the writer with it.
  void stop_piping(const SlotId& slot) {
    const auto found = piped.find(slot);
    if (found == piped.end()) return;
    const auto path = std::move(found->second);
    piped.erase(found);
    if (std::ranges::none_of(piped, [&](const auto& other) { return other.second == path; }))
      writers.close(path);
  }

  LogOptions options;
  LogPolicy::To usual = LogPolicy::To::file;
  std::map<dev_t, bool> cutting;        // whether files can be cut there
  std::map<SlotId, std::string> piped;  // the log of each slot that writes to a pipe
  LogRotation rotation;
  LogWriters writers;
};

Logs::Logs(std::unique_ptr<State> state) : state_{std::move(state)} {}
Logs::~Logs() = default;

Result<std::unique_ptr<Logs>> Logs::make(const Loop& loop, LogOptions options) {
  sigset_t mask;
  ::sigemptyset(&mask);
  ::sigaddset(&mask, SIGCHLD);
  if (const int err = ::pthread_sigmask(SIG_BLOCK, &mask, nullptr); err != 0)
    return fail_errno(err, "cannot block SIGCHLD");
  if (!options.wall) options.wall = wall_now;
  if (!options.changed) options.changed = [] {};
  auto state = std::make_unique<State>(loop, std::move(options));
  SVD_CHECK(state->rotation.arm());
  SVD_CHECK(state->writers.arm());
  if (state->options.console)
    state->usual = LogPolicy::To::console;
  else if (journal_runs(state->options.journal))
    state->usual = LogPolicy::To::journal;
  return std::unique_ptr<Logs>{new Logs{std::move(state)}};
}

void Logs::attach(const SlotId& slot, const LogPolicy& policy) {
  auto& s = *state_;
  const auto path = s.path_of(slot, policy);
  const bool cut = s.resolved(policy) == LogPolicy::To::file && rotates(policy);
  if (const auto piped = s.piped.find(slot);
      piped != s.piped.end() && piped->second != s.pipe_of(slot, policy))
    s.stop_piping(slot);
  // A directory that is not there yet is tried at the first start.
  if (cut && s.would_cut(std::string{split_path(path).directory}))
    s.rotation.attach(slot, policy);
  else
    s.rotation.detach(slot);
}

void Logs::detach(const SlotId& slot) {
  state_->rotation.detach(slot);
  state_->stop_piping(slot);
}

LogPolicy::To Logs::automatic() const { return state_->usual; }

std::string Logs::where(const SlotId& slot, const LogPolicy& policy) const {
  switch (state_->resolved(policy)) {
    case LogPolicy::To::journal:
      return journal_name(slot);
    case LogPolicy::To::file:
      return state_->path_of(slot, policy);
    case LogPolicy::To::console:
      return "console";
    case LogPolicy::To::none:
    case LogPolicy::To::automatic:
      break;  // resolved() never says automatic
  }
  return "none";
}

Result<Stdio> Logs::open(const SlotId& slot, const LogPolicy& policy, std::uint64_t revision) {
  switch (state_->resolved(policy)) {
    case LogPolicy::To::journal:
      return state_->open_journal(slot, policy, revision);
    case LogPolicy::To::file:
      return state_->open_file(slot, policy);
    case LogPolicy::To::console:
      return Stdio{Stdio::Kind::inherit, {}, UniqueFd{}};
    case LogPolicy::To::none:
    case LogPolicy::To::automatic:
      break;
  }
  return Stdio{};
}

std::vector<std::string> Logs::degraded() const {
  auto all = state_->rotation.degraded();
  for (auto& sentence : state_->writers.degraded()) all.push_back(std::move(sentence));
  return all;
}

}  // namespace svd

// SPDX-License-Identifier: Apache-2.0
#include "model/phase.h"

#include <cerrno>

#include "base/result.h"
#include "base/text.h"
#include "base/units.h"
#include "model/launch.h"

namespace svd {
namespace {

constexpr std::array<std::string_view, 18> stage_texts{
    "starting",
    "setting the user",
    "entering its cgroup",
    "creating the process",
    "creating its session",
    "setting resource limits",
    "setting its scheduling",
    "opening the log",
    "arranging descriptors",
    "setting supplementary groups",
    "setting the group",
    "changing to the user",
    "changing to the working directory",
    "executing the program",
    "handing it to the keeper",
    "setting its limits",
    "passing on its sockets",
    "hardening",
};
static_assert(stage_texts.size() == static_cast<std::size_t>(StartStage::hardening) + 1);

std::string limit_text(std::uint64_t limit) { return limit == 0 ? "" : " " + format_bytes(limit); }

std::string oom_text(const ExitStatus& status) {
  switch (status.oom) {
    case Oom::no:
      return "";
    case Oom::limit:
      return "killed: out of memory (limit" + limit_text(status.oom_limit) + ")";
    case Oom::app_limit:
      return "killed: out of memory (app limit" + limit_text(status.oom_limit) + ")";
    case Oom::machine:
      return "killed: out of memory (of the machine or container)";
  }
  return "";
}

// Why it failed, where errno's own words would mislead.
std::string reason(const StartFailure& failure) {
  using enum StartStage;
  if (failure.err == ENOENT && failure.stage == user) return "no such user";
  if (failure.err == ENOENT && (failure.stage == group || failure.stage == groups)) return "no such group";
  if (failure.err == ENODATA && failure.stage == user)
    return "no user has this number, so a group must be given";
  if (failure.stage == keeper && failure.err == ENOSPC) return "it has as many processes as it can know";
  if (failure.stage == keeper && failure.err == ESHUTDOWN) return "it is stopping everything";
  if (failure.stage == keeper && failure.err == ENOTCONN) return "there is none at the moment";
  if (failure.err == ETIME)
    return failure.stage == keeper
               ? "other starts of this app or user hang, and its turn did not come within " +
                     format_duration(start_patience)
               : "the program did not begin within " + format_duration(start_patience);
  if (failure.err == ECANCELED) return "it was to stop before its program began";
  if (failure.stage == keeper && failure.err == ECONNRESET) return "it died meanwhile";
  if (failure.stage == keeper && failure.err == ETIMEDOUT) return "it did not answer";
  if (failure.stage == keeper && failure.err == E2BIG) return "arguments and environment are too long";
  if (failure.err == ELOOP && failure.stage == log) return "a symbolic link of somebody else is in the way";
  if (failure.err == EMLINK && failure.stage == log)
    return "the file has a second name, and others can write to its directory";
  if (failure.err == EPERM &&
      (failure.stage == groups || failure.stage == group || failure.stage == identity))
    return errno_text(EPERM) + ": it takes root, or CAP_SETUID and CAP_SETGID";
  return errno_text(failure.err);
}

}  // namespace

std::string to_text(const ExitStatus& status) {
  if (status.oom != Oom::no) return oom_text(status);
  switch (status.kind) {
    case ExitStatus::Kind::none:
      return "";
    case ExitStatus::Kind::code:
      return "exit code " + std::to_string(status.number);
    case ExitStatus::Kind::signal:
      return "signal " + signal_name(status.number) + (status.core_dumped ? " (core dumped)" : "");
    case ExitStatus::Kind::unknown:
      return "ended, exit status unknown";
  }
  return "";
}

std::string_view to_text(StartStage stage) {
  const auto index = static_cast<std::size_t>(stage);
  return index < stage_texts.size() ? stage_texts[index] : "an unknown step";
}

std::string to_text(const StartFailure& failure) {
  std::string text{to_text(failure.stage)};
  if (failure.err == 0 && !failure.detail.empty()) return text + ": " + printable(failure.detail);
  if (!failure.detail.empty()) text += " '" + printable(failure.detail) + "'";
  return text + ": " + reason(failure);
}

}  // namespace svd

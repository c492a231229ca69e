// SPDX-License-Identifier: Apache-2.0
#include "kernel/launch_record.h"

#include <algorithm>
#include <cstring>

namespace svd {
namespace {

using keeper::Spawn;

// Arrays first, each aligned; strings behind them, so that each is written once.
class RecordWriter {
 public:
  explicit RecordWriter(std::size_t strings_at) : bytes_(strings_at, '\0') {}

  std::uint32_t text(std::string_view value) {
    const auto at = static_cast<std::uint32_t>(bytes_.size());
    bytes_ += value;
    bytes_ += '\0';
    return at;
  }
  void slots(std::uint32_t at, const std::vector<std::string>& values) {
    for (const auto& value : values) {
      const std::uint64_t offset = text(value);
      std::memcpy(bytes_.data() + at, &offset, sizeof offset);
      at += sizeof offset;
    }
  }
  void put(std::uint32_t at, const void* from, std::size_t size) {
    if (size > 0) std::memcpy(bytes_.data() + at, from, size);
  }
  void passed(std::uint32_t at, const LaunchDetails& details) {
    const auto add = [&](const keeper::Passed& one) {
      put(at, &one, sizeof one);
      at += sizeof one;
    };
    for (const auto& name : details.held) add({text(name), 0});
    if (details.has_channel) add({0, details.stdio == keeper::Stdio::fd ? 1U : 0U});
  }
  std::uint32_t bytes(std::string_view value) {  // aligned, as what is an array needs it
    bytes_.resize((bytes_.size() + 7) / 8 * 8);
    const auto at = static_cast<std::uint32_t>(bytes_.size());
    bytes_ += value;
    bytes_ += '\0';
    return at;
  }
  void steps(std::uint32_t at, const std::vector<HardenStep>& all) {
    const auto optional = [this](const std::string& value) { return value.empty() ? 0 : text(value); };
    for (const auto& step : all) {
      const bool takes_bytes = step.op == keeper::Op::put_file || step.op == keeper::Op::filter;
      keeper::Step out{};
      out.op = step.op;
      out.a = takes_bytes ? bytes(step.a) : optional(step.a);
      out.size = takes_bytes ? static_cast<std::uint32_t>(step.a.size()) : 0;
      out.b = optional(step.b);
      out.c = optional(step.c);
      out.d = optional(step.d);
      out.extra = step.extra;
      out.late = step.late ? 1 : 0;
      out.number = step.number;
      put(at, &out, sizeof out);
      at += sizeof out;
    }
  }
  std::string finish(Spawn& head) {
    bytes_.resize((bytes_.size() + 1 + 7) / 8 * 8);  // at least one 0 at the end
    head.size = static_cast<std::uint32_t>(bytes_.size());
    put(0, &head, sizeof head);
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
};

// Gives out aligned places for the arrays.
class Layout {
 public:
  std::uint32_t take(std::size_t count, std::size_t each) {
    const auto at = end_;
    end_ += static_cast<std::uint32_t>((count * each + 7) / 8 * 8);
    return count == 0 ? 0 : at;
  }
  [[nodiscard]] std::uint32_t end() const { return end_; }

 private:
  std::uint32_t end_ = sizeof(Spawn);
};

std::uint32_t size32(std::size_t size) { return static_cast<std::uint32_t>(size); }

// FNV-1a. Two apps with the same number merely wait for each other.
std::uint32_t number_of(std::string_view name) {
  std::uint32_t value = 2166136261U;
  for (const char c : name) value = (value ^ static_cast<unsigned char>(c)) * 16777619U;
  return value;
}

void set_scalars(Spawn& head, const LaunchPlan& plan, const LaunchDetails& details) {
  head.id = static_cast<std::uint64_t>(plan.id);
  head.stop = stop_rule(plan.stop);
  head.stdio = details.stdio;
  head.app = number_of(plan.slot.app.str());
  head.patience = static_cast<std::uint32_t>(start_patience.count());
  unsigned given = keeper::given_session;
  const auto set = [&given](const auto& from, auto& to, unsigned bit) {
    if (!from) return;
    to = *from;
    given |= bit;
  };
  set(details.identity.uid, head.uid, keeper::given_user);
  set(details.identity.gid, head.gid, keeper::given_group);
  set(plan.umask, head.umask, keeper::given_umask);
  set(plan.nice, head.nice, keeper::given_nice);
  set(plan.oom_score_adj, head.oom_score_adj, keeper::given_oom);
  if (details.identity.groups) given |= keeper::given_groups;
  if (details.cgroup.empty()) given |= keeper::given_kill_group;
  head.given = static_cast<std::uint16_t>(given);
}

constexpr std::string_view default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// Layout of a cookie; the slot's "ecosystem:app" follows.
struct CookieHead {
  std::uint32_t magic;
  std::uint32_t slot;
  std::uint64_t id, revision, generation;
  std::int64_t started, pid;
};
constexpr std::uint32_t cookie_magic = 0x31647673;  // "svd1"
static_assert(sizeof(CookieHead) + 63 + 63 + 1 <= keeper::max_cookie);

}  // namespace

keeper::StopRule stop_rule(const StopPolicy& policy) {
  const auto timeout = std::clamp<std::int64_t>(policy.timeout.count(), 0, 0x7fffffff);
  return {static_cast<std::uint32_t>(timeout), static_cast<std::uint8_t>(policy.signal),
          policy.kill == KillTarget::group ? keeper::Whom::group : keeper::Whom::main, 0};
}

std::string_view search_path(const std::vector<std::string>& envp) {
  std::string_view path = default_path;
  for (const std::string_view variable : envp)
    if (variable.starts_with("PATH=")) path = variable.substr(5);
  return path;
}

std::vector<std::string> exec_candidates(const std::string& program, const std::vector<std::string>& envp) {
  if (program.find('/') != std::string::npos) return {program};
  auto path = search_path(envp);
  std::vector<std::string> candidates;
  for (;;) {
    const auto end = path.find(':');
    const auto directory = path.substr(0, end);
    candidates.push_back(directory.empty() ? "./" + program : std::string{directory} + "/" + program);
    if (end == std::string_view::npos) return candidates;
    path.remove_prefix(end + 1);
  }
}

std::string launch_record(const LaunchPlan& plan, const LaunchDetails& details) {
  const auto candidates = exec_candidates(plan.argv.empty() ? std::string{} : plan.argv.front(), plan.envp);
  std::vector<keeper::Limit> limits;
  for (const auto& [resource, limit] : plan.rlimits)
    limits.push_back({static_cast<std::uint32_t>(resource), 0, limit.soft, limit.hard});
  const auto groups = details.identity.groups.value_or(std::vector<std::uint32_t>{});

  Spawn head{};
  set_scalars(head, plan, details);
  Layout layout;
  head.argc = size32(plan.argv.size());
  head.argv = layout.take(plan.argv.size() + 1, 8);
  head.envc = size32(plan.envp.size());
  head.envp = layout.take(plan.envp.size() + 1, 8);
  head.execc = size32(candidates.size());
  head.exec = layout.take(candidates.size() + 1, 8);
  head.rlimit_count = size32(limits.size());
  head.rlimits = layout.take(limits.size(), sizeof(keeper::Limit));
  head.group_count = size32(groups.size());
  head.groups = layout.take(groups.size(), sizeof(std::uint32_t));
  head.passed_count = size32(details.held.size() + (details.has_channel ? 1 : 0));
  head.passed = layout.take(head.passed_count, sizeof(keeper::Passed));
  head.step_count = size32(details.steps.size());
  head.steps = layout.take(details.steps.size(), sizeof(keeper::Step));
  head.cookie_size = size32(details.cookie.size());
  head.cookie = layout.take(details.cookie.size(), 1);

  RecordWriter record{layout.end()};
  record.put(head.rlimits, limits.data(), limits.size() * sizeof(keeper::Limit));
  record.put(head.groups, groups.data(), groups.size() * sizeof(std::uint32_t));
  record.put(head.cookie, details.cookie.data(), details.cookie.size());
  record.passed(head.passed, details);
  record.steps(head.steps, details.steps);
  record.slots(head.argv, plan.argv);
  record.slots(head.envp, plan.envp);
  record.slots(head.exec, candidates);
  if (!plan.cwd.empty()) head.cwd = record.text(plan.cwd);
  if (!details.cgroup.empty()) head.cgroup = record.text(details.cgroup);
  if (!details.stdio_path.empty()) head.stdio_path = record.text(details.stdio_path);
  return record.finish(head);
}

void shift_attached(std::string& record, std::uint32_t by) {
  Spawn head;
  std::memcpy(&head, record.data(), sizeof head);
  head.stdio_fd += by;
  std::memcpy(record.data(), &head, sizeof head);
  for (std::uint32_t i = 0; i < head.passed_count; ++i) {
    char* const at = record.data() + head.passed + i * sizeof(keeper::Passed);
    keeper::Passed one;
    std::memcpy(&one, at, sizeof one);
    if (one.name == 0) one.attached += by;
    std::memcpy(at, &one, sizeof one);
  }
}

std::string encode_cookie(const KnownChild& child) {
  const CookieHead head{cookie_magic,   child.slot.slot,  static_cast<std::uint64_t>(child.id),
                        child.revision, child.generation, child.started.micros,
                        child.pid};
  std::string cookie(sizeof head, '\0');
  std::memcpy(cookie.data(), &head, sizeof head);
  return cookie + child.slot.app.str();
}

std::optional<KnownChild> decode_cookie(std::string_view cookie) {
  CookieHead head{};
  if (cookie.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, cookie.data(), sizeof head);
  const auto name = cookie.substr(sizeof head);
  const auto colon = name.find(':');
  if (head.magic != cookie_magic || colon == std::string_view::npos) return std::nullopt;
  auto ecosystem = Name::parse(name.substr(0, colon));
  auto app = Name::parse(name.substr(colon + 1));
  if (!ecosystem || !app) return std::nullopt;
  KnownChild child;
  child.id = StartId{head.id};
  child.slot = {{std::move(*ecosystem), std::move(*app)}, head.slot};
  child.revision = head.revision;
  child.generation = head.generation;
  child.started = WallTime{head.started};
  child.pid = head.pid;
  return child;
}

}  // namespace svd

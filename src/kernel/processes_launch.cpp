// SPDX-License-Identifier: Apache-2.0
// One start: from the plan to the record that the keeper is given.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "files/apart.h"
#include "kernel/proc.h"
#include "kernel/processes_state.h"

namespace svd {
namespace {

static_assert(max_listeners + 1 <= keeper::max_passed);

StartFailure failure(StartStage stage, int err, std::string detail = {}) {
  return {stage, err, std::move(detail)};
}

int errno_of(const Error& error) { return static_cast<int>(error.code); }

bool names(const std::string& variable, std::string_view name) {
  return variable.size() > name.size() && variable.starts_with(name) && variable[name.size()] == '=';
}

bool are_in_all(const std::vector<std::uint32_t>& groups) {
  std::vector<gid_t> own(65'536);  // NGROUPS_MAX
  const int count = ::getgroups(static_cast<int>(own.size()), own.data());
  own.resize(static_cast<std::size_t>(std::max(count, 0)));
  own.push_back(::getegid());
  return std::ranges::all_of(groups, [&](auto group) { return std::ranges::find(own, group) != own.end(); });
}

// Our own user asks for nothing that we have not: an unprivileged daemon could not even set that. Groups that
// it has not are tried and refused: nothing runs with less than its file says.
void drop_if_own(Identity& identity, bool asks_for_groups) {
  if (::geteuid() == 0 || identity.uid.value_or(::geteuid()) != ::geteuid() ||
      identity.gid.value_or(::getegid()) != ::getegid())
    return;
  identity.uid = identity.gid = std::nullopt;
  if (!asks_for_groups || are_in_all(*identity.groups)) identity.groups = std::nullopt;
}

keeper::Stdio to_wire(Stdio::Kind kind) {
  switch (kind) {
    case Stdio::Kind::null:
      return keeper::Stdio::null;
    case Stdio::Kind::path:
      return keeper::Stdio::path;
    case Stdio::Kind::fd:
      return keeper::Stdio::fd;
    case Stdio::Kind::inherit:
      return keeper::Stdio::inherit;
  }
  return keeper::Stdio::null;
}

// "=", then "SIZE:CONTENT" of each; or "!ERRNO DETAIL".
std::string credentials_as_text(const LaunchPlan& plan) {
  const auto read = read_credentials(plan);
  if (!read) return "!" + std::to_string(read.error().err) + " " + read.error().detail;
  std::string text = "=";
  for (const auto& one : *read) text += std::to_string(one.content.size()) + ":" + one.content;
  return text;
}

std::string_view take_until(std::string_view& text, char end) {
  const auto at = std::min(text.find(end), text.size());
  const auto taken = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return taken;
}

std::size_t take_number(std::string_view& text, char end) {
  std::size_t number = 0;
  const auto digits = take_until(text, end);
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

// The file systems that they are on may not answer.
tl::expected<std::vector<Credential>, StartFailure> read_credentials_apart(const LaunchPlan& plan) {
  std::vector<Credential> found;
  if (plan.credentials.empty()) return found;
  const auto said = apart("credentials of " + plan.slot.app.str(), [&] { return credentials_as_text(plan); });
  if (!said) return tl::make_unexpected(failure(StartStage::hardening, 0, said.error().text));
  std::string_view text{*said};
  if (text.empty()) return tl::make_unexpected(failure(StartStage::hardening, EIO));
  const bool refused = text.front() == '!';
  text.remove_prefix(1);
  if (refused) {
    const auto err = static_cast<int>(take_number(text, ' '));
    return tl::make_unexpected(failure(StartStage::hardening, err, std::string{text}));
  }
  for (const auto& [name, path] : plan.credentials) {
    const auto size = take_number(text, ':');
    found.push_back({name, std::string{text.substr(0, size)}});
    text.remove_prefix(std::min(size, text.size()));
  }
  return found;
}

// Looked at once apart, before we do.
Result<> answers(const LaunchPlan& plan) {
  std::vector<std::string> paths;
  for (const auto* const some : {&plan.harden.read_only, &plan.harden.read_write, &plan.harden.inaccessible})
    paths.insert(paths.end(), some->begin(), some->end());
  if (paths.empty()) return {};
  SVD_TRY([[maybe_unused]] const auto done, apart("paths of " + plan.slot.app.str(), [&]() -> std::string {
            for (const auto& path : paths) ::access(path.c_str(), F_OK);
            return "";
          }));
  return {};
}

}  // namespace

Result<> LinuxProcesses::State::complete_environment(LaunchPlan& plan, const Identity& identity) {
  Variables of_user;
  const Identity* who = &identity;
  if (plan.user.empty()) {
    if (!own_identity) own_identity = users.resolve(std::to_string(::geteuid()), {}, {}).value_or(Identity{});
    who = &*own_identity;
  }
  const auto add = [&](const char* name, const std::string& value) {
    if (!who->name.empty() && !value.empty()) of_user.emplace(name, value);
  };
  add("HOME", who->home);
  add("USER", who->name);
  add("LOGNAME", who->name);
  add("SHELL", who->shell);
  if (plan.environment) return write_out(plan, of_user);
  for (const auto& [name, value] : of_user) {
    const auto is_set = [&](const std::string& variable) { return names(variable, name); };
    if (std::ranges::none_of(plan.envp, is_set)) plan.envp.push_back(name + "=" + value);
  }
  return {};
}

// See kernel/strays.h. At the end: a program that writes its title over its environment comes there last.
void LinuxProcesses::State::mark_environment(LaunchPlan& plan) const {
  std::erase_if(plan.envp, [](const std::string& variable) { return names(variable, start_variable); });
  if (key) plan.envp.push_back(std::string{start_variable} + "=" + start_value(*key, plan.id));
}

// Its standard output and its sockets.
tl::expected<LaunchDetails, StartFailure> LinuxProcesses::State::gather(LaunchPlan& plan, const Given& given,
                                                                        Attachments& attached) {
  LaunchDetails details;
  const auto refused = [](const Error& error) {
    return tl::make_unexpected(failure(StartStage::sockets, 0, error.text));
  };
  auto opened = sources.stdio.open(plan.slot, plan.logs, plan.revision);
  if (!opened) return tl::make_unexpected(failure(StartStage::log, errno_of(opened.error()), plan.logs.path));
  details.stdio = to_wire(opened->kind);
  details.stdio_path = std::move(opened->path);
  if (opened->fd) attached.push_back(std::move(opened->fd));
  if (!plan.listen.empty() && sources.listeners != nullptr) {
    auto names = sources.listeners->held_for(plan);
    if (!names) return refused(names.error());
    details.held = std::move(*names);
  }
  if (sources.channels != nullptr) {
    auto channel = sources.channels->open(plan, given);
    if (!channel) return refused(channel.error());
    details.has_channel = static_cast<bool>(*channel);
    if (*channel) attached.push_back(std::move(*channel));
  }
  return details;
}

tl::expected<void, StartFailure> LinuxProcesses::State::harden(LaunchPlan& plan, const Identity& identity,
                                                               LaunchDetails& details) {
  if (plan.harden == Hardening{} && plan.scheduling == Scheduling{} && plan.credentials.empty()) return {};
  const auto refused = [](const Error& error) {
    return tl::make_unexpected(failure(StartStage::hardening, errno_of(error), error.text));
  };
  if (const auto done = answers(plan); !done)
    return tl::make_unexpected(failure(StartStage::hardening, 0, done.error().text));
  auto secrets = read_credentials_apart(plan);
  if (!secrets) return tl::make_unexpected(std::move(secrets.error()));
  HardeningPlaces places{mount_points_of(read_file("/proc/self/mountinfo")), {}, {}};
  if (!plan.harden.inaccessible.empty()) {
    auto file = credentials.inaccessible();
    if (!file) return refused(file.error());
    places.inaccessible = std::move(*file);
  }
  if (!secrets->empty()) {
    const auto owner = identity.uid.value_or(::geteuid());
    auto place = may_mount ? credentials.mount_point() : credentials.put(plan.id, *secrets, owner);
    if (!place) return refused(place.error());
    plan.envp.push_back("CREDENTIALS_DIRECTORY=" + *place);
    if (may_mount) places.credentials = std::move(*place);
  }
  auto steps = plan_hardening(plan, identity, *secrets, places);
  if (!steps) return tl::make_unexpected(std::move(steps.error()));
  details.steps = std::move(*steps);
  return {};
}

tl::expected<LaunchDetails, StartFailure> LinuxProcesses::State::prepare(LaunchPlan& plan, Child& child,
                                                                         Attachments& attached) {
  if (!client.connected()) return tl::make_unexpected(failure(StartStage::keeper, ENOTCONN));
  auto identity = users.resolve(plan.user, plan.group, plan.groups);
  if (!identity) return tl::make_unexpected(identity.error());
  if (const auto done = complete_environment(plan, *identity); !done)
    return tl::make_unexpected(failure(StartStage::none, 0, done.error().text));
  drop_if_own(*identity, !plan.groups.empty());
  auto details = gather(plan, given_by(plan, *identity, may_mount), attached);
  if (!details) return details;
  if (auto hardened = harden(plan, *identity, *details); !hardened)
    return tl::make_unexpected(std::move(hardened.error()));

  bool is_first = false;
  if (cgroups.available()) {
    auto leaf = Cgroups::leaf(plan.slot, plan.id);
    const auto made = cgroups.make(leaf);
    if (!made)
      return tl::make_unexpected(
          failure(StartStage::cgroup, errno_of(made.error()), cgroups.base() + "/" + leaf));
    child.has_cgroup = true;
    is_first = *made;
  }
  if (!child.has_cgroup) mark_environment(plan);
  if (const auto set = limits.start(plan, child.leaf(), is_first); !set)
    return tl::make_unexpected(failure(StartStage::limits, 0, set.error().text));
  details->identity = std::move(*identity);
  details->cgroup = child.leaf();
  details->cookie = encode_cookie(child.known);
  return details;
}

LinuxProcesses::State::Pending LinuxProcesses::State::objects_of(LaunchPlan& plan) {
  Pending objects;
  if (!plan.argv.empty()) objects.program = std::move(plan.argv.front());
  if (objects.program.find('/') == std::string::npos) objects.path = search_path(plan.envp);
  objects.directory = std::move(plan.cwd);
  objects.log = std::move(plan.logs.path);
  objects.user = std::move(plan.user);
  objects.group = std::move(plan.group);
  for (auto& listener : plan.listen) objects.sockets.push_back(std::move(listener.name));
  return objects;
}

void LinuxProcesses::State::start(LaunchPlan plan) {
  if (!plan.oom_score_adj && inherited_oom_score < 0) plan.oom_score_adj = 0;
  Child child;
  child.known.id = plan.id;
  child.known.slot = plan.slot;
  child.known.revision = plan.revision;
  child.known.generation = plan.generation;
  child.known.started = Loop::now().wall;
  child.stop = plan.stop;
  const auto id = plan.id;
  Attachments attached;
  auto details = prepare(plan, child, attached);
  std::string record;
  if (details) record = launch_record(plan, *details);
  child.pending = std::make_unique<Pending>(objects_of(plan));
  if (details) {
    child.pending->log = std::move(details->stdio_path);
    for (auto& step : details->steps) child.pending->steps.push_back(std::move(step.words));
  }
  children.insert_or_assign(static_cast<std::uint64_t>(id), std::move(child));
  if (!details) return fail_start(id, std::move(details.error()));
  if (record.size() > keeper::max_file) return fail_start(id, failure(StartStage::keeper, E2BIG));
  queue_record(id, std::move(record), std::move(attached));
}

}  // namespace svd

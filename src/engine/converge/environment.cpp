// SPDX-License-Identifier: Apache-2.0
#include "engine/converge/environment.h"

#include <cerrno>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace svd {
namespace {

using Variables = std::map<std::string_view, std::string>;

std::optional<std::string> increment(std::string_view value, std::uint32_t by) {
  std::int64_t number = 0;
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != value.data() + value.size()) return std::nullopt;
  std::int64_t sum = 0;
  if (__builtin_add_overflow(number, std::int64_t{by}, &sum)) return std::nullopt;
  return std::to_string(sum);
}

Variables declared(const AppSpec& spec) {
  Variables out{{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};
  for (const auto& [name, value] : spec.secret_env) out.insert_or_assign(name, value);
  for (const auto& [name, value] : spec.env) out.insert_or_assign(name, value);
  return out;
}

void add_own(Variables& out, const Launch& launch) {
  const auto slot = std::to_string(launch.slot.slot);
  out.insert_or_assign("SVD_ECOSYSTEM", launch.slot.app.ecosystem.str());
  out.insert_or_assign("SVD_APP", launch.slot.app.app.str());
  out.insert_or_assign("SVD_INSTANCE", slot);
  out.insert_or_assign("SVD_INSTANCES", std::to_string(launch.instances));
  out.insert_or_assign("SVD_REVISION", std::to_string(launch.revision));
  out.insert_or_assign("NODE_APP_INSTANCE", slot);
}

// sd_listen_fds(3), and Node's variables. LISTEN_PID is known only when the process is: whoever starts it
// fills in what is zeros here.
void add_descriptors(Variables& out, const Launch& launch, const AppSpec& spec) {
  constexpr std::size_t first = 3;
  if (!spec.listen.empty()) {
    std::string names;
    for (const auto& listener : spec.listen) names += (names.empty() ? "" : ":") + listener.name.str();
    out.insert_or_assign("LISTEN_FDS", std::to_string(spec.listen.size()));
    out.insert_or_assign("LISTEN_FDNAMES", names);
    out.insert_or_assign("LISTEN_PID", "0000000000");
  }
  const auto channel = std::to_string(first + spec.listen.size());
  if (spec.channel == ChannelKind::json) out.insert_or_assign("SVD_CHANNEL_FD", channel);
  if (spec.channel != ChannelKind::node) return;
  out.insert_or_assign("NODE_CHANNEL_FD", channel);
  out.insert_or_assign("NODE_CHANNEL_SERIALIZATION_MODE", "json");
  out.insert_or_assign("NODE_UNIQUE_ID", std::to_string(static_cast<std::uint64_t>(launch.id)));
}

}  // namespace

tl::expected<LaunchPlan, StartFailure> compose(const Launch& launch, const AppSpec& spec,
                                               const LogPort& logs) {
  auto variables = declared(spec);
  for (const auto& name : spec.increment_env) {
    const auto found = variables.find(name);
    auto next = increment(found == variables.end() ? "" : found->second, launch.slot.slot);
    if (!next) return tl::make_unexpected(StartFailure{StartStage::none, EINVAL, "increment_env " + name});
    found->second = std::move(*next);
  }
  add_own(variables, launch);
  add_descriptors(variables, launch, spec);

  LaunchPlan plan;
  plan.id = launch.id;
  plan.slot = launch.slot;
  plan.revision = launch.revision;
  plan.generation = spec.generation;
  plan.argv = spec.exec;
  plan.envp.reserve(variables.size());
  for (const auto& [name, value] : variables) {
    auto& entry = plan.envp.emplace_back();
    entry.reserve(name.size() + 1 + value.size());
    entry.append(name).append(1, '=').append(value);
  }
  plan.cwd = spec.cwd;
  plan.user = spec.user;
  plan.group = spec.group;
  plan.groups = spec.groups;
  plan.umask = spec.umask;
  plan.rlimits = spec.rlimits;
  plan.limits = spec.limits;
  plan.app_limits = launch.app_limits;
  plan.limits_required = spec.limits_required;
  plan.nice = spec.nice;
  plan.oom_score_adj = spec.oom_score_adj;
  plan.scheduling = spec.scheduling;
  plan.harden = spec.harden;
  plan.credentials = spec.credentials;
  plan.listen = spec.listen;
  plan.channel = spec.channel;
  plan.preload = spec.preload;
  plan.ready = spec.ready;
  plan.logs = spec.logs;
  if (plan.logs.to == LogPolicy::To::automatic) plan.logs.to = logs.automatic();
  plan.stop = spec.stop;
  return plan;
}

}  // namespace svd

// SPDX-License-Identifier: Apache-2.0
#include "engine/converge/environment.h"

#include <string>

namespace svd {
namespace {

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

EnvironmentLayers layers_of(const Launch& launch, const AppSpec& spec) {
  EnvironmentLayers layers;
  layers.base = default_variables();
  add_own(layers.base, launch);
  layers.given.insert(spec.secret_env.begin(), spec.secret_env.end());
  layers.declared.insert(spec.env.begin(), spec.env.end());
  layers.removed.insert(spec.env_removed.begin(), spec.env_removed.end());
  layers.increment.assign(spec.increment_env.begin(), spec.increment_env.end());
  layers.slot = launch.slot.slot;
  add_descriptors(layers.protocol, launch, spec);
  return layers;
}

}  // namespace

LaunchPlan compose(const Launch& launch, const AppSpec& spec, const LogPort& logs) {
  LaunchPlan plan;
  plan.id = launch.id;
  plan.slot = launch.slot;
  plan.revision = launch.revision;
  plan.generation = spec.generation;
  plan.argv = spec.exec;
  plan.environment = layers_of(launch, spec);
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

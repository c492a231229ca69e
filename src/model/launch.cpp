// SPDX-License-Identifier: Apache-2.0
#include "model/launch.h"

#include <utility>

namespace svd {
namespace {

std::vector<std::string> as_envp(const Variables& variables) {
  std::vector<std::string> envp;
  envp.reserve(variables.size());
  for (const auto& [name, value] : variables) {
    auto& entry = envp.emplace_back();
    entry.reserve(name.size() + 1 + value.size());
    entry.append(name).append(1, '=').append(value);
  }
  return envp;
}

}  // namespace

Result<> write_out(LaunchPlan& plan, const Variables& of_user) {
  if (!plan.environment) return {};
  auto layers = std::move(*plan.environment);
  plan.environment.reset();
  layers.base.insert(of_user.begin(), of_user.end());
  SVD_TRY(const auto variables, compose_environment(layers));
  for (auto& argument : plan.argv) {
    SVD_TRY(argument, expand(argument, variables));
  }
  SVD_TRY(plan.cwd, expand(plan.cwd, variables));
  if (!plan.cwd.empty() && !plan.cwd.starts_with('/'))
    return fail(std::errc::invalid_argument, "the cwd '" + plan.cwd + "' is not absolute");
  plan.envp = as_envp(variables);
  return {};
}

}  // namespace svd

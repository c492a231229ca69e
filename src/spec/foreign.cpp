// SPDX-License-Identifier: Apache-2.0
#include "spec/foreign.h"

#include <algorithm>
#include <array>

namespace svd::spec {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

constexpr std::array words{
    Pair{"command", "exec"},
    Pair{"cmd", "exec"},
    Pair{"run", "exec"},
    Pair{"entrypoint", "exec"},
    Pair{"environment", "env"},
    Pair{"env_vars", "env"},
    Pair{"working_dir", "cwd"},
    Pair{"workdir", "cwd"},
    Pair{"directory", "cwd"},
    Pair{"replicas", "instances"},
    Pair{"numprocs", "instances"},
    Pair{"processes", "instances"},
    Pair{"autorestart", "restart.policy"},
    Pair{"restart_delay", "restart.delay"},
    Pair{"exp_backoff_restart_delay", "restart.delay"},
    Pair{"min_uptime", "restart.reset_after"},
    Pair{"startretries", "restart.max_restarts"},
    Pair{"exitcodes", "restart.success_exit"},
    Pair{"stop_exit_codes", "restart.success_exit"},
    Pair{"kill_timeout", "stop.timeout"},
    Pair{"stopwaitsecs", "stop.timeout"},
    Pair{"stop_grace_period", "stop.timeout"},
    Pair{"stopsignal", "stop.signal"},
    Pair{"stop_signal", "stop.signal"},
    Pair{"out_file", "logs.path"},
    Pair{"error_file", "logs.path"},
    Pair{"log_file", "logs.path"},
    Pair{"stdout_logfile", "logs.path"},
    Pair{"stderr_logfile", "logs.path"},
    Pair{"stdout_logfile_maxbytes", "logs.rotate"},
    Pair{"stdout_logfile_backups", "logs.keep"},
    Pair{"rlimits", "limits"},
    Pair{"ulimits", "limits"},
    Pair{"mem_limit", "limits.memory"},
    Pair{"cpus", "limits.cpu"},
    Pair{"pids_limit", "limits.pids"},
    Pair{"uid", "user"},
    Pair{"gid", "group"},
    Pair{"increment_var", "increment_env"},
    Pair{"tcp", "listen"},
    Pair{"port", "listen"},
    Pair{"ports", "listen"},
    Pair{"sockets", "listen"},
    Pair{"listeners", "listen"},
    Pair{"exec_mode", "channel"},
    Pair{"ipc", "channel"},
    Pair{"wait_ready", "ready.channel"},
    Pair{"healthcheck", "ready"},
    Pair{"listen_timeout", "ready.timeout"},
    Pair{"shutdown_with_message", "stop.message"},
    Pair{"stopasgroup", "stop.kill"},
    Pair{"treekill", "stop.kill"},
    Pair{"secrets", "credentials"},
    Pair{"cap_add", "harden.ambient_capabilities"},
    Pair{"cap_drop", "harden.capabilities"},
    Pair{"rollout", "update"},
    Pair{"deploy", "update"},
    Pair{"requires", "depends_on"},
};

constexpr std::array advice{
    Pair{"script", ": program and arguments are one list: 'exec: [node, server.js, --flag]'"},
    Pair{"args", ": program and arguments are one list: 'exec: [node, server.js, --flag]'"},
    Pair{"interpreter", ": it is the first word of 'exec': 'exec: [python3, app.py]'"},
    Pair{"interpreter_args",
         ": they come before the program's file in 'exec': 'exec: [node, --flag, server.js]'"},
    Pair{"node_args", ": they come before the program's file in 'exec': 'exec: [node, --flag, server.js]'"},
    Pair{"watch",
         ": svd watches no files: use 'node --watch' in development, 'svctl reload NAME' after a deployment"},
    Pair{"ignore_watch", ": svd watches no files: use 'node --watch' in development"},
    Pair{"cron_restart", ": svd has no timers: let cron or a systemd timer run 'svctl restart NAME'"},
    Pair{"max_memory_restart",
         ": 'limits: { memory: 512MiB }' has the kernel end an instance above it, and svd starts it again"},
    Pair{"merge_logs", ": with 'logs: { path: … }' all instances write to one file"},
    Pair{"combine_logs", ": with 'logs: { path: … }' all instances write to one file"},
    Pair{"redirect_stderr", ": standard output and error always go to the same place"},
    Pair{"log_date_format", ": lines are kept as they are written, and the journal has the time of each"},
    Pair{"pid_file", ": 'svctl ls --json' has the pids"},
    Pair{"instance_var", ": the slot is $SVD_INSTANCE, and ${SVD_INSTANCE} in a value"},
    Pair{"process_name", ": an app's name is its key under 'apps', and its instances are NAME/0, NAME/1, …"},
    Pair{"container_name", ": an app's name is its key under 'apps'"},
    Pair{"autostart", ": an app that is in the file runs; 'instances: 0' keeps it down"},
    Pair{"startsecs", ": 'update: { min_ready: 2s }' is how long a start must hold"},
    Pair{"killasgroup", ": what is left of an instance is always killed as a whole"},
    Pair{"priority", ": the order of starts is what 'depends_on' says"},
    Pair{"image", ": svd runs programs, not images: 'exec' is what to run"},
    Pair{"build", ": svd runs programs, not images: 'exec' is what to run"},
    Pair{"volumes", ": svd runs programs on this host's files; 'harden' can hide some of them"},
    Pair{"networks", ": svd runs programs on this host's network"},
    Pair{"services", ": they are called 'apps' here"},
    Pair{"programs", ": they are called 'apps' here"},
};

constexpr std::string_view importer =
    ": write an ecosystem.yaml (README.md has what its words are called there)";

bool ends_with_one_of(std::string_view name, std::initializer_list<std::string_view> ends) {
  return std::ranges::any_of(ends, [&](std::string_view end) { return name.ends_with(end); });
}

}  // namespace

std::span<const Pair> foreign_words() { return words; }

std::optional<std::string> foreign_advice(std::string_view key) {
  if (const auto* const found = std::ranges::find(advice, key, &Pair::first); found != advice.end())
    return std::string{found->second};
  if (key.starts_with("env_") && key.size() > 4)  // PM2's env_production
    return ": variants of the file are profiles: 'profiles: { " + std::string{key.substr(4)} +
           ": { apps: … } }', chosen with --profile";
  return std::nullopt;
}

std::optional<std::string> foreign_file(std::string_view name, std::string_view text) {
  if (ends_with_one_of(name, {".js", ".cjs", ".mjs", ".ts"}) || text.find("module.exports") != text.npos)
    return "this is a program, as PM2's ecosystem.config.js is" + std::string{importer};
  if (text.starts_with("[program:") || text.find("\n[program:") != text.npos ||
      text.starts_with("[supervisord]"))
    return "this is a file of supervisord" + std::string{importer};
  return std::nullopt;
}

}  // namespace svd::spec

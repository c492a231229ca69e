// SPDX-License-Identifier: Apache-2.0
#include "spec/rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <tuple>

#include "base/text.h"
#include "base/units.h"
#include "model/expand.h"
#include "spec/json.h"

namespace svd::spec {
namespace {

// Linux: one argument or one NAME=value of execve(2), with its final NUL (MAX_ARG_STRLEN).
constexpr std::size_t longest_string = 128U << 10;

void check_exec(const AppInFile& file, const AppSpec& app, Complaints& out) {
  if (file.find("exec") == nullptr)
    out.add(file.key.mark, file.place, "the key 'exec' is missing: what should run?");
  const auto too_long = [](const std::string& word) { return word.size() >= longest_string; };
  if (std::ranges::any_of(app.exec, too_long))
    complain(file, "exec", "an argument of more than 128KiB: Linux does not run that", out);
}

void check_restart(const AppInFile& file, const AppSpec& app, Complaints& out) {
  const auto& [delay, most] = std::pair{app.restart.delay, app.restart.max_delay};
  if (delay <= most) return;
  const bool delay_is_written = file.find("restart.delay") != nullptr;
  const auto text = "the delay, " + format_duration(delay) + (delay_is_written ? "" : " by default") +
                    ", is above max_delay, " + format_duration(most) +
                    (file.find("restart.max_delay") == nullptr ? " by default" : "");
  complain(file, delay_is_written ? "restart.delay" : "restart.max_delay", text, out);
}

void check_logs(const AppInFile& file, AppSpec& app, Complaints& out) {
  if (app.logs.path.empty()) return;
  using To = LogPolicy::To;
  if (app.logs.to == To::automatic) app.logs.to = To::file;
  if (app.logs.to != To::file) complain(file, "logs.path", "only 'to: file' writes to a path", out);
}

// `part` can never be reached, because `whole` is below it.
template <class T>
void check_fits(const AppInFile& file, std::pair<std::string_view, std::optional<T>> part,
                std::pair<std::string_view, std::optional<T>> whole, std::string (*show)(const T&),
                Complaints& out) {
  if (!part.second || !whole.second || *part.second <= *whole.second) return;
  complain(file, part.first,
           show(*part.second) + " is above " + std::string{whole.first} + ", " + show(*whole.second), out);
}

void check_limits(const AppInFile& file, const AppSpec& app, Complaints& out) {
  using Bytes = std::uint64_t;
  const auto size = [](const Bytes& value) { return format_bytes(value); };
  const auto count = [](const Bytes& value) { return std::to_string(value); };
  const auto cpus = [](const double& value) { return Json{value}.dump(); };
  const auto& [each, all] = std::tie(app.limits, app.app_limits);
  check_fits<Bytes>(file, {"limits.memory_high", each.memory_high}, {"limits.memory", each.memory}, size,
                    out);
  check_fits<Bytes>(file, {"app_limits.memory_high", all.memory_high}, {"app_limits.memory", all.memory},
                    size, out);
  check_fits<Bytes>(file, {"limits.memory", each.memory}, {"app_limits.memory", all.memory}, size, out);
  check_fits<Bytes>(file, {"limits.memory_swap", each.memory_swap},
                    {"app_limits.memory_swap", all.memory_swap}, size, out);
  check_fits<Bytes>(file, {"limits.pids", each.pids}, {"app_limits.pids", all.pids}, count, out);
  check_fits<double>(file, {"limits.cpu", each.cpu}, {"app_limits.cpu", all.cpu}, cpus, out);
}

const std::string* variable(const AppSpec& app, const std::string& name) {
  if (const auto found = app.env.find(name); found != app.env.end()) return &found->second;
  const auto secret = app.secret_env.find(name);
  return secret == app.secret_env.end() ? nullptr : &secret->second;
}

bool can_be_incremented(const std::string& text) {
  std::int64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  constexpr std::int64_t highest = std::int64_t{1} << 53;  // exact wherever it is read, JavaScript included
  return parsed.ec == std::errc{} && parsed.ptr == end && value >= -highest &&
         value <= highest - max_instances;
}

void check_increments(const AppInFile& file, const AppSpec& app, Complaints& out) {
  const auto* list = file.find("increment_env");
  for (std::size_t i = 0; i < app.increment_env.size(); ++i) {
    const auto& name = app.increment_env[i];
    const auto* value = variable(app, name);
    if (value != nullptr && can_be_incremented(*value)) continue;
    const Place key{&file.place, "increment_env"};
    const auto why =
        value == nullptr ? " is not set by this app: give it a number under 'env'" : " is not a whole number";
    out.add(list->entries[i].value->mark, Place{&key, "", i}, in_quotes(name) + why);
  }
}

void check_scheduling(const AppInFile& file, const AppSpec& app, Complaints& out) {
  using Policy = Scheduling::Policy;
  const auto policy = app.scheduling.policy.value_or(Policy::other);
  const bool real_time = policy == Policy::fifo || policy == Policy::rr;
  if (real_time && app.scheduling.priority == 0)
    complain(file, "scheduling.policy", "a real-time policy needs a 'priority', 1 to 99", out);
  if (!real_time && app.scheduling.priority != 0)
    complain(file, "scheduling.priority", "only the policies fifo and rr have a priority", out);
}

// With a /tmp of its own, empty at each start, an app finds nothing there that is outside.
void check_private_tmp(const AppInFile& file, const AppSpec& app, Complaints& out) {
  const auto is_hidden = [](std::string_view path) {
    return path.starts_with("/tmp/") || path.starts_with("/var/tmp/");
  };
  if (!app.harden.private_tmp) return;
  const bool directory = is_hidden(app.cwd);
  if (directory || (!app.exec.empty() && is_hidden(app.exec.front())))
    complain(file, "harden.private_tmp",
             in_quotes(directory ? app.cwd : app.exec.front()) + ", its " + (directory ? "cwd" : "program") +
                 ", is not there when /tmp and /var/tmp are its own",
             out);
}

void check_hardening(const AppInFile& file, const AppSpec& app, Complaints& out) {
  const auto& harden = app.harden;
  check_private_tmp(file, app, out);
  if (harden.capabilities && (harden.ambient & ~*harden.capabilities) != 0)
    complain(file, "harden.ambient_capabilities", "not all of them are in 'capabilities'", out);
  for (std::size_t i = 1; i < harden.syscalls.size(); ++i)
    if (harden.syscalls[i].starts_with('~'))
      return complain(file, "harden.syscalls",
                      "a '~' stands before the first of the list, and turns all of it round", out);
}

void check_environment(const AppInFile& file, const AppSpec& app, Complaints& out) {
  for (const auto* variables : {&app.env, &app.secret_env})
    for (const auto& [name, value] : *variables)
      if (name.size() + value.size() + 2 > longest_string)
        complain(file, variables == &app.env ? "env" : "env_file",
                 in_quotes(name) + " has more than 128KiB: Linux does not run that", out);
}

}  // namespace

const Node* AppInFile::find(std::string_view path) const {
  const Node* node = &settings;
  while (!path.empty()) {
    const auto dot = std::min(path.find('.'), path.size());
    const auto* entry = node->find(path.substr(0, dot));
    if (entry == nullptr || entry->value->kind == Kind::null) return nullptr;
    node = entry->value;
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return node;
}

void complain(const AppInFile& file, std::string_view path, std::string text, Complaints& out) {
  const auto* node = file.find(path);
  out.add(node == nullptr ? file.key.mark : node->mark, file.place.str() + "." + std::string{path},
          std::move(text));
}

void check_app(const AppInFile& file, AppSpec& app, Complaints& complaints) {
  check_exec(file, app, complaints);
  check_restart(file, app, complaints);
  check_logs(file, app, complaints);
  check_limits(file, app, complaints);
  check_increments(file, app, complaints);
  check_environment(file, app, complaints);
  check_scheduling(file, app, complaints);
  check_hardening(file, app, complaints);
  check_listeners(file, app, complaints);
  check_cluster(file, app, complaints);
}

const EnvFile& Outside::env_file(const std::string& path) {
  if (const auto found = parsed_.find(path); found != parsed_.end()) return found->second;
  if (const auto kept = source_.env_files.find(path); kept != source_.env_files.end())
    return parsed_[path] = parse_env_file(kept->second);
  const auto content = inputs_.read_file
                           ? inputs_.read_file(path)
                           : Result<std::string>{fail(std::errc::no_such_file_or_directory,
                                                      "cannot read " + in_quotes(path) +
                                                          ": its content did not come with the ecosystem")};
  if (!content) return parsed_[path] = EnvFile{{}, {{0, content.error().text}}};
  auto& parsed = parsed_[path] = parse_env_file(*content);
  if (parsed.problems.empty()) source_.env_files[path] = *content;
  return parsed;
}

void Outside::add_passed(const AppInFile& file, AppSpec& app, Complaints& complaints) {
  for (const auto& name : app.pass_env) {
    auto kept = source_.pass_env.find(name);
    if (kept == source_.pass_env.end()) {
      auto value = inputs_.environment ? inputs_.environment(name) : std::nullopt;
      if (!value) continue;  // not set there, so not set here
      kept = source_.pass_env.emplace(name, std::move(*value)).first;
    }
    if (find_invalid_utf8(kept->second) != std::string_view::npos)
      complain(file, "pass_env", in_quotes(name) + " is not UTF-8 in this environment", complaints);
    app.secret_env[name] = kept->second;
  }
}

namespace {

// What everybody on the machine may know: a change of it is shown as what it is.
bool is_public(std::string_view name) {
  constexpr std::array names{"PATH", "LANG", "LANGUAGE", "TZ", "HOME", "USER", "LOGNAME", "SHELL", "TERM"};
  return name.starts_with("LC_") || std::ranges::find(names, name) != names.end();
}

// "./bin:${PATH}" of PATH: what is below `env` is wanted, too.
bool refers_to(const std::string& value, const std::string& name) {
  const auto found = references(value);
  return found && std::ranges::find(*found, name, &Reference::name) != found->end();
}

// A value that is taken as it is, written as one of `env`.
std::string literally(const std::string& value) {
  std::string out;
  for (const char c : value) out.append(c == '$' ? 2 : 1, c);
  return out;
}

}  // namespace

void Outside::publish(AppSpec& app) {
  for (const auto& name : app.pass_env) {
    const auto passed = source_.pass_env.find(name);
    const auto found = app.secret_env.find(name);
    if (!is_public(name) || passed == source_.pass_env.end() || found == app.secret_env.end()) continue;
    if (found->second != passed->second) continue;  // an env file has another one, which is its own affair
    app.env.emplace(name, literally(found->second));
    app.secret_env.erase(found);
  }
}

void Outside::add_secrets(const AppInFile& file, AppSpec& app, Complaints& complaints) {
  add_passed(file, app, complaints);
  const Place key{&file.place, "env_file"};
  for (std::size_t i = 0; i < app.env_file.size(); ++i) {
    const auto mark = file.find("env_file")->entries[i].value->mark;
    const auto& parsed = env_file(app.env_file[i]);
    for (const auto& [line, problem] : parsed.problems) {
      const auto text =
          line == 0 ? problem : printable(app.env_file[i]) + ":" + std::to_string(line) + ": " + problem;
      complaints.add(mark, Place{&key, "", i}, text);
    }
    for (const auto& [name, value] : parsed.variables) {
      secret_bytes_ += name.size() + value.size();
      if (secret_bytes_ > most_secret_bytes)
        return complaints.add(Mark{}, "", "env files amount to more than 64MiB over all apps");
      app.secret_env[name] = value;
    }
  }
  for (const auto& [name, value] : app.env)
    if (!refers_to(value, name)) app.secret_env.erase(name);
  for (const auto& name : app.env_removed) app.secret_env.erase(name);
  publish(app);
}

}  // namespace svd::spec

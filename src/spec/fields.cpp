// SPDX-License-Identifier: Apache-2.0
#include "spec/fields.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <type_traits>
#include <unordered_map>

#include "base/text.h"
#include "spec/compare.h"
#include "spec/foreign.h"
#include "spec/harden_forms.h"
#include "spec/listener_fields.h"

namespace svd::spec {
namespace {

using namespace std::chrono_literals;

#define AT SVD_SPEC_AT

constexpr auto live = Effect::live;
constexpr auto replace = Effect::replace;

template <class At, class T>
Field field(std::string_view key, At at, const Form<T>& form, Effect effect, std::string_view doc,
            std::string_view initial = "") {
  return {member_row<AppSpec>(key, at, form, effect, doc, initial)};
}

Field rlimit(std::string_view key, int resource, const Form<Rlimit>& form, std::string_view doc) {
  const Access<AppSpec, Rlimit> at{[resource](AppSpec& app, Rlimit value) { app.rlimits[resource] = value; },
                                   [resource](const AppSpec& app) -> std::optional<Rlimit> {
                                     const auto found = app.rlimits.find(resource);
                                     return found == app.rlimits.end() ? std::nullopt
                                                                       : std::optional{found->second};
                                   }};
  return {row(key, at, form, replace, doc, "the daemon's own")};
}

// `ready.KIND: true`.
Field gate(std::string_view key, ReadyGate::Kind kind, std::string_view doc, std::string_view initial) {
  const Access<AppSpec, bool> at{
      [kind](AppSpec& app, bool wanted) {
        if (wanted) app.ready.kind = kind;
      },
      [kind](const AppSpec& app) { return app.ready.kind == kind ? std::optional{true} : std::nullopt; }};
  return {row(key, at, boolean(), replace, doc, initial)};
}

Field tcp_gate(std::string_view key, std::string_view doc) {
  const Access<AppSpec, Endpoint> at{[](AppSpec& app, Endpoint to) {
                                       app.ready.kind = ReadyGate::Kind::tcp;
                                       app.ready.address = std::move(to.address);
                                       app.ready.port = to.port;
                                     },
                                     [](const AppSpec& app) {
                                       return app.ready.kind == ReadyGate::Kind::tcp
                                                  ? std::optional{Endpoint{app.ready.address, app.ready.port}}
                                                  : std::nullopt;
                                     }};
  return {row(key, at, endpoint(EndpointUse::connect), replace, doc, "none")};
}

// `env`: what is set, and what is not to be.
Field environment_field(std::string_view key, std::string_view doc) {
  using Declared = std::map<std::string, std::optional<std::string>>;
  const Access<AppSpec, Declared> at{[](AppSpec& app, const Declared& declared) {
                                       app.env.clear();
                                       app.env_removed.clear();
                                       for (const auto& [name, value] : declared)
                                         if (value)
                                           app.env.emplace(name, *value);
                                         else
                                           app.env_removed.insert(name);
                                     },
                                     [](const AppSpec& app) -> std::optional<Declared> {
                                       return Declared{app.env.begin(), app.env.end()};
                                     }};
  return {row(key, at, variables(), replace, doc, "none")};
}

Field with(Field row, decltype(Field::identity) identity, decltype(Field::compare) compare) {
  row.identity = std::move(identity);
  row.compare = std::move(compare);
  return row;
}

constexpr std::uint64_t least_memory = 1U << 20;  // less, and hardly a program can be executed
constexpr double least_cpu = 0.01;                // the kernel's own bound: 1 ms of every 100 ms
constexpr std::int64_t most_pids = 4'194'304;     // PID_MAX_LIMIT of Linux
constexpr std::uint64_t most_files =
    1'073'741'816;  // Linux: the highest possible fs.nr_open; more fails at every start

// NOLINTNEXTLINE(readability-function-size): one row a key
std::vector<Field> make_fields() {
  const auto when = choice<RestartPolicy::When>({{"always", RestartPolicy::When::always},
                                                 {"on-failure", RestartPolicy::When::on_failure},
                                                 {"never", RestartPolicy::When::never}});
  const auto target = choice<KillTarget>({{"group", KillTarget::group}, {"main", KillTarget::main}});
  const auto driver = choice<LogPolicy::To>({{"auto", LogPolicy::To::automatic},
                                             {"journal", LogPolicy::To::journal},
                                             {"file", LogPolicy::To::file},
                                             {"console", LogPolicy::To::console},
                                             {"none", LogPolicy::To::none}});
  const auto order = choice<UpdatePolicy::Order>(
      {{"start-first", UpdatePolicy::Order::start_first}, {"stop-first", UpdatePolicy::Order::stop_first}});
  const auto on_failure = choice<UpdatePolicy::OnFailure>(
      {{"rollback", UpdatePolicy::OnFailure::rollback}, {"pause", UpdatePolicy::OnFailure::pause}});
  const auto channel_kind = choice<ChannelKind>(
      {{"none", ChannelKind::none}, {"node", ChannelKind::node}, {"json", ChannelKind::json}});
  const auto policy = choice<Scheduling::Policy>({{"other", Scheduling::Policy::other},
                                                  {"batch", Scheduling::Policy::batch},
                                                  {"idle", Scheduling::Policy::idle},
                                                  {"fifo", Scheduling::Policy::fifo},
                                                  {"rr", Scheduling::Policy::rr}});
  const auto names = list(variable_name(), "variable names");
  constexpr std::string_view inherited = "the daemon's own";

  // clang-format off
  return {
    // key, where it lives, how it is written, what a change does, what it is, default (if the model does not say it)
    field("exec", AT(exec), command(), replace,
          "The program and its arguments. A plain text is split as a shell would, but no shell runs it.", "required"),
    field("cwd", AT(cwd), path(true), replace, "The working directory.", "the directory of the file"),
    field("instances", AT(instances), instance_count(), Effect::scale,
          "How many instances run. `max` is the number of CPUs that svd may use, `max-1` one less, but at least 1."),
    with(environment_field("env", "Environment variables; wins over `env_file`, which wins over `pass_env`. `NAME: ~` takes one away that "
                                  "would come from there, from `defaults` or from svd itself."),
         environment_identity, compare_environment),
    with(field("env_file", AT(env_file), list(path(), "files"), replace,
               "Files of NAME=value lines, read at apply; later ones win. Their values are kept secret.", "none"),
         no_identity, compare_env_files),
    field("pass_env", AT(pass_env), names, replace,
          "Variables taken from the environment of whoever applies. Nothing else leaks in. Their values are kept secret, but for PATH, the locale and the like.", "none"),
    field("increment_env", AT(increment_env), names, replace,
          "Variables of this app with a whole number, to which each instance's slot (0, 1, …) is added.", "none"),
    field("user", AT(user), account("user"), replace, "The user that instances run as.", inherited),
    field("group", AT(group), account("group"), replace, "The primary group.", "the user's"),
    field("groups", AT(groups), list(account("group"), "groups, by name or number"), replace,
          "Supplementary groups, besides those of the user.", "none"),
    field("umask", AT(umask), octal(), replace, "The file mode creation mask.", inherited),

    listeners_field(),
    field("channel", AT(channel), channel_kind, replace,
          "A two-way pipe for messages. `node`: Node's IPC and cluster protocol, so that an unmodified server shares its port; "
          "`json`: a JSON value a line on the descriptor $SVD_CHANNEL_FD, for any language."),
    field("preload", AT(preload), boolean(), replace,
          "With `channel: node`, load a tiny module through NODE_OPTIONS that answers `Connection: close` while an instance drains."),
    field("depends_on", AT(depends_on), dependencies(), live,
          "Apps that must be started, ready or completed before an instance of this one is started; they are stopped after it.", "none"),

    gate("ready.notify", ReadyGate::Kind::notify, "Ready when it says `READY=1` on $NOTIFY_SOCKET, as sd_notify(3) does.", "false"),
    gate("ready.channel", ReadyGate::Kind::channel,
         "Ready when it says so on its channel: the message `ready`, or, with `channel: node`, when its servers listen. "
         "A program that has once sent `ready` is waited for until it does so again, also in its next version.",
         "true with `channel: node` and no other kind"),
    tcp_gate("ready.tcp", "Ready when a connection to this address is accepted."),
    field("ready.increment", AT(ready.increment), boolean(), replace, "Whether each instance's slot is added to the port of `tcp`."),
    field("ready.timeout", AT(ready.timeout), duration(1ms, 24h), live,
          "The time from the start of the process to that moment; after it the start has failed."),

    field("update.order", AT(update.order), order, live,
          "Whether a replacement is started before the old instance is stopped, or after.",
          "start-first where instances share their sockets (`listen`, or `channel: node`), else stop-first"),
    field("update.drain", AT(update.drain), duration(0ms, 24h), live,
          "How long an old instance still serves and asks its clients to leave, before it is told to stop. Ends early when it has none.",
          "6s with `channel: node`, else 0"),
    field("update.max_surge", AT(update.max_surge), portion(), live,
          "How many instances there may be above `instances` meanwhile; a share is rounded up."),
    field("update.max_unavailable", AT(update.max_unavailable), portion(), live,
          "How many of `instances` may be not ready meanwhile; a share is rounded down.", "0, and 1 with `order: stop-first`"),
    field("update.min_ready", AT(update.min_ready), duration(0ms, 24h), live, "A replacement counts when it has stayed ready for this long."),
    field("update.deadline", AT(update.deadline), duration(1s, 24h * 7), live, "Without progress for this long, the update has failed."),
    field("update.on_failure", AT(update.on_failure), on_failure, live,
          "What follows a failed update: go back to the last version that was stable, or leave it as it is until a person decides."),

    field("restart.policy", AT(restart.policy), when, live,
          "Whether an instance that ended is started again: always, only when it did not end as `success_exit` says, or never."),
    field("restart.delay", AT(restart.delay), duration(0ms, 24h), live, "The wait before the first restart of a series."),
    field("restart.factor", AT(restart.factor), number(1, 100), live, "Each further restart waits this much longer."),
    field("restart.max_delay", AT(restart.max_delay), duration(0ms, 24h), live, "The wait never gets longer than this."),
    field("restart.jitter", AT(restart.jitter), number(0, 1), live,
          "The share of the wait that is drawn at random, so that instances do not restart in step."),
    field("restart.reset_after", AT(restart.reset_after), duration(0ms, 24h * 365), live,
          "An instance that stayed ready for this long starts with a clean record."),
    field("restart.max_restarts", AT(restart.max_restarts), integer<std::uint32_t>(0, 1'000'000'000), live,
          "Restarts within `window`; when one more is needed, the slot has failed and stays down."),
    field("restart.window", AT(restart.window), duration(1ms, 24h * 365), live, "The time in which `max_restarts` are counted."),
    field("restart.success_exit", AT(restart.success_exit), list(exit_match(), "exit codes and signals"), live,
          "Ends that count as success."),

    field("stop.signal", AT(stop.signal), signal_number(), live, "The signal that asks an instance to stop."),
    field("stop.timeout", AT(stop.timeout), duration(0ms, 24h), live,
          "The time from that signal to SIGKILL, which goes to all that is left of the instance."),
    field("stop.kill", AT(stop.kill), target, live,
          "Who gets the first signal: every process of the instance, or its main process only."),
    field("stop.message", AT(stop.message), json_value(), live,
          "Sent on the channel before the signal, as a JSON value.", "none"),

    field("logs.to", AT(logs.to), driver, replace,
          "Where output goes. `auto` is the journal where journald runs, else a file; with `path`, it is a file."),
    field("logs.path", AT(logs.path), path(), replace,
          "The log file. All instances of the app append to it; without it, each has its own.",
          "APP.SLOT.log in a directory of the ecosystem"),
    field("logs.rotate", AT(logs.rotate), size_or_zero(4096, "not by size"), live, "Start a new file when this one has got so large."),
    field("logs.max_age", AT(logs.max_age), duration_or_zero(1min, 24h * 3650, "not by age"), live,
          "Start a new file when this one is so old."),
    field("logs.keep", AT(logs.keep), integer<std::uint32_t>(0, 1000), live, "How many old files are kept."),
    field("logs.compress", AT(logs.compress), boolean(), live, "Compress old files."),
    field("logs.fields", AT(logs.fields), boolean(), replace,
          "In the journal each line has SVD_ECOSYSTEM, SVD_APP, SVD_INSTANCE and SVD_REVISION, for which a pipe and a process stand between."),

    field("limits.memory", AT(limits.memory), size(least_memory), live,
          "Memory, with the file cache. An instance that needs more is killed as a whole.", "unlimited"),
    field("limits.memory_high", AT(limits.memory_high), size(least_memory), live,
          "Above this, an instance is slowed down while the kernel takes memory back.", "unlimited"),
    field("limits.memory_swap", AT(limits.memory_swap), size_or_zero(4096, "no swap"), live, "Swap space, besides `memory`.", "unlimited"),
    field("limits.cpu", AT(limits.cpu), number(least_cpu, 10'000), live, "CPU time per time, in CPUs: 0.5 is half of one.", "unlimited"),
    field("limits.cpu_weight", AT(limits.cpu_weight), integer<std::uint32_t>(1, 10'000), live,
          "The share of CPU time where it is scarce, against others with 100.", "100"),
    field("limits.io_weight", AT(limits.io_weight), integer<std::uint32_t>(1, 10'000), live,
          "The share of a disk's time where it is scarce, against others with 100.", "100"),
    field("limits.io_max", AT(limits.io_max), io_max(), live,
          "Bounds by disk: `{ /dev/sda: { rbps: 10MiB, wbps: 5MiB, riops: 100, wiops: 50 } }`, bytes and operations a second.", "unlimited"),
    field("limits.pids", AT(limits.pids), integer<std::uint64_t>(1, most_pids), live, "Processes and threads.",
          "15 % of what the kernel allows"),
    field("limits.cpuset", AT(limits.cpuset), cpu_list(), live, "The CPUs that an instance may run on.", "all"),
    field("limits.required", AT(limits_required), boolean(), Effect::none,
          "Whether a limit (also of `app_limits`) that cannot be enforced on this host is an error; else it is only told."),
    rlimit("limits.nofile", RLIMIT_NOFILE, limit(LimitUnit::count, most_files), "Open file descriptors."),
    rlimit("limits.nproc", RLIMIT_NPROC, limit(LimitUnit::count), "Processes and threads of the user."),
    rlimit("limits.core", RLIMIT_CORE, limit(LimitUnit::bytes), "Size of a core dump."),
    rlimit("limits.stack", RLIMIT_STACK, limit(LimitUnit::bytes), "Size of the main thread's stack."),
    rlimit("limits.as", RLIMIT_AS, limit(LimitUnit::bytes), "Address space."),
    rlimit("limits.data", RLIMIT_DATA, limit(LimitUnit::bytes), "Data segment."),
    rlimit("limits.fsize", RLIMIT_FSIZE, limit(LimitUnit::bytes), "Size of a file that is written."),
    rlimit("limits.memlock", RLIMIT_MEMLOCK, limit(LimitUnit::bytes), "Locked memory."),
    rlimit("limits.locks", RLIMIT_LOCKS, limit(LimitUnit::count), "File locks."),
    rlimit("limits.msgqueue", RLIMIT_MSGQUEUE, limit(LimitUnit::bytes), "POSIX message queues of the user."),
    rlimit("limits.sigpending", RLIMIT_SIGPENDING, limit(LimitUnit::count), "Queued signals of the user."),
    rlimit("limits.rtprio", RLIMIT_RTPRIO, limit(LimitUnit::count, 99), "Real-time priority."),
    rlimit("limits.rttime", RLIMIT_RTTIME, limit(LimitUnit::microseconds), "CPU time of a real-time thread without a blocking call."),
    rlimit("limits.cpu_time", RLIMIT_CPU, limit(LimitUnit::seconds), "CPU time of a process; it gets SIGXCPU at the soft limit."),

    field("app_limits.memory", AT(app_limits.memory), size(least_memory), live,
          "Memory of all instances. When it is used up, one instance is killed.", "unlimited"),
    field("app_limits.memory_high", AT(app_limits.memory_high), size(least_memory), live, "Above this, they are slowed down.", "unlimited"),
    field("app_limits.memory_swap", AT(app_limits.memory_swap), size_or_zero(4096, "no swap"), live, "Swap space.", "unlimited"),
    field("app_limits.cpu", AT(app_limits.cpu), number(least_cpu, 10'000), live, "CPUs.", "unlimited"),
    field("app_limits.cpu_weight", AT(app_limits.cpu_weight), integer<std::uint32_t>(1, 10'000), live, "Against other apps with 100.", "100"),
    field("app_limits.io_weight", AT(app_limits.io_weight), integer<std::uint32_t>(1, 10'000), live, "Against other apps with 100.", "100"),
    field("app_limits.io_max", AT(app_limits.io_max), io_max(), live, "Bounds by disk.", "unlimited"),
    field("app_limits.pids", AT(app_limits.pids), integer<std::uint64_t>(1, most_pids), live, "Processes and threads.", "unlimited"),
    field("app_limits.cpuset", AT(app_limits.cpuset), cpu_list(), live, "The CPUs that they may run on.", "all"),

    field("nice", AT(nice), integer<int>(-20, 19), replace, "Scheduling priority; lower is more.", inherited),
    field("oom_score_adj", AT(oom_score_adj), integer<int>(-1000, 1000), replace,
          "How ready the kernel is to kill it when memory runs out; -1000 is never.", "the daemon's own, but at least 0"),
    field("scheduling.policy", AT(scheduling.policy), policy, replace, "The scheduling policy, as in sched(7).", inherited),
    field("scheduling.priority", AT(scheduling.priority), integer<std::uint32_t>(0, 99), replace,
          "The priority of `fifo` and `rr`, 1 to 99; 0 for the others."),

    field("harden.no_new_privileges", AT(harden.no_new_privileges), boolean(), replace,
          "No program that it runs may gain privileges, by set-user-ID for example."),
    field("harden.capabilities", AT(harden.capabilities), capabilities(), replace,
          "The only capabilities that it can ever have, also as root; `[]` is none.", inherited),
    field("harden.ambient_capabilities", AT(harden.ambient), capabilities(), replace,
          "Capabilities that it keeps although `user` is not root.", "none"),
    field("harden.private_tmp", AT(harden.private_tmp), boolean(), replace, "A /tmp and a /var/tmp of its own, empty at each start."),
    field("harden.protect_proc", AT(harden.protect_proc), boolean(), replace, "Processes of other users are invisible in /proc."),
    field("harden.read_only", AT(harden.read_only), list(path(), "paths"), replace,
          "What it cannot write to, with all that is below. `/` leaves out /dev, /proc and /sys.", "none"),
    field("harden.read_write", AT(harden.read_write), list(path(), "paths"), replace, "Exceptions from `read_only`.", "none"),
    field("harden.inaccessible", AT(harden.inaccessible), list(path(), "paths"), replace, "What looks empty and cannot be opened.", "none"),
    field("harden.syscalls", AT(harden.syscalls), list(system_call(), "system calls"), replace,
          "The system calls that it may make, by name or by the names of systemd's groups; any other ends it with SIGSYS. With a `~` "
          "before the first, those that it may not make.", "all"),

    field("credentials", AT(credentials), credentials(), replace,
          "Files that it finds below $CREDENTIALS_DIRECTORY, readable by it alone. Read at each start; their content is never shown.", "none"),

    field("essential", AT(essential), boolean(), live,
          "With `svd FILE`, as in a container: when this app has failed for good, or all essential apps have ended, svd stops the rest "
          "and ends with their exit code. Where no app is essential, all are together."),
  };
  // clang-format on
}

constexpr std::array app_sections{
    Section{"ready",
            "When an instance counts as ready: one of `notify`, `channel` and `tcp`. Without any it is ready "
            "when "
            "its program was executed."},
    Section{"update", "How a new version, or `svctl reload`, replaces the instances."},
    Section{"restart", "Whether and when an instance that ended is started again."},
    Section{"stop", "How an instance is stopped."},
    Section{"logs", "Where the output of instances goes."},
    Section{
        "limits",
        "What an instance may use. Up to `cpuset`, all its processes together (cgroup v2; see limits.md). "
        "From `nofile` on, each process (setrlimit(2)): a value is the soft and the hard limit, "
        "`soft:hard` sets them apart, and `unlimited` lifts them."},
    Section{"app_limits", "What all instances of the app may use together (cgroup v2; see limits.md)."},
    Section{"scheduling", "How the kernel divides the CPUs (sched(7))."},
    Section{"harden",
            "What an instance may not do. All of it is enforced, or the instance is not started: nothing "
            "runs with less protection "
            "than is written here. Mounts are the instance's own and go with it; a process with "
            "CAP_SYS_ADMIN, which root has unless `capabilities` says otherwise, can undo them."},
};

constexpr std::array file_keys{
    TopKey{"version", "1", "1", "The version of this format."},
    TopKey{"name", "a name", "the directory of the file",
           "The ecosystem's name. Applying a file changes and removes only what an earlier file of the same "
           "name declared."},
    TopKey{"defaults", "the keys of an app", "none",
           "Settings for every app, merged under each one key by key."},
    TopKey{"profiles", "a map of names, each with `defaults` and `apps`", "none",
           "Variants, chosen with `svctl apply --profile NAME`: what is below the name is merged over the "
           "file."},
    TopKey{"apps", "a map of names to apps", "required",
           "The programs that must run. `apps: {}` is an ecosystem without any."},
};

std::string_view last_part(std::string_view key) {
  const auto dot = key.rfind('.');
  return dot == std::string_view::npos ? key : key.substr(dot + 1);
}

}  // namespace

std::span<const Field> fields() {
  static const std::vector<Field> table = make_fields();
  return table;
}

std::span<const Section> sections() { return app_sections; }
std::span<const TopKey> top_keys() { return file_keys; }

const Key* Field::find_entry(std::string_view below) const {
  const auto found = std::ranges::find(entry, below, &Key::key);
  return found == entry.end() ? nullptr : &*found;
}

const Field* find_field(std::string_view key) {
  static const auto index = [] {
    std::unordered_map<std::string_view, const Field*> by_key;
    for (const auto& row : fields()) by_key.emplace(row.key, &row);
    return by_key;
  }();
  const auto found = index.find(key);
  return found == index.end() ? nullptr : found->second;
}

const Section* find_section(std::string_view key) {
  const auto found = std::ranges::find(app_sections, key, &Section::key);
  return found == app_sections.end() ? nullptr : &*found;
}

std::vector<std::string> keys_below(std::string_view section) {
  std::vector<std::string> keys;
  const auto prefix = section.empty() ? std::string{} : std::string{section} + ".";
  for (const auto& row : fields()) {
    if (!row.key.starts_with(prefix)) continue;
    const auto rest = row.key.substr(prefix.size());
    const std::string child{rest.substr(0, rest.find('.'))};
    if (keys.empty() || keys.back() != child) keys.push_back(child);
  }
  return keys;
}

namespace {

// ": 'ready' has notify, channel, tcp, increment and timeout", or where to read them when they are many.
std::string known_keys(std::string_view section) {
  constexpr std::size_t most = 8;
  const auto keys = keys_below(section);
  if (keys.size() > most) return ": see 'svctl explain " + std::string{section} + "'";
  std::string text = ": '" + std::string{section} + "' has ";
  for (const auto& key : keys)
    text += (&key == keys.data() ? "" : &key == &keys.back() ? " and " : ", ") + key;
  return text;
}

}  // namespace

std::string suggest_key(std::string_view section, std::string_view key) {
  const auto mean = [](std::string_view what) { return ", did you mean '" + std::string{what} + "'?"; };
  if (section.empty() && find_field(key) != nullptr) {  // "restart.delay": both parts in one
    const auto dot = key.find('.');
    return ": write '" + std::string{key.substr(dot + 1)} + "' under '" + std::string{key.substr(0, dot)} +
           "'";
  }
  if (section.empty())
    if (auto advice = foreign_advice(key)) return std::move(*advice);
  std::vector<std::string> words;
  for (const auto& [word, ours] : foreign_words()) {
    if (section.empty() && word == key) return mean(ours);
    words.emplace_back(word);
  }
  if (const auto near = nearest(key, keys_below(section))) return mean(*near);
  for (const auto& row : fields())  // the right key in the wrong place
    if (last_part(row.key) == key && (section.empty() || row.key != key)) return mean(row.key);
  for (const auto& row : fields())
    if (row.find_entry(key) != nullptr) return mean(std::string{row.key} + ".NAME." + std::string{key});
  if (!section.empty()) return known_keys(section);
  const auto near = nearest(key, words);
  return near ? suggest_key(section, *near) : "";
}

std::string_view to_words(Effect effect) {
  switch (effect) {
    case Effect::none:
      return "touches nothing";
    case Effect::live:
      return "applies to running instances at once, without a restart";
    case Effect::scale:
      return "starts or stops instances; the others are not touched";
    case Effect::replace:
      return "replaces the instances, as `update` says";
  }
  return "";
}

}  // namespace svd::spec

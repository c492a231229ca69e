// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <random>

#include "bus/access.h"
#include "daemon/cpus.h"
#include "daemon/decoder.h"
#include "daemon/exit_codes.h"
#include "daemon/keeper_socket.h"
#include "files/io.h"

namespace svd {
namespace {

constexpr Millis longest_wait{20};  // of a reconcile, while clients keep the loop busy
constexpr Millis trim_delay{1000};  // after a change: memory that it took is given back

constexpr Millis longest_save_delay{150};  // the engine gathers its saves for 100 ms

constexpr const char* lock_name = "lock";
constexpr const char* state_lock_name = "state-lock";
constexpr const char* bus_name = "bus";

bool is_same_file(int a, int b) {
  struct stat first {
  }, second{};
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

// As with `svctl run`. A daemon in the background has its log file there.
bool output_is_lost() {
  struct stat output {
  }, null{};
  return ::fstat(STDOUT_FILENO, &output) == 0 && ::stat("/dev/null", &null) == 0 && S_ISCHR(output.st_mode) &&
         output.st_rdev == null.st_rdev;
}

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32U) | device();
}

}  // namespace

Daemon::Daemon(DaemonSettings settings) : settings_{std::move(settings)} {}
Daemon::~Daemon() = default;

int Daemon::run() {
  const auto steps = {&Daemon::open_log,     &Daemon::take_place,   &Daemon::take_state, &Daemon::connect,
                      &Daemon::confirm_lock, &Daemon::start_engine, &Daemon::arm,        &Daemon::serve};
  for (const auto step : steps)
    if (const auto done = (this->*step)(); !done) return give_up(done.error());
  const auto ended = loop_->run();
  if (ended) return *ended;
  log_.write(Severity::error, ended.error().text);
  return exit_failed;
}

Result<> Daemon::open_log() {
  SVD_TRY(auto loop, Loop::make());
  loop_.emplace(std::move(loop));
  engine_started_ = Loop::now().wall;
  SVD_CHECK(log_.attach(*loop_));
  if (!settings_.options.daemonize) return {};
  SVD_CHECK(make_directories(settings_.directories.log, 0750));
  return log_.use_file(settings_.directories.log + "/svd.log", [this](int fd) {
    if (processes_) processes_->redirect(fd);
  });
}

// The lock first: without it nothing here may be touched. The keeper holds it when an engine before us took
// it.
Result<> Daemon::take_place() {
  if (has_file()) return find_place();
  SVD_CHECK(make_runtime_directory(settings_.directories, ::geteuid()));
  SVD_TRY(auto attempt, try_lock(settings_.directories));
  return take_lock(std::move(attempt));
}

Result<> Daemon::take_lock(LockAttempt attempt) {
  lock_ = std::move(attempt.fd);
  owner_ = attempt.owner;
  lock_is_ours_ = !attempt.taken;
  if (lock_is_ours_) {
    owner_ = {.keeper_pid = ::getppid(), .started = engine_started_, .engines = 0};
    return write_lock_owner(lock_.get(), owner_);  // at once: a lock that is held is never nameless
  }
  if (owner_.keeper_pid == ::getppid() || has_served_before(settings_.keeper_socket)) return {};
  return fail(std::errc::device_or_resource_busy,
              "already running (pid " + std::to_string(owner_.keeper_pid) + ")");
}

// Two daemons of one state would both run what it says, and each would take the other's instances for its
// own.
Result<> Daemon::take_state() {
  if (has_file() || !lock_is_ours_) return {};  // with a file there is no state on disk
  auto attempt = try_state_lock(settings_.directories);
  if (attempt.taken)
    return fail(std::errc::device_or_resource_busy,
                "already running (pid " + std::to_string(attempt.owner.keeper_pid) +
                    "), with the same state directory " + settings_.directories.state +
                    " and another runtime directory than " + settings_.directories.runtime);
  state_lock_ = std::move(attempt.fd);
  if (state_lock_) complain(write_lock_owner(state_lock_.get(), owner_));
  return {};
}

Result<> Daemon::connect() {
  if (!settings_.options.daemonize) {  // else it is the service manager of whoever started us
    auto manager = ServiceManager::find(*loop_);
    if (manager) manager_ = std::move(*manager);
    complain(manager ? Result<>{} : tl::make_unexpected(manager.error()));
  }
  SVD_TRY(logs_, Logs::make(*loop_, {.directory = settings_.directories.log,
                                     .tool = settings_.programs + "/logtool",
                                     .console = has_file(),
                                     .no_console = !has_file() && output_is_lost(),
                                     .wall = {},
                                     .changed = {}}));
  const ProcessesOptions options{
      .socket = settings_.keeper_socket,
      .state_directory = has_file() ? settings_.directories.runtime : settings_.directories.state,
      .runtime_directory = settings_.directories.runtime,
      .use_cgroups = settings_.use_cgroups,
      .own_cgroup_is_given = settings_.own_cgroup_is_given,
      .keeper_program = settings_.programs + "/../../bin/svd",
      .arguments = settings_.arguments,
      .manager = manager_.get()};
  SVD_TRY(processes_, LinuxProcesses::connect(
                          *loop_, options,
                          {.stdio = *logs_, .listeners = &listeners_, .channels = &channels_}, handlers()));
  return log_.reopen();  // the keeper, too, writes to our log file
}

ProcessesHandlers Daemon::handlers() {
  return {.event =
              [this](const Event& event) {
                channels_.observe(event);
                dispatch(event);
              },
          .shutdown =
              [this](bool force) {
                if (manager_) manager_->tell("STOPPING=1\nSTATUS=stops all apps");
                engine_->set_now(Loop::now());
                engine_->shutdown({::geteuid(), "signal"}, force);
                owe_reconcile();
              },
          .hangup =
              [this] {
                complain(log_.reopen());
                if (has_file()) complain(apply_file("SIGHUP"));
              },
          .keeper_replaced =
              [this] {
                log_.write(Severity::warning, "the keeper had died, another one has taken its place");
                owner_.keeper_pid = processes_->keeper_pid();
                if (lock_) complain(write_lock_owner(lock_.get(), owner_));
                if (const auto held = processes_->held(state_lock_name))
                  complain(write_lock_owner(held->get(), owner_));
              }};
}

void Daemon::dispatch(const Event& event) {
  engine_->dispatch(event, Loop::now());
  owe_reconcile();
}

// Now it can be told whether the one who holds the lock is our keeper.
Result<> Daemon::confirm_lock() {
  if (!lock_) return {};
  if (!lock_is_ours_) {
    auto held = processes_->held(lock_name);
    if (!held || !is_same_file(held->get(), lock_.get()))
      return fail(std::errc::device_or_resource_busy,
                  "already running (pid " + std::to_string(owner_.keeper_pid) + ")");
    lock_ = std::move(*held);
  } else {
    SVD_CHECK(processes_->hold_in_keeper(lock_name, lock_.get()));
    if (state_lock_) SVD_CHECK(processes_->hold_in_keeper(state_lock_name, state_lock_.get()));
  }
  owner_.keeper_pid = processes_->keeper_pid();
  ++owner_.engines;
  return write_lock_owner(lock_.get(), owner_);
}

Result<> Daemon::open_channels() {
  listeners_.when_gone([this](const AppId& app) { channels_.forget(app); });
  return channels_.begin(
      *loop_, *processes_, listeners_,
      {.notify_path = notify_path(),
       .preload = settings_.programs + "/node-preload.cjs",
       .owner_of = [this](std::int64_t pid) { return processes_->owner_of(pid); }},
      {.event = [this](const Event& event) { dispatch(event); },
       .message = [this](const SlotId& from, StartId,
                         std::string_view json) { bus_->message(from, std::string{json}); },
       .log = [this](const std::string& line) { log_.write_some(Severity::warning, line); }},
      processes_->children());
}

Result<> Daemon::start_engine() {
  SVD_CHECK(open_store());
  SVD_CHECK(trim_.arm(*loop_, Priority::client, [] { ::malloc_trim(0); }));
  bus_ = std::make_unique<bus::BusServer>(*loop_, *this, bus::AccessRules{.own_uid = ::geteuid()});
  events_ = std::make_unique<EventLog>(
      *bus_, log_, [this](StartId id, const SlotId& slot) { return processes_->cgroup_name(id, slot); },
      [this] { settle(); });
  const auto children = processes_->children();
  listeners_.take_over(*processes_, children.empty() ? StartId{} : children.back().id);
  SVD_CHECK(open_channels());
  engine_ = std::make_unique<Engine>(Ports{.processes = *processes_,
                                           .listeners = listeners_,
                                           .channels = channels_,
                                           .limits = processes_->limits(),
                                           .logs = *logs_,
                                           .state = *store_,
                                           .observer = *events_,
                                           .decode =
                                               [this, decode = make_decoder()](Source& source) {
                                                 settle();
                                                 return decode(source);
                                               }},
                                     random_seed());
  auto loaded = store_->load_all();
  for (const auto& problem : loaded.problems) log_.write(Severity::warning, problem);
  const auto problems = engine_->restore({.runtime = std::move(loaded.runtime),
                                          .revisions = std::move(loaded.revisions),
                                          .children = processes_->children()},
                                         Loop::now());
  for (const auto& problem : problems) log_.write(Severity::warning, problem);
  if (has_file()) engine_->end_with_apps();
  return {};
}

Result<> Daemon::arm() {
  SVD_CHECK(reconcile_.arm(*loop_, [this] {
    reconcile();
    if (engine_->finished()) finish();
  }));
  SVD_CHECK(wake_.arm(*loop_, Priority::cgroup, [this] { owe_reconcile(); }));
  return leave_.arm(*loop_, Priority::client, [this] {
    bus_->shut();
    loop_->exit(0);
  });
}

Result<> Daemon::listen() {
  if (!lock_) return {};
  // Of an engine before us, or of svd.socket: a service manager passes it as one that blocks.
  if (auto held = processes_->held(bus_name); held && is_bus_socket(held->get(), settings_.directories)) {
    ::fcntl(held->get(), F_SETFL, O_NONBLOCK);
    listening_ = std::move(*held);
  } else {
    std::optional<std::uint32_t> group;
    if (const auto found = bus::group_id({}); found && ::geteuid() == 0) group = *found;
    SVD_TRY(listening_, listen_on_bus(settings_.directories, group));
    SVD_CHECK(processes_->hold(bus_name, listening_.get()));
  }
  return bus_->serve(listening_.get(), *engine_);
}

Result<> Daemon::serve() {
  // An engine that takes over goes on with what was applied, whatever the file says by now: SIGHUP reads it.
  if (has_file() && !processes_->taken_over()) SVD_CHECK(apply_file("svd"));
  SVD_CHECK(listen());
  processes_->ready();
  join_system_bus();
  if (manager_) {
    manager_->tell("READY=1\nSTATUS=serves " + settings_.directories.address());
    complain(manager_->feed_watchdog());
  }
  log_.write(Severity::info, std::string{"svd " SVD_VERSION " serves "} +
                                 (lock_ ? settings_.directories.address() : settings_.options.file) +
                                 (processes_->taken_over() ? " again" : ""));
  for (const auto& lacking : info().degraded) log_.write(Severity::warning, lacking);
  owe_reconcile();
  settle();
  return {};
}

// Before it ever served, the keeper is told to end as well, with the reason for whoever waits. Later it
// starts another engine, which may have more luck: ending would take the apps along.
int Daemon::give_up(const Error& error) {
  const int code = error.code == std::errc::device_or_resource_busy ? exit_already_running : exit_failed;
  log_.write(Severity::error, error.text);
  if (!processes_) {
    if (!has_served_before(settings_.keeper_socket)) send_quit(settings_.keeper_socket, code, error.text);
  } else if (!processes_->taken_over()) {
    processes_->quit(code, error.text);
  }
  return code;
}

void Daemon::owe_reconcile() {
  if (reconcile_owed_) return;
  reconcile_owed_ = Loop::now().mono;
  reconcile_.request();
}

void Daemon::reconcile() {
  reconcile_owed_.reset();
  complain(wake_.set(engine_->reconcile(Loop::now())));
}

void Daemon::finish() {
  log_.write(Severity::info, "all apps are stopped, svd ends");
  bus_->shut();
  leave_place();
  processes_->quit(engine_->exit_code());
  loop_->exit(0);
}

// Only the system's own daemon: whoever runs another one as root, in a container or for a test, says so by
// its directories or names a file.
void Daemon::join_system_bus() {
  if (has_file() || ::geteuid() != 0 || settings_.directories.runtime != "/run/svd") return;
  const char* address = std::getenv("DBUS_SYSTEM_BUS_ADDRESS");
  if (const auto joined = bus_->join(address != nullptr ? address : "unix:path=/run/dbus/system_bus_socket");
      !joined)
    log_.write(Severity::info, joined.error().text + ": org.svd1 is on the private socket alone");
}

void Daemon::settle() { complain(trim_.set(Loop::now().mono + trim_delay)); }

void Daemon::complain(const Result<>& done) {
  if (!done) log_.write(Severity::error, done.error().text);
}

bus::DaemonInfo Daemon::info() const {
  bus::DaemonInfo info{.version = SVD_VERSION,
                       .keeper_pid = static_cast<std::uint64_t>(processes_->keeper_pid()),
                       .engine_pid = static_cast<std::uint64_t>(::getpid()),
                       .started = owner_.started,
                       .engine_started = engine_started_,
                       .engine_starts = owner_.engines,
                       .degraded = processes_->degraded(),
                       .address = settings_.directories.address(),
                       .state_directory = has_file() ? std::string{} : settings_.directories.state,
                       .log_directory = settings_.directories.log};
  if (auto lacking = bus_->bus_problem(); !lacking.empty()) info.degraded.push_back(std::move(lacking));
  for (const auto& lacking : listeners_.degraded()) info.degraded.push_back(lacking);
  info.degraded.insert(info.degraded.end(), makeshifts_.begin(), makeshifts_.end());
  for (auto& lacking : logs_->degraded()) info.degraded.push_back(std::move(lacking));
  info.unsaved = store_->degraded().value_or(std::string{});
  return info;
}

void Daemon::before_request() {
  const auto now = Loop::now();
  if (reconcile_owed_ && now.mono - *reconcile_owed_ > longest_wait) {
    reconcile();
    if (engine_->finished()) owe_reconcile();  // the end is not for the middle of a request
  }
  engine_->set_now(now);
}

// The keeper starts another engine when this one ends. Until then all goes on, and what was asked is saved.
void Daemon::reexecute() {
  log_.write(Severity::info, "the engine starts anew");
  complain(leave_.set(Loop::now().mono + longest_save_delay));
}

std::uint32_t Daemon::cpus() const { return usable_cpus(); }

void Daemon::log(std::string_view line) { log_.write_some(Severity::warning, line); }

}  // namespace svd

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
#include "kernel/confinement.h"

namespace svd {
namespace {

constexpr Millis longest_wait{20};  // of a reconcile, while clients keep the loop busy
constexpr Millis trim_delay{1000};  // after a change: memory that it took is given back

constexpr Millis longest_save_delay{150};  // the engine gathers its saves for 100 ms

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

Result<> Daemon::connect() {
  if (!settings_.options.daemonize &&
      std::getenv("NOTIFY_SOCKET") != nullptr)  // else it is the manager of whoever started us
    manager_ = ServiceManager::find(*loop_, ::getppid(), seal());
  ends_with_keeper_ = may_be_confined(manager_ != nullptr, maker_of(settings_.keeper_socket));
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
      .keeper_program = ends_with_keeper_ ? std::string{} : settings_.programs + "/../../bin/svd",
      .arguments = settings_.arguments,
      .manager = manager_.get(),
      .stores_state = has_file(),
      .expects = [this](const std::string& name, int fd) {
        return name == bus_name && is_bus_socket(fd, settings_.directories);
      }};
  SVD_TRY(processes_, LinuxProcesses::connect(
                          *loop_, options,
                          {.stdio = *logs_, .listeners = &listeners_, .channels = &channels_}, handlers()));
  return log_.reopen();  // the keeper, too, writes to our log file
}

// Without a directory nothing that is stored is known again: it is bound anew.
Seal Daemon::seal() {
  auto seal = Seal::of_directory(has_file() ? settings_.directories.runtime : settings_.directories.state);
  if (!seal) makeshifts_.push_back("sockets do not outlive svd itself: " + seal.error().text);
  return seal ? *seal : Seal::for_now();
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
                mend_place();
              },
          .keeper_replaced =
              [this] {
                const std::string text = "it had died, another one has taken its place: pid ";
                engine_->happened("keeper", text + std::to_string(processes_->keeper_pid()), Loop::now());
                owner_.keeper_pid = processes_->keeper_pid();
                complain(sign_locks());
              }};
}

void Daemon::dispatch(const Event& event) {
  engine_->dispatch(event, Loop::now());
  owe_reconcile();
}

Result<> Daemon::open_channels() {
  listeners_.when_gone([this](const AppId& app) { channels_.forget(app); });
  SVD_CHECK(make_notify_directory());
  return channels_.begin(
      *loop_, *processes_, listeners_,
      {.notify_directory = notify_directory(),
       .preload = settings_.programs + "/node-preload.cjs",
       .owner_of = [this](std::int64_t pid) { return processes_->owner_of(pid); }},
      {.event = [this](const Event& event) { dispatch(event); },
       .message = [this](const SlotId& from, StartId,
                         std::string_view json) { bus_->message(from, std::string{json}); },
       .log = [this](const std::string& line) { log_.write_some(Severity::warning, line); },
       .happened =
           [this](const SlotId& slot, const std::string& text) {
             if (engine_) engine_->happened(slot.str(), text, Loop::now());
           }},
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
  static_cast<void>(engine_->restore({.runtime = std::move(loaded.runtime),
                                      .revisions = std::move(loaded.revisions),
                                      .children = processes_->children(),
                                      .former = processes_->former_end(),
                                      .problems = std::move(loaded.problems)},
                                     Loop::now()));  // problems are events, and so in the log
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

Result<> Daemon::serve() {
  // An engine that takes over goes on with what was applied, whatever the file says by now: SIGHUP reads it.
  if (has_file() && !processes_->taken_over()) SVD_CHECK(apply_file("svd"));
  SVD_CHECK(listen());
  SVD_CHECK(watch_place());
  processes_->ready();
  join_system_bus();
  confine_self();
  if (manager_) {
    manager_->tell("READY=1\nSTATUS=serves " + settings_.directories.address());
    complain(manager_->feed_watchdog());
  }
  const auto where = lock_        ? settings_.directories.address()
                     : has_file() ? settings_.options.file
                                  : "what runs; nobody can reach it";
  log_.write(Severity::info,
             std::string{"svd " SVD_VERSION " serves "} + where + (processes_->taken_over() ? " again" : ""));
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

// Another keeper, should ours die, must be as free as this one: it is the apps' parent.
void Daemon::confine_self() {
  if (!settings_.confine || !ends_with_keeper_) return;
  if (const auto confined = confine(); !confined)
    log_.write(Severity::warning, "the engine keeps rights that it does not need: " + confined.error().text);
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
  if (!placeless_.empty()) info.degraded.push_back(placeless_);
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

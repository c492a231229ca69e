// SPDX-License-Identifier: Apache-2.0
// What a verb may use of the outside world. main() fills it with the real things, tests with scripted ones;
// verbs touch nothing else (no environment, clock, terminal or file of their own), so each can be tested to
// the last byte.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/client.h"
#include "cli/exit.h"
#include "cli/log_reader.h"
#include "cli/style.h"
#include "model/directories.h"
#include "spec/spec.h"

namespace svd::cli {

// Where to look for the daemon. `directories` is set only when they say where it is: then svctl may start it
// there.
struct Endpoint {
  std::string address;
  std::optional<Directories> directories;
  // The caller wrote it on the command line: whoever listens there is believed. Else only root and the
  // caller's own user are (peer.h): an environment may be somebody else's, and so may a directory.
  bool is_chosen = false;
};

// A daemon that belongs to this svctl (verb `run`): ends when it is dropped, however svctl ends.
class OwnDaemon {
 public:
  virtual ~OwnDaemon() = default;
  [[nodiscard]] virtual const Directories& directories() const = 0;
  // Becomes readable when the daemon has ended; for WaitFor.
  [[nodiscard]] virtual int ended() const = 0;
  // Waits until it has ended; it must have been told to.
  virtual void wait() = 0;
};

// Something that runs beside svctl and ends, at the latest, when it is dropped (which waits for it).
class Helper {
 public:
  virtual ~Helper() = default;
  // Becomes readable when it has ended by itself; for WaitFor. -1: it cannot.
  [[nodiscard]] virtual int ended() const { return -1; }
};

struct System {
  Environment environment;
  std::uint32_t uid = 0;
  std::uint32_t cpus = 1;                  // that this process may use: what "max" means to `check`
  std::string directory;                   // current, absolute
  std::string prefix;                      // where svctl is installed: the directory above its bin/
  std::function<std::string()> user_name;  // of `uid`; empty: it has none
  std::function<void(std::string_view)> out, err;
  std::function<WallTime()> now;
  std::function<SteadyTime()> steady;
  // At most `limit` bytes; "-" is standard input. Error file_too_large beyond.
  std::function<Result<std::string>(const std::string& path, std::size_t limit)> read_file;
  // The same of a regular file that an ecosystem named: read_chosen_file(). Absent: read_file.
  std::function<Result<std::string>(const std::string& path, std::size_t limit)> read_named_file;
  std::function<bool(const std::string& path)> exists;
  std::function<bool(const std::string& path)> is_regular;  // a file, and no pipe or device
  // See spec::Inputs::doubts.
  std::function<std::vector<spec::Inputs::Doubt>(const AppSpec&)> doubts;
  // The daemons that run on this machine, as far as we may see them: whose, and where.
  struct DaemonHere {
    std::string user, address;
  };
  std::function<std::vector<DaemonHere>()> daemons_here;
  // Where a `svd FILE` of ours lives if it may not write to the standard place (fallback_directories()); only
  // directories that are ours alone.
  std::vector<Directories> fallbacks;
  std::function<Result<std::unique_ptr<Client>>(const Endpoint&)> connect;
  std::function<Result<>(const Directories&)> start_daemon;
  // Where nobody listens: the pid of a daemon that runs all the same; 0: it listens by now (one that is
  // starting gets a moment for it); nullopt: none runs.
  std::function<std::optional<std::int64_t>(const Directories&)> await_daemon;
  std::function<Result<std::unique_ptr<OwnDaemon>>()> run_daemon;
  // Blocks until the process has ended or the time has come; true: it has ended.
  std::function<bool(std::uint64_t pid, SteadyTime until)> wait_for_exit;
  // Readable from the next Ctrl-C, SIGTERM or SIGHUP on; those before the call are forgotten. The third one
  // in all ends svctl at once, whatever it is doing.
  std::function<int()> interrupts;
  // Readable when nobody reads standard output any more, as after "| head -1"; -1: it is nothing that could
  // be left, such as a file.
  std::function<int()> reader_gone;
  std::function<Result<>(const std::vector<LogSource>&, const LogQuery&, const LogSink&)> read_logs;
  std::function<JournalTrust(const std::string& user, std::uint64_t keeper)> journal_trust;
  // Runs a program with our descriptors and waits for it: its exit code, or 128 and the signal.
  std::function<Result<int>(const std::vector<std::string>& argv)> run;
  // Runs `body` beside this process, until the descriptor it is given becomes readable.
  std::function<Result<std::unique_ptr<Helper>>(std::function<void(int stop)> body)> in_background;
};

class Context {
 public:
  explicit Context(System the_system) : system{std::move(the_system)} {}

  System system;
  std::string address_option;  // --address
  Style style;                 // of standard output
  bool is_terminal = false;    // standard output is one: progress may rewrite its line

  [[nodiscard]] Result<Endpoint> endpoint() const;
  // The daemon's client. Error connection_refused: none runs; says how to start one.
  [[nodiscard]] Result<std::unique_ptr<Client>> connect() const;
  // The same, but starts a daemon where none runs and the place is ours to start one in.
  [[nodiscard]] Result<std::unique_ptr<Client>> connect_or_start() const;

  // All that is printed goes through here, so that nothing from an app, a file or a peer reaches a terminal
  // unescaped.
  void out(std::string_view text) const { system.out(harmless(text)); }
  void err(std::string_view text) const { system.err(harmless(text)); }
  // Writes over the terminal's present line; "": leaves it empty.
  void redraw(std::string_view line) const { system.out("\r\x1b[K" + harmless(line)); }
  // An app's own bytes, for a file or another program: never for a terminal.
  void pass_on(std::string_view bytes) const { is_terminal ? out(bytes) : system.out(bytes); }
  // What a verb returned, as an exit code; an error is shown first.
  void finish(const Result<Exit>& outcome);
  [[nodiscard]] Exit exit() const { return exit_; }

  // What ends a verb that goes on by itself, each for WaitFor: Ctrl-C first, then the end of who reads.
  [[nodiscard]] std::vector<int> endings() const;

 private:
  [[nodiscard]] std::string daemons_elsewhere(const std::string& tried) const;

  Exit exit_ = Exit::ok;
};

}  // namespace svd::cli

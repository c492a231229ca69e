// SPDX-License-Identifier: Apache-2.0
// What one app asks for, as plain values. Equality drives every decision about what must change; what a
// change of each field does to running instances is in the field table (spec/fields.cpp), not here.
#pragma once

#include <csignal>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/limits.h"
#include "model/names.h"

namespace svd {

// One entry of `success_exit`: an exit code (0..255) or a signal that counts as a clean end.
struct ExitMatch {
  bool is_signal = false;
  int number = 0;
  bool operator==(const ExitMatch&) const = default;
};

struct RestartPolicy {
  enum class When { always, on_failure, never };
  When policy = When::always;
  Millis delay{100};         // before the first restart of a series; 0 allowed
  double factor = 2.0;       // ≥ 1: each further restart waits this much longer
  Millis max_delay{30'000};  // the back-off never exceeds this
  double jitter =
      0.0;  // 0..1: share of the delay that is drawn at random, so that a fleet does not restart in step
  Millis reset_after{10'000};  // a stay of this long in ready forgets the past
  // Within `window`; one more and the slot is failed: for a program that ends at once, after 82 s. That these
  // can be reached is a property of the waits above, see model/restart_arithmetic.h.
  std::uint32_t max_restarts = 10;
  Millis window{300'000};
  std::vector<ExitMatch> success_exit{{false, 0}, {true, SIGTERM}};
  bool operator==(const RestartPolicy&) const = default;
};

// Whom the stop signal goes to. The SIGKILL after the timeout always goes to all that is left in the
// instance's cgroup.
enum class KillTarget { group, main };

struct StopPolicy {
  int signal = SIGTERM;
  Millis timeout{10'000};  // from the first word of it (channel or signal) to SIGKILL
  KillTarget kill = KillTarget::group;
  std::string message{};  // sent on the channel first: a JSON value; empty: none
  bool operator==(const StopPolicy&) const = default;
};

struct LogPolicy {
  enum class To {
    automatic,
    journal,
    file,
    console,
    none
  };  // automatic: journal where journald runs, else file
  To to = To::automatic;
  std::string path;                     // absolute; empty: LOGDIR/<ecosystem>/<app>.<slot>.log
  std::uint64_t rotate = 256ULL << 20;  // bytes; 0: never by size
  Millis max_age{0};                    // rotate a file older than this; 0: never by age
  std::uint32_t keep = 4;               // rotated files kept
  bool compress = true;
  bool fields = false;  // the journal: each line with fields of svd's, by way of a pipe and a writer process
  bool operator==(const LogPolicy&) const = default;
};

// One resource limit as setrlimit(2) takes it; RLIM_INFINITY is `unlimited`.
struct Rlimit {
  static constexpr std::uint64_t unlimited = ~0ULL;
  std::uint64_t soft = unlimited;
  std::uint64_t hard = unlimited;
  bool operator==(const Rlimit&) const = default;
};

// A socket that the supervisor binds and keeps; instances only borrow it (DESIGN: LISTEN_FDS, or Node's
// cluster protocol). `name` and what bind(2) takes are its identity: everything else is set on the socket as
// it is, without binding it anew.
struct Listener {
  enum class Kind : std::uint8_t { tcp, udp, unix_stream, unix_datagram, unix_seqpacket };
  // shared: one accept queue, whoever is free takes the next. even: one SO_REUSEPORT socket a slot, the
  // kernel picks a ready slot at random. sticky: the same, picked by the peer's address. round_robin: the
  // supervisor accepts and passes the connection over the channel.
  enum class Balance : std::uint8_t { shared, even, round_robin, sticky };
  Name name;
  Kind kind = Kind::tcp;
  std::string
      address;  // tcp, udp: a numeric IPv4 or IPv6 address, or "" for both; unix: an absolute path, or
                // '@' and an abstract name
  std::uint16_t port = 0;  // tcp, udp
  Balance balance = Balance::shared;
  std::uint32_t backlog = 4096;
  std::uint32_t mode = 0666;    // unix, of a path
  std::string user, group;      // unix, of a path; empty: the app's own
  bool reuse_port = false;      // so that programs of other supervisors, or the app itself, may bind it too
  Millis defer_accept{0};       // tcp: wake up when data came, at most this late; 0: off
  bool keepalive = false;       // tcp
  bool nodelay = false;         // tcp
  std::uint32_t fast_open = 0;  // tcp: length of the queue; 0: off
  bool freebind = false;        // an address that this host has not got yet
  bool v6only = false;
  bool operator==(const Listener&) const = default;
};
// Same identity: the socket of one serves the other.
[[nodiscard]] inline bool is_same_socket(const Listener& a, const Listener& b) {
  return a.name == b.name && a.kind == b.kind && a.address == b.address && a.port == b.port &&
         a.v6only == b.v6only &&
         (a.balance == Listener::Balance::even || a.balance == Listener::Balance::sticky) ==
             (b.balance == Listener::Balance::even || b.balance == Listener::Balance::sticky);
}

// node: Node's IPC and cluster protocol, of which the supervisor is the primary. json: a JSON value a line on
// $SVD_CHANNEL_FD.
enum class ChannelKind : std::uint8_t { none, node, json };

// When an instance counts as ready.
struct ReadyGate {
  enum class Kind : std::uint8_t {
    exec,     // execve succeeded
    notify,   // READY=1 on $NOTIFY_SOCKET (sd_notify(3))
    channel,  // a `ready` message, or (node) its servers listen
    tcp,      // a connection to `address`:`port` is accepted
  };
  Kind kind = Kind::exec;
  std::string address;     // tcp: numeric
  std::uint16_t port = 0;  // tcp; the slot is added where increment_env counts it up: see `increment`
  bool increment = false;
  Millis timeout{30'000};  // from execve; then the start has failed
  bool operator==(const ReadyGate&) const = default;
};

// A number of instances, or a share of them.
struct Portion {
  std::uint32_t value = 0;
  bool percent = false;
  bool operator==(const Portion&) const = default;
};

// How a new generation replaces the old one. Bounds as in Kubernetes' Deployment: ready ≥ instances −
// max_unavailable (percent rounded down), live ≤ instances + max_surge (percent rounded up).
struct UpdatePolicy {
  enum class Order : std::uint8_t { start_first, stop_first };
  enum class OnFailure : std::uint8_t { rollback, pause };
  Order order = Order::start_first;  // where the file is silent: see spec/cluster_rules.cpp
  std::optional<Millis> drain;  // how long an old one still serves but asks its clients to leave; by default
                                // 6 s with channel node (keepAliveTimeout + 1 s), else 0
  Portion max_surge{1, false};
  Portion max_unavailable{0, false};
  Millis min_ready{2'000};   // must stay ready for this long to count
  Millis deadline{120'000};  // without progress for this long the update has failed
  OnFailure on_failure = OnFailure::rollback;
  bool operator==(const UpdatePolicy&) const = default;
};

// What an app waits for before its first start: every wanted instance of the other app was executed, is
// ready, or has completed.
enum class Dependency : std::uint8_t { started, ready, completed };

// What an instance may not do (capabilities(7), mount_namespaces(7), seccomp(2)). All of it is enforced, or
// the start fails: nothing runs with less protection than its file says.
struct Hardening {
  bool no_new_privileges = false;
  std::optional<std::uint64_t> capabilities;  // bounding set, a bit each; unset: the daemon's own
  std::uint64_t ambient = 0;                  // kept for a user who is not root
  bool private_tmp = false;                   // /tmp and /var/tmp of its own, empty at each start
  bool protect_proc = false;                  // processes of other users are invisible in /proc
  std::vector<std::string> read_only, read_write, inaccessible;  // absolute paths, with all that is below
  std::vector<std::string> syscalls;  // names and @groups that are allowed; with a first "~": that are not
  bool operator==(const Hardening&) const = default;
};

// sched_setscheduler(2).
struct Scheduling {
  enum class Policy : std::uint8_t { other, batch, idle, fifo, rr };
  std::optional<Policy> policy;
  std::uint32_t priority = 0;  // 1..99 of fifo and rr
  bool operator==(const Scheduling&) const = default;
};

struct AppSpec {
  Name name;
  std::vector<std::string> exec;           // argv, at least one
  std::string cwd;                         // absolute
  std::uint32_t instances = 1;             // 0..max_instances; "max" is already resolved
  std::map<std::string, std::string> env;  // defaults, then the app's own; with ${NAME}: see model/expand.h
  std::set<std::string> env_removed;       // NAME: ~, wherever else it would come from
  std::map<std::string, std::string>
      secret_env;  // from pass_env and env_file, without what env sets: values are never shown
  std::vector<std::string> env_file;  // absolute paths, for display
  std::vector<std::string> pass_env;
  std::vector<std::string> increment_env;
  std::string user;                 // name or number; empty: the daemon's own
  std::string group;                // empty: the user's primary group
  std::vector<std::string> groups;  // supplementary, besides those of the user database
  std::optional<std::uint32_t> umask;
  std::vector<Listener> listen;  // in the order of the file: their descriptors are 3, 4, …
  ChannelKind channel = ChannelKind::none;
  bool preload = true;  // channel node: a tiny module is added through NODE_OPTIONS, for drain
  ReadyGate ready;
  RestartPolicy restart;
  StopPolicy stop;
  UpdatePolicy update;
  std::map<Name, Dependency> depends_on;
  LogPolicy logs;
  std::map<int, Rlimit> rlimits;     // key: RLIMIT_… of <sys/resource.h>
  Limits limits;                     // of each instance
  Limits app_limits;                 // of all instances together
  bool limits_required = false;      // where one of these cannot be enforced, nothing is started
  std::optional<int> nice;           // -20..19
  std::optional<int> oom_score_adj;  // -1000..1000
  Scheduling scheduling;
  Hardening harden;
  std::map<std::string, std::string> credentials;  // file below $CREDENTIALS_DIRECTORY → absolute path of its
                                                   // source, which is read at each start
  bool essential = false;  // its final failure, or the end of all such apps, is that of `svd FILE`

  // Hash over every field whose change needs a new process (effect `replace`); 0 is never used. Set by
  // spec::decode.
  std::uint64_t generation = 0;

  bool operator==(const AppSpec&) const = default;
};

// A bound on what one file can ask of the machine; far above use, below what the keeper's table holds.
inline constexpr std::uint32_t max_instances = 10'000;
inline constexpr std::uint32_t max_listeners = 32;  // of one app

// One file's worth of apps.
struct Ecosystem {
  Name name;
  std::map<Name, AppSpec> apps;
  bool operator==(const Ecosystem&) const = default;
};

// Where an ecosystem came from: enough to decode it again, in the same way, in another life of the daemon.
// Kept in the state directory (mode 0600: env files may hold secrets), never sent to anyone.
struct Source {
  std::string text;       // the YAML
  std::string file;       // absolute path of the file, for messages; "-" for standard input
  std::string directory;  // absolute: relative paths start here
  std::string profile;    // empty: none
  std::map<std::string, std::string> env_files;  // absolute path → content as it was at apply
  std::map<std::string, std::string> pass_env;   // the caller's environment, reduced to what pass_env names
  std::uint32_t cpus = 1;                        // what "max" meant
  bool operator==(const Source&) const = default;
};

}  // namespace svd

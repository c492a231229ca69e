// SPDX-License-Identifier: Apache-2.0
// What the keeper (bin/svd) and the engine (libexec/svd/engine) say to each other, over one SOCK_SEQPACKET
// socket. Both are built together, so `version` only guards against a half-done upgrade. Host byte order;
// every struct is laid out without padding. This is the only header that the two share: plain data, no
// standard library.
//
// Neither side believes the other: the keeper checks each offset and count (keeper/wire.h), since its own
// death is what this design exists to avoid.
//
//   keeper → engine                                  engine → keeper
//   hello      first, once                           list       send all you know, then `listed`
//   children   known children, in answer to list     configure  the cgroup base directory
//   held       names with their descriptors          spawn      records, at most `max_message` bytes in all
//   listed     end of the answer                     spawn_file one record in an attached memfd
//   reports    spawned, failed, exited               signal     to children that have not been reaped
//   notice     a guarantee turned out to be off      forget     exits that are safely on record
//   shutdown   SIGTERM or the like came              cancel     starts that need not execute any more
//   hangup     SIGHUP came                           hold       names, one attached descriptor each
//   notified   notes that the service manager has got  release    names
//                                                    notify     the service manager, of this
//                                                    adopt      a live process that is no child of the keeper
//                                                    ready      the engine serves
//                                                    redirect   descriptor for the keeper's stdout and stderr
//                                                    quit       reap me, then end with this code
#pragma once

#include <cstdint>

namespace svd::keeper {

inline constexpr std::uint16_t version = 3;
inline constexpr int engine_fd = 3;                      // the engine finds its socket here
inline constexpr std::uint32_t max_message = 64 * 1024;  // one datagram
inline constexpr std::uint32_t max_file = 8 << 20;  // a memfd of spawn records; above what execve(2) takes
inline constexpr std::uint32_t max_cookie = 256;
inline constexpr std::uint32_t max_cgroup = 200;  // "<ecosystem>:<app>/<slot>.<start id>", below the base
inline constexpr std::uint32_t max_name = 255;    // of a held descriptor
inline constexpr std::uint32_t max_children = 16'384;  // alive, or ended and not yet forgotten
// A socket for each slot that has one of its own, and a channel for each child.
inline constexpr std::uint32_t max_held = 2 * max_children;
inline constexpr std::uint32_t max_passed = 64;    // descriptors that one child gets besides 0 to 2
inline constexpr int first_passed = 3;             // where it finds them
inline constexpr std::uint32_t max_steps = 256;    // of one start
inline constexpr std::uint32_t max_records = 512;  // spawn records in one message
inline constexpr std::uint32_t max_starts = 1024;  // spawn records that were sent and not answered
inline constexpr std::uint32_t max_note = 512;     // bytes for the service manager at a time
inline constexpr std::uint32_t max_notes = 16;     // that an engine may have under way
// What a service manager passed at the start has this before its name: nobody has looked at it yet.
inline constexpr char passed_prefix[] = "passed:";
inline constexpr std::uint32_t max_attached = 64;  // descriptors on one message; the kernel's bound is 253

enum class Type : std::uint16_t {
  hello = 1,
  children,
  held,
  listed,
  reports,
  notice,
  shutdown,
  hangup,
  notified,
  list = 64,
  configure,
  spawn,
  spawn_file,
  signal,
  forget,
  hold,
  release,
  adopt,
  ready,
  redirect,
  quit,
  cancel,
  notify,
};

struct Header {  // begins every message; records follow, each a multiple of 8 bytes
  Type type;
  std::uint16_t version;
  std::uint32_t count;  // of records
};

// What does not work here, as far as known; bits.
enum Missing : std::uint32_t {
  missing_into_cgroup = 1,  // clone3(CLONE_INTO_CGROUP) is refused: children move themselves before they exec
  missing_subreaper = 2,    // orphans go to another process: strays outside of cgroups are lost
};

enum class Ended : std::uint8_t { no, code, signal, unknown };  // unknown: not our child when it ended

struct Hello {
  Header header;
  std::int32_t pid;       // the keeper's
  std::uint32_t missing;  // Missing
  std::uint64_t engines;  // how many engines served before this one
  std::int32_t number;    // of the engine before this one: exit code or signal
  Ended ended;            // no: there was none, or this keeper has not seen its end
  std::uint8_t unused[3];
};
struct Notice {
  Header header;
  std::uint32_t missing;
  std::uint32_t unused;
};
struct Shutdown {
  Header header;
  std::uint32_t force;
  std::uint32_t unused;
};

// The step of a start that failed; the same numbers as svd::StartStage (model/phase.h; tied by static_asserts
// in kernel).
enum class Stage : std::uint8_t {
  none,
  user,
  cgroup,
  process,
  session,
  rlimit,
  scheduling,
  log,
  stdio,
  groups,
  group,
  identity,
  directory,
  exec,
  keeper,
  limits,
  sockets,
  hardening,
};

// spawned: the program was executed.
enum class What : std::uint8_t { spawned, failed, exited };
struct Report {
  std::uint64_t id;
  std::int64_t time;  // of the exit: microseconds since 1970; else 0
  std::int32_t pid;
  std::int32_t number;  // failed: errno, ETIME: too late; exited: exit code or signal
  What what;
  Stage stage;  // failed
  Ended ended;  // exited
  std::uint8_t core_dumped;
  // failed at stage rlimit: which RLIMIT_; at stage scheduling: 0 nice, 1 oom_score_adj; at stage
  // hardening: which step; at stage sockets:
  // which of them
  std::int32_t detail;
};

enum class Whom : std::uint8_t { main, group };

// What the keeper itself does with a child when it has to stop everything and no engine can.
struct StopRule {
  std::uint32_t timeout;  // milliseconds from the signal to SIGKILL
  std::uint8_t signal;
  Whom whom;
  std::uint16_t unused;
};

// In `children` and `adopt`: followed by the cgroup's path (relative to the base) and the cookie, padded to 8
// bytes.
struct Child {
  std::uint64_t id;
  std::int64_t time;  // of the exit
  std::int32_t pid;
  std::int32_t number;  // exit code or signal
  StopRule stop;
  Ended ended;
  std::uint8_t core_dumped;
  std::uint8_t adopted;  // watched by a pidfd, and not our child
  std::uint8_t unused;
  std::uint16_t cgroup_size;
  std::uint16_t cookie_size;
};

struct Signal {
  std::uint64_t id;
  std::int32_t number;
  Whom whom;
  std::uint8_t unused[3];
};
// `forget`: records are std::uint64_t ids. Ids that are unknown or still alive are passed over.
// `cancel`: the same of starts. What has executed its program, or is about to, is reported as spawned all the
// same; else the start has failed with ECANCELED.

// `held`, `hold`, `release`: followed by the name, padded to 8 bytes. `held` and `hold` attach one descriptor
// a record, in order.
struct NamedFd {
  std::uint32_t name_size;
  std::uint32_t unused;
};

struct Configure {  // absolute path of the directory under which `cgroup` paths are looked up; "": no cgroups
  Header header;
  std::uint32_t path_size;
  std::uint32_t unused;  // followed by the path
};

struct Quit {  // followed by a sentence for --ready-fd, when the engine never served; may be empty
  Header header;
  std::int32_t code;
  std::uint32_t text_size;
};

struct Notify {  // followed by the text; one descriptor may be attached (FDSTORE=1)
  Header header;
  std::uint32_t text_size;  // 1 to max_note
  std::uint32_t unused;
};

struct Notified {
  Header header;
  std::uint32_t count;  // of notes, since the last time
  std::uint32_t unused;
};

enum class Stdio : std::uint8_t { null, path, fd, inherit };

enum Given : std::uint16_t {  // which optional fields of a Spawn count
  given_user = 1,
  given_group = 2,
  given_groups = 4,
  given_umask = 8,
  given_nice = 16,
  given_oom = 32,
  given_session = 64,  // setsid(2)
  given_kill_group =
      128,  // SIGKILL what is left of the process group when the main process ends (there is no cgroup)
};

// One of the descriptors that a child gets as first_passed, first_passed + 1, …
struct Passed {
  std::uint32_t name;      // offset of the name that the keeper holds it by; 0: it is attached
  std::uint32_t attached;  // index among the message's attached descriptors
};

// Where descriptors are passed, a variable that reads exactly this gets the child's pid in place of the
// zeros, without leading ones (sd_listen_fds(3)).
inline constexpr char listen_pid[] = "LISTEN_PID=0000000000";

// What a child does to itself before it runs its program, in order; all of it was decided by the engine. A
// step that fails fails the start.
enum class Op : std::uint32_t {
  private_mounts,     // a mount namespace of its own, whose mounts go nowhere
  mount,              // mount(2): source a, target b, type c, data d, flags number
  set_read_only,      // mount_setattr(2) of the one mount at b
  put_file,           // size bytes at a into the new file b, mode extra, owned by the uid in number
  bounding,           // drops all capabilities but those of number from the bounding set
  keep_capabilities,  // prctl(PR_SET_KEEPCAPS): over the change of user
  ambient,            // these alone, and also over execve(2)
  no_new_privileges,
  keep_only,  // permitted and effective lose all but number, inheritable and ambient everything
  scheduler,  // sched_setscheduler(2): policy extra, priority number
  filter,     // seccomp(2): size bytes of sock_filter at a
};
struct Step {
  Op op;
  std::uint32_t a, b, c, d;  // offsets of strings, or of bytes
  std::uint32_t size, extra;
  std::uint32_t late;  // 1: after the change of user and directory
  std::uint64_t number;
};

// One start. Offsets are from the start of this struct; 0 means absent. The record's last byte is 0, so that
// every offset within it begins a terminated string. `argv`, `envp` and `exec` are arrays of 8-byte slots,
// each an offset of a string, ended by a slot of 0: the keeper turns them into pointers in place and hands
// them to execve(2).
struct Spawn {
  std::uint64_t id;    // not 0, not in use
  std::uint32_t size;  // of the whole record, a multiple of 8
  std::uint32_t argv, argc;
  std::uint32_t envp, envc;
  std::uint32_t exec, execc;  // paths to try in order, as execvp(3) does with PATH
  std::uint32_t cwd;
  std::uint32_t cgroup;  // relative to the base; absent: none
  std::uint32_t cookie, cookie_size;
  std::uint32_t rlimits, rlimit_count;  // Limit[]
  std::uint32_t groups, group_count;    // std::uint32_t[]
  std::uint32_t passed, passed_count;   // Passed[]
  std::uint32_t steps, step_count;      // Step[]
  std::uint32_t uid, gid, umask;
  std::int32_t nice, oom_score_adj;
  std::uint32_t stdio_path;  // Stdio::path: opened for append, created 0640
  std::uint32_t stdio_fd;    // Stdio::fd: index among the message's attached descriptors
  StopRule stop;
  Stdio stdio;
  std::uint8_t unused;
  std::uint16_t given;     // Given
  std::uint32_t app;       // starts of one app have the same number: none takes the others' turn; 0: none
  std::uint32_t patience;  // milliseconds to execute the program in, or else the start has failed; 0: 10 s
  std::uint32_t unused2;
};
struct Limit {
  std::uint32_t resource;
  std::uint32_t unused;
  std::uint64_t soft, hard;
};

static_assert(sizeof(Header) == 8 && sizeof(Hello) == 32 && sizeof(Report) == 32 && sizeof(Child) == 40 &&
              sizeof(Signal) == 16);
static_assert(sizeof(Spawn) == 136 && sizeof(Limit) == 24 && sizeof(Passed) == 8 && sizeof(Step) == 40);

}  // namespace svd::keeper

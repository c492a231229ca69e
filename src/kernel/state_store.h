// SPDX-License-Identifier: Apache-2.0
// Durable memory as files. In the state directory (0700, owned by us, every file 0600):
//
//   runtime, runtime.prev                        the engine's runtime state, newest and the one before
//   revisions/<ecosystem>/<number>, <number>.prev
//
// Each is a text that a person can read (kernel/state_format.h): a line with format, version, length and
// checksum, then named fields. A file counts only when all of that is right, so a reader sees one whole state
// or the one before.
//
// Written to a temporary file in the same directory, then exchanged with the newest, which becomes the
// previous copy. A new revision is on the disk (fsync of file and directory) before save_revision() returns:
// it is the only copy of what somebody asked for. The runtime state, and how a revision went, are not waited
// for: they are written many times a second under load, and the engine must not wait milliseconds for a disk.
// They are whole after the death of any process; after a power cut they may be those of some seconds before
// (Durability::ordered), when none of the processes that they speak of is left anyway.
//
// Nothing here stops the daemon: what cannot be written is reported by degraded() until a later save
// succeeds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/ports.h"

namespace svd {

// All that a start can know. Every problem is a sentence for the log; none of them keeps the daemon from
// starting.
struct LoadedState {
  std::string runtime;              // empty: none, or none that could be read
  std::vector<Revision> revisions;  // by ecosystem, then number
  std::vector<std::string> problems;
};

// What the daemon needs of a StatePort besides.
class StateKeeping : public StatePort {
 public:
  [[nodiscard]] virtual LoadedState load_all() = 0;
  // Why the newest state is not kept, in one sentence; nullopt when it is.
  [[nodiscard]] virtual std::optional<std::string> degraded() const = 0;
};

class StateStore final : public StateKeeping {
 public:
  // Makes the directory (0700), refuses one that belongs to somebody else or that others may write to,
  // tightens what is merely too open, removes temporary files that a killed daemon left. Error: see there;
  // the daemon should not start, since it would trust what a stranger can write. A read-only or full file
  // system is no error here.
  static Result<StateStore> open(std::string directory);

  // For who must go on without one: each save tries it again.
  static StateStore without(std::string directory, const Error& why);

  [[nodiscard]] LoadedState load_all() override;

  bool save(const std::string& runtime) override;
  bool save_revision(const Revision& revision) override;
  // no_such_file_or_directory: there is none. illegal_byte_sequence: neither it nor its previous copy can be
  // trusted.
  Result<Revision> load_revision(const Name& ecosystem, std::uint64_t number) override;
  void remove_revision(const Name& ecosystem, std::uint64_t number) override;

  [[nodiscard]] std::optional<std::string> degraded() const override;

 private:
  StateStore(std::string directory, UniqueFd fd) : directory_{std::move(directory)}, fd_{std::move(fd)} {}
  bool note(const Result<>& done, std::optional<std::string>& problem);
  Result<UniqueFd> revision_directory(const Name& ecosystem, bool make);
  Result<> write_runtime(const std::string& runtime);
  Result<> write_revision(const Revision& revision);
  void load_ecosystem(const std::string& name, LoadedState& into);

  std::string directory_;
  UniqueFd fd_;
  std::optional<std::string> runtime_problem_, revision_problem_;
};

inline constexpr std::size_t max_runtime_bytes = 64U << 20;  // 10,000 slots at some 500 bytes, with room
inline constexpr std::size_t max_revision_bytes = 32U
                                                  << 20;  // the text (8 MiB at most), env files (1 MiB each)
inline constexpr std::size_t max_stored_revisions =
    10'000;  // read by load_all(); the newest of each ecosystem first

}  // namespace svd

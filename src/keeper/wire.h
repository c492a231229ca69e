// SPDX-License-Identifier: Apache-2.0
// From the engine's bytes to something that may be used. Every count, offset and size is checked here and
// nowhere else; what comes out points into the message, which must be writable, aligned to 8 bytes, and
// outlive it. Pure: no system calls.
#pragma once

#include <cstddef>
#include <cstdint>

#include "keeper/protocol.h"

namespace svd::keeper {

// A cursor over a message's records.
struct Message {
  Type type{};
  std::uint32_t count = 0;  // records left
  char* at = nullptr;
  std::size_t left = 0;  // bytes left
};
// False: too short, or of another version.
bool open_message(char* bytes, std::size_t size, Message& out);
// The record of a spawn_file.
Message open_file(char* bytes, std::size_t size, std::uint32_t count);

enum class Next : std::uint8_t {
  record,  // `out` is filled and checked
  bad,     // this record is wrong inside; its id is known, and the next one can be read
  broken,  // the message makes no sense from here on
  end
};

// A checked spawn record.
struct Launch {
  const Spawn* spawn = nullptr;  // its scalars
  char** argv = nullptr;
  char** envp = nullptr;
  char** exec = nullptr;
  const char* cwd = nullptr;         // nullptr: stay in the keeper's
  const char* cgroup = nullptr;      // nullptr: none
  const char* stdio_path = nullptr;  // set when stdio is path
  const char* cookie = nullptr;
  const Limit* limits = nullptr;
  const std::uint32_t* groups = nullptr;
  const Passed* passed = nullptr;
  const Step* steps = nullptr;
  // The string or bytes at an offset of a step; nullptr: absent.
  [[nodiscard]] const char* text(std::uint32_t offset) const {
    return offset == 0 ? nullptr : reinterpret_cast<const char*>(spawn) + offset;
  }
  // The name of a held descriptor; nullptr: it is attached.
  [[nodiscard]] const char* name(const Passed& one) const {
    return one.name == 0 ? nullptr : reinterpret_cast<const char*>(spawn) + one.name;
  }
};
// What a record says, to look at: without argv, envp and exec. The message is left as it is.
Next look_at_spawn(Message& message, Launch& out);
// To be carried out: its offsets become pointers, in place.
Next next_spawn(Message& message, Launch& out);

struct Adopt {
  Child child;
  const char* cgroup = nullptr;  // child.cgroup_size bytes, not terminated
  const char* cookie = nullptr;
};
Next next_adopt(Message& message, Adopt& out);

struct Name {
  const char* text = nullptr;  // not terminated
  std::uint32_t size = 0;
};
Next next_name(Message& message, Name& out);
Next next_signal(Message& message, Signal& out);
Next next_id(Message& message, std::uint64_t& out);

// A relative path that stays below where it starts: no leading '/', no empty, "." or ".." component.
bool stays_below(const char* path, std::size_t size);

// Bytes that a record's tail takes.
constexpr std::uint32_t padded(std::uint32_t size) { return (size + 7U) & ~7U; }

}  // namespace svd::keeper

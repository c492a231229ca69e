// SPDX-License-Identifier: Apache-2.0
#include "keeper/wire.h"

#include <cstring>
#include <initializer_list>

namespace svd::keeper {
namespace {

// Copies a fixed-size struct off the message.
template <class T>
Next take(Message& message, T& out) {
  if (message.count == 0) return Next::end;
  if (message.left < sizeof out) return Next::broken;
  std::memcpy(&out, message.at, sizeof out);
  message.at += sizeof out;
  message.left -= sizeof out;
  --message.count;
  return Next::record;
}

// The record that is being checked.
struct Record {
  char* bytes;
  std::uint32_t size;
  bool relocates = true;

  // A terminated string at `offset`: the record's last byte is 0.
  [[nodiscard]] bool is_text(std::uint64_t offset) const { return offset >= sizeof(Spawn) && offset < size; }

  [[nodiscard]] bool text(std::uint32_t offset, const char*& out) const {
    out = nullptr;
    if (offset == 0) return true;
    if (!is_text(offset)) return false;
    out = bytes + offset;
    return true;
  }

  // `count` items of `each` bytes at `offset`, aligned.
  [[nodiscard]] bool area(std::uint32_t offset, std::uint64_t count, std::uint64_t each) const {
    return offset >= sizeof(Spawn) && offset % 8 == 0 && offset < size && count <= (size - offset) / each;
  }

  // Turns an array of offsets into one of pointers, in place.
  [[nodiscard]] bool slots(std::uint32_t offset, std::uint32_t count, char**& out) const {
    static_assert(sizeof(char*) == 8, "slots are relocated in place");
    if (!area(offset, std::uint64_t{count} + 1, 8)) return false;
    for (std::uint32_t i = 0; i <= count; ++i) {
      char* const slot = bytes + offset + std::size_t{i} * 8;
      std::uint64_t value = 0;
      std::memcpy(&value, slot, 8);
      if (i == count) {
        if (value != 0) return false;
        continue;
      }
      if (!is_text(value)) return false;  // also when another array overlaps and made a pointer of it already
      if (!relocates) continue;
      char* const pointer = bytes + value;
      std::memcpy(slot, &pointer, 8);
    }
    if (relocates) out = reinterpret_cast<char**>(bytes + offset);
    return true;
  }

  // After every relocation: an array that overlaps another one is read as what it has become.
  [[nodiscard]] bool names(std::uint32_t offset, std::uint32_t count) const {
    if (count == 0) return true;
    if (count > max_passed || !area(offset, count, sizeof(Passed))) return false;
    for (std::uint32_t i = 0; i < count; ++i) {
      Passed one;
      std::memcpy(&one, bytes + offset + std::size_t{i} * sizeof one, sizeof one);
      if (one.name == 0) continue;
      if (!is_text(one.name)) return false;
      const std::size_t length = std::strlen(bytes + one.name);
      if (length == 0 || length > max_name) return false;
    }
    return true;
  }

  // The record's last byte is 0, so each string ends within it.
  [[nodiscard]] bool steps(std::uint32_t offset, std::uint32_t count) const {
    if (count == 0) return true;
    if (count > max_steps || !area(offset, count, sizeof(Step))) return false;
    for (std::uint32_t i = 0; i < count; ++i) {
      Step one;
      std::memcpy(&one, bytes + offset + std::size_t{i} * sizeof one, sizeof one);
      if (one.op > Op::filter || one.late > 1) return false;
      for (const std::uint32_t place : {one.a, one.b, one.c, one.d})
        if (place != 0 && !is_text(place)) return false;
      if (one.size > 0 && (one.a == 0 || !area(one.a, one.size, 1))) return false;
      if (!has_operands(one)) return false;
    }
    return true;
  }
  // Those that cannot do without.
  static bool has_operands(const Step& step) {
    if (step.op == Op::put_file) return step.b != 0;
    if (step.op == Op::mount || step.op == Op::set_read_only) return step.b != 0;
    return step.op != Op::filter || (step.a != 0 && step.size > 0 && step.size % sizeof(std::uint64_t) == 0);
  }
};

bool check_scalars(const Spawn& spawn) {
  return spawn.id != 0 && spawn.argc > 0 && spawn.execc > 0 && spawn.stdio <= Stdio::inherit &&
         spawn.stop.whom <= Whom::group && spawn.stop.signal <= 64 && spawn.cookie_size <= max_cookie;
}

bool check(const Record& record, Launch& out) {
  const Spawn& spawn = *out.spawn;
  if (!check_scalars(spawn)) return false;
  // Copies: relocation below may run over the record's own head only if an offset said so, and none may.
  if (!record.slots(spawn.argv, spawn.argc, out.argv) || !record.slots(spawn.envp, spawn.envc, out.envp) ||
      !record.slots(spawn.exec, spawn.execc, out.exec))
    return false;
  if (!record.text(spawn.cwd, out.cwd) || !record.text(spawn.cgroup, out.cgroup) ||
      !record.text(spawn.stdio_path, out.stdio_path))
    return false;
  if (spawn.stdio == Stdio::path && out.stdio_path == nullptr) return false;
  if (spawn.rlimit_count > 0 && !record.area(spawn.rlimits, spawn.rlimit_count, sizeof(Limit))) return false;
  if (spawn.group_count > 0 && !record.area(spawn.groups, spawn.group_count, sizeof(std::uint32_t)))
    return false;
  if (spawn.cookie_size > 0 && !record.area(spawn.cookie, spawn.cookie_size, 1)) return false;
  if (!record.names(spawn.passed, spawn.passed_count)) return false;
  if (!record.steps(spawn.steps, spawn.step_count)) return false;
  if (out.cgroup != nullptr) {
    const std::size_t size = std::strlen(out.cgroup);
    if (size > max_cgroup || !stays_below(out.cgroup, size)) return false;
  }
  out.limits = reinterpret_cast<const Limit*>(record.bytes + spawn.rlimits);
  out.groups = reinterpret_cast<const std::uint32_t*>(record.bytes + spawn.groups);
  out.cookie = record.bytes + spawn.cookie;
  out.passed = reinterpret_cast<const Passed*>(record.bytes + spawn.passed);
  out.steps = reinterpret_cast<const Step*>(record.bytes + spawn.steps);
  return true;
}

}  // namespace

bool stays_below(const char* path, std::size_t size) {
  std::size_t start = 0;
  for (std::size_t i = 0; i <= size; ++i) {
    if (i < size && path[i] == '\0') return false;
    if (i < size && path[i] != '/') continue;
    const std::size_t length = i - start;
    if (length == 0 || (length == 1 && path[start] == '.') ||
        (length == 2 && path[start] == '.' && path[start + 1] == '.'))
      return false;
    start = i + 1;
  }
  return true;
}

bool open_message(char* bytes, std::size_t size, Message& out) {
  Header header;
  if (size < sizeof header) return false;
  std::memcpy(&header, bytes, sizeof header);
  if (header.version != version) return false;
  out = {header.type, header.count, bytes + sizeof header, size - sizeof header};
  return true;
}

Message open_file(char* bytes, std::size_t size, std::uint32_t count) {
  return {Type::spawn, count, bytes, size};
}

namespace {

Next take_spawn(Message& message, Launch& out, bool relocates) {
  out = {};
  if (message.count == 0) return Next::end;
  if (message.left < sizeof(Spawn)) return Next::broken;
  auto* const spawn = reinterpret_cast<Spawn*>(message.at);
  if (spawn->size < sizeof(Spawn) || spawn->size % 8 != 0 || spawn->size > message.left) return Next::broken;
  const Record record{message.at, spawn->size, relocates};
  message.at += record.size;
  message.left -= record.size;
  --message.count;
  out.spawn = spawn;
  if (record.size == sizeof(Spawn) || record.bytes[record.size - 1] != '\0') return Next::bad;
  return check(record, out) ? Next::record : Next::bad;
}

}  // namespace

Next look_at_spawn(Message& message, Launch& out) { return take_spawn(message, out, false); }
Next next_spawn(Message& message, Launch& out) { return take_spawn(message, out, true); }

Next next_adopt(Message& message, Adopt& out) {
  out = {};
  if (const Next next = take(message, out.child); next != Next::record) return next;
  const std::uint32_t size = padded(std::uint32_t{out.child.cgroup_size} + out.child.cookie_size);
  if (size > message.left) return Next::broken;
  out.cgroup = message.at;
  out.cookie = message.at + out.child.cgroup_size;
  message.at += size;
  message.left -= size;
  const Child& child = out.child;
  if (child.id == 0 || child.pid <= 1 || child.cookie_size > max_cookie || child.cgroup_size > max_cgroup ||
      child.stop.whom > Whom::group || child.stop.signal > 64)
    return Next::bad;
  if (child.cgroup_size > 0 && !stays_below(out.cgroup, child.cgroup_size)) return Next::bad;
  return Next::record;
}

Next next_name(Message& message, Name& out) {
  NamedFd head;
  if (const Next next = take(message, head); next != Next::record) return next;
  if (head.name_size > max_name || padded(head.name_size) > message.left) return Next::broken;
  out = {message.at, head.name_size};
  message.at += padded(head.name_size);
  message.left -= padded(head.name_size);
  return head.name_size == 0 ? Next::bad : Next::record;
}

Next next_signal(Message& message, Signal& out) {
  if (const Next next = take(message, out); next != Next::record) return next;
  return out.number < 1 || out.number > 64 || out.whom > Whom::group ? Next::bad : Next::record;
}

Next next_id(Message& message, std::uint64_t& out) { return take(message, out); }

}  // namespace svd::keeper

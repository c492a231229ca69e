// SPDX-License-Identifier: Apache-2.0
// One description of each saved struct, from which it is written (write.cpp) and read (read.cpp); and what a
// text of them begins and ends with.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "engine/saving/saved.h"

namespace svd::saved {

inline constexpr std::string_view heading = "svd-runtime ";
inline constexpr unsigned level = 1;  // of what is written; a file of a lower one is migrated, level by level

inline std::uint64_t checksum(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
  return hash;
}

inline std::string to_hex(std::uint64_t value) {
  std::array<char, 16> digits{};
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, value >>= 4U)
    *digit = "0123456789abcdef"[value & 0xFU];
  return {digits.begin(), digits.end()};
}

// The descriptions. `io` writes or reads: io(key, value) where it is not its default, always() in any case,
// when() under a condition of the writer, group() what is there or not as a whole.
template <class Io, class Slot>
void describe_slot(Io& io, Slot& slot) {
  io.always("phase", slot.phase);
  io.when(slot.phase == Phase::stopping, "next", slot.next);
  io("limit", slot.limit);
  io("cause", slot.cause);
  io("by", slot.by);
  io("wanted", slot.wanted, true);
  io("late", slot.late);
  io("role", slot.role);
  io("part", slot.stage);
  io("renewal", slot.renewal);
  io("last", slot.last);
  io("start", slot.start);
  io("handled", slot.handled);
  io("generation", slot.generation);
  io("version", slot.version);
  io("revision", slot.revision);
  io("restarts", slot.restarts);
  io("since", slot.since);
  io("started", slot.started);
  io("until", slot.until);
  io("delay", slot.delay);
  io("streak", slot.streak);
  io("recent", slot.recent);
  io("exit", slot.last_exit.kind);
  io("status", slot.last_exit.number);
  io("core", slot.last_exit.core_dumped);
  io("oom", slot.last_exit.oom);
  io("oom_limit", slot.last_exit.oom_limit);
  io.group("stage", slot.failure, [&](auto& failure) {
    io.always("stage", failure.stage);
    io("errno", failure.err);
    io("detail", failure.detail);
  });
}

template <class Io, class App>
void describe_app(Io& io, App& app) {
  io("generation", app.generation);
  io("wanted", app.wanted, true);
  io("leaving", app.removed);
  io("halted", app.halted);
  io("rolling", app.rolling);
  io("paused", app.paused);
  io("reverting", app.going_back);
  io("version", app.version);
  io("stable", app.stable);
  io.group("scale", app.scale, [&](auto& scale) { io.always("scale", scale); });
}

template <class Io, class Eco>
void describe_ecosystem(Io& io, Eco& eco) {
  io("current", eco.current);
  io.always("next", eco.next);
  io("deleted", eco.deleted);
}

template <class Io, class Change>
void describe_change(Io& io, Change& change) {
  io("kind", change.kind);
  io("target", change.target);
  io("who", change.who);
  io("ecosystem", change.ecosystem);
  io("revision", change.revision);
  io("started", change.started);
  io("apps", change.apps);
  io("failed", change.failed);
  io("why", change.why);
}

template <class Io, class State>
void describe_counters(Io& io, State& state) {
  io.always("start", state.next_start);
  io.always("change", state.next_change);
  io.always("event", state.next_event);
}

// How many values an enum has that is saved by number.
template <class Enum>
constexpr std::size_t count_of = 0;
template <>
constexpr std::size_t count_of<ExitStatus::Kind> = static_cast<std::size_t>(ExitStatus::Kind::unknown) + 1;
template <>
constexpr std::size_t count_of<Oom> = static_cast<std::size_t>(Oom::machine) + 1;
template <>
constexpr std::size_t count_of<StartStage> = static_cast<std::size_t>(StartStage::hardening) + 1;

template <class Value>
concept Numbered = std::is_arithmetic_v<Value> ||(std::is_enum_v<Value>&& count_of<Value> > 0);

}  // namespace svd::saved

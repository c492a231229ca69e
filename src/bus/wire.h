// SPDX-License-Identifier: Apache-2.0
// sd_bus_message behind RAII, and what goes into one. Only for the files of this folder.
#pragma once

#include <systemd/sd-bus.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/app_spec.h"
#include "model/views.h"

namespace svd::bus {

struct MessageUnref {
  void operator()(sd_bus_message* message) const noexcept { sd_bus_message_unref(message); }
};
using MessagePtr = std::unique_ptr<sd_bus_message, MessageUnref>;

// The text as sd-bus takes it: one that it would refuse (no UTF-8, a NUL, a noncharacter of Unicode) is made
// visible, others stay as they are.
[[nodiscard]] std::string fit_for_bus(std::string_view text);

// Appends to a message (borrowed). The first error stays and everything after it is skipped, so that callers
// look once, at the end. Text is made fit_for_bus(): one odd file name must not cost the whole reply.
class Writer {
 public:
  explicit Writer(sd_bus_message* message) : message_{message} {}

  void string(const std::string& value) { text('s', value); }
  void object(const std::string& path) { text('o', path); }
  void boolean(bool value);
  void i32(std::int32_t value) { basic('i', &value, sizeof value); }
  void u32(std::uint32_t value) { basic('u', &value, sizeof value); }
  void i64(std::int64_t value) { basic('x', &value, sizeof value); }
  void u64(std::uint64_t value) { basic('t', &value, sizeof value); }
  void f64(double value) { basic('d', &value, sizeof value); }
  void strings(const std::vector<std::string>& values);
  // fill(*this) writes what is inside. `contents` is the element's signature for arrays, the members' for
  // structs.
  template <class Fill>
  void array(const char* contents, Fill&& fill) {
    container('a', contents, fill);
  }
  template <class Fill>
  void structure(const char* contents, Fill&& fill) {
    container('r', contents, fill);
  }
  template <class Fill>
  void entry(const char* contents, Fill&& fill) {
    container('e', contents, fill);
  }
  template <class Fill>
  void variant(const char* contents, Fill&& fill) {
    container('v', contents, fill);
  }

  // 0, or a negative errno.
  [[nodiscard]] int error() const noexcept { return error_; }
  // About how much was written, for the bound on a connection's output.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  void text(char type, const std::string& value);
  void basic(char type, const void* value, std::size_t size);
  void open(char type, const char* contents);
  void close();
  template <class Fill>
  void container(char type, const char* contents, Fill&& fill) {
    open(type, contents);
    if (error_ < 0) return;
    fill(*this);
    close();
  }

  sd_bus_message* message_;
  int error_ = 0;
  std::size_t bytes_ = 0;
};

// Signatures of schemas/org.svd1.xml.
inline constexpr const char* app_row = "souussbts";
inline constexpr const char* instance_row = "ssstttttxxxssssstt";
inline constexpr const char* revision_row = "stxssssb";
inline constexpr const char* event_row = "txsss";
inline constexpr const char* step_row = "ssusasas";
inline constexpr const char* usage_row = "sta{st}a{sd}";

void write_row(Writer& out, const AppView& view);
void write_row(Writer& out, const InstanceView& view);
void write_row(Writer& out, const RevisionView& view);
void write_row(Writer& out, const EventRecord& record);
void write_row(Writer& out, const PlanStep& step);
// What ListUsage says of an instance.
struct Measured {
  SlotId id;
  std::uint64_t start = 0;
  Usage usage;
};
void write_row(Writer& out, const Measured& measured);
// a{st} and a{sd}: what is known, by the names of model/usage.h.
void write_figures(Writer& out, const Usage& usage);
void write_pressures(Writer& out, const Usage& usage);

// a(contents): one structure for each view.
template <class View>
void write_rows(Writer& out, const char* contents, const std::vector<View>& views) {
  const std::string element = "(" + std::string{contents} + ")";
  out.array(element.c_str(), [&](Writer& rows) {
    for (const auto& view : views) rows.structure(contents, [&](Writer& row) { write_row(row, view); });
  });
}

// The arguments of a call, from its start. Errors are bad_message: the client's mistake.
[[nodiscard]] Result<std::string> read_string(sd_bus_message* message);
[[nodiscard]] Result<std::vector<std::string>> read_strings(sd_bus_message* message);
[[nodiscard]] Result<std::uint32_t> read_u32(sd_bus_message* message);
[[nodiscard]] Result<std::uint64_t> read_u64(sd_bus_message* message);
[[nodiscard]] Result<std::int32_t> read_i32(sd_bus_message* message);
[[nodiscard]] Result<bool> read_bool(sd_bus_message* message);
// (text s, file s, options a{sv}) of Apply and Plan; `cpus` is left alone.
[[nodiscard]] Result<Source> read_source(sd_bus_message* message);
// "main" or "group".
[[nodiscard]] Result<KillTarget> read_kill_target(sd_bus_message* message);

}  // namespace svd::bus

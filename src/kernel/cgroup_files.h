// SPDX-License-Identifier: Apache-2.0
// The files of one cgroup: what limits mean in their words, and what they say about use. Pure but for the
// functions that take a directory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernel/controllers.h"
#include "model/limits.h"
#include "model/usage.h"

namespace svd {

// One limit and the file it goes to.
struct LimitFile {
  std::string_view key;  // of the ecosystem file: "memory"
  Controller controller{};
  std::string_view file;     // "memory.max"
  std::string_view other{};  // a file of the same meaning, for other disks: what is there is written to
  std::string value{};       // what is to be written; of io_max, by the names in the file: see io_max_lines
  bool is_set = false;       // else `value` lifts the limit
};
// All nine.
[[nodiscard]] std::vector<LimitFile> limit_files(const Limits& limits);
[[nodiscard]] ControllerSet controllers_of(const Limits& limits);

// The lines for io.max, disks by number. `now`: what io.max holds; its disks that are not wanted any more are
// lifted. Error: "cannot find the disk of '/x': …".
[[nodiscard]] Result<std::vector<std::string>> io_max_lines(const Limits& limits, std::string_view now);
// "8:0" for a device file, a path on a disk's file system, or itself; of a partition, its whole disk.
[[nodiscard]] Result<std::string> disk_number(const std::string& disk);

// Writes one limit into the cgroup `path` below BASE, which is open as `directory`. Error: errno of the file.
Result<> write_limit(int directory, const std::string& path, const LimitFile& file, const Limits& limits);

// The value of "key 123" in a file of such lines.
[[nodiscard]] std::optional<std::uint64_t> flat_value(std::string_view text, std::string_view key);
// avg10 of the line "some".
[[nodiscard]] std::optional<double> parse_pressure(std::string_view text);
// `there`: controllers that are in use at all; for the others, no file is looked for.
[[nodiscard]] Usage read_usage(int directory, const std::string& path, ControllerSet there, Figures figures);

}  // namespace svd

// SPDX-License-Identifier: Apache-2.0
// Durations and sizes as people write them, and the way back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace svd {

// "250ms", "10s", "2m", "1h", "7d"; a number with an optional fraction ("1.5s") and one unit. "0" needs none.
// Range 0 to 3650d. nullopt for anything else, a bare number included.
[[nodiscard]] std::optional<Millis> parse_duration(std::string_view text);
// The shortest exact form: 250ms, 10s, 90s, 2m, 1h.
[[nodiscard]] std::string format_duration(Millis value);
// For tables: "3s", "2m", "5h", "12d".
[[nodiscard]] std::string format_age(Millis value);

// "64KiB", "512MiB", "2GiB", "1TiB" (powers of 1024), "1kB", "1MB", "1GB", "1TB" (powers of 1000), "100B";
// "0" needs no unit; a fraction is allowed ("1.5GiB"). nullopt for anything else.
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text);
// The shortest exact form with a binary unit where one divides the value, else bytes: 512MiB, 1000B.
[[nodiscard]] std::string format_bytes(std::uint64_t value);
// For tables, with two or three digits: "512B", "9.5MiB", "412MiB", "1.2GiB".
[[nodiscard]] std::string format_size(std::uint64_t bytes);
// For tables: "0.3s", "12.3s", "2m", "5h".
[[nodiscard]] std::string format_cpu_time(std::uint64_t micros);

}  // namespace svd

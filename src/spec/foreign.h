// SPDX-License-Identifier: Apache-2.0
// What people write who come from PM2, supervisord, compose and systemd.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace svd::spec {

// Their word → ours, where there is one that takes the same kind of value.
[[nodiscard]] std::span<const std::pair<std::string_view, std::string_view>> foreign_words();

// ": the program is the first word of 'exec', …" for a key of theirs that is done otherwise here; nullopt:
// none of theirs.
[[nodiscard]] std::optional<std::string> foreign_advice(std::string_view key);

// What this text is if it is no ecosystem file: "a PM2 file", with what makes one of it; nullopt: it may be
// one.
[[nodiscard]] std::optional<std::string> foreign_file(std::string_view name, std::string_view text);

}  // namespace svd::spec

// SPDX-License-Identifier: Apache-2.0
// What Node reads before it runs a program: its options, from the command line and from NODE_OPTIONS.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace svd::ipc {

// The words of NODE_OPTIONS as Node takes them apart: at blanks outside of double quotes, in which a
// backslash stands for the character behind it. Single quotes mean nothing. nullopt: Node refuses it.
[[nodiscard]] std::optional<std::vector<std::string>> split_options(std::string_view text);
// The way back: split_options() gives the words again, if none is empty.
[[nodiscard]] std::string join_options(const std::vector<std::string>& words);

// `path` is loaded before the program, besides what NODE_OPTIONS has in `envp` already.
void add_preload(std::vector<std::string>& envp, const std::string& path);

// Instances would fight for the inspector's port: `port` turns the one that was asked for (9229 by default)
// into this instance's own. Nothing happens where no inspector was asked for, or any free port (0) was.
void move_inspector(std::vector<std::string>& argv, std::vector<std::string>& envp,
                    const std::function<std::uint16_t(std::uint16_t)>& port);

}  // namespace svd::ipc

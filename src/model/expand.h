// SPDX-License-Identifier: Apache-2.0
// ${NAME} in values, and the environment that it is taken from. Pure: who launches an instance has the
// layers, and calls this; `check` asks the same code what a text refers to.
//
// No message of this file holds a value: some of them are secrets.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/app_spec.h"

namespace svd {

using Variables = std::map<std::string, std::string>;

// A place in a text that is replaced.
struct Reference {
  std::string name;
  std::optional<std::string> fallback{};  // of ${NAME:-fallback}: where NAME is not set, or empty
  std::size_t at = 0;                     // of its '$'
  bool operator==(const Reference&) const = default;
};

// "${NAME}" is the value of NAME, "${NAME:-text}" that or the text, "$$" one '$'. Any other '$' stands for
// itself, as in "$5" or a shell's "$HOME". The text of a fallback is taken as it is and has no '}'. Error: a
// "${" that is none of these, such as one inside of another.
[[nodiscard]] Result<std::vector<Reference>> references(std::string_view text);

// Bounds on what a hostile file can make of it: bytes of one value (Linux does not run more), and variables
// that refer to one another in a row.
inline constexpr std::size_t longest_value = 128U << 10;
inline constexpr std::size_t most_in_a_row = 64;

using Lookup = std::function<Result<std::optional<std::string>>(const std::string& name)>;
// Error: that of references(), of `lookup`, a NAME that it does not have, or more than longest_value.
[[nodiscard]] Result<std::string> expand(std::string_view text, const Lookup& lookup);
[[nodiscard]] Result<std::string> expand(std::string_view text, const Variables& environment);

// What an instance's environment is made of, from weakest to strongest.
struct EnvironmentLayers {
  Variables base;  // default_variables(), what svd tells an instance of itself, and its user's HOME, USER, …
  Variables given;     // pass_env and env_file: taken as they are
  Variables declared;  // env: may refer to any other variable, and with its own name to the layers below
  std::set<std::string> removed;       // env: { NAME: ~ }: gone from all of the above
  std::vector<std::string> increment;  // names to whose number the slot is added
  std::uint32_t slot = 0;
  Variables
      protocol;  // LISTEN_FDS, NODE_CHANNEL_FD, NOTIFY_SOCKET, …: a program that got others could not work
};

// Error, in words: a name that is not set, names that refer to each other in a circle or over more than
// most_in_a_row, "increment_env NAME" for one that is not set or no whole number.
[[nodiscard]] Result<Variables> compose_environment(const EnvironmentLayers& layers);

// PATH, and a locale that every system has and that is not ASCII: LANG=C.UTF-8.
[[nodiscard]] const Variables& default_variables();
// The names that svd gives every instance of this app, whatever its values: those of `base` and `protocol`.
[[nodiscard]] std::set<std::string> own_names(const AppSpec& spec);

}  // namespace svd

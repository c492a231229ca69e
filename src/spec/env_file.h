// SPDX-License-Identifier: Apache-2.0
// Files of NAME=value lines, as dotenv, `node --env-file` and docker compose read them. Their values are
// secrets: nothing here ever puts one into a message.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace svd::spec {

struct EnvFile {
  std::vector<std::pair<std::string, std::string>> variables;   // in the order of the file; a later one wins
  std::vector<std::pair<std::uint32_t, std::string>> problems;  // line, what is wrong; never a value
};

// NAME=value, `export NAME=value`, blank lines, # comments (after a blank also behind a value).
// 'single quotes': as it stands; "double quotes": \n \r \t \" \\ \$ are escapes; both may span lines;
// `backquotes` as single ones. Without quotes: the text without surrounding blanks. $NAME is not expanded.
[[nodiscard]] EnvFile parse_env_file(std::string_view content);

}  // namespace svd::spec

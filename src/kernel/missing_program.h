// SPDX-License-Identifier: Apache-2.0
// Why execve(2) did not find a program: its own word for all of it is "No such file or directory".
#pragma once

#include <string>

namespace svd {

struct Sought {
  std::string program;    // as it was given
  std::string path;       // what PATH was; for a program without '/' alone
  std::string directory;  // where relative paths begin
};

// "'./job' needs the interpreter '/no/such', which is missing", "'job' is in no directory of its PATH
// (/bin)".
// "": the file is not there, and nothing more is to be said.
[[nodiscard]] std::string why_missing(const Sought& sought);

}  // namespace svd

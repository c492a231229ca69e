// SPDX-License-Identifier: Apache-2.0
// How what restricts an app is written: capabilities, system calls, credentials.
#pragma once

#include "spec/forms.h"

namespace svd::spec {

// A list of names of capabilities(7), with or without CAP_, as a bit mask.
[[nodiscard]] Form<std::uint64_t> capabilities();
// A system call, or a group of systemd.exec(5): "read", "@system-service", "~@mount".
[[nodiscard]] Form<std::string> system_call();
// NAME: path of a file.
[[nodiscard]] Form<std::map<std::string, std::string>> credentials();

}  // namespace svd::spec

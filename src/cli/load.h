// SPDX-License-Identifier: Apache-2.0
// An ecosystem file as svctl reads it: with the caller's rights, env files and passed variables included, and
// complaints shown before any daemon is asked.
#pragma once

#include <string>

#include "cli/context.h"
#include "model/diagnostic.h"
#include "spec/spec.h"

namespace svd::cli {

struct Loaded {
  Source source;
  tl::expected<Ecosystem, Diagnostics> decoded;
  std::string shown_as;  // the file as it was typed
};

// `file`: a path, or "-" for standard input. Error: it cannot be read.
[[nodiscard]] Result<Loaded> load(const Context& context, const std::string& file,
                                  const std::string& profile);

// The file without complaints; else they are shown and the error has no text of its own.
[[nodiscard]] Result<Source> load_or_complain(const Context& context, const std::string& file,
                                              const std::string& profile);

[[nodiscard]] std::string diagnostics_text(const Loaded& loaded);

}  // namespace svd::cli

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
  Diagnostics notes;     // warnings: what is allowed and hardly meant
  std::string shown_as;  // the file as it was typed
};

// `file`: a path, "-" for standard input, or empty for the ecosystem.yaml of the current directory. Error: it
// cannot be read.
[[nodiscard]] Result<Loaded> load(const Context& context, const std::string& file,
                                  const std::string& profile);

// The file without complaints; else they are shown and the error has no text of its own.
[[nodiscard]] Result<Source> load_or_complain(const Context& context, const std::string& file,
                                              const std::string& profile);

// What is wrong with it; and, where nothing is, what is to be doubted.
[[nodiscard]] std::string diagnostics_text(const Loaded& loaded);
[[nodiscard]] std::string notes_text(const Loaded& loaded);
// Of the profiles that were not chosen: what is wrong with the file when they are, which it is not without
// them.
[[nodiscard]] std::string other_profiles_text(const Context& context, const Loaded& loaded);

}  // namespace svd::cli

// SPDX-License-Identifier: Apache-2.0
// Whatever the text is: decode returns, its complaints have places inside the text, and they can be rendered.
#include <algorithm>
#include <string>

#include "fuzz/fuzz.h"
#include "spec/spec.h"

using svd::fuzz::require;

namespace {

void check_refused(const svd::Diagnostics& found, const svd::Source& source) {
  require(!found.empty() && found.size() <= svd::spec::max_diagnostics + 1);
  const auto lines = static_cast<std::size_t>(std::count(source.text.begin(), source.text.end(), '\n')) + 1;
  for (const auto& d : found) {
    require(d.line <= lines + 1 && (d.line > 0) == (d.column > 0));
    require(!d.text.empty() && d.text.find('\n') == std::string::npos &&
            d.path.find('\n') == std::string::npos);
  }
  const auto text = svd::spec::render(found, source);
  require(text.find('\x1b') == std::string::npos && text.find('\0') == std::string::npos);
}

// An accepted file is decoded again from what was kept, to the same values.
void check_accepted(const svd::Ecosystem& first, svd::Source& source) {
  const auto again = svd::spec::decode(source, {});
  require(again && *again == first);
  for (const auto& [name, app] : first.apps) {
    require(!app.exec.empty() && app.generation != 0 && !name.empty());
    require(svd::spec::compare(app, app).empty());
    static_cast<void>(svd::spec::settings(app));
  }
}

}  // namespace

FUZZ_TARGET(spec) {
  svd::Source source;
  source.text = bytes;
  source.file = "fuzz.yaml";
  source.directory = "/srv";
  source.cpus = 4;
  // The text serves as its own env file, so that parser is fuzzed along.
  const svd::spec::Inputs inputs{[&](const std::string&) -> svd::Result<std::string> { return source.text; },
                                 [](const std::string& name) { return std::optional{name}; }};
  const auto decoded = svd::spec::decode(source, inputs);
  if (decoded)
    check_accepted(*decoded, source);
  else
    check_refused(decoded.error(), source);
}

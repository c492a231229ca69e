// SPDX-License-Identifier: Apache-2.0
#include "cli/load.h"

#include <filesystem>

#include "base/text.h"

namespace svd::cli {
namespace {

// It may be a regular file all the same ("3<file"), but that is not where it lies.
bool is_descriptor(const std::string& file) {
  const auto path = std::filesystem::path{file}.lexically_normal();
  const auto parent = path.parent_path();
  return parent == "/dev/fd" || path == "/dev/stdin" ||
         (parent.filename() == "fd" && parent.string().starts_with("/proc/"));
}

}  // namespace

Result<Loaded> load(const Context& context, const std::string& file, const std::string& profile) {
  Loaded loaded;
  auto text = context.system.read_file(file, spec::max_text);
  if (!text) return tl::make_unexpected(text.error());
  auto& source = loaded.source;
  source.text = std::move(*text);
  source.profile = profile;
  source.cpus = context.system.cpus;
  if (file == "-") {
    loaded.shown_as = source.file = "-";
    source.directory = context.system.directory;
  } else if (is_descriptor(file) || !context.system.is_regular(file)) {
    // As standard input: a name such as /dev/fd/63, which the shell makes of "<(…)", is no place.
    loaded.shown_as = file;
    source.file = "-";
    source.directory = context.system.directory;
  } else {
    // Not resolved through symbolic links: "current/ecosystem.yaml" stays what it is after the next
    // deployment.
    const auto path = (std::filesystem::path{context.system.directory} / file).lexically_normal();
    source.file = path.string();
    source.directory = path.parent_path().string();
    loaded.shown_as = file;
  }
  spec::Inputs inputs;
  inputs.read_file = [&](const std::string& path) {
    return context.system.read_file(path, spec::max_env_file);
  };
  inputs.environment = context.system.environment;
  loaded.decoded = spec::decode(source, inputs);
  return loaded;
}

std::string diagnostics_text(const Loaded& loaded) {
  if (loaded.decoded) return "";
  auto shown = loaded.source;
  shown.file = loaded.shown_as;
  return safe_lines(spec::render(loaded.decoded.error(), shown));
}

Result<Source> load_or_complain(const Context& context, const std::string& file, const std::string& profile) {
  SVD_TRY(auto loaded, load(context, file, profile));
  if (loaded.decoded) return std::move(loaded.source);
  context.err(diagnostics_text(loaded));
  return fail(std::errc::invalid_argument, "");
}

}  // namespace svd::cli

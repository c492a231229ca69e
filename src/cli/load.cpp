// SPDX-License-Identifier: Apache-2.0
#include "cli/load.h"

#include <algorithm>
#include <array>
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

constexpr std::array own_names{"ecosystem.yaml", "ecosystem.yml"};
constexpr std::array foreign_names{"ecosystem.config.js", "ecosystem.config.cjs", "ecosystem.json",
                                   "supervisord.conf"};

Result<std::string> find_file(const System& system) {
  const auto is_here = [&](const char* name) { return system.exists(system.directory + "/" + name); };
  if (const auto* const own = std::ranges::find_if(own_names, is_here); own != own_names.end())
    return std::string{*own};
  auto text = "no FILE is given, and there is no ecosystem.yaml in " + system.directory;
  if (const auto* const theirs = std::ranges::find_if(foreign_names, is_here); theirs != foreign_names.end())
    text += std::string{"; there is "} + *theirs + ": 'svctl check " + *theirs + "' says what to write";
  return fail(std::errc::argument_out_of_domain, std::move(text));
}

spec::Inputs inputs_of(const Context& context) {
  spec::Inputs inputs;
  inputs.read_file = [&context](const std::string& path) {
    const auto& named = context.system.read_named_file;
    return (named ? named : context.system.read_file)(path, spec::max_env_file);
  };
  inputs.environment = context.system.environment;
  inputs.doubts = context.system.doubts;
  return inputs;
}

Source as_shown(const Loaded& loaded) {
  auto shown = loaded.source;
  shown.file = loaded.shown_as;
  return shown;
}

}  // namespace

Result<Loaded> load(const Context& context, const std::string& given, const std::string& profile) {
  auto file = given;
  if (file.empty()) {
    SVD_TRY(file, find_file(context.system));
  }
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
  loaded.decoded = spec::decode(source, inputs_of(context), &loaded.notes);
  return loaded;
}

std::string diagnostics_text(const Loaded& loaded) {
  if (loaded.decoded) return "";
  return safe_lines(spec::render(loaded.decoded.error(), as_shown(loaded)));
}

std::string notes_text(const Loaded& loaded) {
  if (!loaded.decoded) return "";
  return safe_lines(spec::render(loaded.notes, as_shown(loaded)));
}

std::string other_profiles_text(const Context& context, const Loaded& loaded) {
  std::string text;
  for (const auto& profile : spec::profiles(loaded.source.text)) {
    if (profile == loaded.source.profile) continue;
    auto source = loaded.source;
    source.profile = profile;
    const auto decoded = spec::decode(source, inputs_of(context));
    if (decoded) continue;
    Diagnostics fresh;
    for (const auto& diagnostic : decoded.error())
      if (loaded.decoded ||
          std::ranges::find(loaded.decoded.error(), diagnostic) == loaded.decoded.error().end())
        fresh.push_back({diagnostic.line, diagnostic.column, diagnostic.path,
                         diagnostic.text + " (with --profile " + profile + ")"});
    text += safe_lines(spec::render(fresh, as_shown(loaded)));
  }
  return text;
}

Result<Source> load_or_complain(const Context& context, const std::string& file, const std::string& profile) {
  SVD_TRY(auto loaded, load(context, file, profile));
  context.err(notes_text(loaded));
  if (loaded.decoded) return std::move(loaded.source);
  context.err(diagnostics_text(loaded));
  return fail(std::errc::invalid_argument, "");
}

}  // namespace svd::cli

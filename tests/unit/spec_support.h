// SPDX-License-Identifier: Apache-2.0
// What the tests of spec share: sources, the corpus, and decoding in one word.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "spec/spec.h"
#include "support/catch.h"

namespace svd::spec_test {

inline std::string read(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

inline Source source(std::string text, std::string profile = "") {
  Source made;
  made.text = std::move(text);
  made.file = "eco.yaml";
  made.directory = "/srv/app";
  made.profile = std::move(profile);
  made.cpus = 4;
  return made;
}

// Env files below /srv/app are those of the corpus; the environment has two variables.
inline spec::Inputs inputs() {
  const auto read_file = [](const std::string& path) -> Result<std::string> {
    const auto file = std::filesystem::path{"corpus/spec/files"} / std::filesystem::path{path}.filename();
    if (!std::filesystem::exists(file)) return fail_errno(ENOENT, "cannot open '" + path + "'");
    return read(file);
  };
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "HTTP_PROXY") return "http://user:hunter2@proxy";
    if (name == "LANG") return "C.UTF-8";
    return std::nullopt;
  };
  return {read_file, environment};
}

// "# schema-accepts profile=prod" on the first line says how a corpus file wants to be read.
inline std::string profile_of(const std::string& text) {
  const auto line = text.substr(0, text.find('\n'));
  const auto at = line.find("profile=");
  if (!line.starts_with('#') || at == std::string::npos) return "";
  return line.substr(at + 8, line.find(' ', at) - at - 8);
}

inline std::vector<std::filesystem::path> corpus(const char* folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator{std::filesystem::path{"corpus/spec"} / folder})
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

inline bool update_golden() { return std::getenv("SVD_UPDATE_GOLDEN") != nullptr; }

// The one app of a text that must be right.
inline AppSpec app(const std::string& settings, const std::string& rest = "") {
  auto from = source("apps:\n  web: { exec: [x], " + settings + " }\n" + rest);
  const auto decoded = spec::decode(from, inputs());
  if (!decoded) FAIL(spec::render(decoded.error(), from));
  return decoded->apps.begin()->second;
}

inline Diagnostics complaints(std::string text, std::string profile = "") {
  auto from = source(std::move(text), std::move(profile));
  const auto decoded = spec::decode(from, inputs());
  return decoded ? Diagnostics{} : decoded.error();
}

inline std::vector<std::string> texts(const Diagnostics& diagnostics) {
  std::vector<std::string> all;
  for (const auto& d : diagnostics) all.push_back(d.path + ": " + d.text);
  return all;
}

}  // namespace svd::spec_test

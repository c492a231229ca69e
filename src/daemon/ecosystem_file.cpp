// SPDX-License-Identifier: Apache-2.0
#include "daemon/ecosystem_file.h"

#include <filesystem>

#include "daemon/cpus.h"
#include "files/io.h"
#include "files/trusted_path.h"
#include "spec/spec.h"

namespace svd {

Result<Source> read_ecosystem_file(const Options& options) {
  SVD_TRY(auto text, read_chosen_file(options.file, spec::max_text));
  Source source;
  source.text = std::move(text);
  source.file = options.file;
  source.directory = split_path(options.file).directory;
  source.profile = options.profile;
  source.cpus = usable_cpus();
  return source;
}

std::string absolute_path(const std::string& path) {
  std::error_code error;
  const auto here = std::filesystem::current_path(error);
  return (here / path).lexically_normal().string();
}

}  // namespace svd

// SPDX-License-Identifier: Apache-2.0
#include "daemon/decoder.h"

#include <cstdlib>

#include "files/trusted_path.h"
#include "spec/spec.h"

namespace svd {
namespace {

Result<std::string> read_env_file(const std::string& path) {
  return read_chosen_file(path, spec::max_env_file);
}

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

}  // namespace

Decoder make_decoder() {
  return [inputs = spec::Inputs{read_env_file, environment}](Source& source) -> Result<Ecosystem> {
    auto decoded = spec::decode(source, inputs);
    if (decoded) return std::move(*decoded);
    return fail(std::errc::invalid_argument, spec::render(decoded.error(), source));
  };
}

}  // namespace svd

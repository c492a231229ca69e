// SPDX-License-Identifier: Apache-2.0
#include "daemon/decoder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/unique_fd.h"
#include "spec/spec.h"

namespace svd {
namespace {

// Symbolic links are followed: whoever names the file chose it. Never waits (a fifo, a device).
Result<std::string> read_env_file(const std::string& path) {
  const auto what = "cannot read '" + path + "'";
  const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!file) return fail_errno(errno, what);
  struct stat status {};
  if (::fstat(file.get(), &status) < 0) return fail_errno(errno, what);
  if (!S_ISREG(status.st_mode)) return fail(std::errc::invalid_argument, what + ": it is no regular file");
  std::string text;
  for (;;) {
    char buffer[16384];
    const auto got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, what);
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > spec::max_env_file)
      return fail(std::errc::file_too_large,
                  what + ": it has more than " + std::to_string(spec::max_env_file) + " bytes");
  }
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

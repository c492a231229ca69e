// SPDX-License-Identifier: Apache-2.0
// Any fields as a revision of the state directory, under the header that they need.
#include <zlib.h>

#include <array>
#include <string>
#include <tuple>

#include "fuzz/fuzz.h"
#include "kernel/state_format.h"

using namespace svd;
using fuzz::require;

namespace {

bool same(const Revision& a, const Revision& b) {
  const auto parts = [](const RevisionView& view) {
    return std::tie(view.ecosystem, view.number, view.when, view.who, view.outcome, view.file, view.summary,
                    view.current);
  };
  return parts(a.view) == parts(b.view) && a.source == b.source;
}

std::string with_header(std::string_view body) {
  const auto sum = ::crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size());
  std::array<char, 128> line{};
  std::snprintf(line.data(), line.size(), "svd-state revision 1 %zu %08lx\n", body.size(),
                static_cast<unsigned long>(sum));
  return line.data() + std::string{body};
}

// The corpus holds whole files.
std::string_view body_of(std::string_view file) {
  return file.starts_with("svd-state ") ? file.substr(std::min(file.find('\n'), file.size() - 1) + 1) : file;
}

}  // namespace

FUZZ_TARGET(revision) {
  static_cast<void>(parse_revision(bytes));
  const auto file = with_header(body_of(bytes));
  const auto first = fuzz::within(64 * file.size() + (16U << 10U), [&] { return parse_revision(file); });
  if (!first) return;
  const auto written = format_revision(*first);
  const auto second = parse_revision(written);
  require(second && same(*second, *first));
  require(format_revision(*second) == written);
}

// SPDX-License-Identifier: Apache-2.0
// A log's directory as an app's user can leave it: any record of cuts, any rotated files, compressed or not,
// any live file. Every reader ends, and gives no more than there is.
#include <array>
#include <string>
#include <vector>

#include "cli/log_printer.h"
#include "cli/log_reader.h"
#include "files/log_stream.h"
#include "fuzz/fuzz.h"
#include "fuzz/log_directory.h"
#include "fuzz/shown.h"

using namespace svd;
using fuzz::require;

namespace {

void read_stream(const std::string& path) {
  auto stream = LogStream::open(path);
  require(stream.has_value());
  const auto stretches = stream->stretches();
  if (!stretches) return;
  require(!stretches->empty() && stretches->back().live);
  for (std::size_t i = 1; i < stretches->size(); ++i)
    require((*stretches)[i - 1].end == (*stretches)[i].begin);
  for (const auto& stretch : *stretches) require(stretch.begin <= stretch.end);
  std::uint64_t total = 0;
  std::array<char, 4096> buffer{};
  stream->seek(stretches->front().begin);
  for (auto n = stream->read(buffer); n && *n > 0; n = stream->read(buffer)) total += *n;
  require(total <= stretches->back().end - stretches->front().begin);
  require(stream->position() == stretches->back().end);
}

void read_lines(const std::string& path, const cli::LogQuery& query) {
  cli::LogPrinter printer{{.names = {"web/0"}, .terminal = true},
                          [](std::string_view shown) { fuzz::require_shown(shown, "\n\t"); }};
  std::uint64_t lines = 0;
  static_cast<void>(cli::read_logs({{"shop:web/0", path}}, query, [&](const cli::LogLine& line) {
    printer.print(line);
    if (line.kind == cli::LogLine::Kind::text) ++lines;
    return true;
  }));
  if (query.lines) require(lines <= *query.lines);
}

}  // namespace

FUZZ_TARGET(logs) {
  static const fuzz::Scratch scratch;
  const fuzz::LogDirectory log{scratch.path(), fuzz::Input{bytes}};
  read_stream(log.path);
  cli::LogQuery last, since;
  last.lines = 3;
  since.since = WallTime{1'700'000'000'000'000};
  read_lines(log.path, {});
  read_lines(log.path, last);
  read_lines(log.path, since);
}

// SPDX-License-Identifier: Apache-2.0
// A log's directory as an app's user can leave it: any record of cuts, any rotated files, compressed or not,
// any live file. Every reader ends, and gives no more than there is.
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/log_printer.h"
#include "cli/log_reader.h"
#include "files/io.h"
#include "files/log_stream.h"
#include "fuzz/fuzz.h"
#include "fuzz/scratch.h"

using namespace svd;
using fuzz::require;

namespace {

void put(const std::string& path, std::string_view content) {
  const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  require(file && write_all(file.get(), content).has_value());
}

void put_packed(const std::string& path, std::string_view content) {
  auto* const file = ::gzopen(path.c_str(), "wb1");
  require(file != nullptr);
  require(::gzwrite(file, content.data(), static_cast<unsigned>(content.size())) >= 0);
  ::gzclose(file);
}

// Kinds of rotated files: plain, compressed, compressed and then changed, any bytes by that name.
void put_rotated(const std::string& base, std::uint64_t number, fuzz::Input& input) {
  const auto kind = input.number<std::uint8_t>() % 4;
  const auto path = rotated_name(base, number, kind != 0);
  const auto content = input.piece();
  if (kind == 0 || kind == 3) return put(path, content);
  put_packed(path, content);
  if (kind != 2) return;
  const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  const auto at = input.number<std::uint8_t>();
  const auto change = input.number<std::uint32_t>();
  const auto end = ::lseek(file.get(), 0, SEEK_END);
  require(::pwrite(file.get(), &change, sizeof change, std::max<off_t>(0, end - 4 - at % 16)) > 0);
}

struct Log {
  static constexpr std::uint64_t most_rotated = 3;
  std::string path;

  Log(const std::string& directory, fuzz::Input input) : path{directory + "/web.0.log"} {
    for (std::uint64_t number = 1; number <= most_rotated; ++number)
      for (const bool packed : {false, true}) ::unlink(rotated_name(path, number, packed).c_str());
    const auto record = input.piece();
    ::unlink((directory + "/.web.0.log.cut").c_str());
    if (!record.empty()) put(directory + "/.web.0.log.cut", record);
    const auto count = input.number<std::uint8_t>() % (most_rotated + 1);
    for (std::uint64_t number = 1; number <= count; ++number) put_rotated(path, number, input);
    put(path, input.rest());
  }
};

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
  cli::LogPrinter printer{{.names = {"web/0"}, .terminal = true}, [](std::string_view shown) {
                            require(find_invalid_utf8(shown) == std::string_view::npos);
                            for (const char c : shown)
                              require(static_cast<std::uint8_t>(c) >= 0x20 || c == '\n' || c == '\t');
                          }};
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
  const Log log{scratch.path(), fuzz::Input{bytes}};
  read_stream(log.path);
  cli::LogQuery last, since;
  last.lines = 3;
  since.since = WallTime{1'700'000'000'000'000};
  read_lines(log.path, {});
  read_lines(log.path, last);
  read_lines(log.path, since);
}

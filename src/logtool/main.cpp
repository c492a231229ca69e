// SPDX-License-Identifier: Apache-2.0
// logtool: the daemon's helper for log files. Not meant to be called by hand, though nothing speaks against
// it.
//
//   logtool rotate [--size BYTES] [--keep N] [--compress] PATH     cut the front off a live log
//   logtool write  [--size BYTES] [--age MS] [--keep N] [--compress] PATH    append standard input to it
//   logtool journal SOCKET [NAME=VALUE…]                           its lines as entries with these fields
//
// Exit status: 0 done; 75 (EX_TEMPFAIL) somebody else is rotating it; 1 anything else, with a sentence on
// standard error.
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "logtool/journal.h"
#include "logtool/writer.h"

namespace {

struct Arguments {
  std::string verb, path;
  std::uint64_t size = 0, age = 0, keep = 4;
  bool compress = false;
};

bool take_number(std::span<char*>& rest, std::uint64_t& into) {
  if (rest.size() < 2) return false;
  const std::string_view text = rest[1];
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  rest = rest.subspan(2);
  return error == std::errc{} && end == text.data() + text.size();
}

std::optional<Arguments> parse(std::span<char*> rest) {
  Arguments found;
  if (rest.empty()) return std::nullopt;
  found.verb = rest.front();
  rest = rest.subspan(1);
  while (rest.size() > 1) {
    const std::string_view option = rest.front();
    if (option == "--compress") {
      found.compress = true;
      rest = rest.subspan(1);
      continue;
    }
    auto* const into = option == "--size"   ? &found.size
                       : option == "--age"  ? &found.age
                       : option == "--keep" ? &found.keep
                                            : nullptr;
    if (into == nullptr || !take_number(rest, *into)) return std::nullopt;
  }
  if (rest.size() != 1 || found.keep > 1'000'000) return std::nullopt;
  found.path = rest.front();
  return found;
}

svd::WallTime now() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return {static_cast<std::int64_t>(time.tv_sec) * 1'000'000 + time.tv_nsec / 1000};
}

svd::Result<> run(const Arguments& arguments) {
  svd::CutOptions cut;
  cut.rotate = arguments.size;
  cut.keep = static_cast<std::uint32_t>(arguments.keep);
  cut.compress = arguments.compress;
  cut.now = now();
  if (arguments.verb == "write")
    return svd::write_log(STDIN_FILENO, arguments.path,
                          {cut, svd::Millis{static_cast<std::int64_t>(arguments.age)}});
  ::setpriority(PRIO_PROCESS, 0, 10);  // the apps come first; nothing is lost while we wait
  return svd::rotate_log(arguments.path, cut);
}

int report(const svd::Result<>& done) {
  if (done) return 0;
  std::fprintf(stderr, "%s\n", svd::printable(done.error().text).c_str());
  return done.error().code == std::errc::resource_unavailable_try_again ? 75 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto words = std::span{argv, static_cast<std::size_t>(argc)}.subspan(argc > 0 ? 1 : 0);
  if (words.size() >= 2 && std::string_view{words.front()} == "journal")
    return report(
        svd::write_journal(STDIN_FILENO, words[1], std::vector<std::string>{words.begin() + 2, words.end()}));
  const auto arguments = parse(words);
  if (!arguments || (arguments->verb != "rotate" && arguments->verb != "write")) {
    std::fputs(
        "usage: logtool rotate|write [--size BYTES] [--age MS] [--keep N] [--compress] PATH\n"
        "       logtool journal SOCKET [NAME=VALUE...]\n",
        stderr);
    return 2;
  }
  return report(run(*arguments));
}

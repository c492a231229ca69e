// SPDX-License-Identifier: Apache-2.0
#include "kernel/state_memory.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <tuple>

#include "files/io.h"
#include "kernel/state_format.h"

namespace svd {
namespace {

const std::string runtime_name = "state";
const std::string revision_prefix = "revision/";  // "revision/<ecosystem>/<number>"

std::string name_of(const Name& ecosystem, std::uint64_t number) {
  return revision_prefix + ecosystem.str() + "/" + std::to_string(number);
}

}  // namespace

bool StateMemory::is_name(std::string_view held) {
  return held == runtime_name || held.starts_with(revision_prefix);
}

// A new file each time, so that whoever looks sees the old one or the new one.
bool StateMemory::put(const std::string& name, const std::string& bytes) {
  const auto kept = [&]() -> Result<> {
    const UniqueFd file{::memfd_create("svd-state", MFD_CLOEXEC)};
    if (!file) return fail_errno(errno, "cannot make a file in memory");
    SVD_CHECK(write_all(file.get(), bytes));
    return holder_.hold(name, file.get());
  }();
  problem_ = kept ? std::nullopt
                  : std::optional{"the state is not kept, should the engine die: " + kept.error().text};
  return kept.has_value();
}

Result<std::string> StateMemory::take(const std::string& name) const {
  const int file = holder_.borrow(name);
  if (file < 0) return fail(std::errc::no_such_file_or_directory, "nothing is held as '" + name + "'");
  struct stat status {};
  if (::fstat(file, &status) < 0) return fail_errno(errno, "cannot read what is held as '" + name + "'");
  std::string bytes(static_cast<std::size_t>(std::min<off_t>(status.st_size, max_runtime_bytes)), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto got = ::pread(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

bool StateMemory::save(const std::string& runtime) { return put(runtime_name, format_runtime(runtime)); }

void StateMemory::forget() {
  if (holder_.borrow(runtime_name) >= 0) holder_.release(runtime_name);
}

bool StateMemory::save_revision(const Revision& revision) {
  return put(name_of(revision.view.ecosystem, revision.view.number), format_revision(revision));
}

Result<Revision> StateMemory::load_revision(const Name& ecosystem, std::uint64_t number) {
  const auto bytes = take(name_of(ecosystem, number));
  if (!bytes)
    return fail(std::errc::no_such_file_or_directory,
                "cannot find revision " + std::to_string(number) + " of " + ecosystem.str());
  return parse_revision(*bytes);
}

void StateMemory::remove_revision(const Name& ecosystem, std::uint64_t number) {
  if (const auto name = name_of(ecosystem, number); holder_.borrow(name) >= 0) holder_.release(name);
}

LoadedState StateMemory::load_all() {
  LoadedState state;
  const auto complain = [&](const std::string& name, const Error& error) {
    state.problems.push_back("cannot read what is held as '" + name + "': " + error.text);
  };
  for (const auto& name : holder_.held_names()) {
    if (!is_name(name)) continue;
    const auto bytes = take(name);
    if (!bytes) {
      complain(name, bytes.error());
    } else if (name == runtime_name) {
      auto runtime = parse_runtime(*bytes);
      if (runtime)
        state.runtime = std::move(*runtime);
      else
        complain(name, runtime.error());
    } else {
      auto revision = parse_revision(*bytes);
      if (revision)
        state.revisions.push_back(std::move(*revision));
      else
        complain(name, revision.error());
    }
  }
  std::ranges::sort(state.revisions, [](const Revision& a, const Revision& b) {
    return std::tie(a.view.ecosystem, a.view.number) < std::tie(b.view.ecosystem, b.view.number);
  });
  return state;
}

}  // namespace svd

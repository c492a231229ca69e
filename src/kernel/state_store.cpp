// SPDX-License-Identifier: Apache-2.0
#include "kernel/state_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>

#include "files/io.h"
#include "files/trusted_path.h"
#include "kernel/state_format.h"

namespace svd {
namespace {

const std::string runtime_name = "runtime";
const std::string revisions_name = "revisions";

std::string previous(const std::string& name) { return name + ".prev"; }
std::string temporary(const std::string& name) { return "." + name + ".tmp"; }
bool is_temporary(std::string_view name) { return name.starts_with('.') && name.ends_with(".tmp"); }

// Opens, and makes where it is missing, a directory that nobody else can write to.
Result<UniqueFd> private_directory(const std::string& path) {
  SVD_CHECK(make_directories(path, 0700));
  SVD_TRY(auto fd, open_unshared_directory(path));  // what is in it is run as us
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0)
    return fail_errno(errno, "cannot open the state directory '" + path + "'");
  if (about.st_uid != ::geteuid())
    return fail(std::errc::permission_denied, "cannot use the state directory '" + path +
                                                  "': it belongs to uid " + std::to_string(about.st_uid) +
                                                  ", want " + std::to_string(::geteuid()));
  if ((about.st_mode & 0022) != 0)
    return fail(std::errc::permission_denied,
                "cannot use the state directory '" + path +
                    "': others may write to it (chmod 0700 it after a look inside)");
  if ((about.st_mode & 0077) != 0) static_cast<void>(::fchmod(fd.get(), 0700));
  return fd;
}

bool is_unwritable(const Error& error) {
  return error.code == std::errc::read_only_file_system || error.code == std::errc::no_space_on_device ||
         error.code == std::errc::io_error || error.code == static_cast<std::errc>(EDQUOT);
}

// A directory in the place of one of our files would be in the way for ever. It is somebody's: set aside.
void set_aside(int directory, const std::string& name) {
  struct stat about {};
  if (::fstatat(directory, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(about.st_mode)) return;
  if (::unlinkat(directory, name.c_str(), AT_REMOVEDIR) == 0) return;
  ::renameat2(directory, name.c_str(), directory, (name + ".aside").c_str(), RENAME_NOREPLACE);
}

// The old file becomes the previous copy, and at no moment is there no file. After the exchange the old
// content has the temporary name; a death there leaves it to be swept.
Result<> replace_keeping(int directory, const std::string& name, std::string_view bytes,
                         Durability durability) {
  const auto temp = temporary(name);
  for (const auto& file : {name, previous(name), temp}) set_aside(directory, file);
  SVD_TRY(const auto fd, stage_file_at(directory, {name, temp, 0600, durability}, bytes));
  const auto prev = previous(name);
  int err = 0;
  if (::renameat2(directory, temp.c_str(), directory, name.c_str(), RENAME_EXCHANGE) == 0) {
    if (::renameat(directory, temp.c_str(), directory, prev.c_str()) != 0) err = errno;
  } else {
    // The first version, or a file system without exchange.
    if (::renameat(directory, name.c_str(), directory, prev.c_str()) != 0 && errno != ENOENT) err = errno;
    if (err == 0 && ::renameat(directory, temp.c_str(), directory, name.c_str()) != 0) err = errno;
  }
  if (err != 0) return fail_errno(err, "cannot replace '" + name + "'");
  if (durability == Durability::ordered) return {};
  // Only now: one commit of the file system's journal has both, content and name. A power cut before it may
  // leave a name with half a content, which the checksum finds.
  SVD_CHECK(sync_file(fd.get(), name));
  return sync_file(directory, "the directory of " + name);
}

struct Loaded {
  std::string problem;  // a sentence, when the newest was not usable
  bool exists = false;  // either of the two
};

// The newest that can be trusted. `parse` takes the bytes and returns a Result.
template <class Parse>
auto load_newest(int directory, const std::string& name, std::size_t limit, const std::string& label,
                 Parse&& parse, Loaded& about) -> decltype(parse(std::string_view{})) {
  const auto attempt = [&](const std::string& file) -> decltype(parse(std::string_view{})) {
    SVD_TRY(const auto bytes, read_file_at(directory, file, limit));
    return parse(bytes);
  };
  auto newest = attempt(name);
  if (newest) {
    about.exists = true;
    return newest;
  }
  auto before = attempt(previous(name));
  const bool missing = newest.error().code == std::errc::no_such_file_or_directory;
  if (missing && !before && before.error().code == std::errc::no_such_file_or_directory) return newest;
  about.exists = true;
  const auto why = missing ? std::string{"it is missing"} : newest.error().text;
  about.problem = "cannot use " + label + ": " + why + "; " +
                  (before ? "the copy before it is used" : "and there is no usable copy before it");
  return before ? std::move(before) : std::move(newest);
}

}  // namespace

Result<StateStore> StateStore::open(std::string directory) {
  auto fd = private_directory(directory);
  if (!fd) {
    if (!is_unwritable(fd.error())) return tl::make_unexpected(fd.error());
    return without(std::move(directory), fd.error());
  }
  if (const auto names = list_directory(fd->get()))
    for (const auto& name : *names)
      if (is_temporary(name)) ::unlinkat(fd->get(), name.c_str(), 0);
  return StateStore{std::move(directory), std::move(*fd)};
}

StateStore StateStore::without(std::string directory, const Error& why) {
  StateStore store{std::move(directory), UniqueFd{}};
  store.runtime_problem_ = why.text;
  return store;
}

Result<UniqueFd> StateStore::revision_directory(const Name& ecosystem, bool make) {
  if (!fd_ && make) {
    SVD_TRY(fd_, private_directory(directory_));
  }
  if (!fd_) return fail(std::errc::no_such_file_or_directory, "there is no state directory");
  if (make) {
    for (const auto& path : {revisions_name, revisions_name + "/" + ecosystem.str()})
      if (::mkdirat(fd_.get(), path.c_str(), 0700) != 0 && errno != EEXIST)
        return fail_errno(errno, "cannot make the directory '" + directory_ + "/" + path + "'");
  }
  SVD_TRY(const auto all, open_at(fd_.get(), revisions_name, O_RDONLY | O_DIRECTORY));
  return open_at(all.get(), ecosystem.str(), O_RDONLY | O_DIRECTORY);
}

bool StateStore::note(const Result<>& done, std::optional<std::string>& problem) {
  if (done)
    problem.reset();
  else
    problem = "the state in '" + directory_ + "' is not saved: " + done.error().text;
  return done.has_value();
}

Result<> StateStore::write_runtime(const std::string& runtime) {
  if (!fd_) {
    SVD_TRY(fd_, private_directory(directory_));
  }
  if (runtime.size() > max_runtime_bytes)
    return fail(std::errc::file_too_large,
                "the runtime state has " + std::to_string(runtime.size()) + " bytes");
  return replace_keeping(fd_.get(), runtime_name, format_runtime(runtime), Durability::ordered);
}

bool StateStore::save(const std::string& runtime) { return note(write_runtime(runtime), runtime_problem_); }

Result<> StateStore::write_revision(const Revision& revision) {
  const auto bytes = format_revision(revision);
  if (bytes.size() > max_revision_bytes)
    return fail(std::errc::file_too_large, "revision " + std::to_string(revision.view.number) + " has " +
                                               std::to_string(bytes.size()) + " bytes");
  SVD_TRY(const auto directory, revision_directory(revision.view.ecosystem, true));
  const auto name = std::to_string(revision.view.number);
  // What was asked for is made sure of once; later saves of it only change how it went.
  const bool known = ::faccessat(directory.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  return replace_keeping(directory.get(), name, bytes, known ? Durability::ordered : Durability::synced);
}

bool StateStore::save_revision(const Revision& revision) {
  return note(write_revision(revision), revision_problem_);
}

namespace {
Result<Revision> load_one(int directory, const Name& ecosystem, std::uint64_t number, Loaded& about) {
  const auto label = "revision " + std::to_string(number) + " of " + ecosystem.str();
  const auto parse = [&](std::string_view bytes) -> Result<Revision> {
    SVD_TRY(auto revision, parse_revision(bytes));
    if (revision.view.ecosystem != ecosystem || revision.view.number != number)
      return fail(std::errc::illegal_byte_sequence, "it is that of another revision");
    return revision;
  };
  return load_newest(directory, std::to_string(number), max_revision_bytes, label, parse, about);
}
}  // namespace

Result<Revision> StateStore::load_revision(const Name& ecosystem, std::uint64_t number) {
  SVD_TRY(const auto directory, revision_directory(ecosystem, false));
  Loaded about;
  auto revision = load_one(directory.get(), ecosystem, number, about);
  if (revision) return revision;
  if (!about.exists)
    return fail(std::errc::no_such_file_or_directory,
                "cannot find revision " + std::to_string(number) + " of " + ecosystem.str());
  return fail(std::errc::illegal_byte_sequence, about.problem);
}

void StateStore::remove_revision(const Name& ecosystem, std::uint64_t number) {
  const auto directory = revision_directory(ecosystem, false);
  if (!directory) return;
  const auto name = std::to_string(number);
  ::unlinkat(directory->get(), previous(name).c_str(), 0);
  ::unlinkat(directory->get(), name.c_str(), 0);
  ::unlinkat(fd_.get(), (revisions_name + "/" + ecosystem.str()).c_str(),
             AT_REMOVEDIR);  // when it was the last one
}

void StateStore::load_ecosystem(const std::string& name, LoadedState& into) {
  const auto ecosystem = Name::parse(name);
  if (!ecosystem) {
    into.problems.push_back("'" + directory_ + "/" + revisions_name + "/" + name +
                            "' is passed over: " + ecosystem.error().text);
    return;
  }
  const auto directory = revision_directory(*ecosystem, false);
  const auto names = directory ? list_directory(directory->get()) : Result<std::vector<std::string>>{};
  if (!directory || !names) {
    into.problems.push_back((directory ? names.error() : directory.error()).text);
    return;
  }
  std::vector<std::uint64_t> numbers;
  for (const auto& file : *names) {
    if (is_temporary(file)) ::unlinkat(directory->get(), file.c_str(), 0);
    std::uint64_t number = 0;
    const std::string_view digits{file.data(),
                                  file.find(".prev") != std::string::npos ? file.find(".prev") : file.size()};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc{} && end == digits.data() + digits.size()) numbers.push_back(number);
  }
  std::ranges::sort(numbers);
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  if (numbers.size() > max_stored_revisions)
    numbers.erase(numbers.begin(), numbers.end() - max_stored_revisions);
  for (const auto number : numbers) {
    Loaded about;
    auto revision = load_one(directory->get(), *ecosystem, number, about);
    if (!about.problem.empty()) into.problems.push_back(about.problem);
    if (revision) into.revisions.push_back(std::move(*revision));
  }
}

LoadedState StateStore::load_all() {
  LoadedState state;
  if (!fd_) {
    if (runtime_problem_) state.problems.push_back(*runtime_problem_);
    return state;
  }
  Loaded about;
  auto runtime = load_newest(fd_.get(), runtime_name, max_runtime_bytes + 4096,
                             "the runtime state in '" + directory_ + "'", &parse_runtime, about);
  if (!about.problem.empty()) state.problems.push_back(about.problem);
  if (runtime) state.runtime = std::move(*runtime);
  const auto revisions = open_at(fd_.get(), revisions_name, O_RDONLY | O_DIRECTORY);
  if (!revisions) {
    if (revisions.error().code != std::errc::no_such_file_or_directory)
      state.problems.push_back(revisions.error().text);
    return state;
  }
  auto names = list_directory(revisions->get());
  if (!names) {
    state.problems.push_back(names.error().text);
    return state;
  }
  std::ranges::sort(*names);
  for (const auto& name : *names) load_ecosystem(name, state);
  return state;
}

std::optional<std::string> StateStore::degraded() const {
  return runtime_problem_ ? runtime_problem_ : revision_problem_;
}

}  // namespace svd

// SPDX-License-Identifier: Apache-2.0
#include "cli/machine.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <set>
#include <string_view>

#include "base/text.h"
#include "cli/daemon_seen.h"
#include "files/apart.h"
#include "model/directories.h"
#include "model/expand.h"

namespace svd::cli {
namespace {

using Doubts = std::vector<spec::Inputs::Doubt>;

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

bool is_known_here(const std::string& text) { return text.find("${") == text.npos; }

bool is_directory(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_program(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

std::string in_quotes(const std::string& text) { return "'" + printable(text) + "'"; }

// Where a program without '/' is found; "": nowhere.
std::string search(const std::string& program, std::string path, const std::string& directory) {
  path += ':';
  for (std::size_t begin = 0; begin < path.size();) {
    const auto end = path.find(':', begin);
    auto place = path.substr(begin, end - begin);
    begin = end + 1;
    if (place.empty()) place = ".";
    const auto file = (place.front() == '/' ? place : directory + "/" + place) + "/" + program;
    if (is_program(file)) return file;
  }
  return "";
}

std::string path_of(const AppSpec& app) {
  for (const auto* variables : {&app.env, &app.secret_env})
    if (const auto found = variables->find("PATH"); found != variables->end()) {
      const Variables below{{"PATH", default_variables().at("PATH")}};
      return expand(found->second, below).value_or("");
    }
  return default_variables().at("PATH");
}

std::optional<std::string> doubt_program(const AppSpec& app) {
  const auto& program = app.exec.front();
  if (!is_known_here(program) || !is_known_here(app.cwd)) return std::nullopt;
  if (program.find('/') != program.npos) {
    const auto file = program.front() == '/' ? program : app.cwd + "/" + program;
    if (is_program(file)) return std::nullopt;
    if (::access(file.c_str(), F_OK) != 0) return "there is no program " + in_quotes(file) + " here";
    return in_quotes(file) +
           " cannot be executed: 'chmod +x' it, or write its interpreter before it, as in [node, " +
           printable(program) + "]";
  }
  const auto path = path_of(app);
  if (path.empty() || !search(program, path, app.cwd).empty()) return std::nullopt;
  const auto text = in_quotes(program) + " is in no directory of the app's PATH (" + printable(path) + ")";
  const char* ours = ::getenv("PATH");
  const auto here = ours == nullptr ? std::string{} : search(program, ours, app.cwd);
  return here.empty() ? text
                      : text + ", but in yours: write " + printable(here) + ", or set PATH under 'env'";
}

void add_account(Doubts& doubts, const char* key, const std::string& name, bool is_there) {
  if (!name.empty() && !is_number(name) && !is_there)
    doubts.push_back({key, std::string{"there is no "} + key + " " + in_quotes(name) + " on this machine"});
}

Doubts look(const AppSpec& app) {
  Doubts doubts;
  add_account(doubts, "user", app.user, ::getpwnam(app.user.c_str()) != nullptr);
  add_account(doubts, "group", app.group, ::getgrnam(app.group.c_str()) != nullptr);
  if (is_known_here(app.cwd) && !is_directory(app.cwd)) {
    doubts.push_back({"cwd", "there is no directory " + in_quotes(app.cwd) + " here"});
    return doubts;  // a relative program is not there then, either
  }
  if (auto doubt = doubt_program(app)) doubts.push_back({"exec", std::move(*doubt)});
  return doubts;
}

// A key and its text a line; what is printable has no line ends.
std::string as_lines(const Doubts& doubts) {
  std::string lines;
  for (const auto& [key, text] : doubts) lines += key + " " + text + "\n";
  return lines;
}

Doubts from_lines(std::string_view lines) {
  Doubts doubts;
  while (!lines.empty()) {
    const auto end = lines.find('\n'), blank = lines.find(' ');
    if (end == lines.npos || blank > end) break;
    doubts.push_back(
        {std::string{lines.substr(0, blank)}, std::string{lines.substr(blank + 1, end - blank - 1)}});
    lines.remove_prefix(end + 1);
  }
  return doubts;
}

}  // namespace

// Apart: a directory may be on a file system that does not answer.
Doubts doubts_about(const AppSpec& app) {
  const auto seen = apart(app.cwd, [&] { return as_lines(look(app)); });
  return seen ? from_lines(*seen) : Doubts{{"cwd", seen.error().text}};
}

std::vector<System::DaemonHere> daemons_here() {
  std::vector<System::DaemonHere> found;
  std::set<std::string> seen;
  std::ifstream sockets{"/proc/net/unix"};
  for (std::string line; std::getline(sockets, line);) {
    const auto at = line.find(" /");
    if (at == line.npos || !line.ends_with("/bus")) continue;
    const auto path = line.substr(at + 1);
    struct stat status {};
    if (!seen.insert(path).second || ::stat(path.c_str(), &status) != 0) continue;
    if (!daemon_by_lock(path.substr(0, path.rfind('/') + 1) + "lock")) continue;
    const auto* const user = ::getpwuid(status.st_uid);
    found.push_back({user == nullptr ? std::to_string(status.st_uid) : user->pw_name, address_of_path(path)});
  }
  return found;
}

}  // namespace svd::cli

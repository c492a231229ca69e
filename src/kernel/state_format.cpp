// SPDX-License-Identifier: Apache-2.0
#include "kernel/state_format.h"

#include <zlib.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace svd {
namespace {

constexpr std::uint64_t version = 1;
constexpr std::size_t max_header = 128;

tl::unexpected<Error> damaged(std::string text = "it is damaged") {
  return fail(std::errc::illegal_byte_sequence, std::move(text));
}

std::string header(std::string_view kind, std::uint64_t its_version, std::string_view body) {
  const auto sum = ::crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size());
  std::array<char, max_header> line{};
  std::snprintf(line.data(), line.size(), "svd-state %.*s %llu %zu %08lx\n", static_cast<int>(kind.size()),
                kind.data(), static_cast<unsigned long long>(its_version), body.size(),
                static_cast<unsigned long>(sum));
  return line.data();
}

void put(std::string& body, std::string_view name, std::string_view value) {
  body.append(name).append(" ").append(std::to_string(value.size())).append("\n").append(value).append("\n");
}

std::string finish(std::string_view kind, const std::string& body) {
  return header(kind, version, body) + body;
}

bool number(std::string_view text, std::uint64_t& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

// The body, if the header is what would be written in front of it.
Result<std::string_view> checked_body(std::string_view kind, std::string_view file) {
  const auto end = file.substr(0, max_header).find('\n');
  const auto start = "svd-state " + std::string{kind} + " ";
  if (file.empty()) return damaged("it is empty");
  if (end == std::string_view::npos || !file.starts_with(start))
    return damaged("it is no state file of this kind");
  const auto line = file.substr(0, end + 1);
  const auto body = file.substr(end + 1);
  const auto rest = line.substr(start.size());
  std::uint64_t its_version = 0;
  if (!number(rest.substr(0, rest.find(' ')), its_version)) return damaged();
  if (line != header(kind, its_version, body)) return damaged();
  if (its_version > version)
    return fail(std::errc::not_supported,
                "it was written by a newer svd (format " + std::to_string(its_version) + ")");
  if (its_version != version) return damaged();
  return body;
}

using Field = std::pair<std::string_view, std::string_view>;

Result<std::vector<Field>> fields(std::string_view body) {
  std::vector<Field> all;
  while (!body.empty()) {
    const auto end = body.find('\n');
    const auto space = body.find(' ');
    std::uint64_t size = 0;
    if (end == std::string_view::npos || space >= end ||
        !number(body.substr(space + 1, end - space - 1), size))
      return damaged();
    const auto name = body.substr(0, space);
    body.remove_prefix(end + 1);
    if (size >= body.size() || body[size] != '\n') return damaged();
    all.emplace_back(name, body.substr(0, size));
    body.remove_prefix(size + 1);
  }
  return all;
}

using Setter = std::function<bool(Revision&, std::string_view)>;

template <class Member>
Setter text(Member member) {
  return [member](Revision& revision, std::string_view value) {
    member(revision) = std::string{value};
    return true;
  };
}

// One table for reading; format_revision() writes in its order. An env file or variable is two fields, name
// and value.
const std::map<std::string_view, Setter>& setters() {
  static const std::map<std::string_view, Setter> table{
      {"ecosystem",
       [](Revision& r, std::string_view v) {
         auto name = Name::parse(v);
         if (name) r.view.ecosystem = std::move(*name);
         return name.has_value();
       }},
      {"number", [](Revision& r, std::string_view v) { return number(v, r.view.number); }},
      {"when",
       [](Revision& r, std::string_view v) {
         const auto [end, error] = std::from_chars(v.data(), v.data() + v.size(), r.view.when.micros);
         return error == std::errc{} && end == v.data() + v.size();
       }},
      {"who", text([](Revision & r) -> auto& { return r.view.who; })},
      {"outcome", text([](Revision & r) -> auto& { return r.view.outcome; })},
      {"summary", text([](Revision & r) -> auto& { return r.view.summary; })},
      {"current",
       [](Revision& r, std::string_view v) {
         r.view.current = v == "yes";
         return v == "yes" || v == "no";
       }},
      {"view.file", text([](Revision & r) -> auto& { return r.view.file; })},
      {"file", text([](Revision & r) -> auto& { return r.source.file; })},
      {"directory", text([](Revision & r) -> auto& { return r.source.directory; })},
      {"profile", text([](Revision & r) -> auto& { return r.source.profile; })},
      {"cpus",
       [](Revision& r, std::string_view v) {
         std::uint64_t cpus = 0;
         const bool ok = number(v, cpus) && cpus <= UINT32_MAX;
         r.source.cpus = static_cast<std::uint32_t>(cpus);
         return ok;
       }},
      {"text", text([](Revision & r) -> auto& { return r.source.text; })},
  };
  return table;
}

}  // namespace

std::string format_runtime(std::string_view runtime) {
  std::string body;
  put(body, "runtime", runtime);
  return finish("runtime", body);
}

std::string format_revision(const Revision& revision) {
  const auto& [view, source] = revision;
  std::string body;
  put(body, "ecosystem", view.ecosystem.str());
  put(body, "number", std::to_string(view.number));
  put(body, "when", std::to_string(view.when.micros));
  put(body, "who", view.who);
  put(body, "outcome", view.outcome);
  put(body, "summary", view.summary);
  put(body, "current", view.current ? "yes" : "no");
  put(body, "view.file", view.file);
  put(body, "file", source.file);
  put(body, "directory", source.directory);
  put(body, "profile", source.profile);
  put(body, "cpus", std::to_string(source.cpus));
  for (const auto& [name, value] : source.pass_env) {
    put(body, "pass_env.name", name);
    put(body, "pass_env.value", value);
  }
  for (const auto& [path, content] : source.env_files) {
    put(body, "env_file.path", path);
    put(body, "env_file.text", content);
  }
  put(body, "text", source.text);
  return finish("revision", body);
}

Result<std::string> parse_runtime(std::string_view file) {
  SVD_TRY(const auto body, checked_body("runtime", file));
  SVD_TRY(const auto all, fields(body));
  if (all.size() != 1 || all.front().first != "runtime") return damaged();
  return std::string{all.front().second};
}

Result<Revision> parse_revision(std::string_view file) {
  SVD_TRY(const auto body, checked_body("revision", file));
  SVD_TRY(const auto all, fields(body));
  Revision revision;
  std::set<std::string_view> seen;
  std::string key;  // of the pair that was begun
  for (const auto& [name, value] : all) {
    if (name == "pass_env.name" || name == "env_file.path") {
      key = value;
    } else if (name == "pass_env.value") {
      revision.source.pass_env[key] = value;
    } else if (name == "env_file.text") {
      revision.source.env_files[key] = value;
    } else {
      const auto setter = setters().find(name);
      if (setter == setters().end() || !setter->second(revision, value) || !seen.insert(name).second)
        return damaged();
    }
  }
  if (seen.size() != setters().size()) return damaged();
  return revision;
}

}  // namespace svd

// SPDX-License-Identifier: Apache-2.0
#include "spec/default_name.h"

#include <algorithm>
#include <string>

#include "spec/complaints.h"

namespace svd::spec {
namespace {

constexpr std::size_t longest = 63;

std::string_view last_part(std::string_view directory) {
  while (directory.ends_with('/')) directory.remove_suffix(1);
  return directory.substr(directory.rfind('/') + 1);  // npos + 1 is 0
}

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// "my shop (old)" → "my-shop-old".
std::string as_name(std::string_view part) {
  std::string name;
  for (const char c : part) {
    if (is_alnum(c) || (!name.empty() && (c == '_' || c == '.')))
      name += c;
    else if (!name.empty() && name.back() != '-')
      name += '-';
  }
  name.resize(std::min(name.size(), longest));
  while (name.ends_with('-')) name.pop_back();
  return name;
}

}  // namespace

Result<Name> default_name(std::string_view directory) {
  auto part = last_part(directory);
  if (part == "current")
    if (const auto above = last_part(directory.substr(0, directory.rfind("/current"))); !above.empty())
      part = above;
  if (part.empty()) return Name::parse("default");
  const auto name = as_name(part);
  if (name.empty())
    return fail(std::errc::invalid_argument, "no name can be made of the directory " + in_quotes(part) +
                                                 ": write 'name: NAME' at the top of the file");
  return Name::parse(name);
}

}  // namespace svd::spec

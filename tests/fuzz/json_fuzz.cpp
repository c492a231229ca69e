// SPDX-License-Identifier: Apache-2.0
// JSON from a program's channel.
#include <string>

#include "base/text.h"
#include "fuzz/fuzz.h"
#include "ipc/json.h"

using namespace svd;
using namespace svd::ipc;
using fuzz::require;

namespace {

bool within_text(std::string_view all, std::string_view part) {
  return part.empty() || (part.data() >= all.data() && part.data() + part.size() <= all.data() + all.size());
}

void walk(std::string_view all, const JsonView& value) {
  require(within_text(all, value.text()) && JsonView::parse(value.text()).has_value());
  if (const auto text = value.string()) {
    require(find_invalid_utf8(*text) == std::string::npos && JsonView::parse(quote(*text))->string() == text);
    require(text->size() <= value.text().size());
  }
  if (const auto number = value.integer())
    require(JsonView::parse(std::to_string(*number))->integer() == number);
  if (const auto cmd = value.member("cmd")) require(within_text(all, cmd->text()));
  std::size_t size = 0;
  for (const auto& element : value.elements()) {
    require(within_text(all, element.text()));
    size += element.text().size();
  }
  require(size <= value.text().size());
}

}  // namespace

FUZZ_TARGET(json) {
  const auto quoted = quote(bytes);
  require(quoted.size() <= 6 * bytes.size() + 2 && JsonView::parse(quoted)->kind() == JsonView::Kind::string);
  const auto value = fuzz::within(4096, [&] { return JsonView::parse(bytes); });
  if (value) walk(bytes, *value);
}

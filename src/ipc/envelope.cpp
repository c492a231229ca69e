// SPDX-License-Identifier: Apache-2.0
#include "ipc/envelope.h"

#include <algorithm>

namespace svd::ipc {
namespace {

using Kind = Envelope::Kind;

Kind kind_of_word(std::string_view word) {
  if (word == "ready") return Kind::ready;
  if (word == "idle") return Kind::idle;
  return Kind::wrong;
}

}  // namespace

Envelope read_envelope(const JsonView& message) {
  if (message.kind() == JsonView::Kind::string)
    return {message.string() == "ready" ? Kind::ready : Kind::outside, {}, {}, "null"};
  // Most messages have none: that is seen without walking over them.
  if (message.text().find("svd") == std::string_view::npos) return {};
  const auto svd = message.member("svd");
  if (!svd) return {};
  Envelope envelope;
  if (const auto word = svd->string()) {
    envelope.kind = kind_of_word(*word);
    return envelope;
  }
  envelope.kind = Kind::wrong;
  if (const auto id = svd->member("id")) envelope.id = id->text();
  const auto to = svd->string("to");
  if (!to) return envelope;
  envelope.kind = Kind::letter;
  envelope.to = *to;
  if (const auto data = message.member("data")) envelope.data = data->text();
  return envelope;
}

std::string write_letter(std::string_view from, std::string_view data) {
  std::string line;
  line.reserve(from.size() + data.size() + 32);
  line.append(R"({"svd":{"from":)").append(quote(from)).append(R"(},"data":)").append(data).append("}\n");
  return line;
}

std::string write_refusal(std::string_view error, std::string_view to, std::string_view id) {
  std::string line = R"({"svd":{"error":)" + quote(error);
  if (!to.empty()) line += R"(,"to":)" + quote(to);
  if (!id.empty()) line.append(R"(,"id":)").append(id);
  return line + "}}\n";
}

std::string write_value(const JsonView& value) {
  std::string line{value.text()};
  // In a string they would be escaped, so these stand between values.
  std::ranges::replace_if(
      line, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return line + "\n";
}

}  // namespace svd::ipc

// SPDX-License-Identifier: Apache-2.0
// What programs and the supervisor say to each other, in any language: one JSON object a line whose member
// `svd` is the envelope and whose `data`, if any, the letter.
//
//   program → supervisor                               supervisor → program
//   {"svd":"ready"}           also plain "ready"       {"svd":"drain"}     ask your clients to leave
//   {"svd":"idle"}            no client is left        {"svd":"stop"}      end what you serve, close the
//   channel
//   {"svd":{"to":"api/0"},"data":…}                    {"svd":{"from":"web/1"},"data":…}
//   {"svd":{"to":"api","id":7},"data":…}               {"svd":{"error":"cannot …","to":"api/2","id":7}}
//
// `to`: one instance (api/0), all of an app (api), or all of the ecosystem; the sender's own slot is left out
// of those. `id` is the sender's own business and comes back with an error. What has no envelope is for
// whoever listens from outside (svctl messages). Node programs that were started with channel `node` hear
// drain and stop in Node's way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ipc/json.h"

namespace svd::ipc {

struct Envelope {
  enum class Kind : std::uint8_t { outside, ready, idle, letter, wrong };
  Kind kind = Kind::outside;
  std::string to;                 // letter
  std::string id;                 // as JSON; empty: none
  std::string_view data{"null"};  // as JSON, in the text that was read
};

[[nodiscard]] Envelope read_envelope(const JsonView& message);

// Each with its line feed.
[[nodiscard]] std::string write_letter(std::string_view from, std::string_view data);
[[nodiscard]] std::string write_refusal(std::string_view error, std::string_view to, std::string_view id);
// One JSON value on one line. Blanks that are line feeds become blanks.
[[nodiscard]] std::string write_value(const JsonView& value);

}  // namespace svd::ipc

// SPDX-License-Identifier: Apache-2.0
// From names as a person types them to apps and slots.
//
//   web          the app, in whichever ecosystem has it; where several do, it is an error for what changes something
//   web/0        one instance of it
//   shop:web, shop:web/0, shop:   with the ecosystem; the last one is all its apps
//   /regex/      every app whose "shop:web" matches somewhere (pattern.h)
//   all          every app
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/result.h"
#include "engine/control.h"
#include "model/names.h"

namespace svd {

struct App;

enum class Use : std::uint8_t {
  view,    // an ambiguous name means all of them; no name at all means all
  change,  // an ambiguous name is an error that lists them; apps that are being removed are not there any
           // more
};

struct Chosen {
  App* app = nullptr;
  bool whole = false;
  bool named = false;  // it, or an instance of it, by its own name
  std::vector<std::uint32_t>
      slots;  // existing ones, ascending; where whole: all that are not surplus (view: all)
};

// In the order of the apps, each once. Error: no_such_process, with the nearest name; invalid_argument.
[[nodiscard]] Result<std::vector<Chosen>> select(std::map<AppId, App>& apps, const Names& names, Use use);

}  // namespace svd

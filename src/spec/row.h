// SPDX-License-Identifier: Apache-2.0
// One row of a table of keys: what the file calls it, how its value is written, where it lives, what a change
// of it does. An app's rows are in fields.cpp, those of one listener in listener_fields.cpp.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "model/plan_step.h"
#include "spec/forms.h"

namespace svd::spec {

// What there is to say about a key, whatever it belongs to.
struct Key {
  std::string_view key;  // "restart.delay": as in the file, below the app
  std::string words;     // how its value is written
  Json schema;
  std::string initial;   // the default, in words
  Effect effect;         // what a change of it does to running instances
  std::string_view doc;  // one sentence
};

template <class T>
struct Row : Key {
  std::function<void(const Node&, const Place&, Reading&, T&)> read;
  std::function<std::string(const T&)> show;  // empty: unset
};

// The value of a row that is not a member by itself. `get`: nullopt where it is not set.
template <class T, class V>
struct Access {
  std::function<void(T&, V)> set;
  std::function<std::optional<V>(const T&)> get;
};

template <class T, class V>
Row<T> row(std::string_view key, Access<T, V> at, const Form<V>& form, Effect effect, std::string_view doc,
           std::string_view initial) {
  Row<T> made{{key, form.words, form.schema, std::string{initial}, effect, doc}, {}, {}};
  made.read = [set = at.set, read = form.read](const Node& node, const Place& place, Reading& reading,
                                               T& into) {
    if (auto value = read(node, place, reading)) set(into, std::move(*value));
  };
  made.show = [get = at.get, show = form.show](const T& from) -> std::string {
    const auto value = get(from);
    return value ? show(*value) : "";
  };
  return made;
}

// The same for a member. `at` gives it, of a const and of a mutable T; where no default is said, it is that
// of the member.
template <class T, class At, class V>
Row<T> member_row(std::string_view key, At at, const Form<V>& form, Effect effect, std::string_view doc,
                  std::string_view initial) {
  const Access<T, V> access{[at](T& into, V value) { at(into) = std::move(value); },
                            [at](const T& from) -> std::optional<V> { return at(from); }};
  auto made = row<T, V>(key, access, form, effect, doc, initial);
  if (initial.empty()) made.initial = made.show(T{});
  return made;
}

// For AT(member): works on const and on mutable values.
#define SVD_SPEC_AT(member) \
  [](auto& from) -> auto& { return from.member; }

}  // namespace svd::spec

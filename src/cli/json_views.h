// SPDX-License-Identifier: Apache-2.0
// The JSON form of each view: one compact object. The members are the fields of model/views.h under the same
// names.
#pragma once

#include <span>
#include <string>

#include "cli/client.h"
#include "model/views.h"

namespace svd::cli {

[[nodiscard]] std::string to_json(const InstanceView& view);
[[nodiscard]] std::string to_json(const AppView& view);
[[nodiscard]] std::string to_json(const PlanStep& step);
[[nodiscard]] std::string to_json(const RevisionView& view);
[[nodiscard]] std::string to_json(const EventRecord& record);
[[nodiscard]] std::string to_json(const ChangeReport& report);
[[nodiscard]] std::string to_json(const DaemonView& view);

// An array with one element a line: valid JSON as a whole, and easy to cut by line.
template <class T>
[[nodiscard]] std::string json_lines(const std::vector<T>& views) {
  std::string text = "[";
  for (const auto& view : views) text += (text.size() == 1 ? "\n" : ",\n") + to_json(view);
  return text + "\n]\n";
}

}  // namespace svd::cli

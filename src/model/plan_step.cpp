// SPDX-License-Identifier: Apache-2.0
#include "model/plan_step.h"

namespace svd {

std::string to_text(const FieldChange& change) {
  return change.path + " changed " + change.from + " → " + change.to;
}

std::string_view to_text(PlanStep::Action action) {
  switch (action) {
    case PlanStep::Action::start:
      return "start";
    case PlanStep::Action::stop:
      return "stop";
    case PlanStep::Action::replace:
      return "replace";
    case PlanStep::Action::scale:
      return "scale";
    case PlanStep::Action::update:
      return "update";
  }
  return "";
}

std::string to_text(const PlanStep& step) {
  std::string text = step.app.app.str() + ": " + step.summary;
  for (std::size_t i = 0; i < step.why.size(); ++i) text += (i == 0 ? ": " : ", ") + step.why[i];
  return text;
}

}  // namespace svd

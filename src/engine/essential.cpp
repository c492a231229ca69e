// SPDX-License-Identifier: Apache-2.0
// When a daemon that belongs to its apps (`svd FILE`, a container) has nothing left to live for:
//
//  * an essential app that has failed for good ends it at once, with the exit code of what failed first;
//  * when every essential app has ended, it ends: with that of the first that failed, else with 0;
//  * where no app is essential, all of them are together: it ends when nothing will ever run again by itself.
//
// An app has ended when none of its instances will start again by itself. What a person stopped, or scaled to
// none, has not: a person can start it again. Nor has what is being updated.
#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "engine/state.h"

namespace svd {
namespace {

struct End {
  bool ended = false;
  const Occupant* failed = nullptr;  // the first one that did
};

bool has_rest(const Slot& slot) {
  return slot.wanted && !slot.has_others() &&
         (slot.phase() == Phase::completed || slot.phase() == Phase::failed);
}

bool is_earlier(const Occupant& a, const Occupant* b) {
  return b == nullptr || a.since.micros < b->since.micros;
}

End end_of(const App& app) {
  End end{app.instances() > 0 && !app.rolling && !app.unreadable, nullptr};
  for (const auto& slot : app.slots) {
    if (!end.ended) break;
    if (!slot || app.is_surplus(*slot)) continue;
    end.ended = has_rest(*slot);
    const auto& one = *slot->occupant;
    if (one.phase() == Phase::failed && is_earlier(one, end.failed)) end.failed = &one;
  }
  return end;
}

bool is_essential(const App& app) { return !app.leaving && app.version->spec.essential; }

// As a shell has it.
int code_of(const Occupant& one) {
  constexpr int not_executable = 126, not_found = 127, by_signal = 128;
  if (one.failure) {
    if (one.failure->stage != StartStage::exec) return EXIT_FAILURE;
    const int err = one.failure->err;  // 0: the detail says what was not found
    return err == 0 || err == ENOENT || err == ENOTDIR ? not_found : not_executable;
  }
  const auto& status = one.last_exit;
  if (status.kind == ExitStatus::Kind::signal) return by_signal + status.number;
  // 0: too many restarts, each after a clean end.
  return status.kind == ExitStatus::Kind::code && status.number != 0 ? status.number : EXIT_FAILURE;
}

}  // namespace

void Engine::State::end_if_apps_have() {
  if (!belongs_to_apps || shutting || !std::exchange(may_have_ended, false)) return;
  const bool chosen = std::ranges::any_of(apps, [](const auto& entry) { return is_essential(entry.second); });
  bool all = true, some = false;
  const Occupant* failed = nullptr;
  for (const auto& [id, app] : apps) {
    if (app.leaving || (chosen && !is_essential(app))) continue;
    const auto end = end_of(app);
    some = some || end.ended;
    all = all && (end.ended || app.instances() == 0);
    if (end.ended && end.failed != nullptr && is_earlier(*end.failed, failed)) failed = end.failed;
  }
  if (!some || (!all && !(chosen && failed != nullptr))) return;
  exit_code = failed != nullptr ? code_of(*failed) : 0;
  const auto what = failed != nullptr ? slot_name(*failed->slot) + " has failed: " + reason(*failed)
                    : chosen          ? std::string{"all that is essential has ended"}
                                      : std::string{"all apps have ended"};
  record("daemon", "apps", what + "; svd ends with " + std::to_string(exit_code));
  shut_down({0, "svd"}, false);
}

void Engine::end_with_apps() {
  state_->belongs_to_apps = true;
  state_->may_have_ended = true;  // a former engine may have died before it came to this
}

int Engine::exit_code() const { return state_->exit_code; }

}  // namespace svd

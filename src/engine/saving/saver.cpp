// SPDX-License-Identifier: Apache-2.0
#include "engine/saving/saver.h"

namespace svd {
namespace {

constexpr Millis retry{5000};
constexpr std::size_t max_unsaved_exits = 4096;

// Numbers may be given away after this save and before the next one; a new engine that knows only this one
// must not give them away again. (Starts that left a trace are also in the keeper's table.)
constexpr std::uint64_t reserve = 10'000;

}  // namespace

bool Saver::is_finished() const {
  return world_.down.asked && world_.starts.none_left() && (!world_.agenda.save.at() || failing_);
}

void Saver::save_if_due() {
  auto& due = world_.agenda.save;
  const auto now = world_.now.mono;
  const auto exits = world_.starts.gone.size();
  const bool last = world_.down.asked && world_.starts.none_left();
  const bool many = exits > max_unsaved_exits / 2 && !failing_;  // the keeper's table is bounded
  if (!due.at() || (now < *due.at() && !last && !many)) return;
  due.saving();
  const bool revisions = revisions_.save_unsaved();
  const auto text = write_state(snapshot(is_finished() ? 0 : reserve));
  due.saved(text.size());
  const bool saved = ports_.state.save(text) && revisions;
  tell_if_new(saved);
  if (!saved) due.again(now + retry);
  if (saved || exits > max_unsaved_exits) forget_gone();
}

void Saver::tell_if_new(bool saved) {
  if (saved == !failing_) return;
  failing_ = !saved;
  world_.journal.daemon("state", saved ? "the state is saved again"
                                       : "cannot save the state: it is kept in memory and tried again");
}

// When nothing can be saved for long, keeping the keeper able to start processes is worth more than the exact
// count of restarts after a crash of the engine.
void Saver::forget_gone() {
  auto& gone = world_.starts.gone;
  if (gone.empty()) return;
  ports_.processes.forget(gone);
  gone.clear();
}

}  // namespace svd

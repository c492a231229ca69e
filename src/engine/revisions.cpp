// SPDX-License-Identifier: Apache-2.0
// Accepted applies: recording, pruning, going back.
#include <algorithm>

#include "base/text.h"
#include "engine/state.h"

namespace svd {

std::uint64_t Engine::State::record_revision(const Name& ecosystem, Source source, const Actor& who,
                                             const std::string& summary) {
  auto& eco = ecosystems[ecosystem];
  eco.name = ecosystem;
  for (auto& former : eco.history) former.current = false;
  RevisionView view;
  view.ecosystem = ecosystem;
  view.number = eco.next++;
  view.when = now.wall;
  view.who = who.name + " (uid " + std::to_string(who.uid) + ")";
  view.outcome = "running";
  view.file = source.file;
  view.summary = summary;
  view.current = true;
  eco.current = view.number;
  eco.history.push_back(view);
  const Revision revision{view, std::move(source)};
  if (!ports.state.save_revision(revision)) {
    unsaved_revisions[{ecosystem, view.number}] = revision;
    record("daemon", "state",
           "cannot save revision " + std::to_string(view.number) + " of " + ecosystem.str() +
               ": it is kept in memory and tried again");
  }
  prune(eco);
  return eco.current;
}

// The oldest go first; not those that something runs, or would go back to.
void Engine::State::prune(Eco& eco) {
  const auto used = used_revisions(eco.name);
  for (auto view = eco.history.begin(); view != eco.history.end() && eco.history.size() > max_history + 1;) {
    if (used.contains(view->number)) {
      ++view;
      continue;
    }
    ports.state.remove_revision(eco.name, view->number);
    unsaved_revisions.erase({eco.name, view->number});
    view = eco.history.erase(view);
  }
}

std::set<std::uint64_t> Engine::State::used_revisions(const Name& ecosystem) const {
  std::set<std::uint64_t> out;
  for (auto entry = apps.lower_bound({ecosystem, {}}); entry != apps.end(); ++entry) {
    const auto& app = entry->second;
    if (app.id.ecosystem != ecosystem) break;
    out.insert(app.version->revision);
    if (app.stable) out.insert(app.stable->revision);
    for (const auto& slot : app.slots)
      if (slot)
        slot->each_occupant([&](const Occupant& one) {
          if (one.version) out.insert(one.version->revision);
        });
  }
  return out;
}

void Engine::State::set_outcome(const Name& ecosystem, std::uint64_t number, const std::string& outcome) {
  const auto eco = ecosystems.find(ecosystem);
  if (eco == ecosystems.end()) return;
  const auto view = std::ranges::find(eco->second.history, number, &RevisionView::number);
  if (view == eco->second.history.end()) return;
  view->outcome = outcome;
  auto stored = stored_revision(ecosystem, number);
  if (!stored) {
    record("daemon", "state",
           "cannot save the outcome of revision " + std::to_string(number) + " of " + ecosystem.str() + ": " +
               stored.error().text);
    return;
  }
  stored->view = *view;
  if (ports.state.save_revision(*stored)) {
    unsaved_revisions.erase({ecosystem, number});
    return;
  }
  unsaved_revisions[{ecosystem, number}] = std::move(*stored);
  unsaved();
}

Result<Revision> Engine::State::stored_revision(const Name& ecosystem, std::uint64_t number) const {
  const auto unsaved_one = unsaved_revisions.find({ecosystem, number});
  if (unsaved_one != unsaved_revisions.end()) return unsaved_one->second;
  return ports.state.load_revision(ecosystem, number);
}

// The newest revision before the present one that says something else, and was seen to work.
Result<std::uint64_t> Engine::State::former_revision(const Eco& eco) const {
  SVD_TRY(auto present, stored_revision(eco.name, eco.current));
  SVD_TRY(const auto now_wanted, ports.decode(present.source));
  for (auto view = eco.history.rbegin(); view != eco.history.rend(); ++view) {
    if (view->number >= eco.current || view->outcome != succeeded) continue;
    auto stored = stored_revision(eco.name, view->number);
    if (!stored) continue;
    const auto decoded = ports.decode(stored->source);
    if (decoded && *decoded != now_wanted) return view->number;
  }
  return fail(std::errc::invalid_argument,
              "cannot roll back " + eco.name.str() +
                  ": no kept revision that succeeded differs from the present one, " +
                  std::to_string(eco.current));
}

Result<Begun> Engine::State::rollback(const std::string& ecosystem, std::uint64_t number, const Actor& who) {
  if (shutting) return fail(std::errc::operation_canceled, "cannot roll back: the daemon is stopping");
  const auto found =
      std::ranges::find_if(ecosystems, [&](const auto& entry) { return entry.first.str() == ecosystem; });
  if (found == ecosystems.end()) {
    std::vector<std::string> names;
    for (const auto& entry : ecosystems) names.push_back(entry.first.str());
    const auto near = nearest(ecosystem, names);
    return fail(std::errc::no_such_process, "cannot roll back '" + printable(ecosystem) +
                                                "': no such ecosystem" +
                                                (near ? ", did you mean '" + *near + "'?" : ""));
  }
  const auto& eco = found->second;
  if (number == 0) {
    SVD_TRY(number, former_revision(eco));
  }
  if (std::ranges::find(eco.history, number, &RevisionView::number) == eco.history.end())
    return fail(std::errc::no_such_process,
                "cannot roll back " + ecosystem + ": revision " + std::to_string(number) + " is not kept" +
                    (eco.history.empty() ? ""
                                         : "; " + std::to_string(eco.history.front().number) + " to " +
                                               std::to_string(eco.current) + " are"));
  SVD_TRY(auto stored, stored_revision(eco.name, number));
  return apply(std::move(stored.source), who, "rollback", "rollback to " + std::to_string(number));
}

Result<Begun> Engine::rollback(const std::string& ecosystem, std::uint64_t revision, const Actor& who) {
  return state_->rollback(ecosystem, revision, who);
}

Result<std::vector<RevisionView>> Engine::history(const std::string& ecosystem) const {
  std::vector<RevisionView> out;
  std::vector<std::string> names;
  bool known = ecosystem.empty();
  for (const auto& [name, eco] : state_->ecosystems) {
    names.push_back(name.str());
    if (!ecosystem.empty() && name.str() != ecosystem) continue;
    known = true;
    out.insert(out.end(), eco.history.begin(), eco.history.end());
  }
  if (known) return out;
  const auto near = nearest(ecosystem, names);
  return fail(std::errc::no_such_process, "cannot show the history of '" + printable(ecosystem) +
                                              "': no such ecosystem" +
                                              (near ? ", did you mean '" + *near + "'?" : ""));
}

}  // namespace svd

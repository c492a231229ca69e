// SPDX-License-Identifier: Apache-2.0
#include "engine/changes/revisions.h"

#include <algorithm>

#include "base/text.h"

namespace svd {

std::uint64_t Revisions::current(const Name& ecosystem) const {
  const auto eco = all_.find(ecosystem);
  return eco == all_.end() ? 0 : eco->second.current;
}

Result<const EcosystemRecord*> Revisions::find(const std::string& name, const std::string& cannot) const {
  std::vector<std::string> names;
  for (const auto& [known, eco] : all_) {
    if (known.str() == name) return &eco;
    names.push_back(known.str());
  }
  const auto near = nearest(name, names);
  return fail(std::errc::no_such_process, cannot + " '" + printable(name) + "': no such ecosystem" +
                                              (near ? ", did you mean '" + *near + "'?" : ""));
}

std::uint64_t Revisions::record(const Name& ecosystem, Source source, const Actor& who,
                                const std::string& summary) {
  auto& eco = all_[ecosystem];
  eco.name = ecosystem;
  for (auto& former : eco.history) former.current = false;
  RevisionView view;
  view.ecosystem = ecosystem;
  view.number = eco.next++;
  view.when = world_.now.wall;
  view.who = who.name + " (uid " + std::to_string(who.uid) + ")";
  view.outcome = to_text(Outcome::running);
  view.file = source.file;
  view.summary = summary;
  view.current = true;
  eco.current = view.number;
  eco.history.push_back(view);
  const Revision revision{view, std::move(source)};
  if (!store_.save_revision(revision)) {
    unsaved_[{ecosystem, view.number}] = revision;
    world_.journal.daemon("state", "cannot save revision " + std::to_string(view.number) + " of " +
                                       ecosystem.str() + ": it is kept in memory and tried again");
  }
  prune(eco);
  return eco.current;
}

// The oldest go first; not those that something runs, or would go back to.
void Revisions::prune(EcosystemRecord& eco) {
  constexpr std::size_t kept = 20;
  const auto needed = used(eco.name);
  for (auto view = eco.history.begin(); view != eco.history.end() && eco.history.size() > kept + 1;) {
    if (needed.contains(view->number)) {
      ++view;
      continue;
    }
    store_.remove_revision(eco.name, view->number);
    unsaved_.erase({eco.name, view->number});
    view = eco.history.erase(view);
  }
}

std::set<std::uint64_t> Revisions::used(const Name& ecosystem) const {
  std::set<std::uint64_t> out;
  for (const auto& [id, app] : world_.apps.of(ecosystem)) {
    out.insert(app.version->revision);
    if (app.stable) out.insert(app.stable->revision);
    app.each_instance([&](const Instance& one) {
      if (one.version) out.insert(one.version->revision);
    });
  }
  return out;
}

void Revisions::set_outcome(const Name& ecosystem, std::uint64_t number, const std::string& outcome) {
  const auto eco = all_.find(ecosystem);
  if (eco == all_.end()) return;
  const auto view = std::ranges::find(eco->second.history, number, &RevisionView::number);
  if (view == eco->second.history.end()) return;
  view->outcome = outcome;
  auto known = stored(ecosystem, number);
  if (!known) {
    world_.journal.daemon("state", "cannot save the outcome of revision " + std::to_string(number) + " of " +
                                       ecosystem.str() + ": " + known.error().text);
    return;
  }
  known->view = *view;
  if (store_.save_revision(*known)) {
    unsaved_.erase({ecosystem, number});
    return;
  }
  unsaved_[{ecosystem, number}] = std::move(*known);
  world_.unsaved();
}

Result<Revision> Revisions::stored(const Name& ecosystem, std::uint64_t number) const {
  const auto unsaved = unsaved_.find({ecosystem, number});
  if (unsaved != unsaved_.end()) return unsaved->second;
  return store_.load_revision(ecosystem, number);
}

Result<std::uint64_t> Revisions::former(const EcosystemRecord& eco) const {
  SVD_TRY(auto present, stored(eco.name, eco.current));
  SVD_TRY(const auto now_wanted, decode_(present.source));
  for (auto view = eco.history.rbegin(); view != eco.history.rend(); ++view) {
    if (view->number >= eco.current || view->outcome != to_text(Outcome::succeeded)) continue;
    auto known = stored(eco.name, view->number);
    if (!known) continue;
    const auto decoded = decode_(known->source);
    if (decoded && *decoded != now_wanted) return view->number;
  }
  return fail(std::errc::invalid_argument,
              "cannot roll back " + eco.name.str() +
                  ": no kept revision that succeeded differs from the present one, " +
                  std::to_string(eco.current));
}

bool Revisions::save_unsaved() {
  std::erase_if(unsaved_, [&](const auto& entry) { return store_.save_revision(entry.second); });
  return unsaved_.empty();
}

}  // namespace svd

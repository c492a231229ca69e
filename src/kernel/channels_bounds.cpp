// SPDX-License-Identifier: Apache-2.0
// Turns, and what happens to a program that is over a bound (kernel/channel_budget.h).
#include "kernel/channels_state.h"

namespace svd {

bool Channels::State::is_burdened(const Entry& entry, std::size_t bytes) {
  return entry.link->unsent() > bytes || entry.link->unsent_fds() >= budget::fds_waiting;
}

// False: it was cut off.
bool Channels::State::bound_fds(Entry& entry) {
  const auto own = entry.link->arrived();
  if (own <= 1) return true;
  std::size_t app = 0, all = 0;
  for (const auto& [id, one] : entries) {
    const auto arrived = one->link ? one->link->arrived() : 0;
    all += arrived;
    if (one->slot.app == entry.slot.app) app += arrived;
  }
  if (own <= budget::fds_of_channel && app <= budget::fds_of_app && all <= budget::fds_in_all()) return true;
  cut_off(entry, "it sent descriptors that no message wants, " + std::to_string(own) + " at last");
  return false;
}

// All lines that are complete were handled.
void Channels::State::bound_bytes(Entry& entry) {
  auto& in = entry.place->in();
  if (in.size() <= budget::always_allowed) return;
  std::size_t app = 0;
  for (const auto& [id, one] : entries)
    if (one->slot.app == entry.slot.app) app += one->place->in().size();
  if (app <= budget::unfinished_of_app) return;
  log(entry.slot.str() + ": a message is thrown away: those that its app has begun come to more than 64 MiB");
  refuse(entry, {}, {}, "cannot take so many large messages at once: this one is thrown away");
  entry.reader->abandon(in);
  entry.place->trim();
}

void Channels::State::cut_off(Entry& entry, const std::string& why) {
  entry.status = "svd has closed its channel: " + why;
  log(entry.slot.str() + ": " + entry.status);
  if (handlers.happened) handlers.happened(entry.slot, entry.status);
  save(entry);
  close(entry);
}

bool Channels::State::refuse_copies(Entry& entry, const ipc::Envelope& envelope, std::size_t size,
                                    std::size_t targets) {
  if (targets < 2 || size * targets <= budget::copies_of_letter) return false;
  refuse(entry, envelope.to, envelope.id,
         "cannot send " + std::to_string(size >> 20U) + " MiB to " + std::to_string(targets) +
             " instances at once: want at most 64 MiB in all");
  return true;
}

// Whoever came after the last one first: where there is no time for all of them, each has its turn.
std::vector<StartId> Channels::State::take_runnable() {
  const auto ids = std::exchange(runnable, {});
  std::vector<StartId> in_turn{ids.upper_bound(last_run), ids.end()};
  in_turn.insert(in_turn.end(), ids.begin(), ids.upper_bound(last_run));
  return in_turn;
}

// An app has one turn in it, however many instances it has.
void Channels::State::run() {
  const auto begun = Loop::now().mono;
  std::map<AppId, Nanos> taken;
  turns = Nanos{0};
  for (const auto id : take_runnable()) {
    auto* const entry = find(id);
    if (entry == nullptr || entry->waits_for != StartId{}) continue;
    auto& of_app = taken[entry->slot.app];
    if (of_app > budget::turn_of_channel || Loop::now().mono - begun > budget::turn_of_channels) {
      run_later(*entry);
      continue;
    }
    last_run = id;
    const budget::Turn turn;
    run(*entry);
    of_app += turn.taken();
  }
  flush_all();
}

void Channels::State::run(Entry& entry) {
  if (!entry.link) return entry.gone ? drop(entry.id) : void();
  const bool handled = entry.gone ? handle_some(entry, nullptr) : handle_lines(entry);
  if (!entry.link || entry.waits_for != StartId{}) return;
  if (!handled) return run_later(entry);
  if (entry.gone)
    drop(entry.id);
  else
    read_turn(entry);
}

void Channels::State::stop_waiting(const Entry& entry, StartId target) {
  const auto found = waiting.find(target);
  if (found == waiting.end()) return;
  found->second.erase(entry.id);
  if (found->second.empty()) waiting.erase(found);
}

}  // namespace svd

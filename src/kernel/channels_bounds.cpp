// SPDX-License-Identifier: Apache-2.0
// What happens to a program that is over a bound (kernel/channel_budget.h).
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

}  // namespace svd

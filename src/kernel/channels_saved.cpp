// SPDX-License-Identifier: Apache-2.0
// What is kept in ChannelMemory for the engine after us, and what of it we take over from the one before.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>

#include "kernel/channels_state.h"

namespace svd {
namespace {

using ipc::JsonView;
using ipc::quote;

std::string number(auto value) { return std::to_string(static_cast<std::uint64_t>(value)); }
std::string truth(bool value) { return value ? "true" : "false"; }

std::string write_app_id(const AppId& id) {
  return R"("ecosystem":)" + quote(id.ecosystem.str()) + R"(,"app":)" + quote(id.app.str());
}

std::optional<AppId> read_app_id(const JsonView& from) {
  auto ecosystem = Name::parse(from.string("ecosystem").value_or(""));
  auto app = Name::parse(from.string("app").value_or(""));
  if (!ecosystem || !app) return std::nullopt;
  return AppId{std::move(*ecosystem), std::move(*app)};
}

std::uint64_t read_number(const JsonView& from, std::string_view name) {
  return static_cast<std::uint64_t>(from.integer(name).value_or(0));
}

// Of an engine that saved its user and group alone: it may do what these may.
Given read_opener(const JsonView& from) {
  const auto member = from.member("given");
  if (auto given = member ? read_given(*member) : std::nullopt) return std::move(*given);
  Given given;
  given.uid = static_cast<std::uint32_t>(read_number(from, "uid"));
  given.gid = static_cast<std::uint32_t>(read_number(from, "gid"));
  return given;
}

StartId read_id(const JsonView& from) {
  const auto text = from.string("id").value_or("");
  std::uint64_t id = 0;
  std::from_chars(text.data(), text.data() + text.size(), id);
  return StartId{id};
}

}  // namespace

void Channels::State::save(App& app) {
  if (!app.place) {
    auto place = memory->claim(ChannelMemory::Use::app);
    if (!place) return log(app.id.str() + ": " + place.error().text);
    app.place = std::move(*place);
  }
  std::string opened;
  for (const auto& [key, one] : app.opened)
    opened += (opened.empty() ? R"({"key":)" : R"(,{"key":)") + quote(key) + R"(,"path":)" + quote(one.path) +
              R"(,"given":)" + write_given(one.given) + "}";
  const auto text =
      "{" + write_app_id(app.id) + R"(,"opened":[)" + opened + R"(],"primary":)" + app.primary.save() + "}";
  if (!app.place->save(text)) log(app.id.str() + ": it listens on too much to remember all of it");
}

void Channels::State::save(Entry& entry) {
  const auto& gate = entry.gate;
  std::string text = R"({"id":")" + number(entry.id) + R"(",)" + write_app_id(entry.slot.app) +
                     R"(,"slot":)" + number(entry.slot.slot) + R"(,"channel":)" + number(entry.channel) +
                     R"(,"gate":)" + number(gate.kind) + R"(,"address":)" + quote(gate.address) +
                     R"(,"port":)" + number(gate.port) + R"(,"ready":)" + truth(entry.told_ready) +
                     R"(,"drained":)" + truth(entry.told_drained);
  if (entry.given) text += R"(,"given":)" + write_given(*entry.given);
  if (!entry.status.empty()) text += R"(,"status":)" + quote(entry.status);
  const auto app = apps.find(entry.slot.app);
  if (app != apps.end() && app->second->primary.find(entry.id) != nullptr)
    text += R"(,"member":)" + app->second->primary.save(entry.id);
  if (!entry.place->save(text + "}"))
    log(entry.slot.str() + ": it listens on too much to remember all of it");
}

bool Channels::State::restore_app(ChannelMemory::PlacePtr& place) {
  const auto from = JsonView::parse(place->saved());
  const auto id = from ? read_app_id(*from) : std::nullopt;
  const auto primary = from ? from->member("primary") : std::nullopt;
  if (!id || !primary) return false;
  auto& app = app_of(*id);
  if (!app.primary.restore(primary->text())) return false;
  if (const auto opened = from->member("opened"))
    for (const auto& one : opened->elements())
      app.opened[one.string("key").value_or("")] = {one.string("path").value_or(""), read_opener(one)};
  app.place = std::move(place);
  return true;
}

// Only where the process is one of ours: everything else has ended while there was no engine.
Channels::State::Entry* Channels::State::restore_entry(ChannelMemory::PlacePtr& place,
                                                       std::span<const KnownChild> children) {
  const auto from = JsonView::parse(place->saved());
  const auto app = from ? read_app_id(*from) : std::nullopt;
  if (!app) return nullptr;
  const auto id = read_id(*from);
  const auto child = std::ranges::find(children, id, &KnownChild::id);
  if (child == children.end() || child->slot.app != *app) return nullptr;
  auto entry = std::make_unique<Entry>();
  entry->id = id;
  entry->slot = child->slot;
  entry->channel = static_cast<ChannelKind>(read_number(*from, "channel"));
  entry->gate.kind = static_cast<ReadyGate::Kind>(read_number(*from, "gate"));
  entry->gate.address = from->string("address").value_or("");
  entry->gate.port = static_cast<std::uint16_t>(read_number(*from, "port"));
  entry->told_ready = from->boolean("ready").value_or(false);
  entry->told_drained = from->boolean("drained").value_or(false);
  entry->status = from->string("status").value_or("");
  if (const auto given = from->member("given")) entry->given = read_given(*given);
  entry->pid = child->pid;
  entry->ended = child->exited;
  if (const auto member = from->member("member")) app_of(*app).primary.restore_member(member->text());
  entry->place = std::move(place);
  auto& kept = entries[id];
  kept = std::move(entry);
  return kept.get();
}

// What waits to be written may want a descriptor, which the engine before us had and we find by its key.
void Channels::State::reconnect(Entry& entry) {
  auto& app = app_of(entry.slot.app);
  const int held = holder.borrow(channel_name(entry.id));
  UniqueFd socket{held < 0 ? -1 : ::fcntl(held, F_DUPFD_CLOEXEC, 3)};
  if (!socket) {
    app.primary.leave(entry.id);
    return tell_drained(entry);
  }
  entry.link = std::make_unique<ChannelLink>(std::move(socket), entry.place->in(), entry.place->out());
  entry.reader.emplace(entry.place->skipping());
  entry.place->in().recover();
  entry.link->take_over([&](std::string_view line) {
    const auto key = ipc::lent_key(line);
    const auto shared = key ? app.primary.shared(entry.id, *key) : std::nullopt;
    return shared ? find_socket(app, entry.id, *shared) : -1;
  });
  directory.enter(entry.slot, entry.id);
  if (!entry.ended && entry.told_ready && !app.primary.is_leaving(entry.id))
    directory.set_ready(entry.slot, entry.id, true);
  update_watch(entry);
  unflushed.insert(entry.id);
  run_later(entry);  // lines that were read and not handled
}

void Channels::State::take_over(std::span<const KnownChild> children) {
  auto places = memory->take_over();
  for (auto& place : places)
    if (place->use() == ChannelMemory::Use::app && !restore_app(place)) place->erase();
  std::vector<Entry*> restored;
  for (auto& place : places) {
    if (!place || place->use() != ChannelMemory::Use::start) continue;
    if (auto* const entry = restore_entry(place, children))
      restored.push_back(entry);
    else
      place->erase();
  }
  for (auto* const entry : restored) {
    if (const auto listens = listen_for(*entry); !listens)
      log(entry->slot.str() + ": " + listens.error().text);
    if (entry->channel != ChannelKind::none) reconnect(*entry);
    if (entry->ended) continue;
    // The engine may have died before it had heard.
    if (entry->pid != 0) spawned(*entry, entry->pid);
    if (entry->told_drained) events.emplace_back(Drained{entry->id});
  }
  telling.request();
  for (const auto& [id, app] : apps) {
    app->primary.resume(Loop::now().mono);
    carry_out(*app);
  }
  release_strangers();
}

void Channels::State::release_strangers() {
  std::set<std::string> known;
  for (const auto& [id, entry] : entries) known.insert({channel_name(id), notify_name(id)});
  for (const auto& [id, app] : apps)
    for (const auto& key : app->primary.opened_keys()) known.insert(socket_name(id, key));
  for (const auto& name : holder.held_names())
    if ((name.starts_with("channel ") || name.starts_with("socket ") || name.starts_with("notify")) &&
        !known.contains(name))
      holder.release(name);
  remove_old_sockets();
}

// Of starts that ended while there was no engine.
void Channels::State::remove_old_sockets() const {
  if (options.notify_directory.empty()) return;
  std::set<std::string> known;
  for (const auto& [id, entry] : entries) known.insert(number(id));
  std::error_code failed;
  for (const auto& file : std::filesystem::directory_iterator{options.notify_directory, failed})
    if (!known.contains(file.path().filename().string())) ::unlink(file.path().c_str());
}

}  // namespace svd

// SPDX-License-Identifier: Apache-2.0
// Lines in and out: one channel after the other, and who has to wait for whom.
#include <sys/epoll.h>

#include <algorithm>

#include "kernel/channels_state.h"

namespace svd {
namespace {

constexpr std::size_t read_at_once = 64U << 10U;
constexpr std::size_t read_at_end = 4U << 20U;  // of one that has died, before its exit is acted on
// Letters and messages from outside wait for room above this; what the supervisor itself has to say goes on
// to the second bound, and then the program is not read from until it reads.
constexpr std::size_t queue_limit = 1U << 20U, hard_limit = 4U << 20U;
constexpr Millis patience_time{2'000};  // with one who does not read
constexpr Millis retry_time{50};
constexpr std::size_t most_refused = 64;  // names that are remembered
constexpr int most_tries = 3;             // of a descriptor that did not arrive, as Node does
constexpr std::size_t most_lent = 256;

}  // namespace

void Channels::State::update_watch(Entry& entry) {
  if (!entry.link) return entry.watch.disarm();
  const std::uint32_t wanted =
      (entry.reading && entry.pid != 0 ? EPOLLIN : 0U) | (entry.writing ? EPOLLOUT : 0U);
  if (wanted == 0) return entry.watch.disarm();  // or a hang-up would be told over and over again
  if (entry.watch.armed()) {
    (void)entry.watch.set_events(wanted);
    return;
  }
  const auto id = entry.id;
  const auto armed =
      entry.watch.arm(loop, entry.link->fd(), wanted, Priority::message, [this, id](std::uint32_t revents) {
        if (auto* const found = find(id)) on_io(*found, revents);
      });
  if (!armed) log(entry.slot.str() + ": " + armed.error().text);
}

void Channels::State::on_io(Entry& entry, std::uint32_t revents) {
  if ((revents & EPOLLOUT) != 0 || ((revents & EPOLLHUP) != 0 && entry.writing)) flush(entry);
  if (entry.reading && entry.pid != 0) read_turn(entry);
  flush_all();
}

// One piece. Where there is always more, the rest is read when all else has had its turn.
void Channels::State::read_turn(Entry& entry) {
  if (!entry.link || entry.waits_for != StartId{}) return;
  const budget::Turn turn;
  const auto got = entry.link->read(read_at_once);
  if (!bound_fds(entry)) return;
  const bool handled = handle_lines(entry);
  if (!entry.link || entry.waits_for != StartId{}) return;
  if (handled && got == ChannelLink::Got::closed) return close(entry);
  if (handled) bound_bytes(entry);
  if (turns == Nanos{0}) running.request();
  turns += turn.taken();
  const bool reading =
      handled && (got == ChannelLink::Got::nothing || turns < Nanos{budget::turn_of_channels});
  if (!reading) run_later(entry);
  if (reading == entry.reading) return;
  entry.reading = reading;
  update_watch(entry);
}

// Of one that has ended, or is gone: all that is there.
void Channels::State::read_rest(Entry& entry) {
  for (std::size_t read = 0; entry.link && read < read_at_end; read += read_at_once) {
    const auto got = entry.link->read(read_at_once);
    if (!bound_fds(entry)) break;
    handle_some(entry, nullptr);
    if (got == ChannelLink::Got::bytes) continue;
    if (entry.link && got == ChannelLink::Got::closed && entry.waits_for == StartId{}) close(entry);
    break;
  }
  flush_all();
}

void Channels::State::run_later(Entry& entry) {
  runnable.insert(entry.id);
  running.request();
}

bool Channels::State::handle_lines(Entry& entry) {
  budget::Turn turn;
  return handle_some(entry, &turn);
}

// No `turn`: to the end.
bool Channels::State::handle_some(Entry& entry, budget::Turn* turn) {
  auto& in = entry.place->in();
  while (entry.link && entry.waits_for == StartId{}) {
    if (!entry.gone && is_burdened(entry, hard_limit)) {
      wait_for(entry, entry.id);
      return true;
    }
    if (turn != nullptr && turn->is_over()) return false;
    const auto frame = entry.reader->next(in);
    if (!frame) break;
    if (!handle(entry, *frame)) return true;
    entry.reader->done(in);
  }
  if (!entry.link || !in.empty()) return true;
  entry.link->drop_fds();  // no line wants them
  entry.place->trim();
  return true;
}

bool Channels::State::handle(Entry& entry, const ipc::Frame& frame) {
  if (frame.kind == ipc::Frame::Kind::too_long) {
    log(entry.slot.str() + ": a message of more than 8 MiB is thrown away");
    refuse(entry, {}, {}, "cannot take a message of more than 8 MiB: it is thrown away");
    return true;
  }
  const auto line = ipc::read_line(frame.text);
  if (!line) {
    refuse(entry, {}, {}, "cannot read a message: it is not one JSON value");
    return true;
  }
  return handle_line(entry, *line);
}

bool Channels::State::handle_line(Entry& entry, const ipc::Line& line) {
  using Lane = ipc::Line::Lane;
  auto fd = line.with_handle ? entry.link->take_fd() : UniqueFd{};
  switch (line.lane) {
    case Lane::program:
      return program_says(entry, line, std::move(fd));
    case Lane::cluster: {
      auto& app = app_of(entry.slot.app);
      app.primary.hear(entry.id, line.message, Loop::now().mono);
      carry_out(app);
      break;
    }
    case Lane::handle_ack:
      if (!entry.lent.empty()) entry.lent.pop_front();
      break;
    case Lane::handle_nack:
      handle_lost(entry);
      break;
    case Lane::internal:
      break;
  }
  // Without an answer Node keeps back all that it has to say after it.
  if (line.with_handle) write(entry, ipc::write_handle_answer(static_cast<bool>(fd)));
  return true;
}

bool Channels::State::program_says(Entry& entry, const ipc::Line& line, UniqueFd fd) {
  using Kind = ipc::Envelope::Kind;
  if (line.with_handle && !fd) {  // it will come once more
    write(entry, ipc::write_handle_answer(false));
    return true;
  }
  const auto envelope = ipc::read_envelope(line.body);
  switch (envelope.kind) {
    case Kind::letter:
      if (route(entry, envelope, line, fd)) break;
      if (fd) entry.link->put_back(std::move(fd));
      return false;
    case Kind::ready: {
      auto& app = app_of(entry.slot.app);
      app.primary.says_ready(entry.id, Loop::now().mono);
      carry_out(app);
      break;
    }
    case Kind::idle:
      tell_drained(entry);
      break;
    case Kind::wrong:
      refuse(entry, {}, envelope.id, R"(cannot understand `svd`: want "ready", "idle" or {"to": NAME})");
      break;
    case Kind::outside:
      if (handlers.message) handlers.message(entry.slot, entry.id, line.body.text());
      break;
  }
  if (line.with_handle) write(entry, ipc::write_handle_answer(true));
  return true;
}

bool Channels::State::route(Entry& entry, const ipc::Envelope& envelope, const ipc::Line& line,
                            const UniqueFd& fd) {
  const auto targets = directory.find(entry.slot, envelope.to);
  if (!targets) {
    refuse(entry, envelope.to, envelope.id, targets.error().text);
    return true;
  }
  if (fd && (targets->size() != 1 || find(targets->front())->channel != ChannelKind::node)) {
    refuse(entry, envelope.to, envelope.id,
           "cannot send a handle to " + envelope.to + ": want one Node program");
    return true;
  }
  const auto delivery = ipc::deliver(*targets, [this](StartId id) { return room_of(id); });
  if (delivery.wait_for != StartId{}) {
    wait_for(entry, delivery.wait_for);
    return false;
  }
  if (refuse_copies(entry, envelope, envelope.data.size(), delivery.deliver.size())) return true;
  auto letter =
      ipc::write_letter(entry.slot.app.app.str() + "/" + std::to_string(entry.slot.slot), envelope.data);
  if (fd) letter = ipc::write_handle(line.handle_type, std::string_view{letter}.substr(0, letter.size() - 1));
  for (const auto id : delivery.deliver) {
    if (fd)
      write_handle(*find(id), {letter, std::nullopt}, fd.get());
    else
      write(*find(id), letter);
  }
  for (const auto id : delivery.refuse) {
    const auto& slot = find(id)->slot;
    const auto name = slot.app.app.str() + "/" + std::to_string(slot.slot);
    refuse(entry, name, envelope.id, "cannot send to " + name + ": it does not read");
  }
  return true;
}

// At once where there is room, else with the next that is told: what a program does not read must not pile
// up.
void Channels::State::refuse(Entry& entry, const std::string& to, const std::string& id,
                             const std::string& why) {
  if (entry.link->unsent() <= queue_limit && entry.refused.empty())
    return write(entry, ipc::write_refusal(why, to.substr(0, 128), id.size() > 1024 ? std::string{} : id));
  const bool is_new = !entry.refused.contains(to);
  auto& refused =
      entry.refused[is_new && entry.refused.size() >= most_refused ? std::string{} : to.substr(0, 128)];
  ++refused.count;
  refused.why = why;
}

void Channels::State::tell_refused(Entry& entry) {
  for (const auto refused = std::exchange(entry.refused, {}); const auto& [to, what] : refused)
    write(entry, ipc::write_refusal(what.why + " (" + std::to_string(what.count) + " messages)", to, {}));
}

// It had no room for a descriptor of ours. It gets it once more, and at last an error in its place.
void Channels::State::handle_lost(Entry& entry) {
  if (entry.lent.empty()) return;
  auto lent = std::move(entry.lent.front());
  entry.lent.pop_front();
  if (lent.connection != 0) return answered(app_of(entry.slot.app), entry.id, lent.connection, false);
  if (!lent.socket) return;
  if (lent.tries < most_tries) {
    ++lent.tries;
    const int fd = find_socket(app_of(entry.slot.app), entry.id, *lent.socket);
    return write_handle(entry, std::move(lent), fd);
  }
  const auto line = ipc::JsonView::parse(lent.line);
  const auto message = line ? line->member("msg") : std::nullopt;
  if (!message) return;
  const auto seq = static_cast<std::uint64_t>(message->integer("seq").value_or(0));
  write(entry, ipc::write_failure(EMFILE, message->string("key").value_or(""), "null",
                                  message->integer("ack").value_or(0), seq));
}

void Channels::State::write_handle(Entry& entry, Entry::Lent lent, int fd) {
  write(entry, lent.line, fd);
  entry.lent.push_back(std::move(lent));
  if (entry.lent.size() > most_lent) entry.lent.pop_front();  // of one that acknowledges nothing
}

void Channels::State::write(Entry& entry, const std::string& line, int fd) {
  if (!entry.link || entry.gone) return;
  if (entry.link->unsent() == 0) entry.progress = Loop::now().mono;
  if (!entry.link->write(line, fd))
    return log(entry.slot.str() + ": it does not read, and a message for it is lost");
  unflushed.insert(entry.id);
}

void Channels::State::flush_all() {
  while (!unflushed.empty()) {
    const auto id = *unflushed.begin();
    unflushed.erase(unflushed.begin());
    if (auto* const entry = find(id)) flush(*entry);
  }
}

void Channels::State::flush(Entry& entry) {
  if (!entry.link || entry.link->unsent() == 0) return;
  const auto before = entry.link->sent();
  const auto flushed = entry.link->flush();
  if (entry.link->sent() != before) entry.progress = Loop::now().mono;
  if (flushed == ChannelLink::Flushed::later) (void)retry.set(Loop::now().mono + retry_time);
  // Where the other end is gone, that is seen in reading, after what it had still said.
  const bool writing = flushed == ChannelLink::Flushed::blocked;
  if (writing != entry.writing) {
    entry.writing = writing;
    update_watch(entry);
  }
  const bool has_room = flushed == ChannelLink::Flushed::closed || !is_burdened(entry, queue_limit / 2);
  if (has_room && !entry.refused.empty()) {
    tell_refused(entry);
    unflushed.insert(entry.id);
  }
  if (has_room) wake_those_who_wait_for(entry.id);
}

void Channels::State::close(Entry& entry) {
  if (!entry.link) return;
  entry.watch.disarm();
  entry.link.reset();
  if (const auto target = std::exchange(entry.waits_for, {}); target != StartId{})
    stop_waiting(entry, target);
  entry.refused.clear();
  entry.lent.clear();
  holder.release(channel_name(entry.id));
  directory.leave(entry.slot, entry.id);
  auto& app = app_of(entry.slot.app);
  app.primary.leave(entry.id);
  carry_out(app);
  gone(app, entry.id);
  wake_those_who_wait_for(entry.id);
  if (!entry.gone) tell_drained(entry);
}

ipc::Room Channels::State::room_of(StartId id) const {
  const auto* const entry = find(id);
  if (entry == nullptr || !entry->link || entry->gone || !is_burdened(*entry, queue_limit))
    return ipc::Room::free;
  return Loop::now().mono - entry->progress >= patience_time ? ipc::Room::stuck : ipc::Room::full;
}

void Channels::State::wait_for(Entry& entry, StartId target) {
  entry.waits_for = target;
  waiting[target].insert(entry.id);
  entry.reading = false;
  update_watch(entry);
  set_patience();
}

void Channels::State::wake_those_who_wait_for(StartId target) {
  const auto found = waiting.find(target);
  if (found == waiting.end()) return;
  const auto senders = std::move(found->second);
  waiting.erase(found);
  for (const auto id : senders) {
    auto* const entry = find(id);
    if (entry == nullptr) continue;
    entry->waits_for = StartId{};
    run_later(*entry);
  }
}

void Channels::State::out_of_patience() {
  std::vector<StartId> targets;
  for (const auto& [target, senders] : waiting)
    if (room_of(target) != ipc::Room::full && !senders.contains(target)) targets.push_back(target);
  for (const auto target : targets) wake_those_who_wait_for(target);
  set_patience();
}

void Channels::State::set_patience() {
  std::optional<TimePoint> first;
  for (const auto& [target, senders] : waiting) {
    const auto* const entry = senders.contains(target) && senders.size() == 1 ? nullptr : find(target);
    if (entry == nullptr) continue;
    const auto end = entry->progress + patience_time;
    if (!first || end < *first) first = end;
  }
  (void)patience.set(first);
}

}  // namespace svd

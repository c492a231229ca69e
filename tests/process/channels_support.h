// SPDX-License-Identifier: Apache-2.0
// The channels' adapter with the test as every program at the other end, and as the keeper.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ipc/frames.h"
#include "ipc/json.h"
#include "ipc/rotation.h"
#include "kernel/channels.h"
#include "processes_support.h"

namespace svd::test {

class FakeHolder final : public Holder {
 public:
  Result<> hold(const std::string& name, int fd) override {
    if (refuse) return fail(std::errc::no_buffer_space, "cannot hold '" + name + "'");
    held[name] = UniqueFd{::fcntl(fd, F_DUPFD_CLOEXEC, 3)};
    return {};
  }
  [[nodiscard]] int borrow(const std::string& name) const override {
    const auto found = held.find(name);
    return found == held.end() ? -1 : found->second.get();
  }
  [[nodiscard]] std::vector<std::string> held_names() const override {
    std::vector<std::string> names;
    for (const auto& [name, fd] : held) names.push_back(name);
    return names;
  }
  void release(const std::string& name) override { held.erase(name); }
  [[nodiscard]] std::size_t count(std::string_view start) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(held, [&](const auto& one) { return one.first.starts_with(start); }));
  }
  std::map<std::string, UniqueFd> held;
  bool refuse = false;
};

// This process itself, as if svd had given it that.
inline Given own_given() { return given_by(LaunchPlan{}, Identity{}, false); }

// One end of a channel as a program has it.
class Program {
 public:
  explicit Program(UniqueFd fd) : fd_{std::move(fd)} {}
  void say(std::string_view text, int fd = -1) {
    const auto sent = try_say(text, fd);
    REQUIRE(sent == text.size());
  }
  std::size_t try_say(std::string_view text, int fd = -1) {
    iovec part{const_cast<char*>(text.data()), text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr head{};
    head.msg_iov = &part;
    head.msg_iovlen = 1;
    if (fd >= 0) {
      head.msg_control = control.data();
      head.msg_controllen = control.size();
      cmsghdr* const rights = CMSG_FIRSTHDR(&head);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof fd);
      std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    const auto sent = ::sendmsg(fd_.get(), &head, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }
  // What is there now.
  void read() {
    std::array<char, 65'536> bytes{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 8)> control{};
    for (;;) {
      iovec part{bytes.data(), bytes.size()};
      msghdr head{};
      head.msg_iov = &part;
      head.msg_iovlen = 1;
      head.msg_control = control.data();
      head.msg_controllen = control.size();
      const auto got = ::recvmsg(fd_.get(), &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
      if (got == 0) closed = true;
      if (got <= 0) return;
      for (cmsghdr* one = CMSG_FIRSTHDR(&head); one != nullptr; one = CMSG_NXTHDR(&head, one)) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(one), sizeof fd);
        fds.emplace_back(fd);
      }
      input_.append(bytes.data(), static_cast<std::size_t>(got));
      for (auto end = input_.find('\n'); end != input_.npos; end = input_.find('\n')) {
        lines.push_back(input_.substr(0, end));
        input_.erase(0, end + 1);
      }
    }
  }
  std::string take_line() {
    auto line = std::move(lines.front());
    lines.pop_front();
    return line;
  }
  UniqueFd take_fd() {
    REQUIRE_FALSE(fds.empty());
    auto fd = std::move(fds.front());
    fds.pop_front();
    return fd;
  }
  void close() { fd_.reset(); }
  [[nodiscard]] int fd() const { return fd_.get(); }

  std::deque<std::string> lines;
  std::deque<UniqueFd> fds;
  bool closed = false;

 private:
  UniqueFd fd_;
  std::string input_;
};

struct ChannelLab : public SharedSockets {
  explicit ChannelLab() { begin(); }

  void begin(const std::vector<KnownChild>& children = {}) {
    channels = std::make_unique<Channels>();
    const auto begun = channels->begin(
        loop, holder, *this,
        {.notify_directory = notify_directory(),
         .preload = preload,
         .owner_of = [this](std::int64_t pid) { return owner_of(pid); }},
        {.event = [this](const Event& event) { events.push_back(event); },
         .message = [this](
                        const SlotId& slot, StartId,
                        std::string_view json) { messages.push_back(slot.str() + " " + std::string{json}); },
         .log = [this](const std::string& text) { logged.push_back(text); },
         .happened = [this](const SlotId& slot,
                            const std::string& text) { happened.push_back(slot.str() + " " + text); }},
        children);
    REQUIRE((begun ? "" : begun.error().text) == std::string{});
  }
  [[nodiscard]] std::string notify_directory() const {
    std::filesystem::create_directories(home / "notify");
    return home / "notify";
  }
  // The engine dies and another one takes over those that still run.
  void restart_engine() {
    channels.reset();
    events.clear();
    begin(children());
  }
  [[nodiscard]] std::vector<KnownChild> children() const {
    std::vector<KnownChild> known;
    for (const auto& [id, plan] : plans) {
      KnownChild child;
      child.id = id;
      child.slot = plan.slot;
      child.generation = plan.generation;
      child.pid = ::getpid();
      known.push_back(child);
    }
    return known;
  }

  LaunchPlan plan(const std::string& app, std::uint32_t slot, ChannelKind kind) {
    LaunchPlan made;
    made.id = StartId{++last};
    made.slot = {{Name::parse("shop").value(), Name::parse(app).value()}, slot};
    made.generation = 1;
    made.argv = {"node", "app.js"};
    made.channel = kind;
    made.ready.kind = ReadyGate::Kind::channel;
    return made;
  }
  // As if the keeper had started it: this process plays the program.
  Program start(LaunchPlan made) {
    auto theirs = channels->open(made, given);
    REQUIRE((theirs ? "" : theirs.error().text) == std::string{});
    const auto id = made.id;
    environment = made.envp;
    arguments = made.argv;
    plans.emplace(id, std::move(made));
    channels->observe(Spawned{id, ::getpid()});
    return Program{std::move(*theirs)};
  }
  Program start(const std::string& app, std::uint32_t slot, ChannelKind kind = ChannelKind::json) {
    return start(plan(app, slot, kind));
  }
  void exit(StartId id) { channels->observe(Exited{id, {}}); }
  void end(StartId id) {
    exit(id);
    plans.erase(id);
    channels->observe(Gone{id});
  }

  template <class Done>
  bool run_until(Done&& done, Millis limit = Millis{20'000}) {
    const auto deadline = Loop::now().mono + limit;
    while (!done()) {
      const auto left =
          std::chrono::duration_cast<std::chrono::microseconds>(deadline - Loop::now().mono).count();
      if (left <= 0) return false;
      sd_event_run(loop.get(), static_cast<std::uint64_t>(std::min<std::int64_t>(left, 50'000)));
    }
    return true;
  }
  // Everything that can happen without anybody else doing something.
  void settle() {
    while (sd_event_run(loop.get(), 0) > 0) continue;
  }
  std::string line(Program& program) {
    const bool came = run_until([&] {
      program.read();
      return !program.lines.empty();
    });
    REQUIRE(came);
    return program.take_line();
  }
  ipc::JsonView json(Program& program) {
    kept = line(program);
    const auto view = ipc::JsonView::parse(kept);
    REQUIRE(view);
    return *view;
  }
  // The reply to a query: an unwrapped message, and the descriptor if one came.
  ipc::JsonView reply(Program& program) {
    auto whole = json(program);
    return whole.string("cmd") == "NODE_HANDLE" ? *whole.member("msg") : whole;
  }
  template <class Kind>
  std::size_t count(StartId id) const {
    return static_cast<std::size_t>(std::ranges::count_if(events, [&](const Event& event) {
      const auto* one = std::get_if<Kind>(&event);
      return one != nullptr && one->id == id;
    }));
  }
  template <class Kind>
  bool wait(StartId id) {
    return run_until([&] { return count<Kind>(id) > 0; });
  }

  int socket(const AppId&, const Listener& listener, std::uint32_t slot, StartId) const override {
    const auto found = listeners.find(listener.name.str() + "/" + std::to_string(slot));
    return found == listeners.end() ? -1 : found->second.get();
  }
  void relisten(const AppId&, const Listener& listener, std::uint32_t, StartId) override {
    relistened.push_back(listener.name.str() + " " + std::to_string(listener.backlog));
  }

  TempDir home;
  Loop loop = std::move(Loop::make().value());
  FakeHolder holder;
  std::string preload;
  std::function<StartId(std::int64_t)> owner_of = [](std::int64_t) { return StartId{}; };
  std::map<std::string, UniqueFd> listeners;
  std::vector<std::string> relistened;
  std::vector<Event> events;
  std::vector<std::string> messages, logged, happened;
  Given given = own_given();                        // what the next starts are
  std::vector<std::string> environment, arguments;  // of the last start
  std::map<StartId, LaunchPlan> plans;
  std::uint64_t last = 0;
  std::string kept;
  std::unique_ptr<Channels> channels;
};

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) ++count;
  return count;
}

inline std::string query(std::uint64_t seq, const std::string& members,
                         const std::string& act = "queryServer") {
  return R"({"cmd":"NODE_CLUSTER","act":")" + act + R"(","index":0,"data":null,"seq":)" +
         std::to_string(seq) + "," + members + "}\n";
}

}  // namespace svd::test

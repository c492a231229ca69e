// SPDX-License-Identifier: Apache-2.0
// The primary of one app's instances: who listens on what, who is ready, who was asked to leave. It answers
// what Node's cluster workers ask their primary; for other programs on a channel it knows readiness and
// leaving only.
//
// Sockets. A worker asks for a socket by address; a listener of its file that fits is what it gets, whatever
// the program's own idea of the interface is. What no listener fits is opened for the app (Open), under a
// key; every instance that asks for the key gets the same socket, over restarts and over generations. It is
// shut when
//   - every worker that had it has closed it by itself, none of them while it was leaving, and nobody asks
//   for it again
//     within `linger` (a program that closes and listens again means the same socket), or
//   - an instance of a newer generation is ready without it, and none of an older one is left.
//
// Readiness. An instance is ready when it says so (`ready`), or when it listens on all that the last ready
// instance of its slot did. What an app listens on is not known beforehand: of a slot that was never ready,
// the first server counts (or what another slot of the app has); and when something of the old set is missing
// for `settle` after the last server came, the program has changed, and it counts as it is. But a program
// that has said `ready` once is taken at its word: then only the message counts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "ipc/effects.h"
#include "model/app_spec.h"

namespace svd::ipc {

class Primary {
 public:
  // How many sockets one app may make the supervisor open.
  static constexpr std::size_t max_servers = 64;
  // How many bytes of addresses and of `data` beside them it may make the supervisor remember: they are saved
  // with every change. Node's own data are the keys of TLS tickets, 48 bytes.
  static constexpr std::size_t max_kept = 64U << 10U;
  static constexpr std::size_t max_address = 4096;  // PATH_MAX
  static constexpr Millis settle{2'000};
  static constexpr Millis linger{500};

  struct Member {
    StartId id{};
    std::uint32_t slot = 0;
    std::uint64_t generation = 0;
    ChannelKind channel = ChannelKind::none;
    std::vector<Listener> listen{};
  };

  // `first_seq`: above all that an engine before us has sent.
  explicit Primary(std::uint64_t first_seq) : seq_{first_seq} {}

  void enter(Member member);
  // Its channel is closed, or it is gone.
  void leave(StartId id);
  void hear(StartId id, const FromWorker& message, TimePoint now);
  void says_ready(StartId id, TimePoint now);
  // The answer to Open, whenever it comes; err: an errno, or 0.
  void opened(const std::string& key, int err);
  void drain(StartId id);
  void disconnect(StartId id);
  // Number for a connection that is passed on.
  [[nodiscard]] std::uint64_t next_seq() { return ++seq_; }

  // Something becomes ready, or is shut, then by itself.
  [[nodiscard]] std::optional<TimePoint> wake() const;
  void tick(TimePoint now);
  // What is to be done, in order; the list is empty afterwards.
  [[nodiscard]] std::vector<Effect> take();

  [[nodiscard]] const Member* find(StartId id) const;
  [[nodiscard]] bool is_ready(StartId id) const;
  [[nodiscard]] bool is_leaving(StartId id) const;       // drain() or disconnect() was called
  [[nodiscard]] bool is_asked_to_end(StartId id) const;  // disconnect() was called
  [[nodiscard]] std::vector<StartId> members() const;
  [[nodiscard]] std::vector<std::string> opened_keys() const;
  // What this instance was given for the key.
  [[nodiscard]] std::optional<Shared> shared(StartId id, const std::string& key) const;

  // For the engine after us: what of the app, and what of a member is to be remembered. changed() names what
  // save() would give anew; StartId 0 stands for the app.
  [[nodiscard]] std::set<StartId> changed();
  [[nodiscard]] std::string save() const;
  [[nodiscard]] std::string save(StartId id) const;
  bool restore(std::string_view saved);
  bool restore_member(std::string_view saved);
  void resume(TimePoint now);  // after the last of them

 private:
  struct Asked {  // for a socket, by a worker; until it closes it
    std::string key;
    Query query;
    std::int64_t request = 0;  // its seq
    bool listening = false;
    bool own = false;  // of the app, not of its file
  };
  struct State {
    Member member;
    std::vector<Asked> asked;
    bool ready = false;
    bool said_ready = false;
    bool draining = false;
    bool leaving = false;
    std::optional<TimePoint> settles;
  };
  struct Server {
    std::uint64_t generation = 0;  // of who used it last
    std::string data = "null";
    bool own = false;
    bool open = false;
    std::optional<TimePoint> shuts{};
  };
  struct Waiting {  // for opened()
    StartId id{};
    std::string key;
    std::int64_t request = 0;
  };

  void query(State& worker, const FromWorker& message);
  [[nodiscard]] int refusal_of(const Asked& asked) const;  // an errno; 0: it may be kept
  [[nodiscard]] std::size_t kept() const;
  void remember(const State& worker, const Asked& asked);
  void ask_for(const State& worker, const Asked& asked);
  void answer(State& worker, const std::string& key, std::int64_t request);
  void lend(State& worker, const Asked& asked, const Listener* listener, std::int64_t request);
  void listens(State& worker, const Query& query, TimePoint now);
  void closes(State& worker, const std::string& key, TimePoint now);
  void judge(State& worker, TimePoint now);
  void becomes_ready(State& worker);
  void sweep();
  void shut(const std::string& key);
  void write(const State& worker, std::string line);
  [[nodiscard]] bool is_used(const std::string& key) const;
  [[nodiscard]] const std::set<std::string>* expected(std::uint32_t slot) const;
  [[nodiscard]] static std::set<std::string> servers_of(const State& worker);
  void touch(StartId id) { changed_.insert(id); }

  std::uint64_t seq_;
  std::map<StartId, State> members_;
  std::map<std::string, Server> servers_;
  std::map<std::uint32_t, std::set<std::string>> sets_;  // slot → what its last ready instance listened on
  std::uint32_t latest_slot_ = 0;
  std::vector<Waiting> waiting_;
  std::vector<Effect> effects_;
  std::set<StartId> changed_;
};

// The key under which instances share a socket. A worker that asks twice (listen(0), or a second listen() on
// one port) means two sockets: `again` makes them differ.
[[nodiscard]] std::string key_of(const Query& query, bool again);
// The listener that fits: the address itself, else one for any address, else one with this port.
[[nodiscard]] const Listener* find_listener(std::span<const Listener> listeners, const Query& query);

}  // namespace svd::ipc

// SPDX-License-Identifier: Apache-2.0
// What the files of the channels' adapter share.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ipc/envelope.h"
#include "ipc/primary.h"
#include "ipc/router.h"
#include "kernel/channel_budget.h"
#include "kernel/channel_link.h"
#include "kernel/channel_memory.h"
#include "kernel/channels.h"
#include "kernel/connect_probe.h"
#include "kernel/connection_passer.h"
#include "kernel/notify.h"
#include "kernel/open_as.h"

namespace svd {

struct Channels::State {
  // One start that has a channel, or whose readiness is watched for here.
  struct Entry {
    StartId id{};
    SlotId slot;
    ChannelKind channel = ChannelKind::none;
    ReadyGate gate;
    std::optional<Given> given;  // absent: a former engine did not save it
    std::int64_t pid = 0;        // 0: not known yet
    bool told_ready = false;
    bool told_drained = false;
    bool told_main_pid = false;
    bool ended = false;  // its main process has
    bool gone = false;   // all of it has; what it had said is still being handled

    ChannelMemory::PlacePtr place;
    std::unique_ptr<ChannelLink> link;  // nullptr: no channel, or it is closed
    std::optional<ipc::FrameReader> reader;
    IoWatch watch;
    bool reading = true;   // EPOLLIN is wanted
    bool writing = false;  // EPOLLOUT is
    StartId waits_for{};   // there is no room for what it said: it is not read from
    TimePoint progress{};  // when it last read something, or had read all
    struct Refused {
      std::size_t count = 0;
      std::string why;
    };
    std::map<std::string, Refused> refused;  // letters, of which it could not be told yet
    // Sent with a descriptor and not acknowledged, in order.
    struct Lent {
      std::string line;
      std::optional<ipc::Shared> socket{};  // absent: nothing that could be sent again
      std::uint64_t connection = 0;         // the number of a connection that was passed on
      int tries = 1;
    };
    std::deque<Lent> lent;
    std::string status;
    std::unique_ptr<NotifySocket> notify;
    std::unique_ptr<ConnectProbe> probe;
  };
  struct App {
    App(AppId id_in, std::uint64_t first_seq) : id{std::move(id_in)}, primary{first_seq} {}
    AppId id;
    ipc::Primary primary;
    ChannelMemory::PlacePtr place;
    std::map<std::string, OpenedPath> opened;                   // key → what has to be removed with it
    std::map<Name, std::unique_ptr<ConnectionPasser>> passers;  // of listeners that are served round robin
  };

  State(const Loop& loop_in, Holder& holder_in, SharedSockets& sockets_in, ChannelOptions options_in,
        ChannelHandlers handlers_in);

  // channels.cpp
  Result<> arm();
  Result<UniqueFd> open(LaunchPlan& plan, const Given& given);
  Result<UniqueFd> connect(Entry& entry);
  Result<> listen_for(Entry& entry);
  void prepare_node(LaunchPlan& plan) const;
  void on_notification(Entry& entry, const Notification& said);
  void spawned(Entry& entry, std::int64_t pid);
  void drop(StartId id);
  void tell_ready(Entry& entry);
  void tell_drained(Entry& entry);
  void tell_drained_again(const Entry& entry);
  void tell();
  void log(const std::string& text) const;
  App& app_of(const AppId& id);

  // channels_traffic.cpp
  void on_io(Entry& entry, std::uint32_t revents);
  void read_turn(Entry& entry);
  void read_rest(Entry& entry);
  bool handle_lines(Entry& entry);  // false: there are more, for another turn
  bool handle_some(Entry& entry, budget::Turn* turn);
  bool handle(Entry& entry, const ipc::Frame& frame);
  void cut_off(Entry& entry, const std::string& why);
  bool bound_fds(Entry& entry);
  void bound_bytes(Entry& entry);
  [[nodiscard]] static bool is_burdened(const Entry& entry, std::size_t bytes);
  bool refuse_copies(Entry& entry, const ipc::Envelope& envelope, std::size_t size, std::size_t targets);
  bool handle_line(Entry& entry, const ipc::Line& line);
  bool program_says(Entry& entry, const ipc::Line& line, UniqueFd fd);
  bool route(Entry& entry, const ipc::Envelope& envelope, const ipc::Line& line, const UniqueFd& fd);
  void refuse(Entry& entry, const std::string& to, const std::string& id, const std::string& why);
  void tell_refused(Entry& entry);
  void handle_lost(Entry& entry);
  void write(Entry& entry, const std::string& line, int fd = -1);
  void write_handle(Entry& entry, Entry::Lent lent, int fd);
  void flush(Entry& entry);
  void flush_all();
  void close(Entry& entry);
  void update_watch(Entry& entry);
  [[nodiscard]] ipc::Room room_of(StartId id) const;
  void wait_for(Entry& entry, StartId target);
  void stop_waiting(const Entry& entry, StartId target);
  void wake_those_who_wait_for(StartId target);
  void out_of_patience();
  void set_patience();
  void run_later(Entry& entry);
  void run();
  void run(Entry& entry);
  [[nodiscard]] std::vector<StartId> take_runnable();

  // channels_effects.cpp
  void carry_out(App& app);
  void lend(App& app, const ipc::Write& write);
  SocketOpener& opener_of(const AppId& id);
  void open_socket(App& app, const ipc::Open& open);
  void socket_opened(const AppId& id, const ipc::Open& open, const Given& given,
                     Result<SocketOpener::Opened> opened);
  void shut_socket(App& app, const std::string& key);
  // -1: it is not there.
  [[nodiscard]] int find_socket(const App& app, StartId id, const ipc::Shared& socket) const;
  [[nodiscard]] int find_declared(const App& app, const ipc::Query& query) const;
  void serve(App& app, const ipc::Serves& serves);
  void stop_serving(App& app, const ipc::Leaves& leaves);
  void answered(App& app, StartId id, std::uint64_t number, bool accepted);
  void gone(App& app, StartId id);
  std::uint64_t pass(App& app, const ipc::Rotation::Turn& turn, int connection);

  // channels_saved.cpp
  void save(App& app);
  void save(Entry& entry);
  void take_over(std::span<const KnownChild> children);
  bool restore_app(ChannelMemory::PlacePtr& place);
  Entry* restore_entry(ChannelMemory::PlacePtr& place, std::span<const KnownChild> children);
  void reconnect(Entry& entry);
  void release_strangers();
  void remove_old_sockets() const;

  [[nodiscard]] Entry* find(StartId id) const {
    const auto found = entries.find(id);
    return found == entries.end() ? nullptr : found->second.get();
  }

  const Loop& loop;
  Holder& holder;
  SharedSockets& sockets;
  ChannelOptions options;
  ChannelHandlers handlers;
  std::unique_ptr<ChannelMemory> memory;
  std::map<AppId, std::unique_ptr<App>> apps;
  std::map<StartId, std::unique_ptr<Entry>> entries;
  std::map<AppId, std::unique_ptr<SocketOpener>> openers;  // while they have something to do
  ipc::Directory directory;

  std::vector<Event> events;
  Idle telling;                                  // tells what arose in port calls
  std::set<StartId> runnable;                    // there may be lines that nobody has handled
  StartId last_run{};                            // of these
  Idle running;                                  // when all else has had its turn
  Nanos turns{0};                                // that they took since then
  std::map<StartId, std::set<StartId>> waiting;  // target → who waits for it
  std::set<StartId> unflushed;                   // something was written to them in this turn
  Timer patience;                                // with those who are waited for
  Timer settling;                                // Primary::wake()
  Timer retry;                                   // of what the kernel refused for want of resources
};

// Names at the keeper.
[[nodiscard]] std::string channel_name(StartId id);
[[nodiscard]] std::string notify_name(StartId id);
[[nodiscard]] std::string socket_name(const AppId& app, const std::string& key);

}  // namespace svd

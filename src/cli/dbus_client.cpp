// SPDX-License-Identifier: Apache-2.0
#include "cli/dbus_client.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <set>
#include <utility>

#include "base/text.h"
#include "cli/patience.h"
#include "cli/peer.h"
#include "cli/sdbus_compat.h"
#include "cli/wire.h"

namespace svd::cli {
namespace {

constexpr const char* service = "org.svd1";
constexpr const char* root_path = "/org/svd1";
constexpr const char* manager_interface = "org.svd1.Manager";
constexpr const char* properties_interface = "org.freedesktop.DBus.Properties";

struct Translation {
  std::string_view name;
  std::errc code;
};
// D-Bus error names → codes of the Client's contract. sd-bus names a lost connection after its errno.
constexpr std::array translations{
    Translation{"org.svd1.Error.NotFound", std::errc::no_such_process},
    Translation{"org.svd1.Error.InvalidFile", std::errc::invalid_argument},
    Translation{"org.freedesktop.DBus.Error.UnknownObject", std::errc::no_such_process},
    Translation{"org.freedesktop.DBus.Error.AccessDenied", std::errc::permission_denied},
    Translation{"org.freedesktop.DBus.Error.FileNotFound", std::errc::connection_refused},
    Translation{"System.Error.ENOENT", std::errc::connection_refused},
    Translation{"System.Error.ENOTDIR", std::errc::connection_refused},
    Translation{"System.Error.ECONNREFUSED", std::errc::connection_refused},
    Translation{"org.freedesktop.DBus.Error.NoServer", std::errc::connection_refused},
    Translation{"System.Error.EACCES", std::errc::permission_denied},
    Translation{"System.Error.EPERM", std::errc::permission_denied},
    Translation{"org.freedesktop.DBus.Error.Timeout", std::errc::timed_out},
    Translation{"org.freedesktop.DBus.Error.NoReply", std::errc::not_connected},
    Translation{"org.freedesktop.DBus.Error.Disconnected", std::errc::not_connected},
    Translation{"System.Error.ECONNRESET", std::errc::not_connected},
    Translation{"System.Error.EPIPE", std::errc::not_connected},
    Translation{"System.Error.ENOTCONN", std::errc::not_connected},
    Translation{"System.Error.ESHUTDOWN", std::errc::not_connected},
    Translation{"System.Error.EINTR", std::errc::interrupted},
};

tl::unexpected<Error> failure(const sdbus::Error& error) {
  const std::string name = error.getName();
  const auto* const known = std::ranges::find(translations, std::string_view{name}, &Translation::name);
  std::string text = error.getMessage();
  if (text.empty()) text = name;
  if (name == "System.Error.EINTR")  // Ctrl-C while an answer was awaited
    text = "interrupted before the daemon answered; what was asked for may be done all the same";
  return fail(known == translations.end() ? std::errc::io_error : known->code, std::move(text));
}

// Runs what may throw in sdbus-c++; no exception leaves this file.
template <class Body>
auto guarded(Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const sdbus::Error& error) {
    return failure(error);
  } catch (const std::exception& error) {
    return fail(std::errc::io_error, std::string{"cannot talk to the daemon: "} + error.what());
  }
}

template <class View, class Row>
Result<std::vector<View>> convert_all(const std::vector<Row>& rows, Result<View> (*convert)(const Row&)) {
  std::vector<View> views;
  views.reserve(rows.size());
  for (const auto& row : rows) {
    SVD_TRY(auto view, convert(row));
    views.push_back(std::move(view));
  }
  return views;
}

const char* method_of(Action action) {
  switch (action) {
    case Action::start:
      return "Start";
    case Action::stop:
      return "Stop";
    case Action::restart:
      return "Restart";
    case Action::reload:
      return "Reload";
    case Action::remove:
      return "Delete";
  }
  return "";
}

const char* method_of(Steer what) {
  switch (what) {
    case Steer::pause:
      return "Pause";
    case Steer::resume:
      return "Resume";
    case Steer::abort:
      return "Abort";
  }
  return "";
}

wire::Properties options_of(const Source& source) {
  wire::Properties options;
  options["directory"] = sdbus::Variant{source.directory};
  if (!source.profile.empty()) options["profile"] = sdbus::Variant{source.profile};
  if (!source.env_files.empty()) options["env_files"] = sdbus::Variant{source.env_files};
  if (!source.pass_env.empty()) options["environment"] = sdbus::Variant{source.pass_env};
  return options;
}

class DbusClient final : public Client {
 public:
  explicit DbusClient(const Endpoint& where) : address_{where.address}, is_chosen_{where.is_chosen} {}

  Result<> open() {
    return asked([&]() -> Result<> {
      change_proxy_.reset();
      manager_.reset();
      if (!is_chosen_) SVD_CHECK(check_listener(address_, ::geteuid()));
      connection_ = sdbus::createSessionBusConnectionWithAddress(address_);
      // On this very connection, too: what listens there may have been exchanged meanwhile.
      if (!is_chosen_) SVD_CHECK(check_peer(connection_->getEventLoopPollData().fd, address_, ::geteuid()));
      connection_->setMethodCallTimeout(call_timeout);
      subscribe_manager();
      if (watched_ != ChangeId{}) watch_progress();
      return {};
    });
  }

  Result<Begun> apply(const Source& source) override {
    return asked([&]() -> Result<Begun> {
      sdbus::ObjectPath change;
      Begun begun;
      manager_->callMethod("Apply")
          .onInterface(manager_interface)
          .withArguments(source.text, source.file, options_of(source))
          .storeResultsTo(change, begun.revision);
      begun.change = wire::change_of(change);
      return begun;
    });
  }

  Result<std::vector<PlanStep>> plan(const Source& source) override {
    return asked([&] {
      std::vector<wire::Step> rows;
      manager_->callMethod("Plan")
          .onInterface(manager_interface)
          .withArguments(source.text, source.file, options_of(source))
          .storeResultsTo(rows);
      return convert_all<PlanStep>(rows, &wire::to_step);
    });
  }

  Result<Begun> act(Action action, const Names& names) override {
    return asked([&] {
      return begun_by(
          manager_->callMethod(method_of(action)).onInterface(manager_interface).withArguments(names));
    });
  }

  Result<Begun> steer(Steer what, const std::string& app) override {
    return asked([&] {
      return begun_by(
          manager_->callMethod(method_of(what)).onInterface(manager_interface).withArguments(app));
    });
  }

  Result<std::uint32_t> send(const Names& names, const std::string& json) override {
    return asked([&]() -> Result<std::uint32_t> {
      std::uint32_t reached = 0;
      manager_->callMethod("Send")
          .onInterface(manager_interface)
          .withArguments(names, json)
          .storeResultsTo(reached);
      return reached;
    });
  }

  Result<Begun> scale(const std::string& name, std::uint32_t instances) override {
    return asked([&] {
      return begun_by(
          manager_->callMethod("Scale").onInterface(manager_interface).withArguments(name, instances));
    });
  }

  Result<std::uint32_t> signal(const Names& names, int number, KillTarget whom) override {
    return asked([&]() -> Result<std::uint32_t> {
      std::uint32_t reached = 0;
      const std::string target = whom == KillTarget::main ? "main" : "group";
      manager_->callMethod("Signal")
          .onInterface(manager_interface)
          .withArguments(names, static_cast<std::int32_t>(number), target)
          .storeResultsTo(reached);
      return reached;
    });
  }

  Result<Begun> rollback(const std::string& ecosystem, std::uint64_t revision) override {
    return asked([&]() -> Result<Begun> {
      sdbus::ObjectPath change;
      Begun begun;
      manager_->callMethod("Rollback")
          .onInterface(manager_interface)
          .withArguments(ecosystem, revision)
          .storeResultsTo(change, begun.revision);
      begun.change = wire::change_of(change);
      return begun;
    });
  }

  Result<> shutdown(bool force) override {
    return asked([&]() -> Result<> {
      manager_->callMethod("Shutdown").onInterface(manager_interface).withArguments(force).storeResultsTo();
      return {};
    });
  }

  Result<> reexecute() override {
    return asked([&]() -> Result<> {
      manager_->callMethod("Reexecute").onInterface(manager_interface).withArguments().storeResultsTo();
      return {};
    });
  }

  Result<std::vector<AppView>> apps(const Names& names) override {
    return asked([&] {
      std::vector<wire::App> rows;
      manager_->callMethod("ListApps")
          .onInterface(manager_interface)
          .withArguments(names)
          .storeResultsTo(rows);
      return convert_all<AppView, wire::App>(rows, &wire::to_app);
    });
  }

  Result<AppView> app(const AppId& id) override {
    return asked([&] { return wire::to_app(all_properties(wire::app_path(id), "org.svd1.App")); });
  }

  Result<std::vector<InstanceView>> instances(const Names& names) override {
    return asked([&] {
      std::vector<wire::Instance> rows;
      manager_->callMethod("ListInstances")
          .onInterface(manager_interface)
          .withArguments(names)
          .storeResultsTo(rows);
      return convert_all<InstanceView>(rows, &wire::to_instance);
    });
  }

  Result<> measure(const Names& names, std::vector<InstanceView>& instances) override {
    return asked([&]() -> Result<> {
      std::vector<wire::Measured> rows;
      manager_->callMethod("ListUsage")
          .onInterface(manager_interface)
          .withArguments(names)
          .storeResultsTo(rows);
      std::map<std::pair<std::string, std::uint64_t>, Usage> known;  // a slot may have two processes
      for (const auto& row : rows)
        known[{std::get<0>(row), std::get<1>(row)}] = wire::to_usage(std::get<2>(row), std::get<3>(row));
      for (auto& view : instances)
        if (const auto usage = known.find({view.id.str(), view.start}); usage != known.end())
          view.usage = usage->second;
      return {};
    });
  }

  Result<ChangeReport> change(ChangeId id) override {
    return guarded(
        [&] { return wire::to_change(id, all_properties(wire::change_path(id), "org.svd1.Change")); });
  }

  Result<std::vector<RevisionView>> history(const std::string& ecosystem) override {
    return asked([&] {
      std::vector<wire::Revision> rows;
      manager_->callMethod("History")
          .onInterface(manager_interface)
          .withArguments(ecosystem)
          .storeResultsTo(rows);
      return convert_all<RevisionView>(rows, &wire::to_revision);
    });
  }

  Result<std::vector<EventRecord>> events(std::uint64_t after, std::uint32_t limit) override {
    return asked([&]() -> Result<std::vector<EventRecord>> {
      std::vector<wire::Event> rows;
      manager_->callMethod("ListEvents")
          .onInterface(manager_interface)
          .withArguments(after, limit)
          .storeResultsTo(rows);
      std::vector<EventRecord> records;
      std::ranges::transform(rows, std::back_inserter(records), &wire::to_event);
      return records;
    });
  }

  Result<DaemonView> daemon() override {
    return asked([&]() -> Result<DaemonView> {
      return wire::to_daemon(all_properties(root_path, manager_interface));
    });
  }

  Result<> subscribe(Topic topic) override {
    topics_.insert(topic);
    return guarded([&]() -> Result<> {
      subscribe_manager();
      return {};
    });
  }

  Result<> watch(ChangeId id) override {
    watched_ = id;
    return asked([&]() -> Result<> {
      subscribe_manager();
      watch_progress();
      return {};
    });
  }

  Result<Happening> wait(const WaitFor& what) override {
    return guarded([&]() -> Result<Happening> {
      while (true) {
        while (compat::process_one(*connection_)) {
        }
        if (!queue_.empty()) {
          auto next = std::move(queue_.front());
          queue_.pop_front();
          return next;
        }
        if (const auto woken = block(what); woken) return *woken;
      }
    });
  }

  Result<> reconnect(SteadyTime until) override {
    while (true) {
      auto opened = open();
      if (opened || std::chrono::steady_clock::now() >= until) return opened;
      constexpr int pause_ms = 50;
      ::poll(nullptr, 0, pause_ms);
    }
  }

 private:
  static Result<Begun> begun_by(sdbus::MethodInvoker& invoker) {
    sdbus::ObjectPath change;
    invoker.storeResultsTo(change);
    return Begun{wire::change_of(change), 0};
  }

  // A call that waits for an answer.
  template <class Body>
  auto asked(Body&& body) -> decltype(body()) {
    const PatientCall call{address_, {.until_given_up = call_timeout}};
    return guarded(std::forward<Body>(body));
  }

  wire::Properties all_properties(const std::string& path, const std::string& interface) {
    wire::Properties properties;
    const auto proxy = compat::proxy(*connection_, service, path);
    proxy->callMethod("GetAll")
        .onInterface(properties_interface)
        .withArguments(interface)
        .storeResultsTo(properties);
    return properties;
  }

  // A proxy takes no more handlers once it is registered (1.2), so each new wish makes a new one.
  void subscribe_manager() {
    manager_ = compat::proxy(*connection_, service, root_path);
    if (watched_ != ChangeId{})
      manager_->uponSignal("ChangeFinished")
          .onInterface(manager_interface)
          .call([this](const sdbus::ObjectPath& change, const std::string&, const std::string&) {
            if (wire::change_of(change) == watched_) queue_.push_back({.kind = Happening::Kind::finished});
          });
    if (topics_.contains(Topic::events))
      manager_->uponSignal("EventRecorded")
          .onInterface(manager_interface)
          .call([this](const std::uint64_t& sequence, const std::int64_t& when, const std::string& kind,
                       const std::string& subject, const std::string& text) {
            queue_.push_back(
                {.kind = Happening::Kind::event, .event = {sequence, {when}, kind, subject, text}});
          });
    if (topics_.contains(Topic::instances))
      manager_->uponSignal("InstanceChanged")
          .onInterface(manager_interface)
          .call([this](const std::string& instance, const std::string& phase, const std::string& reason,
                       const std::uint64_t&) {
            queue_.push_back(
                {.kind = Happening::Kind::instance, .instance = instance, .phase = phase, .reason = reason});
          });
    if (topics_.contains(Topic::messages))
      manager_->uponSignal("Message")
          .onInterface(manager_interface)
          .call([this](const std::string& from, const std::string& text) {
            queue_.push_back({.kind = Happening::Kind::message, .instance = from, .text = text});
          });
    if (!topics_.empty() || watched_ != ChangeId{}) compat::finish_registration(*manager_);
  }

  // Progress is a PropertiesChanged of the change's object; many in a row are one happening.
  void watch_progress() {
    change_proxy_ = compat::proxy(*connection_, service, wire::change_path(watched_));
    change_proxy_->uponSignal("PropertiesChanged")
        .onInterface(properties_interface)
        .call([this](const std::string&, const wire::Properties&, const std::vector<std::string>&) {
          const auto is_progress = [](const Happening& known) {
            return known.kind == Happening::Kind::progress;
          };
          if (std::ranges::none_of(queue_, is_progress))
            queue_.push_back({.kind = Happening::Kind::progress});
        });
    compat::finish_registration(*change_proxy_);
  }

  // nullopt: the bus is ready to be processed.
  std::optional<Happening> block(const WaitFor& what) {
    const auto bus = connection_->getEventLoopPollData();
    std::vector<pollfd> polled{{bus.fd, bus.events, 0}};
    for (const int fd : what.descriptors) polled.push_back({fd, POLLIN, 0});
    int timeout = bus.getPollTimeout();
    bool ours = false;  // the timeout that comes first is the caller's
    if (what.until) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(*what.until - std::chrono::steady_clock::now())
              .count();
      const int wanted = static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000));
      ours = timeout < 0 || wanted < timeout;
      if (ours) timeout = wanted;
    }
    const int ready = ::poll(polled.data(), polled.size(), timeout);
    for (std::size_t i = 1; ready > 0 && i < polled.size(); ++i)
      if (polled[i].revents != 0) return Happening{.kind = Happening::Kind::descriptor, .fd = polled[i].fd};
    if (ready == 0 && ours) return Happening{.kind = Happening::Kind::timeout};
    return std::nullopt;
  }

  std::string address_;
  bool is_chosen_;
  std::unique_ptr<sdbus::IConnection> connection_;
  std::unique_ptr<sdbus::IProxy> manager_, change_proxy_;
  std::set<Topic> topics_;
  ChangeId watched_{};
  std::deque<Happening> queue_;
};

}  // namespace

Result<std::unique_ptr<Client>> connect_dbus(const Endpoint& where) {
  auto client = std::make_unique<DbusClient>(where);
  SVD_CHECK(client->open());
  return std::unique_ptr<Client>{std::move(client)};
}

}  // namespace svd::cli

// SPDX-License-Identifier: Apache-2.0
#include "bus/system_bus.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "bus/hub.h"

namespace svd::bus {
namespace {

constexpr Millis first_pause{1000}, longest_pause{300'000};
constexpr const char* driver = "org.freedesktop.DBus";
constexpr const char* driver_path = "/org/freedesktop/DBus";
constexpr const char* local = "org.freedesktop.DBus.Local";
constexpr const char* local_path = "/org/freedesktop/DBus/Local";

Result<> check(int r, const char* what) {
  if (r < 0) return fail_errno(-r, what);
  return {};
}

std::string_view view_of(const char* text) { return text == nullptr ? "" : text; }

std::string error_of(sd_bus_message* reply) {
  const sd_bus_error* error = sd_bus_message_get_error(reply);
  return error == nullptr || error->message == nullptr ? "no reason given" : error->message;
}

// One entry of GetConnectionCredentials' a{sv} into `peer`; what is not known here is skipped.
int read_credential(sd_bus_message* reply, Peer& peer, bool& has_uid) {
  const char* key = nullptr;
  if (const int r = sd_bus_message_read_basic(reply, 's', &key); r < 0) return r;
  const std::string_view name = key;
  std::uint32_t number = 0;
  if (name == "UnixUserID") {
    has_uid = true;
    return sd_bus_message_read(reply, "v", "u", &peer.uid);
  }
  if (name == "ProcessID") {
    const int r = sd_bus_message_read(reply, "v", "u", &number);
    peer.pid = number;
    return r;
  }
  if (name != "UnixGroupIDs") return sd_bus_message_skip(reply, "v");
  if (const int r = sd_bus_message_enter_container(reply, 'v', "au"); r < 0) return r;
  if (const int r = sd_bus_message_enter_container(reply, 'a', "u"); r < 0) return r;
  while (sd_bus_message_read_basic(reply, 'u', &number) > 0) peer.groups.push_back(number);
  if (const int r = sd_bus_message_exit_container(reply); r < 0) return r;
  return sd_bus_message_exit_container(reply);
}

Result<Peer> read_credentials(sd_bus_message* reply) {
  const auto unreadable = [](int r) { return fail_errno(-r, "cannot read a client's credentials"); };
  Peer peer;
  bool has_uid = false;
  if (const int r = sd_bus_message_enter_container(reply, 'a', "{sv}"); r < 0) return unreadable(r);
  int more = 0;
  while ((more = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
    if (const int r = read_credential(reply, peer, has_uid); r < 0) return unreadable(r);
    if (const int r = sd_bus_message_exit_container(reply); r < 0) return unreadable(r);
  }
  if (more < 0) return unreadable(more);
  if (!has_uid) return fail(std::errc::permission_denied, "cannot tell who a client is");
  return peer;
}

}  // namespace

SystemBus::SystemBus(const Loop& loop, Hub& hub, std::string address)
    : loop_{loop}, hub_{hub}, address_{std::move(address)} {}
SystemBus::~SystemBus() = default;

Result<> SystemBus::start() {
  SVD_CHECK(sweep_.arm(loop_, Priority::bus, [this] { sweep(); }));
  SVD_CHECK(reader_rest_.arm(loop_, Priority::bus, [this] {
    readers_rest_ = false;
    serve_readers();
  }));
  SVD_CHECK(retry_.arm(loop_, Priority::bus, [this] {
    if (const auto done = connect(); !done) lost(done.error().text);
  }));
  return connect();
}

Result<> SystemBus::connect() {
  sd_bus* bus = nullptr;
  SVD_CHECK(check(sd_bus_new(&bus), "cannot use the system bus"));
  bus_.reset(bus);
  const auto steps = {sd_bus_set_address(bus, address_.c_str()),
                      sd_bus_set_bus_client(bus, 1),
                      sd_bus_negotiate_fds(bus, 0),
                      sd_bus_set_trusted(bus, 1),  // who may do what is decided by the session's connection
                      sd_bus_set_close_on_exit(bus, 0),
                      sd_bus_add_filter(bus, nullptr, &SystemBus::on_message, this),
                      sd_bus_match_signal(bus, nullptr, local, local_path, local, "Disconnected",
                                          &SystemBus::on_disconnected, this),
                      sd_bus_start(bus),
                      sd_bus_attach_event(bus, loop_.get(), static_cast<int>(Priority::message)),
                      sd_bus_request_name_async(bus, nullptr, "org.svd1", 0, &SystemBus::on_name, this)};
  for (const int r : steps) SVD_CHECK(check(r, "cannot connect to the system bus"));
  return {};
}

void SystemBus::note(std::string why) {
  if (!why.empty() && why != problem_) hub_.host().log(why);
  problem_ = std::move(why);
}

// Closing a bus is not for the middle of its own dispatch.
void SystemBus::lost(const std::string& why) {
  note("org.svd1 is not on the system bus: " + why);
  is_lost_ = true;
  sweep_.request();
  pause_ = pause_ == Millis{0} ? first_pause : std::min(pause_ * 2, longest_pause);
  if (const auto set = retry_.set(Loop::now().mono + pause_); !set) hub_.host().log(set.error().text);
}

int SystemBus::on_name(sd_bus_message* reply, void* self, sd_bus_error*) noexcept {
  auto& own = *static_cast<SystemBus*>(self);
  try {
    if (sd_bus_message_is_method_error(reply, nullptr) > 0) {
      own.lost(error_of(reply));
      return 0;
    }
    std::uint32_t answer = 0;
    sd_bus_message_read(reply, "u", &answer);
    if (answer == 1 || answer == 4) {  // DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER, …_ALREADY_OWNER
      own.note("");
      own.pause_ = Millis{0};
    } else {
      own.lost("somebody else has the name");
    }
  } catch (const std::exception&) {  // memory is out: without a name nobody finds us, and nothing is lost
  }
  return 0;
}

int SystemBus::on_disconnected(sd_bus_message*, void* self, sd_bus_error*) noexcept {
  try {
    static_cast<SystemBus*>(self)->lost("the connection to it has ended");
  } catch (const std::exception&) {
  }
  return 0;
}

int SystemBus::on_message(sd_bus_message* message, void* self, sd_bus_error* error) noexcept {
  try {
    if (sd_bus_message_is_method_call(message, nullptr, nullptr) <= 0) return 0;
    const char* interface = sd_bus_message_get_interface(message);
    if (interface != nullptr && std::string_view{interface} == "org.freedesktop.DBus.Peer") return 0;
    return static_cast<SystemBus*>(self)->take(message);
  } catch (const std::exception& exception) {
    return sd_bus_error_setf(error, "org.svd1.Error.Failed", "internal error: %s", exception.what());
  }
}

int SystemBus::refuse(sd_bus_message* message, const char* why) {
  sd_bus_reply_method_errorf(message, SD_BUS_ERROR_LIMITS_EXCEEDED, "%s", why);
  return 1;
}

int SystemBus::take(sd_bus_message* message) {
  const char* sender = sd_bus_message_get_sender(message);
  if (sender == nullptr) return 1;
  auto* session = open(sender);
  if (session == nullptr) return refuse(message, "too many clients of org.svd1");
  if (session->client && !session->reader) {
    forward(*session, message);
    return 1;
  }
  if (session->waiting.size() >= max_waiting) return refuse(message, "too many calls at once");
  wait_in_line(*session, message);
  return 1;
}

SystemBus::Session* SystemBus::open(const std::string& name) {
  const auto known = sessions_.find(name);
  if (known != sessions_.end()) return known->second->doomed ? nullptr : known->second.get();
  if (sessions_.size() >= max_sessions) return nullptr;
  auto session = std::make_unique<Session>();
  session->owner = this;
  session->name = name;
  const auto rule = "type='signal',sender='" + std::string{driver} + "',path='" + driver_path +
                    "',interface='" + driver + "',member='NameOwnerChanged',arg0='" + name + "',arg2=''";
  sd_bus_slot* slot = nullptr;
  if (sd_bus_add_match_async(bus_.get(), &slot, rule.c_str(), &SystemBus::on_farewell, nullptr,
                             session.get()) < 0)
    return nullptr;
  session->farewell.reset(slot);
  if (sd_bus_call_method_async(bus_.get(), &slot, driver, driver_path, driver, "GetConnectionCredentials",
                               &SystemBus::on_credentials, session.get(), "s", name.c_str()) < 0)
    return nullptr;
  session->credentials.reset(slot);
  return sessions_.emplace(name, std::move(session)).first->second.get();
}

int SystemBus::on_credentials(sd_bus_message* reply, void* session, sd_bus_error*) noexcept {
  auto& known = *static_cast<Session*>(session);
  try {
    known.owner->identified(known, reply);
  } catch (const std::exception&) {
    known.owner->doom(known);
  }
  return 0;
}

void SystemBus::identified(Session& session, sd_bus_message* reply) {
  if (session.doomed) return;
  auto attached = Result<>{};
  if (sd_bus_message_is_method_error(reply, nullptr) > 0) {
    attached = fail(std::errc::permission_denied, "cannot tell who a client is: " + error_of(reply));
  } else if (auto peer = read_credentials(reply)) {
    attached = attach(session, std::move(*peer));
  } else {
    attached = tl::make_unexpected(peer.error());
  }
  if (attached && session.reader) return serve_readers();
  for (const auto& call : std::exchange(session.waiting, {})) {
    if (attached)
      forward(session, call.get());
    else
      sd_bus_reply_method_errorf(call.get(), SD_BUS_ERROR_ACCESS_DENIED, "%s", attached.error().text.c_str());
  }
  if (!attached) doom(session);
}

Result<> SystemBus::attach(Session& session, Peer peer) {
  const Access known = access_of(peer, hub_.rules());
  session.reader = known == Access::none;
  session.uid = peer.uid;
  const auto of_user = std::ranges::count_if(
      sessions_, [&](const auto& entry) { return entry.second->reader && entry.second->uid == session.uid; });
  const auto readers =
      std::ranges::count_if(sessions_, [](const auto& entry) { return entry.second->reader; });
  if (session.reader && (static_cast<std::size_t>(readers) > max_reader_sessions ||
                         static_cast<std::size_t>(of_user) > max_user_sessions))
    return fail(std::errc::no_buffer_space, "too many clients of org.svd1");
  const Access access = session.reader ? Access::reader : known;
  SVD_TRY(session.client, pair_with_connection(std::move(peer), access, false));
  SVD_CHECK(check(sd_bus_match_signal(session.client.get(), nullptr, local, local_path, local, "Disconnected",
                                      &SystemBus::on_session_closed, &session),
                  "cannot serve a client"));
  if (listener_) return {};
  // What it hears is broadcast, so it sees what everybody may.
  SVD_TRY(listener_, pair_with_connection({}, Access::reader, true));
  return check(sd_bus_add_filter(listener_.get(), nullptr, &SystemBus::on_signal, this),
               "cannot pass signals on");
}

Result<SystemBus::BusPtr> SystemBus::pair_with_connection(Peer peer, Access access, bool hears_signals) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
    return fail_errno(errno, "cannot serve a client of the system bus");
  UniqueFd near{ends[0]}, far{ends[1]};
  SVD_CHECK(hub_.adopt(std::move(far), std::move(peer), access, hears_signals));
  sd_bus* bus = nullptr;
  SVD_CHECK(check(sd_bus_new(&bus), "cannot serve a client"));
  BusPtr client{bus};
  SVD_CHECK(check(sd_bus_set_fd(bus, near.get(), near.get()), "cannot serve a client"));
  (void)near.release();  // the bus owns it now
  const auto steps = {sd_bus_negotiate_fds(bus, 0), sd_bus_set_trusted(bus, 1),
                      sd_bus_set_close_on_exit(bus, 0), sd_bus_start(bus),
                      sd_bus_attach_event(bus, loop_.get(), static_cast<int>(Priority::message))};
  for (const int r : steps) SVD_CHECK(check(r, "cannot serve a client"));
  return client;
}

// True: its answer will come, or its session end.
bool SystemBus::forward(Session& session, sd_bus_message* message) {
  sd_bus_message* raw = nullptr;
  int r = sd_bus_message_new_method_call(
      session.client.get(), &raw, "org.svd1", sd_bus_message_get_path(message),
      sd_bus_message_get_interface(message), sd_bus_message_get_member(message));
  const MessagePtr copy{raw};
  if (r >= 0) r = sd_bus_message_copy(raw, message, 1);
  if (r >= 0 && sd_bus_message_get_expect_reply(message) <= 0) {
    sd_bus_message_set_expect_reply(raw, 0);
    sd_bus_send(session.client.get(), raw, nullptr);
    return false;
  }
  auto forwarded = std::make_unique<Forwarded>(Forwarded{this, MessagePtr{sd_bus_message_ref(message)}});
  sd_bus_slot* slot = nullptr;
  if (r >= 0)
    r = sd_bus_call_async(session.client.get(), &slot, raw, &SystemBus::on_reply, forwarded.get(),
                          UINT64_MAX);
  if (r < 0) {
    sd_bus_reply_method_errnof(message, -r, "cannot serve this call: %s", errno_text(-r).c_str());
    return false;
  }
  // Owned by the slot, which sd-bus keeps until the reply came or the connection ended.
  sd_bus_slot_set_destroy_callback(slot, [](void* done) { delete static_cast<Forwarded*>(done); });
  (void)forwarded.release();
  sd_bus_slot_set_floating(slot, 1);
  sd_bus_slot_unref(slot);
  return true;
}

int SystemBus::on_reply(sd_bus_message* reply, void* forwarded, sd_bus_error*) noexcept {
  const auto& done = *static_cast<Forwarded*>(forwarded);
  try {
    done.owner->pass_back(done.call.get(), reply);
    if (done.owner->reading_ == view_of(sd_bus_message_get_sender(done.call.get())))
      done.owner->reader_served();
  } catch (const std::exception&) {  // the client's own timeout tells it
  }
  return 0;
}

void SystemBus::pass_back(sd_bus_message* call, sd_bus_message* reply) {
  if (const sd_bus_error* error = sd_bus_message_get_error(reply); error != nullptr) {
    sd_bus_reply_method_error(call, error);
    return;
  }
  sd_bus_message* raw = nullptr;
  int r = sd_bus_message_new_method_return(call, &raw);
  const MessagePtr answer{raw};
  if (r >= 0) r = sd_bus_message_copy(raw, reply, 1);
  if (r >= 0) r = sd_bus_send(bus_.get(), raw, nullptr);
  if (r < 0) hub_.host().log("cannot send a reply over the system bus: " + errno_text(-r));
}

int SystemBus::on_signal(sd_bus_message* message, void* self, sd_bus_error*) noexcept {
  std::uint8_t type = 0;
  if (sd_bus_message_get_type(message, &type) < 0 || type != SD_BUS_MESSAGE_SIGNAL) return 0;
  const char* interface = sd_bus_message_get_interface(message);
  if (interface == nullptr || std::string_view{interface} == local) return 0;
  try {
    static_cast<SystemBus*>(self)->broadcast(message);
  } catch (const std::exception&) {  // a signal is news, and the next one may get through
  }
  return 1;
}

// A bus that does not read costs its listeners signals, not us memory: sd-bus bounds what is queued.
void SystemBus::broadcast(sd_bus_message* signal) {
  if (!bus_ || is_lost_) return;
  sd_bus_message* raw = nullptr;
  int r = sd_bus_message_new_signal(bus_.get(), &raw, sd_bus_message_get_path(signal),
                                    sd_bus_message_get_interface(signal), sd_bus_message_get_member(signal));
  const MessagePtr copy{raw};
  if (r >= 0) r = sd_bus_message_copy(raw, signal, 1);
  if (r >= 0) sd_bus_send(bus_.get(), raw, nullptr);
}

int SystemBus::on_farewell(sd_bus_message*, void* session, sd_bus_error*) noexcept {
  auto& gone = *static_cast<Session*>(session);
  gone.owner->doom(gone);
  return 0;
}

int SystemBus::on_session_closed(sd_bus_message*, void* session, sd_bus_error*) noexcept {
  auto& closed = *static_cast<Session*>(session);
  closed.owner->doom(closed);
  return 0;
}

void SystemBus::doom(Session& session) {
  session.doomed = true;
  sweep_.request();
}

void SystemBus::sweep() {
  std::erase_if(sessions_, [this](const auto& entry) { return is_lost_ || entry.second->doomed; });
  if (!reading_.empty() && !sessions_.contains(reading_)) reader_served();
  if (sessions_.empty()) listener_.reset();
  if (!std::exchange(is_lost_, false)) return;
  bus_.reset();
}

}  // namespace svd::bus

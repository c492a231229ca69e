// SPDX-License-Identifier: Apache-2.0
#include "bus/harness.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "support/catch.h"

namespace svd::test {
namespace {

void require(bool good, const char* what) {
  if (!good) throw std::runtime_error{std::string{what} + ": " + std::strerror(errno)};
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  require(path.size() < sizeof address.sun_path, "path");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Loop make_loop() {
  auto loop = Loop::make();
  require(loop.has_value(), "loop");
  return std::move(*loop);
}

}  // namespace

Harness::Harness(bus::Limits limits, std::optional<bus::AccessRules> rules) : loop{make_loop()} {
  char name[] = "/tmp/svd-bus-XXXXXX";
  require(::mkdtemp(name) != nullptr, "mkdtemp");
  directory_ = name;
  require(::chmod(name, 0755) == 0, "chmod");
  listening_ = UniqueFd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const auto address = address_of(path());
  require(::bind(listening_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind");
  require(::listen(listening_.get(), 4096) == 0, "listen");
  require(::chmod(path().c_str(), 0666) == 0, "chmod");
  server = std::make_unique<bus::BusServer>(loop, host,
                                            rules.value_or(bus::AccessRules{.own_uid = ::getuid()}), limits);
  require(server->serve(listening_.get(), control).has_value(), "serve");
}

Harness::~Harness() {
  server.reset();
  ::unlink(path().c_str());
  ::rmdir(directory_.c_str());
}

void Harness::until(const std::function<bool()>& done) {
  const auto deadline = Loop::now().mono + Millis{20'000};
  while (!done()) {
    if (Loop::now().mono > deadline) throw std::runtime_error{"waited in vain"};
    require(sd_event_run(loop.get(), 1'000'000) >= 0, "loop");
  }
}

void Harness::settle() {
  while (sd_event_run(loop.get(), 0) > 0) {
  }
}

Bus Harness::connect() {
  sd_bus* raw_bus = nullptr;
  require(sd_bus_new(&raw_bus) >= 0, "bus");
  Bus bus{raw_bus};
  sd_bus_set_address(raw_bus, address().c_str());
  sd_bus_set_bus_client(raw_bus, 1);
  require(sd_bus_start(raw_bus) >= 0, "start");
  require(sd_bus_attach_event(raw_bus, loop.get(), 0) >= 0, "attach");
  until([&] { return sd_bus_is_ready(raw_bus) != 0; });
  return bus;
}

Message Harness::call(sd_bus* bus, const char* path, const char* interface, const char* member,
                      const std::function<void(sd_bus_message*)>& arguments, const char* destination) {
  sd_bus_message* raw_call = nullptr;
  require(sd_bus_message_new_method_call(bus, &raw_call, destination, path, interface, member) >= 0, "call");
  const Message request{raw_call};
  if (arguments) arguments(raw_call);
  Message reply;
  const auto keep = [](sd_bus_message* message, void* into, sd_bus_error*) -> int {
    static_cast<Message*>(into)->reset(sd_bus_message_ref(message));
    return 0;
  };
  require(sd_bus_call_async(bus, nullptr, raw_call, keep, &reply, 0) >= 0, "call_async");
  until([&] { return reply != nullptr; });
  return reply;
}

UniqueFd Harness::raw() const {
  UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const auto address = address_of(path());
  require(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "connect");
  return fd;
}

Ended Harness::in_child(const std::function<int()>& body) {
  int ends[2];
  require(::pipe2(ends, O_CLOEXEC) == 0, "pipe");
  UniqueFd read_end{ends[0]};
  UniqueFd write_end{ends[1]};
  const auto pid = ::fork();
  require(pid >= 0, "fork");
  if (pid == 0) {
    ::dup2(write_end.get(), 1);
    ::dup2(write_end.get(), 2);
    write_end.reset();
    ::_exit(body());
  }
  write_end.reset();
  Ended ended;
  bool at_end = false;
  IoWatch watch;
  require(watch
              .arm(loop, read_end.get(), EPOLLIN, Priority::client,
                   [&](std::uint32_t) {
                     char buffer[65536];
                     const auto got = ::read(read_end.get(), buffer, sizeof buffer);
                     if (got > 0)
                       ended.output.append(buffer, static_cast<std::size_t>(got));
                     else
                       at_end = true;
                   })
              .has_value(),
          "watch");
  until([&] { return at_end; });
  int status = 0;
  require(::waitpid(pid, &status, 0) == pid, "waitpid");
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return ended;
}

Ended Harness::run(std::vector<std::string> argv) {
  for (auto& argument : argv)
    if (const auto at = argument.find("{}"); at != std::string::npos) argument.replace(at, 2, address());
  return in_child([&] {
    std::vector<char*> pointers;
    for (auto& argument : argv) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    ::execvp(pointers[0], pointers.data());
    return 127;
  });
}

Ended Harness::busctl(std::vector<std::string> arguments) {
  std::vector<std::string> argv{"busctl", "--no-pager", "--address={}"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run(std::move(argv));
}

std::string error_name(const Message& reply) {
  const sd_bus_error* error = sd_bus_message_get_error(reply.get());
  return error == nullptr ? "" : error->name;
}

std::string error_text(const Message& reply) {
  const sd_bus_error* error = sd_bus_message_get_error(reply.get());
  return error == nullptr ? "" : error->message;
}

}  // namespace svd::test

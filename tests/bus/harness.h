// SPDX-License-Identifier: Apache-2.0
// A BusServer on a socket of its own, and clients of it, all on one loop in one thread: tests wait for
// events, never for time. A program that blocks (busctl, an sdbus-c++ client) runs in a child while the loop
// turns here.
#pragma once

#include <systemd/sd-bus.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "bus/fake_control.h"
#include "bus/server.h"
#include "loop/loop.h"

namespace svd::test {

struct Unref {
  void operator()(sd_bus* bus) const noexcept { sd_bus_close_unref(bus); }
  void operator()(sd_bus_message* message) const noexcept { sd_bus_message_unref(message); }
};
using Bus = std::unique_ptr<sd_bus, Unref>;
using Message = std::unique_ptr<sd_bus_message, Unref>;

struct Ended {
  int status = -1;  // exit code, or minus the signal
  std::string output;
};

class Harness {
 public:
  explicit Harness(bus::Limits limits = {}, std::optional<bus::AccessRules> rules = {});
  ~Harness();

  FakeControl control;
  FakeHost host;
  Loop loop;
  std::unique_ptr<bus::BusServer> server;
  [[nodiscard]] std::string address() const { return "unix:path=" + path(); }
  [[nodiscard]] std::string path() const { return directory_ + "/bus"; }
  [[nodiscard]] const std::string& directory() const { return directory_; }

  // Turns the loop until `done`; fails the test after 20 s.
  void until(const std::function<bool()>& done);
  // Turns it until nothing more happens.
  void settle();

  // A client that has said Hello.
  [[nodiscard]] Bus connect();
  // The reply or error of one call, as a message.
  [[nodiscard]] Message call(sd_bus* bus, const char* path, const char* interface, const char* member,
                             const std::function<void(sd_bus_message*)>& arguments = {},
                             const char* destination = "org.svd1");
  [[nodiscard]] Message call_manager(sd_bus* bus, const char* member,
                                     const std::function<void(sd_bus_message*)>& arguments = {}) {
    return call(bus, "/org/svd1", "org.svd1.Manager", member, arguments);
  }
  // Connected, nothing said.
  [[nodiscard]] UniqueFd raw() const;
  // Runs a program to its end; `{}` in an argument is the address. Output: stdout and stderr.
  [[nodiscard]] Ended run(std::vector<std::string> argv);
  // Runs `body` in a forked child; its result is the exit code.
  [[nodiscard]] Ended in_child(const std::function<int()>& body);
  [[nodiscard]] Ended busctl(std::vector<std::string> arguments);

 private:
  std::string directory_;
  UniqueFd listening_;
};

// "org.svd1.Error.NotFound" of an error reply; "" of a good one.
std::string error_name(const Message& reply);
std::string error_text(const Message& reply);

}  // namespace svd::test

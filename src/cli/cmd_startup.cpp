// SPDX-License-Identifier: Apache-2.0
// startup: the daemon comes with the machine, or with a user who need not log in.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/command_line.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

using Words = std::vector<std::string>;

std::string line_of(const Words& argv) {
  std::string line;
  for (const auto& word : argv) line += (line.empty() ? "" : " ") + word;
  return line;
}

class Startup {
 public:
  explicit Startup(const Context& context) : context_{context} {}

  Result<Exit> run(bool disable) {
    SVD_CHECK(check());
    auto done = disable ? take_away() : is_system() ? enable_system() : enable_user();
    SVD_CHECK(std::move(done));
    return Exit::ok;
  }

 private:
  [[nodiscard]] bool is_system() const { return context_.system.uid == 0; }

  Result<> check() const {
    if (const auto home = context_.system.environment("SVD_HOME"); home && !home->empty())
      return fail(
          std::errc::invalid_argument,
          "cannot install the daemon of $SVD_HOME: startup is for the daemon of the system or of a user; "
          "unset SVD_HOME");
    if (!context_.system.exists("/run/systemd/system"))
      return fail(
          std::errc::not_supported,
          "cannot install: systemd does not run here; let whatever starts programs on this machine run "
          "'svd --foreground'");
    return {};
  }

  // Installed below a prefix that systemd does not search, a unit is enabled by its path.
  [[nodiscard]] std::string unit(const std::string& name) const {
    const std::string place = is_system() ? "system/" : "user/";
    for (const char* known : {"/usr", "", "/usr/local"})
      if (context_.system.prefix == known) return name;
    return context_.system.prefix + "/lib/systemd/" + place + name;
  }

  // The message bus looks for policies in /usr/share and /etc alone: without one nobody may have our name.
  static constexpr std::string_view policy = "/etc/dbus-1/system.d/org.svd1.conf";
  [[nodiscard]] bool needs_policy() const {
    const auto& prefix = context_.system.prefix;
    return prefix != "/usr" && !prefix.empty() && context_.system.exists("/etc/dbus-1/system.d") &&
           context_.system.exists("/run/dbus/system_bus_socket");
  }

  Result<> must(const Words& argv) const {
    context_.out("+ " + line_of(argv) + "\n");
    SVD_TRY(const auto status, context_.system.run(argv));
    if (status == 0) return {};
    return fail(std::errc::io_error,
                "cannot go on: '" + line_of(argv) + "' ended with " + std::to_string(status));
  }

  [[nodiscard]] bool runs_already() const {
    const auto client = context_.connect();
    return client.has_value();
  }

  // What is supervised goes on as it is: the daemon that runs is not exchanged for another one.
  void leave_running(const std::string& how) const {
    context_.out(
        "a daemon runs already and goes on; systemd starts it from the next boot on. To hand over now, which "
        "restarts all apps: svctl daemon stop && " +
        how + "\n");
  }

  static constexpr std::string_view group_is_root =
      "members of the group svd may run any program as any user: the group svd is root\n";

  Result<> enable_system() const {
    const auto& prefix = context_.system.prefix;
    SVD_CHECK(must({"systemd-sysusers", prefix + "/lib/sysusers.d/svd.conf"}));
    SVD_CHECK(must({"systemd-tmpfiles", "--create", prefix + "/lib/tmpfiles.d/svd.conf"}));
    if (needs_policy()) {
      SVD_CHECK(must({"ln", "-sfn", prefix + "/share/dbus-1/system.d/org.svd1.conf", std::string{policy}}));
      SVD_CHECK(must({"systemctl", "reload", "dbus.service"}));
    }
    SVD_CHECK(must({"systemctl", "enable", unit("svd.service"), unit("svd.socket")}));
    if (runs_already()) {
      leave_running("systemctl start svd");
      return {};
    }
    SVD_CHECK(must({"systemctl", "start", "svd.socket", "svd.service"}));
    context_.out("svd runs, and comes with the machine\n" + std::string{group_is_root});
    return {};
  }

  // The manager of a user who is not logged in. Without polkit only root may switch that on, and logind
  // refuses even to be told what is so already.
  Result<> linger() const {
    const auto user = context_.system.user_name();
    if (context_.system.exists("/var/lib/systemd/linger/" + user)) return {};
    auto done = must({"loginctl", "enable-linger"});
    if (!done)
      done.error().text +=
          "; where you may not do that, ask root for 'loginctl enable-linger " + user + "', and try again";
    return done;
  }

  Result<> enable_user() const {
    SVD_CHECK(linger());
    SVD_CHECK(must({"systemctl", "--user", "enable", unit("svd.service")}));
    if (runs_already()) {
      leave_running("systemctl --user start svd");
      return {};
    }
    SVD_CHECK(must({"systemctl", "--user", "start", "svd.service"}));
    context_.out("svd runs, and comes with the machine, also when you are not logged in\n");
    return {};
  }

  Result<> take_away() const {
    if (is_system()) {
      SVD_CHECK(must({"systemctl", "disable", "svd.service", "svd.socket"}));
      if (needs_policy() && context_.system.exists(std::string{policy}))
        return must({"rm", std::string{policy}});
      return {};
    }
    SVD_CHECK(must({"systemctl", "--user", "disable", "svd.service"}));
    context_.out(
        "other services of yours may need the rest: 'loginctl disable-linger' ends what runs while you are "
        "not logged in\n");
    return {};
  }

  const Context& context_;
};

}  // namespace

void add_startup(CLI::App& root, Context& context) {
  auto disable = std::make_shared<bool>(false);
  auto* command =
      root.add_subcommand("startup", "Have systemd start the daemon: with the machine, or for your user")
          ->group("Daemon");
  command->add_flag("--disable", *disable, "Take it back; what runs goes on");
  command->footer("svctl startup");
  command->callback([disable, &context] { context.finish(Startup{context}.run(*disable)); });
}

}  // namespace svd::cli

// SPDX-License-Identifier: Apache-2.0
// What happens when descriptors run out, in the engine or in the keeper: things take longer or fail with
// their reason, but nobody is lost, and nobody is taken for gone who is not.
#include <sys/resource.h>

#include "processes_support.h"

using namespace svd;
using namespace svd::test;

namespace {

// Until relax(), and at most until the end of the test, this process can open `spare` more descriptors.
class Shortage {
 public:
  explicit Shortage(std::size_t spare) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit low{200, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
    for (int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC); fd >= 0;
         fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC))
      taken_.emplace_back(fd);
    REQUIRE(taken_.size() > spare);
    taken_.resize(taken_.size() - spare);
  }
  Shortage(const Shortage&) = delete;
  Shortage& operator=(const Shortage&) = delete;
  ~Shortage() { relax(); }
  void relax() {
    taken_.clear();
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }

 private:
  rlimit before_{};
  std::vector<UniqueFd> taken_;
};

bool is_watched(Lab& lab, const std::vector<StartId>& ids) {
  return std::ranges::all_of(ids, [&](StartId id) {
    const auto known = lab.processes->children();
    const auto child = std::ranges::find(known, id, &KnownChild::id);
    return child != known.end() && (child->exited || is_alive(child->pid));
  });
}

}  // namespace

TEST_CASE("an engine without descriptors takes nobody for gone who is not", "[processes][shortage]") {
  Lab lab{GENERATE(true, false)};
  lab.make_fifo("up");
  auto plan = lab.plan({"/bin/sh", "-c", "setsid sh -c 'echo $$ > up; exec sleep 1000' & exec sleep 1000"});
  const auto id = plan.id;
  const auto pid = lab.start(std::move(plan));
  const auto stray = std::stoll(lab.read_fifo("up"));
  Shortage shortage{0};
  REQUIRE(::kill(static_cast<pid_t>(pid), SIGKILL) == 0);
  lab.exit_of(id);
  lab.processes->kill(id);
  CHECK_FALSE(lab.run_until([&] { return lab.find<Gone>(id) != nullptr; }, Millis{250}));
  shortage.relax();
  lab.wait<Gone>(id);
  CHECK_FALSE(is_alive(stray));
}

TEST_CASE("a start whose log cannot be kept for later is sent all the same", "[processes][shortage]") {
  Lab lab;
  lab.start(lab.plan({"/bin/sleep", "1000"}));
  const UniqueFd log{::open((lab.home / "log").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600)};
  lab.stdio.kind = Stdio::Kind::fd;
  lab.stdio.fd = log.get();
  // The keeper does not read for a while; the socket fills up, and each start beyond that waits with its
  // descriptor.
  REQUIRE(::kill(static_cast<pid_t>(lab.keeper), SIGSTOP) == 0);
  const auto helper = ::fork();
  if (helper == 0) {
    ::usleep(200'000);  // pace: earlier than the socket is full would only make this easier
    ::kill(static_cast<pid_t>(lab.keeper), SIGCONT);
    ::_exit(0);
  }
  std::vector<StartId> ids;
  {
    const Shortage shortage{8};
    for (int i = 0; i < 60; ++i) {
      auto plan = lab.plan({"/bin/true"});
      plan.envp.push_back("BIG=" + std::string(50'000, 'x'));
      ids.push_back(plan.id);
      lab.processes->spawn(std::move(plan));
      lab.processes->flush();
    }
  }
  ::waitpid(helper, nullptr, 0);
  for (const auto id : ids) {
    REQUIRE(lab.run_until(
        [&] { return lab.find<Exited>(id) != nullptr || lab.find<SpawnFailed>(id) != nullptr; }));
    if (const auto* const failed = lab.find<SpawnFailed>(id)) CHECK(failed->why.err == EMFILE);
  }
}

TEST_CASE("whom a new keeper has no descriptor to watch is ended, not left alone", "[processes][shortage]") {
  const TempDir home;
  std::ofstream{home / "keeper"} << "#!/bin/sh\nulimit -n 45\nexec " SVD_KEEPER " \"$@\"\n";
  std::filesystem::permissions(home / "keeper", std::filesystem::perms::owner_all);
  Lab lab{GENERATE(true, false), home / "keeper"};
  std::vector<StartId> ids;
  std::map<StartId, std::int64_t> pids;
  for (int i = 0; i < 60; ++i) {
    auto plan = lab.plan({"/bin/sleep", "1000"});
    ids.push_back(plan.id);
    pids[plan.id] = lab.start(std::move(plan));
  }
  REQUIRE(::kill(static_cast<pid_t>(lab.keeper), SIGKILL) == 0);
  REQUIRE(lab.run_until([&] { return lab.replaced == 1; }));
  // When that is answered, in whatever way, the keeper has come to all that was handed to it.
  auto last = lab.plan({"/bin/true"});
  const auto id = last.id;
  lab.processes->spawn(std::move(last));
  lab.processes->flush();
  REQUIRE(lab.run_until(
      [&] { return lab.find<Spawned>(id) != nullptr || lab.find<SpawnFailed>(id) != nullptr; }));
  CHECK(is_watched(lab, ids));
  const auto ended = lab.count<Exited>();
  CHECK(ended > 10);
  CHECK(ended < 60);
  for (const auto one : ids) {
    if (lab.find<Exited>(one) == nullptr) continue;
    CHECK(lab.exit_of(one).kind == ExitStatus::Kind::unknown);
    lab.kill_and_wait(one);
    CHECK_FALSE(is_alive(pids[one]));
  }
  for (const auto& child : lab.processes->children()) {  // the others are still watched
    lab.processes->signal(child.id, SIGTERM, KillTarget::group);
    lab.exit_of(child.id);
  }
}

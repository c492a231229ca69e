// SPDX-License-Identifier: Apache-2.0
// What a program can make the supervisor hold: each bound is met by somebody who wants to be over it, and
// nobody else notices.
#include <sys/un.h>

#include "channels_support.h"
#include "kernel/channel_budget.h"
#include "kernel/notify.h"

using namespace svd;
using namespace svd::test;

namespace {

// As many descriptors with each piece as the kernel takes, and no line that would want them.
std::size_t say_descriptors(const Program& program, std::string_view text, std::size_t count) {
  std::vector<int> fds(count, STDERR_FILENO);
  iovec part{const_cast<char*>(text.data()), text.size()};
  std::vector<char> control(CMSG_SPACE(sizeof(int) * count));
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  head.msg_control = control.data();
  head.msg_controllen = control.size();
  cmsghdr* const rights = CMSG_FIRSTHDR(&head);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
  std::memcpy(CMSG_DATA(rights), fds.data(), sizeof(int) * count);
  return ::sendmsg(program.fd(), &head, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? 0 : count;
}

}  // namespace

TEST_CASE("who sends descriptors that no message wants loses its channel, and others nothing", "[process]") {
  ChannelLab lab;
  auto other = lab.start("api", 0);
  auto flood = lab.start("web", 0, GENERATE(ChannelKind::node, ChannelKind::json));
  lab.settle();
  const auto before = open_descriptors();
  const auto each = GENERATE(std::size_t{1}, std::size_t{60}, std::size_t{253});
  std::size_t most = 0;
  const bool ended = lab.run_until([&] {
    for (int i = 0; i < 8; ++i) say_descriptors(flood, "x", each);
    most = std::max(most, open_descriptors());
    flood.read();
    return flood.closed;
  });
  CHECK(ended);
  CHECK(most <= before + 4 * budget::fds_of_channel);
  CHECK(open_descriptors() <= before);
  REQUIRE(lab.happened.size() == 1);
  CHECK(lab.happened.front().starts_with("shop:web/0 svd has closed its channel: "));
  CHECK(lab.channels->status(StartId{2}).starts_with("svd has closed its channel"));
  other.say("1\n");
  CHECK(lab.run_until([&] { return lab.messages == std::vector<std::string>{"shop:api/0 1"}; }));
}

TEST_CASE("the instances of an app have one bound for their descriptors", "[process]") {
  ChannelLab lab;
  std::vector<Program> programs;
  for (std::uint32_t slot = 0; slot < 8; ++slot) programs.push_back(lab.start("web", slot));
  auto other = lab.start("api", 0);
  lab.settle();
  const auto before = open_descriptors();
  for (auto& program : programs) {
    say_descriptors(program, "x", 50);  // below a channel's own bound
    lab.settle();
  }
  CHECK(open_descriptors() <= before + budget::fds_of_app);
  CHECK(lab.happened.size() >= 5);
  say_descriptors(other, "x", 50);
  lab.settle();
  other.read();
  CHECK_FALSE(other.closed);
}

TEST_CASE("descriptors for one that does not read are bounded, and their sender waits", "[process]") {
  ChannelLab lab;
  auto target = lab.start("web", 0, ChannelKind::node);
  auto sender = lab.start("web", 1, ChannelKind::node);
  lab.settle();
  const auto before = open_descriptors();
  const std::string handle =
      "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":{\"svd\":{\"to\":\"web/0\"},\"data\":1}}\n";
  for (int i = 0; i < 5'000; ++i) {
    sender.try_say(handle, STDERR_FILENO);
    if (i % 10 == 0) lab.settle();
    if (i % 100 == 0) sender.read();
  }
  CHECK(open_descriptors() <= before + 3 * budget::fds_waiting);
  CHECK(lab.happened.empty());
}

TEST_CASE("one who asks for the same socket without end gets bounded copies on their way", "[process]") {
  ChannelLab lab;
  auto program = lab.start("web", 0, ChannelKind::node);
  lab.settle();
  const auto before = open_descriptors();
  for (int i = 0; i < 5'000; ++i) {
    program.try_say(query(1, R"("address":"127.0.0.1","port":0,"addressType":4)"));
    if (i % 10 == 0) lab.settle();
  }
  CHECK(open_descriptors() <= before + 2 * budget::fds_waiting);
  program.close();
  lab.end(StartId{1});
  CHECK(lab.run_until([&] { return lab.holder.count("channel ") == 0; }));
  lab.channels->forget(lab.plan("web", 0, ChannelKind::node).slot.app);
  CHECK(lab.run_until([&] { return open_descriptors() < before; }));
}

TEST_CASE("messages that an app begins and does not end come to a bound", "[process]") {
  ChannelLab lab;
  std::vector<Program> programs;
  constexpr std::uint32_t count = 12;
  for (std::uint32_t slot = 0; slot < count; ++slot) programs.push_back(lab.start("web", slot));
  const std::string part(100'000, 'x');
  std::vector<std::size_t> sent(count);
  const auto begun = [&](std::size_t i) { return sent[i] > 7U << 20U; };
  const bool all = lab.run_until([&] {
    bool done = true;
    for (std::size_t i = 0; i < count; ++i) {
      if (!begun(i)) sent[i] += programs[i].try_say(sent[i] == 0 ? "\"" : part);
      done = done && begun(i);
    }
    lab.settle();
    return done;
  });
  REQUIRE(all);
  std::size_t thrown_away = 0;
  for (std::size_t i = 0; i < count; ++i) {
    while (programs[i].try_say("\"\n") == 0) lab.settle();
    lab.settle();
    programs[i].read();
    for (const auto& line : programs[i].lines)
      if (line.find("so many large messages") != line.npos) ++thrown_away;
  }
  CHECK(thrown_away >= 3);
  CHECK(lab.run_until([&] { return lab.messages.size() + thrown_away == count; }));
}

TEST_CASE("a large letter is not copied without end", "[process]") {
  ChannelLab lab;
  auto sender = lab.start("web", 0);
  std::vector<Program> others;
  for (std::uint32_t slot = 1; slot < 20; ++slot) others.push_back(lab.start("web", slot));
  const auto large = "{\"svd\":{\"to\":\"web\"},\"data\":\"" + std::string(4U << 20U, 'x') + "\"}\n";
  for (std::size_t sent = 0; sent < large.size();) {
    sent += sender.try_say(std::string_view{large}.substr(sent));
    lab.settle();
  }
  CHECK(lab.json(sender).member("svd")->string("error").value_or("").starts_with("cannot send 4 MiB to 19"));
}

TEST_CASE("what one says without a pause is handled in pieces, and others have their turn", "[process]") {
  ChannelLab lab;
  auto chatty = lab.start("web", 0);
  auto other = lab.start("api", 0);
  lab.settle();
  lab.messages.clear();
  std::string many;
  for (int i = 0; i < 3'000; ++i) many += "1\n";
  chatty.say(many);
  other.say("2\n");
  CHECK(lab.run_until([&] { return lab.messages.size() == 3'001; }));
  const auto at = std::ranges::find(lab.messages, "shop:api/0 2") - lab.messages.begin();
  CHECK(at <= 2 * budget::lines_a_turn);
}

TEST_CASE("all that one has said is heard although it came as a flood and ended", "[process]") {
  ChannelLab lab;
  auto program = lab.start("web", 0);
  std::string many;
  for (int i = 0; i < 3'000; ++i) many += "1\n";
  program.say(many);
  SECTION("the channel's end") { program.close(); }
  SECTION("the instance's end") { lab.end(StartId{1}); }
  CHECK(lab.run_until([&] { return lab.messages.size() == 3'000; }));
}

// SPDX-License-Identifier: Apache-2.0
// Messages from instance to instance.
#include <fstream>

#include "channels_support.h"

using namespace svd;
using namespace svd::test;

namespace {

std::string letter(const std::string& to, const std::string& data, const std::string& id = {}) {
  return R"({"svd":{"to":")" + to + "\"" + (id.empty() ? "" : R"(,"id":)" + id) + R"(},"data":)" + data +
         "}\n";
}

std::size_t resident_kib() {
  std::ifstream status{"/proc/self/status"};
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  return 0;
}

std::string error_of(const ipc::JsonView& message) {
  const auto svd = message.member("svd");
  return svd ? svd->string("error").value_or("") : "";
}

}  // namespace

TEST_CASE("a letter arrives with its sender's name, at one, at an app, at all", "[process]") {
  ChannelLab lab;
  auto web0 = lab.start("web", 0);
  auto web1 = lab.start("web", 1, ChannelKind::node);
  auto api = lab.start("api", 0);
  web0.say(letter("web/1", "{\"n\": 1.50}"));
  CHECK(lab.line(web1) == R"({"svd":{"from":"web/0"},"data":{"n": 1.50}})");
  web0.say(letter("web", "2"));
  CHECK(lab.line(web1) == R"({"svd":{"from":"web/0"},"data":2})");
  web0.say(letter("all", "3"));
  CHECK(lab.line(web1) == R"({"svd":{"from":"web/0"},"data":3})");
  CHECK(lab.line(api) == R"({"svd":{"from":"web/0"},"data":3})");
  web0.read();
  CHECK(web0.lines.empty());
}

TEST_CASE("a letter for nobody comes back as an error with its id", "[process]") {
  ChannelLab lab;
  auto program = lab.start("web", 0);
  program.say(letter("api/0", "1", "{\"my\":7}"));
  CHECK(
      lab.line(program) ==
      R"({"svd":{"error":"cannot send to api/0: there is no such instance with a channel","to":"api/0","id":{"my":7}}})");
}

TEST_CASE("while a slot has two instances, letters go to the one that is ready and stays", "[process]") {
  ChannelLab lab;
  auto sender = lab.start("web", 0);
  auto old = lab.start("api", 0);
  old.say("\"ready\"\n");
  CHECK(lab.wait<ToldReady>(StartId{2}));
  auto next = lab.start("api", 0);
  sender.say(letter("api/0", "1"));
  CHECK(lab.line(old) == R"({"svd":{"from":"web/0"},"data":1})");
  next.say("\"ready\"\n");
  CHECK(lab.wait<ToldReady>(StartId{3}));
  sender.say(letter("api/0", "2"));
  CHECK(lab.line(next) == R"({"svd":{"from":"web/0"},"data":2})");
  lab.channels->drain(StartId{3});
  lab.line(next);
  sender.say(letter("api/0", "3"));
  CHECK(lab.line(old) == R"({"svd":{"from":"web/0"},"data":3})");
}

TEST_CASE("100,000 letters of 1 KB: none is lost, their order is kept, memory stays flat", "[process]") {
  constexpr std::size_t letters = 100'000;
  ChannelLab lab;
  auto sender = lab.start("web", 0);
  auto receiver = lab.start("api", 0);
  const std::string filling(1000, 'x');
  std::string unsent;
  std::size_t written = 0, received = 0, before = 0, most = 0;
  const bool done = lab.run_until(
      [&] {
        while (unsent.size() < 64'000 && written < letters)
          unsent += letter("api/0", "[" + std::to_string(written++) + ",\"" + filling + "\"]");
        if (!unsent.empty()) unsent.erase(0, sender.try_say(unsent));
        receiver.read();
        for (; !receiver.lines.empty(); ++received) {
          const auto line = receiver.take_line();
          const auto want = R"({"svd":{"from":"web/0"},"data":[)" + std::to_string(received) + ",";
          if (!line.starts_with(want) || line.size() != want.size() + filling.size() + 4) return false;
        }
        if (received > letters / 10 && before == 0) before = resident_kib();
        most = std::max(most, resident_kib());
        return received == letters;
      },
      Millis{240'000});
  CHECK(received == letters);
  REQUIRE(done);
  INFO("resident: " << before << " KiB after a tenth, at most " << most << " KiB");
  CHECK(most < before + 4096);
  sender.read();
  CHECK(sender.lines.empty());
}

TEST_CASE("one that does not read holds up its sender once, and nobody else", "[process]") {
  ChannelLab lab;
  auto sender = lab.start("web", 0);
  auto stopped = lab.start("api", 0);
  auto other = lab.start("web", 1);
  const auto large = letter("api/0", "\"" + std::string(50'000, 'x') + "\"", "1");
  std::size_t accepted = 0, sent = 0;
  do {  // until nobody takes what it says any more
    sent = sender.try_say(large);
    lab.settle();
    accepted += sent > 0 ? 1 : 0;
  } while (sent == large.size());
  // Meanwhile others talk, to each other and to the sender.
  other.say(letter("web/0", "\"hello\""));
  CHECK(lab.line(sender) == R"({"svd":{"from":"web/1"},"data":"hello"})");
  const bool taken = lab.run_until([&] {  // the rest of the one that was cut off
    if (sent > 0 && sent < large.size()) sent += sender.try_say(std::string_view{large}.substr(sent));
    return sent == 0 || sent == large.size();
  });
  REQUIRE(taken);
  // After a while the sender is told, letter by letter, and heard again.
  CHECK(error_of(lab.json(sender)) == "cannot send to api/0: it does not read");
  const bool heard = lab.run_until([&] { return sender.try_say(letter("web/1", "\"again\"")) > 0; });
  REQUIRE(heard);
  CHECK(lab.line(other) == R"({"svd":{"from":"web/0"},"data":"again"})");
  // What was accepted and not refused is there when it reads again.
  std::size_t refused = 1;
  sender.read();
  for (const auto& line : sender.lines) refused += line.find("does not read") != line.npos ? 1 : 0;
  for (std::size_t i = 0; i < accepted - refused; ++i) {
    const auto line = lab.line(stopped);
    REQUIRE(line.starts_with(R"({"svd":{"from":"web/0"},"data":"xxx)"));
  }
  sender.say(letter("api/0", "\"end\""));
  CHECK(lab.line(stopped) == R"({"svd":{"from":"web/0"},"data":"end"})");
}

TEST_CASE("who neither reads nor hears that its letters are refused hears it when it reads", "[process]") {
  ChannelLab lab;
  auto program = lab.start("web", 0);
  const auto text = "\"" + std::string(60'000, 'x') + "\"";
  std::size_t sent = 0;
  while (lab.channels->send(StartId{1}, text)) ++sent;
  for (int i = 0; i < 1000; ++i) {
    program.say(letter("nobody", "1"));
    lab.settle();
  }
  for (std::size_t i = 0; i < sent; ++i) REQUIRE(lab.line(program) == text);
  CHECK(error_of(lab.json(program)) ==
        "cannot send to nobody: there is no such instance with a channel (1000 messages)");
}

TEST_CASE("two who write to each other and read nothing get over it", "[process]") {
  ChannelLab lab;
  auto a = lab.start("a", 0);
  auto b = lab.start("b", 0);
  const auto to_a = letter("a/0", "\"" + std::string(50'000, 'x') + "\"");
  const auto to_b = letter("b/0", "\"" + std::string(50'000, 'x') + "\"");
  std::size_t said_a = 0, said_b = 0;
  std::string left_a, left_b;
  // 10 MB each way.
  const bool done = lab.run_until(
      [&] {
        if (left_a.empty() && said_a < 200) left_a = to_b, ++said_a;
        if (left_b.empty() && said_b < 200) left_b = to_a, ++said_b;
        if (!left_a.empty()) left_a.erase(0, a.try_say(left_a));
        if (!left_b.empty()) left_b.erase(0, b.try_say(left_b));
        return said_a == 200 && said_b == 200 && left_a.empty() && left_b.empty();
      },
      Millis{60'000});
  CHECK(done);
}

TEST_CASE("a handle can be sent to another Node program", "[process]") {
  ChannelLab lab;
  auto sender = lab.start("web", 0, ChannelKind::node);
  auto receiver = lab.start("web", 1, ChannelKind::node);
  auto plain = lab.start("job", 0, ChannelKind::json);
  const UniqueFd passed{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const auto say = [&](const std::string& to) {
    auto body = letter(to, "\"take it\"");
    body.pop_back();
    sender.say(R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":)" + body + "}\n", passed.get());
  };
  say("web/1");
  CHECK(lab.json(sender).string("cmd") == "NODE_HANDLE_ACK");
  const auto whole = lab.json(receiver);
  CHECK(whole.string("type") == "net.Socket");
  CHECK(whole.member("msg")->text() == R"({"svd":{"from":"web/0"},"data":"take it"})");
  CHECK(receiver.take_fd());
  receiver.say("{\"cmd\":\"NODE_HANDLE_ACK\"}\n");
  say("job/0");
  CHECK(error_of(lab.json(sender)) == "cannot send a handle to job/0: want one Node program");
  CHECK(lab.json(sender).string("cmd") == "NODE_HANDLE_ACK");
}

TEST_CASE("the last letters of one that has ended still arrive", "[process]") {
  ChannelLab lab;
  auto receiver = lab.start("api", 0);
  auto sender = lab.start("web", 0);
  const auto text = "\"" + std::string(60'000, 'x') + "\"";
  std::size_t sent = 0;
  while (lab.channels->send(StartId{1}, text)) ++sent;
  sender.say(letter("api/0", "\"last\""));
  sender.close();
  lab.end(StartId{2});  // there was no room for it yet
  for (std::size_t i = 0; i < sent; ++i) REQUIRE(lab.line(receiver) == text);
  CHECK(lab.line(receiver) == R"({"svd":{"from":"web/0"},"data":"last"})");
  lab.settle();
  CHECK(lab.holder.count("channel ") == 1);
}

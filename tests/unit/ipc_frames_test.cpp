// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "ipc/frames.h"
#include "support/catch.h"

using namespace svd::ipc;

namespace {

// A spool, its reader, and the memory that both leave behind.
struct Memory {
  explicit Memory(std::size_t size = 3 * max_frame) : room(size, '\0') { reopen(); }
  void reopen() {  // what the next process does
    spool = Spool{head, room};
    reader = FrameReader{skipping};
  }
  void put(std::string_view bytes) {
    const auto to = spool.free(bytes.size());
    REQUIRE(to.size() >= bytes.size());
    std::memcpy(to.data(), bytes.data(), bytes.size());
    spool.commit(bytes.size());
  }
  std::vector<std::string> lines() {
    std::vector<std::string> found;
    while (const auto frame = reader.next(spool)) {
      found.push_back(frame->kind == Frame::Kind::line ? std::string{frame->text} : "(too long)");
      reader.done(spool);
    }
    return found;
  }

  Spool::Head head{};
  FrameReader::Skipping skipping{};
  std::vector<char> room;
  Spool spool;
  FrameReader reader{skipping};
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("lines come out whole, however they were split or coalesced", "[ipc]") {
  const std::string stream = "{\"a\":1}\n\"two\"\r\n\n3\n" + std::string(70'000, 'x') + "\n5\n";
  const Lines want{"{\"a\":1}", "\"two\"", "3", std::string(70'000, 'x'), "5"};
  const std::size_t step = GENERATE(1, 2, 3, 7, 4096, 65'536, 1'000'000);
  CAPTURE(step);
  Memory memory;
  Lines found;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    memory.put(std::string_view{stream}.substr(at, step));
    for (auto& line : memory.lines()) found.push_back(std::move(line));
  }
  CHECK(found == want);
  CHECK(memory.spool.empty());
}

TEST_CASE("a line at the limit is a message, one byte more is not, and the next one is unharmed", "[ipc]") {
  Memory memory;
  memory.put(std::string(max_frame, 'a') + "\nnext\n");
  CHECK(memory.lines() == Lines{std::string(max_frame, 'a'), "next"});
  memory.put(std::string(max_frame + 1, 'a') + "\nnext\n");
  CHECK(memory.lines() == Lines{"(too long)", "next"});
}

TEST_CASE("a line without end holds no more than the limit", "[ipc]") {
  Memory memory;
  std::size_t told = 0, most = 0;
  for (int i = 0; i < 1000; ++i) {
    memory.put(std::string(65'536, 'a'));
    told += memory.lines().size();
    most = std::max(most, memory.spool.size());
  }
  CHECK(told == 1);
  CHECK(most <= max_frame + 65'536);
  memory.put("aaa\n1\n");
  CHECK(memory.lines() == Lines{"1"});
}

TEST_CASE("who comes after us skips the rest of a line that is too long", "[ipc]") {
  Memory memory;
  memory.put(std::string(max_frame + 1, 'a'));
  CHECK(memory.lines() == Lines{"(too long)"});
  memory.reopen();
  memory.put("bbb\n1\n");
  CHECK(memory.lines() == Lines{"1"});
}

TEST_CASE("a stream that is never quite read goes round in its room for ever", "[ipc]") {
  Memory memory{2 * max_frame + 100'000};
  std::mt19937 random{Catch::rngSeed()};
  std::string sent, received, unsent;
  for (int i = 0; i < 3000; ++i) {
    unsent += std::string(random() % 30'000, static_cast<char>('a' + i % 26)) + "\n";
    sent += unsent;
    memory.put(unsent.substr(0, unsent.size() - 5 % unsent.size()));
    unsent.erase(0, unsent.size() - 5 % unsent.size());
    sent.erase(sent.size() - unsent.size());
    for (const auto& line : memory.lines()) received += line + "\n";
  }
  received += memory.spool.content();
  std::string want;
  for (std::size_t at = 0; at < sent.size(); ++at)  // empty lines are passed over
    if (sent[at] != '\n' || (at > 0 && sent[at - 1] != '\n')) want += sent[at];
  CHECK(received == want);
}

TEST_CASE("what a process had not handled when it was killed, its successor finds", "[ipc]") {
  Memory memory;
  memory.put("one\ntwo\nthr");
  const auto frame = memory.reader.next(memory.spool);
  REQUIRE(frame);
  memory.reader.done(memory.spool);
  memory.reopen();
  memory.put("ee\n");
  CHECK(memory.lines() == Lines{"two", "three"});
}

TEST_CASE("bytes that the kernel had delivered and nobody had counted are found again", "[ipc]") {
  Memory memory;
  // Up and down, so that the room has been written to before.
  memory.put(std::string(200'000, 'x') + "\n");
  CHECK(memory.lines().size() == 1);
  memory.put("whole\nhal");
  const auto to = memory.spool.free(100);
  std::memcpy(to.data(), "f\nrest", 6);  // recv(2) returned, and the process died
  memory.reopen();
  memory.spool.recover();
  CHECK(memory.lines() == Lines{"whole", "half"});
  CHECK(memory.spool.content() == "rest");
}

TEST_CASE("a process that is killed while it tidies its room leaves nothing false", "[ipc]") {
  Memory memory{64};
  memory.put("aaaaaaaaa\nbbbbbbbbb\nccccccccc\nddddd");
  for (int i = 0; i < 3; ++i) {
    REQUIRE(memory.reader.next(memory.spool));
    memory.reader.done(memory.spool);
  }
  SECTION("before the content counts at its new place") {
    std::memcpy(memory.room.data(), "ddddd", 5);
    memory.head.dirty = 35;
  }
  SECTION("before the old place is zeros") {
    std::memcpy(memory.room.data(), "ddddd", 5);
    memory.head.dirty = 35;
    memory.head.window = 5;
  }
  SECTION("after it") { REQUIRE(memory.spool.free(40).size() == 59); }
  memory.reopen();
  memory.spool.recover();
  CHECK(memory.spool.content() == "ddddd");
  memory.put("\n");
  CHECK(memory.lines() == Lines{"ddddd"});
}

TEST_CASE("nonsense in the memory is an empty spool", "[ipc]") {
  Memory memory{64};
  memory.head.window = GENERATE(std::uint64_t{65}, std::uint64_t{7} << 32U | 3, ~std::uint64_t{0});
  memory.head.dirty = ~std::uint64_t{0};
  memory.reopen();
  CHECK(memory.spool.empty());
  memory.put("1\n");
  CHECK(memory.lines() == Lines{"1"});
}

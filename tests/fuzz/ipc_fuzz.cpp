// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a program writes to its channel. Nothing outside of the spool is touched, what is taken
// for a message is one JSON value, what we write in answer is one line of JSON, and how the stream was split
// changes nothing.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "ipc/envelope.h"
#include "ipc/frames.h"
#include "ipc/primary.h"
#include "ipc/router.h"

namespace {

using namespace svd;
using namespace svd::ipc;
using svd::fuzz::require;

// Small, so that the content has to move often; a line longer than it is found out by the caller.
struct Stream {
  std::vector<char> room = std::vector<char>(1U << 16U, '\0');
  Spool::Head head{};
  FrameReader::Skipping skipping{};
  Spool spool{head, room};
  FrameReader reader{skipping};
};

std::vector<std::string> lines_of(std::string_view bytes, std::size_t step) {
  Stream stream;
  std::vector<std::string> lines;
  while (!bytes.empty()) {
    const auto part = bytes.substr(0, step);
    const auto to = stream.spool.free(part.size());
    if (to.size() < part.size()) break;
    std::memcpy(to.data(), part.data(), part.size());
    stream.spool.commit(part.size());
    bytes.remove_prefix(part.size());
    while (const auto frame = stream.reader.next(stream.spool)) {
      lines.emplace_back(frame->text);
      stream.reader.done(stream.spool);
    }
  }
  return lines;
}

bool is_one_line(const std::string& text) {
  return text.ends_with('\n') && text.find('\n') == text.size() - 1 && JsonView::parse(text);
}

void walk(const JsonView& value) {
  require(JsonView::parse(value.text()).has_value());
  if (const auto text = value.string()) require(JsonView::parse(quote(*text))->string() == text);
  for (const auto& element : value.elements()) require(JsonView::parse(element.text()).has_value());
}

Listener listener(const char* name, std::uint16_t port, Listener::Balance balance) {
  Listener made;
  made.name = Name::parse(name).value();
  made.port = port;
  made.balance = balance;
  return made;
}

class App {
 public:
  App() {
    for (std::uint64_t id = 1; id <= 2; ++id)
      primary_.enter({StartId{id},
                      static_cast<std::uint32_t>(id),
                      id,
                      ChannelKind::node,
                      {listener("http", 80, Listener::Balance::shared),
                       listener("rr", 81, Listener::Balance::round_robin)}});
  }
  void hear(const Line& line) {
    who_ = who_ == StartId{1} ? StartId{2} : StartId{1};
    if (line.lane == Line::Lane::cluster) primary_.hear(who_, line.message, TimePoint{});
    carry_out();
  }
  // All that was said survives the engine.
  void check() {
    Primary next{0};
    require(next.restore(primary_.save()) && next.restore_member(primary_.save(who_)));
    require(next.save() == primary_.save());
    require(next.find(who_) == nullptr || next.save(who_) == primary_.save(who_));
  }

 private:
  void carry_out() {
    std::string key;
    for (const auto& effect : primary_.take()) {
      if (const auto* open = std::get_if<Open>(&effect)) key = open->key;
      if (const auto* write = std::get_if<Write>(&effect)) check_write(*write);
    }
    if (!key.empty()) primary_.opened(key, opened_++ % 3 == 2 ? 98 : 0);
    for (const auto& effect : primary_.take())
      if (const auto* write = std::get_if<Write>(&effect)) check_write(*write);
  }
  static void check_write(const Write& write) {
    require(is_one_line(write.line));
    if (write.socket && !write.socket->listener) require(lent_key(write.line) == write.socket->key);
  }
  Primary primary_{0};
  StartId who_{2};
  unsigned opened_ = 0;
};

}  // namespace

FUZZ_TARGET(ipc) {
  if (bytes.size() < 2 || bytes.size() > 30'000) return;
  const auto step = 1 + static_cast<std::uint8_t>(bytes[0]) % 64U;
  const auto stream = bytes.substr(1);
  const auto lines = lines_of(stream, stream.size());
  require(lines == lines_of(stream, step));
  App app;
  for (const auto& text : lines) {
    const auto line = read_line(text);
    if (!line) continue;
    walk(line->body);
    app.hear(*line);
    const auto envelope = read_envelope(line->body);
    if (envelope.kind != Envelope::Kind::letter) continue;
    require(is_one_line(write_letter("web/1", envelope.data)));
    require(is_one_line(write_refusal("cannot", envelope.to, envelope.id)));
  }
  app.check();
}

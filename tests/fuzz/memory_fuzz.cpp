// SPDX-License-Identifier: Apache-2.0
// Any bytes as the memory of channels that an engine before us left: the head of a place, a text and what
// waits in both directions.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <string>

#include "fuzz/fuzz.h"
#include "kernel/channel_memory.h"

using namespace svd;
using fuzz::require;

namespace {

class MemoryHolder final : public Holder {
 public:
  Result<> hold(const std::string& name, int fd) override {
    all_.insert_or_assign(name, UniqueFd{::fcntl(fd, F_DUPFD_CLOEXEC, 3)});
    return {};
  }
  [[nodiscard]] int borrow(const std::string& name) const override {
    const auto found = all_.find(name);
    return found == all_.end() ? -1 : found->second.get();
  }
  [[nodiscard]] std::vector<std::string> held_names() const override { return {}; }
  void release(const std::string& name) override { all_.erase(name); }

 private:
  std::map<std::string, UniqueFd> all_;
};

// Makes a place, for its size and the head that a good one has, and puts the input over its head.
void write_place(MemoryHolder& holder, std::string_view head) {
  const auto memory = ChannelMemory::open(holder).value();
  auto place = memory->claim(ChannelMemory::Use::start).value();
  place->save(R"({"id":"1"})");
  require(place->in().append("{\"cmd\":1}\n") && place->out().append("{}\n"));
  const int file = holder.borrow(ChannelMemory::name);
  require(::pwrite(file, head.data(), head.size(), 0) == static_cast<ssize_t>(head.size()));
}

void read_place(ChannelMemory::Place& place) {
  const auto saved = place.saved();
  require(place.save(std::string{saved.substr(0, 100)}) && place.saved().size() <= 100);
  ipc::FrameReader reader{place.skipping()};
  place.in().recover();
  for (int lines = 0; lines < 100; ++lines) {
    const auto frame = reader.next(place.in());
    if (!frame) break;
    require(frame->text.size() <= ipc::max_frame);
    reader.done(place.in());
  }
  require(place.out().content().size() <= place.out().size());
  if (place.out().append("{}\n")) require(place.out().content().ends_with("{}\n"));
  place.trim();
}

}  // namespace

FUZZ_TARGET(memory) {
  MemoryHolder holder;
  write_place(holder, bytes.substr(0, 4096));
  const auto memory = ChannelMemory::open(holder).value();
  for (const auto& place : memory->take_over()) {
    read_place(*place);
    place->erase();
  }
  require(memory->claim(ChannelMemory::Use::app).has_value());
}

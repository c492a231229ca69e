// SPDX-License-Identifier: Apache-2.0
// Memory that outlives the engine: a memfd that the keeper holds, in places of equal size, each for one start
// or one app. In a place: what is known (a text), what was read from the channel and is not handled, and what
// waits to be written. A place is mapped while it is used. It is large and sparse; pages that are not needed
// any more go back.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "ipc/frames.h"
#include "ipc/spool.h"
#include "kernel/passing.h"

namespace svd {

class ChannelMemory {
 public:
  enum class Use : std::uint32_t { free, start, app };
  static constexpr const char* name = "memory of channels";  // that the keeper holds it by

  class Place {
   public:
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    [[nodiscard]] Use use() const;
    // What was saved last. A text that is too large is not saved, and false; then the old one stays.
    [[nodiscard]] std::string_view saved() const;
    bool save(std::string_view text);
    [[nodiscard]] ipc::Spool& in() { return in_; }
    [[nodiscard]] ipc::Spool& out() { return out_; }
    [[nodiscard]] ipc::FrameReader::Skipping& skipping();
    // Gives back the pages of spools that are empty and had grown.
    void trim();
    // Nobody after us will find it.
    void erase();

   private:
    friend class ChannelMemory;
    struct Head;
    Place(ChannelMemory& memory, std::size_t index, char* at);
    [[nodiscard]] Head& head() const;
    ChannelMemory& memory_;
    std::size_t index_;
    char* at_;
    ipc::Spool in_, out_;
  };
  using PlacePtr = std::unique_ptr<Place>;

  // What `holder` has of an engine before us, or new memory, which it holds from then on.
  static Result<std::unique_ptr<ChannelMemory>> open(Holder& holder);
  ChannelMemory(const ChannelMemory&) = delete;
  ChannelMemory& operator=(const ChannelMemory&) = delete;

  // A place that nobody uses. It must not outlive this memory.
  Result<PlacePtr> claim(Use use);
  // The places of an engine before us; once, before any claim().
  [[nodiscard]] std::vector<PlacePtr> take_over();

 private:
  ChannelMemory() = default;
  Result<PlacePtr> map(std::size_t index);

  UniqueFd file_;
  std::size_t size_ = 0;           // in places
  std::vector<std::size_t> free_;  // of these
};

}  // namespace svd

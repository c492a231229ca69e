// SPDX-License-Identifier: Apache-2.0
#include "kernel/channel_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <span>

namespace svd {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t text_room = 4U << 20U;  // twice: the new text is complete before it counts
constexpr std::size_t spool_room = 2 * ipc::max_frame + (1U << 20U);
constexpr std::size_t place_size = page + 2 * text_room + 2 * spool_room;
constexpr std::size_t worth_trimming = 256U << 10U;
constexpr std::uint64_t magic = 0x3163'6864'7673'0001;  // with a version in it

static_assert(place_size % page == 0 && spool_room > 2 * ipc::max_frame);

}  // namespace

// Of a place: its first page. A new one is zeros.
struct ChannelMemory::Place::Head {
  std::uint64_t magic;
  std::atomic<std::uint32_t> use;
  std::uint32_t unused;
  std::atomic<std::uint64_t> text;  // which of the two << 32 | size
  ipc::Spool::Head in, out;
  ipc::FrameReader::Skipping skipping;
};

ChannelMemory::Place::Place(ChannelMemory& memory, std::size_t index, char* at)
    : memory_{memory}, index_{index}, at_{at} {
  static_assert(sizeof(Head) <= page);
  char* const rooms = at_ + page + 2 * text_room;
  in_ = ipc::Spool{head().in, {rooms, spool_room}};
  out_ = ipc::Spool{head().out, {rooms + spool_room, spool_room}};
}

ChannelMemory::Place::~Place() {
  if (use() == Use::free) memory_.free_.push_back(index_);
  ::munmap(at_, place_size);
}

ChannelMemory::Place::Head& ChannelMemory::Place::head() const { return *reinterpret_cast<Head*>(at_); }

ChannelMemory::Use ChannelMemory::Place::use() const {
  return static_cast<Use>(head().use.load(std::memory_order_relaxed));
}

ipc::FrameReader::Skipping& ChannelMemory::Place::skipping() { return head().skipping; }

std::string_view ChannelMemory::Place::saved() const {
  const auto text = head().text.load(std::memory_order_relaxed);
  return {at_ + page + (text >> 32U & 1U) * text_room, std::min<std::size_t>(text & 0xffff'ffffU, text_room)};
}

bool ChannelMemory::Place::save(std::string_view text) {
  if (text.size() > text_room) return false;
  const std::uint64_t other = (head().text.load(std::memory_order_relaxed) >> 32U & 1U) ^ 1U;
  std::memcpy(at_ + page + other * text_room, text.data(), text.size());
  head().text.store(other << 32U | text.size(), std::memory_order_release);
  return true;
}

void ChannelMemory::Place::trim() {
  const auto from = static_cast<off_t>(index_ * place_size + page + 2 * text_room);
  const auto punch = [&](ipc::Spool& spool, std::size_t offset) {
    if (const auto extent = spool.idle_extent(); extent > worth_trimming)
      ::fallocate(memory_.file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  from + static_cast<off_t>(offset), static_cast<off_t>(extent));
  };
  punch(in_, 0);
  punch(out_, spool_room);
}

void ChannelMemory::Place::erase() {
  head().use.store(static_cast<std::uint32_t>(Use::free), std::memory_order_release);
  ::fallocate(memory_.file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              static_cast<off_t>(index_ * place_size), static_cast<off_t>(place_size));
}

Result<std::unique_ptr<ChannelMemory>> ChannelMemory::open(Holder& holder) {
  std::unique_ptr<ChannelMemory> memory{new ChannelMemory};
  struct stat status {};
  if (const int held = holder.borrow(name); held >= 0 && ::fstat(held, &status) == 0) {
    memory->file_ = UniqueFd{::fcntl(held, F_DUPFD_CLOEXEC, 3)};
    memory->size_ = static_cast<std::size_t>(status.st_size) / place_size;
    if (memory->file_) return memory;
  }
  memory->file_ = UniqueFd{::memfd_create("svd-channels", MFD_CLOEXEC)};
  if (!memory->file_) return fail_errno(errno, "cannot make the memory of channels");
  SVD_CHECK(holder.hold(name, memory->file_.get()));
  return memory;
}

Result<ChannelMemory::PlacePtr> ChannelMemory::map(std::size_t index) {
  void* const at = ::mmap(nullptr, place_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                          file_.get(), static_cast<off_t>(index * place_size));
  if (at == MAP_FAILED) return fail_errno(errno, "cannot map the memory of a channel");
  return PlacePtr{new Place{*this, index, static_cast<char*>(at)}};
}

Result<ChannelMemory::PlacePtr> ChannelMemory::claim(Use use) {
  if (free_.empty()) {
    if (::ftruncate(file_.get(), static_cast<off_t>((size_ + 1) * place_size)) < 0)
      return fail_errno(errno, "cannot extend the memory of channels");
    free_.push_back(size_++);
  }
  const auto index = free_.back();
  SVD_TRY(auto place, map(index));
  free_.pop_back();
  place->head().magic = magic;
  place->head().use.store(static_cast<std::uint32_t>(use), std::memory_order_release);
  return place;
}

std::vector<ChannelMemory::PlacePtr> ChannelMemory::take_over() {
  std::vector<PlacePtr> found;
  for (std::size_t index = size_; index-- > 0;) {
    auto place = map(index);
    if (!place) continue;
    const bool used = (*place)->head().magic == magic && (*place)->use() != Use::free;
    if (used)
      found.push_back(std::move(*place));
    else
      (*place)->erase();  // of another version, or of one that died in between; it becomes free with the
                          // mapping's end
  }
  return found;
}

}  // namespace svd

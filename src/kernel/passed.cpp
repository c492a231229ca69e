// SPDX-License-Identifier: Apache-2.0
#include "kernel/passed.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "files/io.h"
#include "files/own_directory.h"
#include "kernel/channel_memory.h"
#include "kernel/listener_name.h"
#include "kernel/proc.h"
#include "kernel/state_memory.h"

namespace svd {
namespace {

constexpr const char* key_file = "store-key";
constexpr char separator = '~';
constexpr std::size_t key_size = sizeof(SipKey);

// The number of bytes comes first, so that no text is the beginning of another one (CBC-MAC).
std::uint64_t digest(const SipKey& key, std::string_view text) {
  std::uint64_t sum = siphash(key, text.size());
  for (; !text.empty(); text.remove_prefix(std::min<std::size_t>(text.size(), 8))) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), std::min<std::size_t>(text.size(), 8));
    sum = siphash(key, sum ^ word);
  }
  return sum;
}

// What this object is and no other one, in this boot of the machine.
std::string identity(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) < 0) return {};
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (S_ISSOCK(status.st_mode) && ::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) < 0) return {};
  return boot_id() + ' ' + std::to_string(status.st_mode & S_IFMT) + ' ' + std::to_string(status.st_dev) +
         ' ' + std::to_string(status.st_ino) + ' ' + std::to_string(cookie);
}

SipKey random_key() {
  SipKey key;
  auto* const bytes = reinterpret_cast<char*>(&key);
  for (std::size_t done = 0; done < key_size;)
    if (const auto got = ::getrandom(bytes + done, key_size - done, 0); got > 0)
      done += static_cast<std::size_t>(got);
  return key;
}

// Error invalid_argument: there is a file, and it is no key that nobody else knows.
Result<SipKey> read_key(int directory) {
  SVD_TRY(const auto file, open_at(directory, key_file, O_RDONLY | O_NONBLOCK));
  struct stat status {};
  std::array<char, key_size + 1> bytes{};
  if (::fstat(file.get(), &status) < 0) return fail_errno(errno, "cannot read the key of what is stored");
  const bool ours = S_ISREG(status.st_mode) && status.st_uid == ::geteuid() && status.st_nlink == 1 &&
                    (status.st_mode & (S_IRWXG | S_IRWXO)) == 0;
  if (!ours || ::read(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(key_size))
    return fail(std::errc::invalid_argument, "cannot use the key of what is stored: it is not ours alone");
  SipKey key;
  std::memcpy(&key, bytes.data(), key_size);
  return key;
}

Result<SipKey> make_key(int directory) {
  const auto key = random_key();
  SVD_CHECK(write_file_at(directory, {.name = key_file, .temp = std::string{key_file} + ".new", .mode = 0600},
                          {reinterpret_cast<const char*>(&key), key_size}));
  return key;
}

}  // namespace

bool is_storable(std::string_view name, bool with_state) {
  return is_listener_name(name) || name.starts_with("channel ") || name.starts_with("socket ") ||
         name.starts_with("notify ") || name == ChannelMemory::name || name == "bus" ||
         (with_state && StateMemory::is_name(name));
}

Seal Seal::for_now() { return Seal{random_key()}; }

Result<Seal> Seal::of_directory(const std::string& directory) {
  SVD_CHECK(check_own_directory(directory, ::geteuid()));
  SVD_TRY(const auto opened, open_at(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY));
  if (const auto known = read_key(opened.get())) return Seal{*known};
  SVD_TRY(const auto made, make_key(opened.get()));
  return Seal{made};
}

std::string Seal::over(std::string_view name, int fd) const {
  const auto object = identity(fd);
  if (object.empty()) return {};
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx",
                static_cast<unsigned long long>(digest(key_, object + '\n' + std::string{name})));
  return text.data();
}

bool Seal::fits(std::string_view seal, std::string_view name, int fd) const {
  const auto want = over(name, fd);
  return !want.empty() && seal == want;
}

std::string sealed_name(std::string_view name, std::string_view seal) {
  return std::string{name} + separator + std::string{seal};
}

std::optional<std::string> unseal(const Seal& seal, std::string_view passed, int fd) {
  if (passed.size() <= seal_size || passed[passed.size() - seal_size] != separator) return std::nullopt;
  const auto name = passed.substr(0, passed.size() - seal_size);
  if (!seal.fits(passed.substr(name.size() + 1), name, fd)) return std::nullopt;
  return std::string{name};
}

}  // namespace svd

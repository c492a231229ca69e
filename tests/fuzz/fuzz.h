// SPDX-License-Identifier: Apache-2.0
// What fuzz targets are made of. A target is a function of any bytes that asserts properties:
//
//   FUZZ_TARGET(notify) { require(parse_notification(bytes)…); }
//
// Built by clang (SVD_FUZZ) each is a libFuzzer program of its own; in every other build all of them are in
// test_corpus, which replays tests/corpus.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace svd::fuzz {

inline void require(bool holds, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%d: this does not hold\n", file, line);
  std::abort();
}

// Takes an input apart where a target wants more than one text. What is left at the end is zeros and "".
class Input {
 public:
  explicit Input(std::string_view bytes) : rest_{bytes} {}

  template <class Number>
  Number number() {
    Number value{};
    const auto size = rest_.size() < sizeof value ? rest_.size() : sizeof value;
    if (size > 0) std::memcpy(&value, rest_.data(), size);
    rest_.remove_prefix(size);
    return value;
  }
  // Up to the next `end`, which goes, too.
  std::string_view until(char end) {
    const auto at = rest_.find(end);
    const auto text = rest_.substr(0, at);
    rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at + 1);
    return text;
  }
  std::string_view line() { return until('\n'); }
  // A size of 16 bits and so many bytes.
  std::string_view piece() {
    const auto text = rest_.substr(0, number_of_bytes());
    rest_.remove_prefix(text.size());
    return text;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::size_t number_of_bytes() { return number<std::uint16_t>(); }
  std::string_view rest_;
};

// The most bytes of memory that were held at once while `work` ran, without what was held before
// (memory.cpp).
void start_counting();
[[nodiscard]] std::size_t most_held();
template <class Work>
auto within(std::size_t most, Work&& work, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  start_counting();
  auto result = work();
  require(most_held() <= most, file, line);
  return result;
}

using Run = void (*)(std::string_view bytes);
struct Target {
  const char* name;
  Run run;
};
// All that this program has.
inline std::vector<Target>& targets() {
  static std::vector<Target> all;
  return all;
}
inline bool add(const char* name, Run run) {
  targets().push_back({name, run});
  return true;
}

}  // namespace svd::fuzz

#ifdef SVD_LIBFUZZER
#define FUZZ_TARGET(name)                                                             \
  static void name##_target(std::string_view bytes);                                  \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
    name##_target({reinterpret_cast<const char*>(data), size});                       \
    return 0;                                                                         \
  }                                                                                   \
  static void name##_target([[maybe_unused]] std::string_view bytes)
#else
#define FUZZ_TARGET(name)                                                                 \
  static void name##_target(std::string_view bytes);                                      \
  [[maybe_unused]] static const bool name##_known = svd::fuzz::add(#name, name##_target); \
  static void name##_target([[maybe_unused]] std::string_view bytes)
#endif

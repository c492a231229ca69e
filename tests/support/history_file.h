// SPDX-License-Identifier: Apache-2.0
// Random ecosystems for histories (history.h), in the words of decode_simple().
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace svd::test {

class RandomFile {
 public:
  explicit RandomFile(std::mt19937_64& random) : random_{random} {}

  std::uint32_t below(std::uint32_t bound) {
    return std::uniform_int_distribution<std::uint32_t>{0, bound - 1}(random_);
  }
  bool chance(std::uint32_t percent) { return below(100) < percent; }

  // Three apps, some of them; each ecosystem has ports of its own, one of which goes from app to app. Who
  // depends on whom is drawn, too, but always on one that comes later.
  std::string make(const std::string& name) {
    std::string text = name;
    const bool has_job = chance(75), has_api = chance(75);
    const std::uint32_t base = name == "a" ? 80 : 180;
    roaming_ = base + 50;
    if (chance(75)) {
      text += app("web", base);
      if (has_api && chance(30)) text += " after=api";
      if (has_job && chance(15)) text += " after=job";
    }
    if (has_api) {
      text += app("api", base + 10);
      if (has_job && chance(30)) text += " after=job";
    }
    if (has_job) text += app("job", base + 20);
    return text;
  }

  bool patient = false;  // no update fails for want of time

 private:
  static std::string key(const char* name, std::uint32_t value) {
    return std::string{" "} + name + "=" + std::to_string(value);
  }

  std::string app(const char* name, std::uint32_t port) {
    auto generation = below(4);
    if (generation == 3 && roaming_ == 0) generation = 2;
    return "\n" + std::string{name} + key("instances", below(5)) + key("gen", generation) +
           key("policy", chance(60) ? 0 : 1 + below(2)) + key("delay", chance(50) ? 0 : below(400)) +
           key("max", below(6)) + key("window", 2000) + key("reset", below(600)) + key("jitter", below(101)) +
           key("timeout", below(3) * 200) + key("keep", below(2)) + update() + process(port, generation);
  }

  std::string update() {
    std::string text = key("min_ready", chance(50) ? 0 : below(600)) +
                       key("deadline", patient ? 600'000 : 1000 + below(2000));
    if (chance(65)) text += key("surge", below(3));
    if (chance(40)) text += key("missing", below(3));
    if (chance(60)) text += key("rollback", 1);
    if (chance(40)) text += key("drain", below(500));
    return text;
  }

  // What needs a new process follows from the generation, and only from it.
  std::string process(std::uint32_t port, std::uint32_t generation) {
    static const std::vector<std::string> channels{"", " channel=json", " channel=node", ""};
    std::string text = channels[generation];
    if (generation % 2 == 1) text += key("ready", 100 + below(900));
    if (generation != 0) text += key("listen", port);
    if (generation == 2) text += key("even", port + 1);
    if (generation == 3) text += key("listen", std::exchange(roaming_, 0));
    return text;
  }

  std::mt19937_64& random_;
  std::uint32_t roaming_ = 0;  // a port that no app of this file has got yet
};

}  // namespace svd::test

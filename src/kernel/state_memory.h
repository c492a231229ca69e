// SPDX-License-Identifier: Apache-2.0
// Memory for a daemon that begins anew with each start (`svd FILE`): files without a name (memfd_create(2))
// that the keeper holds. They outlive every engine and nothing else, and need no file system that can be
// written.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kernel/passing.h"
#include "kernel/state_store.h"

namespace svd {

class StateMemory final : public StateKeeping {
 public:
  explicit StateMemory(Holder& holder) : holder_{holder} {}

  // Whether what is held by that name is ours.
  [[nodiscard]] static bool is_name(std::string_view held);

  [[nodiscard]] LoadedState load_all() override;
  [[nodiscard]] std::optional<std::string> degraded() const override { return problem_; }
  bool save(const std::string& runtime) override;
  void forget();  // the runtime state
  bool save_revision(const Revision& revision) override;
  Result<Revision> load_revision(const Name& ecosystem, std::uint64_t number) override;
  void remove_revision(const Name& ecosystem, std::uint64_t number) override;

 private:
  bool put(const std::string& name, const std::string& bytes);
  [[nodiscard]] Result<std::string> take(const std::string& name) const;

  Holder& holder_;
  std::optional<std::string> problem_;
};

}  // namespace svd

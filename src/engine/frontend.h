// SPDX-License-Identifier: Apache-2.0
// The side of the engine that clients have to do with: each call goes to the owner that answers it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/control.h"

namespace svd {

class Frontend : public Control {
 public:
  Result<Begun> apply(Source source, const Actor& who) override;
  Result<std::vector<PlanStep>> plan(Source source) override;
  Result<Begun> start(const Names& names, const Actor& who) override;
  Result<Begun> stop(const Names& names, const Actor& who) override;
  Result<Begun> restart(const Names& names, const Actor& who) override;
  Result<Begun> reload(const Names& names, const Actor& who) override;
  Result<Begun> pause(const std::string& app, const Actor& who) override;
  Result<Begun> resume(const std::string& app, const Actor& who) override;
  Result<Begun> abort(const std::string& app, const Actor& who) override;
  Result<std::uint32_t> send(const Names& names, const std::string& json, const Actor& who) override;
  Result<Begun> remove(const Names& names, const Actor& who) override;
  Result<Begun> scale(const std::string& app, std::uint32_t instances, const Actor& who) override;
  Result<std::uint32_t> signal(const Names& names, int number, KillTarget whom, const Actor& who) override;
  Result<Begun> rollback(const std::string& ecosystem, std::uint64_t revision, const Actor& who) override;
  void shutdown(const Actor& who, bool force) override;
  [[nodiscard]] Result<std::vector<AppView>> apps(const Names& names) const override;
  [[nodiscard]] Result<std::vector<InstanceView>> instances(const Names& names) const override;
  [[nodiscard]] std::optional<AppView> app(const AppId& id) const override;
  [[nodiscard]] std::optional<InstanceView> instance(const SlotId& id) const override;
  [[nodiscard]] Usage usage(const AppId& id, Figures figures) const override;
  [[nodiscard]] Usage usage(const SlotId& id, StartId start, Figures figures) const override;
  [[nodiscard]] std::optional<ChangeView> change(ChangeId id) const override;
  [[nodiscard]] std::vector<ChangeId> changes() const override;
  [[nodiscard]] Result<std::vector<RevisionView>> history(const std::string& ecosystem) const override;
  [[nodiscard]] std::vector<EventRecord> events(std::uint64_t after, std::uint32_t limit) const override;

 protected:
  struct Owners;  // engine/owners.h
  explicit Frontend(std::unique_ptr<Owners> owners);
  ~Frontend() override;
  std::unique_ptr<Owners> owners_;
};

}  // namespace svd

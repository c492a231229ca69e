// SPDX-License-Identifier: Apache-2.0
// Converging onto a file, a new one or one of before.
#pragma once

#include <string>
#include <vector>

#include "engine/converge/slots.h"
#include "engine/ports.h"

namespace svd {

class Applying {
 public:
  Applying(World& world, Changes& changes, Revisions& revisions, Slots& slots, SocketOwner& sockets,
           const Ports& ports)
      : world_{world},
        changes_{changes},
        revisions_{revisions},
        slots_{slots},
        sockets_{sockets},
        ports_{ports} {}

  Result<Begun> apply(Source source, const Actor& who) {
    return apply(std::move(source), who, Kind::apply, "");
  }
  Result<Begun> rollback(const std::string& ecosystem, std::uint64_t revision, const Actor& who);
  // What an apply would do.
  Result<std::vector<PlanStep>> plan(Source source);

 private:
  Result<Begun> apply(Source source, const Actor& who, Kind kind, const std::string& note);
  [[nodiscard]] Begun nothing_to_do(const Name& ecosystem) const;
  [[nodiscard]] Result<> check_limits(const Ecosystem& want, const std::string& verb) const;
  [[nodiscard]] std::vector<PlanStep> diff(const Ecosystem& want) const;
  void accept(Ecosystem want, Change& change, const std::string* by);
  void accept_app(App& app, VersionPtr version, Change& change, const std::string* by);
  void keep_app(App& app, VersionPtr version);

  World& world_;
  Changes& changes_;
  Revisions& revisions_;
  Slots& slots_;
  SocketOwner& sockets_;
  const Ports& ports_;
};

}  // namespace svd

// SPDX-License-Identifier: Apache-2.0
// What an event is about, as fields of its entry in the journal:
//   SVD_ECOSYSTEM=shop SVD_APP=web SVD_INSTANCE=0 SVD_REVISION=3 SVD_CGROUP=/system.slice/svd.service/…
// The lines of an app itself go to journald by a stream, which has SYSLOG_IDENTIFIER and no field besides;
// the cgroup of an instance's start leads to them. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "model/names.h"
#include "model/views.h"

namespace svd {

// Of "shop:web/0"; nullopt: it is no instance.
[[nodiscard]] std::optional<SlotId> parse_slot(std::string_view subject);

// Each "NAME=VALUE\n". "": it is about no app. `cgroup` is asked for that of a start.
[[nodiscard]] std::string journal_fields(const EventRecord& record,
                                         const std::function<std::string(StartId, const SlotId&)>& cgroup);

}  // namespace svd

// SPDX-License-Identifier: Apache-2.0
// org.svd1.Change
#include "bus/objects.h"
#include "bus/paths.h"
#include "bus/vtable.h"

namespace svd::bus {
namespace {

std::optional<ChangeView> look(const Sight& sight, const char* path) {
  const auto id = change_at(path);
  return id ? sight.change(*id) : std::nullopt;
}

std::vector<std::string> list(const Sight& sight) {
  std::vector<std::string> paths;
  for (const auto id : sight.changes()) paths.push_back(path_of(id));
  return paths;
}

template <auto Write>
constexpr auto property = read_property<ChangeView, Write>;

void kind(Writer& out, const ChangeView& change) { out.string(change.kind); }
void target(Writer& out, const ChangeView& change) { out.string(change.target); }
void state(Writer& out, const ChangeView& change) { out.string(change.state); }
void error(Writer& out, const ChangeView& change) { out.string(change.error); }
void done(Writer& out, const ChangeView& change) { out.u32(change.done); }
void total(Writer& out, const ChangeView& change) { out.u32(change.total); }
void started_at(Writer& out, const ChangeView& change) { out.i64(change.started.micros); }
void finished_at(Writer& out, const ChangeView& change) { out.i64(change.finished.micros); }
void revision(Writer& out, const ChangeView& change) { out.u64(change.revision); }
void steps(Writer& out, const ChangeView& change) { write_rows(out, step_row, change.steps); }

// (instance, phase, reason); a slot that is gone by now has neither.
void failed(Writer& out, const ChangeView& change, const Sight& sight) {
  out.array("(sss)", [&](Writer& rows) {
    for (const auto& id : change.failed) {
      const auto view = sight.instance(id);
      rows.structure("sss", [&](Writer& row) {
        row.string(id.str());
        row.string(view ? std::string{to_text(view->phase)} : "");
        row.string(view ? view->reason : "");
      });
    }
  });
}

template <Audience audience>
const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SVD_CONSTANT("Kind", "s", property<kind>),
    SVD_CONSTANT("Target", "s", property<target>),
    SVD_LIVE("State", "s", property<state>),
    SVD_INSIDE("Error", "s", property<error>),
    SVD_LIVE("Done", "u", property<done>),
    SVD_LIVE("Total", "u", property<total>),
    SVD_CONSTANT("StartedAt", "x", property<started_at>),
    SVD_LIVE("FinishedAt", "x", property<finished_at>),
    SVD_CONSTANT("Revision", "t", property<revision>),
    SVD_CONSTANT("Steps", "a(ssusasas)", property<steps>),
    SVD_INSIDE("Failed", "a(sss)", property<failed>),
    SD_BUS_VTABLE_END,
};

}  // namespace

int export_changes(Connection& connection) {
  const auto* const table =
      connection.audience() == Audience::insiders ? vtable<Audience::insiders> : vtable<Audience::everybody>;
  if (const int r = sd_bus_add_fallback_vtable(connection.bus(), nullptr, change_prefix, "org.svd1.Change",
                                               table, find_object<ChangeView, look>, &connection);
      r < 0)
    return r;
  return sd_bus_add_node_enumerator(connection.bus(), nullptr, change_prefix, enumerate<change_prefix, list>,
                                    &connection);
}

}  // namespace svd::bus

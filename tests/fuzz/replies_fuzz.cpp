// SPDX-License-Identifier: Apache-2.0
// What a daemon answers, as any other program could: rows of any texts and numbers become views or an error,
// and what is shown of them is safe for a terminal.
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/json_views.h"
#include "cli/parse_names.h"
#include "cli/render.h"
#include "cli/wire.h"
#include "fuzz/fuzz.h"
#include "fuzz/shown.h"
#include "ipc/json.h"

using namespace svd;
using namespace svd::cli;
using fuzz::require;

namespace {

struct Reader {
  fuzz::Input input;
  // sd-bus lets nothing else in.
  std::string text() {
    const auto line = input.line();
    return find_invalid_utf8(line) == std::string_view::npos ? std::string{line} : printable(line);
  }
  std::uint64_t u64() { return input.number<std::uint64_t>(); }
  std::int64_t i64() { return input.number<std::int64_t>(); }
  std::uint32_t u32() { return input.number<std::uint32_t>(); }
  std::vector<std::string> texts() { return {text(), text()}; }
};

void check_shown(const std::string& text) { fuzz::require_shown(text, "\n"); }

template <class View>
void check_json(const View& view) {
  fuzz::require_shown(to_json(view));
  require(ipc::JsonView::parse(to_json(view)).has_value());
}

constexpr WallTime now{1'700'000'000'000'000};

void read_instance(Reader from) {
  const auto name = from.text();
  const wire::Instance row{name,        from.text(), from.text(), from.u64(),  from.u64(), from.u64(),
                           from.u64(),  from.u64(),  from.i64(),  from.i64(),  from.i64(), from.text(),
                           from.text(), from.text(), from.text(), from.text(), from.u64(), from.u64()};
  if (const auto view = wire::to_instance(row)) {
    require(view->id.str() == name);
    check_shown(instance_table(std::vector{*view}, now, {}));
    check_json(*view);
  }
}

void read_app(Reader from) {
  const wire::App row{from.text(), sdbus::ObjectPath{"/"}, from.u32(), from.u32(), from.text(),
                      from.text(), from.u32() % 2 == 1,    from.u64(), from.text()};
  if (const auto view = wire::to_app(row)) {
    check_shown(app_table(std::vector{*view}, {}));
    check_shown(status_text({*view, {}, {}}, now, {}));
    check_json(*view);
    require(wire::app_path(view->id).starts_with("/org/svd1/app/"));
  }
}

void read_others(Reader from) {
  if (const auto view = wire::to_revision(
          {from.text(), from.u64(), from.i64(), from.text(), from.text(), from.text(), from.text(), false}))
    check_shown(history_table(std::vector{*view}, now, {}));
  check_shown(
      event_line(wire::to_event({from.u64(), from.i64(), from.text(), from.text(), from.text()}), {}));
  if (const auto step =
          wire::to_step({from.text(), from.text(), from.u32(), from.text(), from.texts(), from.texts()}))
    check_shown(plan_text(std::vector{*step}, {}));
}

void read_change(Reader from) {
  wire::Properties properties;
  for (const char* const name : {"Kind", "Target", "State", "Error"})
    properties[name] = sdbus::Variant{from.text()};
  properties["StartedAt"] = sdbus::Variant{from.i64()};
  properties["FinishedAt"] = sdbus::Variant{from.i64()};
  properties["Failed"] = sdbus::Variant{std::vector<wire::Failed>{{from.text(), from.text(), from.text()}}};
  if (const auto report = wire::to_change(ChangeId{7}, properties)) {
    check_shown(outcome_text(*report, {}));
    check_shown(progress_text(report->view));
  }
}

void read_names(std::string_view bytes) {
  if (const auto id = parse_app_id(bytes)) require(id->str() == bytes);
  if (const auto slot = parse_slot_id(bytes)) require(parse_slot_id(slot->str()).value() == *slot);
  if (const auto phase = parse_phase(bytes)) require(to_text(*phase) == bytes);
  const auto status = parse_exit_status(bytes);
  if (status.kind != ExitStatus::Kind::unknown) require(parse_exit_status(to_text(status)) == status);
  if (const auto change = wire::change_of(bytes); change != ChangeId{})
    require(wire::change_of(wire::change_path(change)) == change);
}

}  // namespace

FUZZ_TARGET(replies) {
  const Reader reader{fuzz::Input{bytes}};
  read_instance(reader);
  read_app(reader);
  read_others(reader);
  read_change(reader);
  read_names(bytes);
}

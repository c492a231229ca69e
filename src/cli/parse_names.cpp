// SPDX-License-Identifier: Apache-2.0
#include "cli/parse_names.h"

#include <charconv>
#include <csignal>

#include "base/text.h"
#include "base/units.h"

namespace svd::cli {
namespace {

std::optional<std::uint32_t> parse_number(std::string_view text) {
  std::uint32_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

// "limit 64MiB)", "app limit 1GiB)", or something else.
ExitStatus parse_oom(std::string_view text) {
  ExitStatus status{ExitStatus::Kind::signal, SIGKILL, false, Oom::machine, 0};
  constexpr std::string_view own = "limit", of_app = "app limit";
  if (text.ends_with(')')) text.remove_suffix(1);
  if (text.starts_with(own)) status.oom = Oom::limit;
  if (text.starts_with(of_app)) status.oom = Oom::app_limit;
  if (status.oom != Oom::machine)
    status.oom_limit = parse_bytes(text.substr(text.rfind(' ') + 1)).value_or(0);
  return status;
}

}  // namespace

Result<AppId> parse_app_id(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos)
    return fail(std::errc::invalid_argument,
                "cannot read '" + printable(text) + "' as an app: want ecosystem:app");
  SVD_TRY(auto ecosystem, Name::parse(text.substr(0, colon)));
  SVD_TRY(auto app, Name::parse(text.substr(colon + 1)));
  return AppId{std::move(ecosystem), std::move(app)};
}

Result<SlotId> parse_slot_id(std::string_view text) {
  const auto slash = text.rfind('/');
  const auto slot = slash == std::string_view::npos ? std::nullopt : parse_number(text.substr(slash + 1));
  if (!slot)
    return fail(std::errc::invalid_argument,
                "cannot read '" + printable(text) + "' as an instance: want ecosystem:app/slot");
  SVD_TRY(auto app, parse_app_id(text.substr(0, slash)));
  return SlotId{std::move(app), *slot};
}

std::optional<Phase> parse_phase(std::string_view text) {
  for (std::size_t i = 0; i < phase_names.size(); ++i)
    if (phase_names[i] == text) return static_cast<Phase>(i);
  return std::nullopt;
}

std::optional<PlanStep::Action> parse_action(std::string_view text) {
  using enum PlanStep::Action;
  for (const auto action : {start, stop, replace, scale, update})
    if (to_text(action) == text) return action;
  return std::nullopt;
}

ExitStatus parse_exit_status(std::string_view text) {
  if (text.empty()) return {};
  constexpr std::string_view code = "exit code ", signal = "signal ", core = " (core dumped)";
  constexpr std::string_view oom = "killed: out of memory (";
  if (text.starts_with(oom)) return parse_oom(text.substr(oom.size()));
  if (text.starts_with(code)) {
    const auto number = parse_number(text.substr(code.size()));
    if (number) return {ExitStatus::Kind::code, static_cast<int>(*number), false};
  }
  if (text.starts_with(signal)) {
    auto name = text.substr(signal.size());
    const bool dumped = name.ends_with(core);
    if (dumped) name.remove_suffix(core.size());
    if (name.starts_with(signal))
      name.remove_prefix(signal.size());  // one without a name: "signal signal 33"
    if (const auto number = parse_signal(name)) return {ExitStatus::Kind::signal, *number, dumped};
  }
  return {ExitStatus::Kind::unknown, 0, false};
}

}  // namespace svd::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/follow.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "base/units.h"
#include "cli/json_views.h"
#include "cli/log_view.h"

namespace svd::cli {
namespace {

constexpr std::chrono::milliseconds reread_pause{
    100};  // a change of 1,000 instances moves 1,000 times: not read each time
constexpr std::chrono::seconds plain_pause{
    1};  // between two lines of progress where no line can be rewritten
constexpr std::uint64_t tail_lines = 10;
constexpr std::size_t most_tails = 3;

class Progress {
 public:
  Progress(const Context& context, bool quiet)
      : context_{context}, quiet_{quiet}, next_{context.system.steady() + plain_pause} {}

  void show(const ChangeView& view) {
    if (quiet_ || view.state != "running") return;
    const auto text = progress_text(view);
    if (text == last_) return;
    if (context_.is_terminal) {
      const auto columns = context_.style.columns;
      context_.redraw(cut(text, columns > 1 ? columns - 1 : 0));
    } else {
      if (context_.system.steady() < next_) return;
      next_ = context_.system.steady() + plain_pause;
      context_.out(text + "\n");
    }
    last_ = text;
  }

  void clear() {
    if (context_.is_terminal && !last_.empty()) context_.redraw("");
    last_.clear();
  }

 private:
  const Context& context_;
  bool quiet_;
  SteadyTime next_;
  std::string last_;
};

// Reads the change, through a restart of the engine if need be.
Result<ChangeReport> read_change(const Context& context, Client& client, ChangeId id) {
  auto report = client.change(id);
  if (!report && report.error().code == std::errc::not_connected) {
    SVD_CHECK(client.reconnect(context.system.steady() + reconnect_patience));
    report = client.change(id);
    if (!report && report.error().code == std::errc::no_such_process)
      return fail(std::errc::io_error,
                  "the daemon was restarted meanwhile and no longer knows this change; 'svctl status' tells "
                  "how things are");
  }
  return report;
}

enum class Woken { again, interrupted, timed_out };

// Until there is something new to read, but not before `not_before` unless the change has ended.
Result<Woken> wait_for_news(const Context& context, Client& client, int interrupts,
                            std::optional<SteadyTime> deadline) {
  const auto not_before = context.system.steady() + reread_pause;
  bool moved = false;
  while (true) {
    WaitFor what{.until = deadline, .descriptors = {interrupts}};
    if (moved && (!deadline || not_before < *deadline)) what.until = not_before;
    const auto woken = client.wait(what);
    if (!woken) {
      if (woken.error().code != std::errc::not_connected) return tl::make_unexpected(woken.error());
      SVD_CHECK(client.reconnect(context.system.steady() + reconnect_patience));
      return Woken::again;
    }
    switch (woken->kind) {
      case Happening::Kind::descriptor:
        return Woken::interrupted;
      case Happening::Kind::finished:
        return Woken::again;
      case Happening::Kind::timeout:
        if (deadline && context.system.steady() >= *deadline) return Woken::timed_out;
        if (moved) return Woken::again;
        break;
      case Happening::Kind::progress:
        if (context.system.steady() >= not_before) return Woken::again;
        moved = true;
        break;
      case Happening::Kind::event:
      case Happening::Kind::instance:
      case Happening::Kind::message:
        break;
    }
  }
}

// What was asked for is done, and a start of the daemon would not know of it.
void warn_unsaved(const Context& context, Client& client) {
  const auto daemon = client.daemon();
  if (daemon && !daemon->unsaved.empty())
    context.err("svctl: warning: " + printable(daemon->unsaved) +
                "; the next start of svd will know an older state\n");
}

bool is_taken_back(const ChangeView& view) {
  const auto says = [&](const char* words) { return view.error.find(words) != std::string::npos; };
  return view.state == "failed" && says("aborted by ") && !says("cannot roll back");
}

Result<Exit> finished(const Context& context, Client& client, const ChangeReport& report,
                      const FollowOptions& options) {
  const bool aborted = options.aborts && is_taken_back(report.view);
  const bool good = report.view.state == "succeeded" || aborted;
  if (options.flags.json) {
    context.out(to_json(report) + "\n");
    return good ? Exit::ok : Exit::error;
  }
  const auto text = outcome_text(report, context.style);
  if (good)
    context.out(text);
  else
    context.err("svctl: " + text);
  warn_unsaved(context, client);
  if (aborted) return Exit::ok;
  const auto shown = std::min(report.failures.size(), most_tails);
  for (std::size_t i = 0; i < shown; ++i) {
    const auto instances = client.instances({report.failures[i].instance});
    if (!instances) continue;
    for (const auto& instance : *instances)
      if (instance.phase != Phase::waiting)  // it was not started
        context.err(
            tail_text(tail_of(context, client, instance, tail_lines, report.view.started), context.style));
  }
  return good ? Exit::ok : Exit::error;
}

Result<Exit> timed_out(const Context& context, const ChangeReport& report, Millis timeout) {
  auto text = "svctl: " + progress_text(report.view) + " after " + format_duration(timeout) +
              "; the change goes on\n";
  for (const auto& slot : report.failures)
    text +=
        "  " + printable(slot.instance) + " " + printable(slot.phase) + ": " + printable(slot.reason) + "\n";
  context.err(text);
  return Exit::error;
}

// In JSON the same members as a change has, so that scripts need no second case.
Result<Exit> nothing_to_do(const Context& context, const FollowOptions& options) {
  if (options.flags.json) {
    ChangeReport report;
    report.view.kind = options.kind;
    report.view.state = "succeeded";
    context.out(to_json(report) + "\n");
  } else {
    context.out("nothing to do: " + options.nothing + "\n");
  }
  return Exit::ok;
}

}  // namespace

AppStatus::Tail tail_of(const Context& context, Client& client, const InstanceView& instance,
                        std::uint64_t lines, std::optional<WallTime> since) {
  AppStatus::Tail tail{instance.id.str(), {}};
  if (instance.log.empty() || instance.log == "none" || instance.log == "console") return tail;
  LogQuery query;
  query.lines = lines;
  // The journal knows when a line came. What a line in a file begins with may be of any clock and zone:
  // nothing is left out for that.
  const bool has_times = instance.log.starts_with("journal:");
  if (has_times) query.since = since;
  bool joins = false;  // the line before was incomplete: this one continues it
  const auto read =
      context.system.read_logs(sources_of(context, client, {instance}), query, [&](const LogLine& line) {
        if (joins)
          tail.lines.back() += line.text;
        else
          tail.lines.emplace_back(line.text);
        tail.unsure = tail.unsure || (since && !has_times && (!line.when || *line.when < *since));
        joins = !line.complete;
        return true;
      });
  if (!read) tail.lines.push_back(read.error().text);
  return tail;
}

namespace {

Exit no_longer_waiting(const Context& context, Progress& progress) {
  progress.clear();
  context.err(
      "svctl: no longer waiting; the change goes on in the daemon ('svctl status' tells how it stands)\n");
  return Exit::interrupted;
}

}  // namespace

Result<Exit> follow_change(const Context& context, Client& client, Begun begun,
                           const FollowOptions& options) {
  const auto& flags = options.flags;
  if (begun.change == ChangeId{}) return nothing_to_do(context, options);
  if (!flags.no_wait) SVD_CHECK(client.watch(begun.change));
  SVD_TRY(auto report, read_change(context, client, begun.change));
  if (options.plan && !flags.json) context.out(plan_text(report.view.steps, context.style));
  if (flags.no_wait) {
    context.out(flags.json ? to_json(report) + "\n"
                           : progress_text(report.view) + "; not waiting for the rest\n");
    return Exit::ok;
  }
  const int interrupts = context.system.interrupts();
  const auto timeout = parse_duration(flags.timeout);
  std::optional<SteadyTime> deadline;
  if (timeout) deadline = context.system.steady() + *timeout;
  Progress progress{context, flags.json};
  while (report.view.state == "running") {
    progress.show(report.view);
    SVD_TRY(const auto woken, wait_for_news(context, client, interrupts, deadline));
    if (woken == Woken::interrupted) return no_longer_waiting(context, progress);
    auto news = read_change(context, client, begun.change);
    if (!news && news.error().code == std::errc::interrupted) return no_longer_waiting(context, progress);
    SVD_TRY(report, std::move(news));
    if (woken == Woken::timed_out && report.view.state == "running") {
      progress.clear();
      return timed_out(context, report, *timeout);
    }
  }
  progress.clear();
  return finished(context, client, report, options);
}

}  // namespace svd::cli

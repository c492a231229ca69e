// SPDX-License-Identifier: Apache-2.0
#include <systemd/sd-journal.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <set>

#include "cli/log_lines.h"

namespace svd::cli {
namespace {

// SD_MESSAGE_JOURNAL_DROPPED: "Suppressed N messages from UNIT", with N_DROPPED (journalctl --catalog knows
// it).
constexpr const char* suppressed_message = "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e";

Result<> check(int r, const char* what) {
  if (r < 0) return fail_errno(-r, what);
  return {};
}

struct CloseJournal {
  void operator()(sd_journal* journal) const noexcept { sd_journal_close(journal); }
};
using JournalPtr = std::unique_ptr<sd_journal, CloseJournal>;

class Journal final : public JournalSource {
 public:
  Journal(JournalPtr journal, const LogQuery& query) : journal_{std::move(journal)}, since_{query.since} {}

  Result<> match(const std::vector<JournalInstance>& instances) {
    sd_journal_set_data_threshold(journal_.get(), 0);  // whole messages, not their first 64 KiB
    for (const auto& instance : instances) {
      sources_[instance.identifier] = instance;
      const auto match = "SYSLOG_IDENTIFIER=" + instance.identifier;
      SVD_CHECK(check(sd_journal_add_match(journal_.get(), match.data(), match.size()),
                      "cannot select from the journal"));
    }
    SVD_CHECK(check(sd_journal_add_disjunction(journal_.get()), "cannot select from the journal"));
    return check(sd_journal_add_match(journal_.get(), suppressed_message, 0),
                 "cannot select from the journal");
  }

  Result<> find_beginning(const LogQuery& query) {
    int r = 0;
    if (query.lines) {
      r = seek_last(*query.lines);
    } else if (query.since) {
      r = sd_journal_seek_realtime_usec(
          journal_.get(), static_cast<std::uint64_t>(std::max<std::int64_t>(query.since->micros, 0)));
    } else {
      r = sd_journal_seek_head(journal_.get());
    }
    return check(r, "cannot find the beginning in the journal");
  }

  Result<bool> next(OwnedLine& into) override {
    for (;;) {
      if (!ready_.empty()) {
        into = std::move(ready_.front());
        ready_.pop_front();
        return true;
      }
      const int r = sd_journal_next(journal_.get());
      if (r < 0) return fail_errno(-r, "cannot read the journal");
      if (r == 0) return false;
      take_entry();
    }
  }

  bool flush(OwnedLine& into) override {
    if (partial_.empty()) return false;
    auto first = partial_.begin();
    into = std::move(first->second);
    into.complete = false;
    partial_.erase(first);
    return true;
  }
  [[nodiscard]] bool holds_partial() const override { return !partial_.empty(); }
  void begin_following() override { since_.reset(); }

  [[nodiscard]] JournalWait wait() const override {
    JournalWait wait;
    wait.fd = sd_journal_get_fd(journal_.get());
    wait.events = static_cast<short>(std::max(sd_journal_get_events(journal_.get()), 0));
    std::uint64_t until = UINT64_MAX;
    if (sd_journal_get_timeout(journal_.get(), &until) > 0 && until != UINT64_MAX) wait.timeout = 1000;
    return wait;
  }
  void process() override { sd_journal_process(journal_.get()); }

 private:
  // One more entry than wanted, since next() moves first; with none wanted that leaves it on the last one.
  // Others' entries do not count: whoever writes many under our name would hide ours.
  int seek_last(std::uint64_t lines) {
    int r = sd_journal_seek_tail(journal_.get());
    while (r >= 0) {
      r = sd_journal_previous(journal_.get());
      // Fewer are there: next() would pass over the first, on which it stands now.
      if (r == 0) return sd_journal_seek_head(journal_.get());
      if (lines == 0) return r;
      if (r > 0 && is_ours()) --lines;
    }
    return r;
  }

  using Known = std::map<std::string, JournalInstance>;
  // Whose line the present entry is, by what its sender could not forge; end(): nobody's here.
  [[nodiscard]] Known::const_iterator speaker() const {
    const auto named = sources_.find(field("SYSLOG_IDENTIFIER"));
    if (named == sources_.end()) return named;
    const JournalOrigin origin{field("_UID"), field("_SYSTEMD_CGROUP"), field("_TRANSPORT")};
    return is_said_by(origin, named->first, named->second.trust) ? named : sources_.end();
  }
  // By journald itself: MESSAGE_ID alone is whatever a sender says.
  [[nodiscard]] bool is_remark() const { return field("_TRANSPORT") == "driver"; }
  [[nodiscard]] bool is_ours() const { return speaker() != sources_.end() || is_remark(); }

  [[nodiscard]] std::string field(const std::string& name) const {
    const void* data = nullptr;
    std::size_t size = 0;
    if (sd_journal_get_data(journal_.get(), name.c_str(), &data, &size) < 0 || size <= name.size()) return {};
    return {static_cast<const char*>(data) + name.size() + 1, size - name.size() - 1};
  }

  void take_entry() {
    std::uint64_t micros = 0;
    sd_journal_get_realtime_usec(journal_.get(), &micros);
    const WallTime when{static_cast<std::int64_t>(micros)};
    if (since_ && when < *since_) return;
    if (is_remark()) return take_suppressed(when);
    const auto found = speaker();
    if (found == sources_.end()) return;
    if (const auto unit = field("_SYSTEMD_UNIT"); !unit.empty()) units_.insert(unit);
    OwnedLine line{LogLine::Kind::text, found->second.source, when, when, field("MESSAGE"), true};
    // A line over journald's LineMax= comes in pieces, told apart from lines by a field (one of logtool's
    // where it stands between); a stream's pieces are joined again.
    auto stream = field("_STREAM_ID");
    if (stream.empty()) stream = field("_PID") + " " + found->first;
    if (const auto begun = partial_.find(stream); begun != partial_.end()) {
      line.text.insert(0, begun->second.text);
      partial_.erase(begun);
    }
    const bool continues = field("_LINE_BREAK") == "line-max" || !field("SVD_CONTINUES").empty();
    if (continues && line.text.size() < max_line) {
      partial_.emplace(stream, std::move(line));
      return;
    }
    line.complete = !continues;
    ready_.push_back(std::move(line));
  }

  // journald limits rates by unit. The remark is ours when it was one of our processes that met the limit
  // (its cgroup ends with
  // "<ecosystem>:<app>/<slot>.<start>"), or when our instances log under that unit.
  void take_suppressed(WallTime when) {
    const auto unit = field("OBJECT_SYSTEMD_UNIT");
    auto source = source_of_cgroup(field("OBJECT_SYSTEMD_CGROUP"));
    if (!source && units_.contains(unit)) source = sources_.begin()->second.source;
    if (!source) return;
    const auto dropped = field("N_DROPPED");
    ready_.push_back({LogLine::Kind::note, *source, when, when,
                      "journald suppressed " + (dropped.empty() ? "some" : dropped) + " messages of " +
                          (unit.empty() ? "this instance" : "'" + unit + "'") +
                          " (RateLimitIntervalSec= and RateLimitBurst= in journald.conf(5); logs: { to: file "
                          "} has no limit)",
                      true});
  }

  [[nodiscard]] std::optional<std::size_t> source_of_cgroup(std::string_view cgroup) const {
    const auto slash = cgroup.rfind('/');
    const auto before = slash == std::string_view::npos ? slash : cgroup.rfind('/', slash - 1);
    const auto dot = cgroup.find('.', slash == std::string_view::npos ? cgroup.size() : slash);
    if (before == std::string_view::npos || dot == std::string_view::npos) return std::nullopt;
    const auto found = sources_.find(std::string{cgroup.substr(before + 1, dot - before - 1)});
    return found == sources_.end() ? std::nullopt : std::optional{found->second.source};
  }

  JournalPtr journal_;
  std::optional<WallTime> since_;
  Known sources_;                             // by identifier
  std::set<std::string> units_;               // that our instances were seen in
  std::map<std::string, OwnedLine> partial_;  // by stream: pieces of a line that goes on
  std::deque<OwnedLine> ready_;
};

}  // namespace

Result<std::unique_ptr<JournalSource>> JournalSource::open(const std::vector<JournalInstance>& instances,
                                                           const LogQuery& query) {
  sd_journal* raw = nullptr;
  const int r = query.journal.empty() ? sd_journal_open(&raw, SD_JOURNAL_LOCAL_ONLY)
                                      : sd_journal_open_directory(&raw, query.journal.c_str(), 0);
  if (r < 0) return fail_errno(-r, "cannot open the journal");
  auto journal = std::make_unique<Journal>(JournalPtr{raw}, query);
  SVD_CHECK(journal->match(instances));
  SVD_CHECK(journal->find_beginning(query));
  if (query.follow && sd_journal_get_fd(raw) < 0)
    return fail(std::errc::io_error, "cannot follow the journal");
  return std::unique_ptr<JournalSource>{std::move(journal)};
}

}  // namespace svd::cli

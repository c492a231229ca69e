// SPDX-License-Identifier: Apache-2.0
#include "engine/persist.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <type_traits>

namespace svd {
namespace {

constexpr std::string_view header = "svd-runtime 1";
constexpr std::uint64_t first_id = 1;

std::uint64_t checksum(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
  return hash;
}

std::string to_hex(std::uint64_t value) {
  std::array<char, 16> digits{};
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, value >>= 4U)
    *digit = "0123456789abcdef"[value & 0xFU];
  return {digits.begin(), digits.end()};
}

bool is_plain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_' ||
         c == '.' || c == ':' || c == '/';
}

void escape(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (is_plain(c)) {
      out += c;
    } else {
      const auto byte = static_cast<std::uint8_t>(c);
      out += '%';
      out += "0123456789abcdef"[byte >> 4U];
      out += "0123456789abcdef"[byte & 0xFU];
    }
  }
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned byte = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const auto parsed = std::from_chars(&text[i + 1], &text[i + 1] + 2, byte, 16);
    if (parsed.ec != std::errc{} || parsed.ptr != &text[i + 1] + 2) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

// One line: a word, a subject, then key=value for what is not the default.
class Line {
 public:
  Line(std::string& out, std::string_view word) : out_{out} { out_ += word; }
  ~Line() { out_ += '\n'; }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  Line& subject(std::string_view text) {
    out_ += ' ';
    escape(out_, text);
    return *this;
  }
  template <class Number>
  requires std::is_arithmetic_v<Number> Line& put(std::string_view key, Number value, Number usual = 0) {
    if (value == usual) return *this;
    begin(key);
    append(static_cast<std::conditional_t<std::is_signed_v<Number>, std::int64_t, std::uint64_t>>(value));
    return *this;
  }
  Line& put(std::string_view key, std::string_view value) {
    if (value.empty()) return *this;
    begin(key);
    escape(out_, value);
    return *this;
  }
  template <class Items, class Show>
  Line& list(std::string_view key, const Items& items, Show&& show) {
    if (items.empty()) return *this;
    begin(key);
    bool first = true;
    for (const auto& item : items) {
      if (!std::exchange(first, false)) out_ += ',';
      escape(out_, show(item));
    }
    return *this;
  }

 private:
  void begin(std::string_view key) {
    out_ += ' ';
    out_ += key;
    out_ += '=';
  }
  template <class Integer>
  void append(Integer value) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out_.append(digits.data(), end);
  }

  std::string& out_;
};

constexpr auto as_number = [](auto value) { return std::to_string(value); };

void write_slot(std::string& out, const SavedSlot& slot) {
  Line line{out, slot.role == 0 ? "slot" : "beside"};
  line.subject(std::to_string(slot.index)).put("phase", to_text(slot.phase));
  if (slot.phase == Phase::stopping) line.put("next", to_text(slot.next));
  line.put("limit", slot.limit, false).put("cause", slot.cause).put("by", slot.by);
  line.put("wanted", slot.wanted, true).put("late", slot.late, false);
  line.put("role", slot.role).put("part", slot.part).put("renewal", slot.renewal).put("last", slot.last);
  line.put("start", slot.start).put("handled", slot.handled).put("generation", slot.generation);
  line.put("version", slot.version).put("revision", slot.revision).put("restarts", slot.restarts);
  line.put("since", slot.since)
      .put("started", slot.started)
      .put("until", slot.until)
      .put("delay", slot.delay);
  line.put("streak", slot.streak).list("recent", slot.recent, as_number);
  line.put("exit", static_cast<std::uint8_t>(slot.last_exit.kind)).put("status", slot.last_exit.number);
  line.put("core", slot.last_exit.core_dumped, false);
  line.put("oom", static_cast<std::uint8_t>(slot.last_exit.oom)).put("oom_limit", slot.last_exit.oom_limit);
  if (!slot.failure) return;
  line.put("stage", static_cast<int>(slot.failure->stage), -1)
      .put("errno", slot.failure->err)
      .put("detail", slot.failure->detail);
}

}  // namespace

std::string write_state(const SavedState& state) {
  std::string out;
  std::size_t slots = 0;
  for (const auto& app : state.apps) slots += app.slots.size();
  out.reserve(256 * (1 + slots + state.apps.size()));
  out.append(header) += '\n';
  Line{out, "next"}
      .put("start", state.next_start, first_id)
      .put("change", state.next_change, first_id)
      .put("event", state.next_event, first_id);
  for (const auto& eco : state.ecosystems)
    Line{out, "eco"}
        .subject(eco.name.str())
        .put("current", eco.current)
        .put("next", eco.next, first_id)
        .list("deleted", eco.deleted, [](const Name& name) { return name.str(); });
  for (const auto& app : state.apps) {
    {
      Line line{out, "app"};
      line.subject(app.id.str()).put("generation", app.generation);
      line.put("wanted", app.wanted, true)
          .put("leaving", app.leaving, false)
          .put("halted", app.halted, false)
          .put("rolling", app.rolling, false)
          .put("paused", app.paused, false)
          .put("reverting", app.reverting, false)
          .put("version", app.version)
          .put("stable", app.stable);
      if (app.scale) line.put("scale", std::int64_t{*app.scale}, std::int64_t{-1});
    }
    for (const auto& slot : app.slots) write_slot(out, slot);
    for (const auto& slot : app.besides) write_slot(out, slot);
  }
  for (const auto& change : state.changes)
    Line{out, "change"}
        .subject(std::to_string(change.id))
        .put("kind", change.kind)
        .put("target", change.target)
        .put("who", change.who)
        .put("ecosystem", change.ecosystem.str())
        .put("revision", change.revision)
        .put("started", change.started)
        .list("apps", change.apps, [](const AppId& id) { return id.str(); })
        .list("failed", change.failed, [](const std::string& text) { return text; })
        .list("why", change.why, [](const std::string& text) { return text; });
  const auto sum = checksum(out);
  Line{out, "end"}.subject(to_hex(sum));
  return out;
}

namespace {

// One line taken apart. Asking for a key that is missing gives its default; a value that cannot be read
// spoils the line.
class Fields {
 public:
  explicit Fields(std::string_view line) {
    word = next(line);
    if (line.substr(0, line.find(' ')).find('=') == std::string_view::npos)
      subject = unescape(next(line)).value_or("");
    while (!line.empty()) {
      const auto pair = next(line);
      const auto equals = pair.find('=');
      if (equals == std::string_view::npos)
        good = false;
      else
        values_[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
  }

  template <class Number>
  void take(std::string_view key, Number& into) {
    const auto found = values_.find(key);
    if (found != values_.end()) parse(found->second, into);
  }
  void take(std::string_view key, std::string& into) {
    const auto found = values_.find(key);
    if (found == values_.end()) return;
    if (auto text = unescape(found->second))
      into = std::move(*text);
    else
      good = false;
  }
  void take(std::string_view key, bool& into) {
    std::uint8_t value = into ? 1 : 0;
    take(key, value);
    into = value != 0;
  }
  void take(std::string_view key, Phase& into) {
    std::string text;
    take(key, text);
    const auto found = std::ranges::find(phase_names, std::string_view{text});
    if (found != phase_names.end())
      into = static_cast<Phase>(found - phase_names.begin());
    else if (!text.empty())
      good = false;
  }
  void take(std::string_view key, Name& into) {
    std::string text;
    take(key, text);
    if (!text.empty()) parse(text, into);
  }
  template <class Item>
  void take_list(std::string_view key, std::vector<Item>& into) {
    const auto found = values_.find(key);
    if (found == values_.end()) return;
    auto rest = found->second;
    for (bool more = true; more;) {  // an empty list has no key: there is one item more than commas
      const auto comma = rest.find(',');
      more = comma != std::string_view::npos;
      const auto text = unescape(rest.substr(0, comma));
      good = good && text;
      parse(text.value_or(""), into.emplace_back());
      if (more) rest.remove_prefix(comma + 1);
    }
  }
  [[nodiscard]] bool has(std::string_view key) const { return values_.contains(key); }

  template <class Number>
  requires std::is_arithmetic_v<Number>
  void parse(std::string_view text, Number& into) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), into);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) good = false;
  }
  void parse(std::string_view text, Name& into) {
    if (auto name = Name::parse(text))
      into = std::move(*name);
    else
      good = false;
  }
  static void parse(std::string_view text, std::string& into) { into = text; }
  void parse(std::string_view text, AppId& into) {
    const auto colon = std::min(text.find(':'), text.size());
    parse(text.substr(0, colon), into.ecosystem);
    parse(text.substr(std::min(colon + 1, text.size())), into.app);
  }

  std::string_view word;
  std::string subject;
  bool good = true;

 private:
  static std::string_view next(std::string_view& line) {
    const auto blank = std::min(line.find(' '), line.size());
    const auto word = line.substr(0, blank);
    line.remove_prefix(std::min(blank + 1, line.size()));
    return word;
  }

  std::map<std::string_view, std::string_view> values_;
};

SavedSlot read_slot(Fields& fields) {
  SavedSlot slot;
  fields.parse(fields.subject, slot.index);
  fields.take("phase", slot.phase);
  if (slot.phase == Phase::stopping) fields.take("next", slot.next);
  fields.take("limit", slot.limit);
  fields.take("cause", slot.cause);
  fields.take("by", slot.by);
  fields.take("wanted", slot.wanted);
  fields.take("role", slot.role);
  fields.take("part", slot.part);
  fields.take("renewal", slot.renewal);
  fields.take("last", slot.last);
  fields.take("late", slot.late);
  fields.take("start", slot.start);
  fields.take("handled", slot.handled);
  fields.take("generation", slot.generation);
  fields.take("version", slot.version);
  fields.take("revision", slot.revision);
  fields.take("restarts", slot.restarts);
  fields.take("since", slot.since);
  fields.take("started", slot.started);
  fields.take("until", slot.until);
  fields.take("delay", slot.delay);
  fields.take("streak", slot.streak);
  fields.take_list("recent", slot.recent);
  std::uint8_t kind = 0;
  fields.take("exit", kind);
  if (kind > static_cast<std::uint8_t>(ExitStatus::Kind::unknown))
    fields.good = false;
  else
    slot.last_exit.kind = static_cast<ExitStatus::Kind>(kind);
  fields.take("status", slot.last_exit.number);
  fields.take("core", slot.last_exit.core_dumped);
  std::uint8_t oom = 0;
  fields.take("oom", oom);
  if (oom <= static_cast<std::uint8_t>(Oom::machine)) slot.last_exit.oom = static_cast<Oom>(oom);
  fields.take("oom_limit", slot.last_exit.oom_limit);
  if (!fields.has("stage")) return slot;
  std::uint8_t stage = 0;
  fields.take("stage", stage);
  auto& failure = slot.failure.emplace();
  failure.stage = static_cast<StartStage>(stage);
  fields.take("errno", failure.err);
  fields.take("detail", failure.detail);
  return slot;
}

SavedApp read_app(Fields& fields) {
  SavedApp app;
  fields.parse(fields.subject, app.id);
  fields.take("generation", app.generation);
  fields.take("wanted", app.wanted);
  fields.take("leaving", app.leaving);
  fields.take("halted", app.halted);
  fields.take("rolling", app.rolling);
  fields.take("paused", app.paused);
  fields.take("reverting", app.reverting);
  fields.take("version", app.version);
  fields.take("stable", app.stable);
  if (fields.has("scale")) fields.take("scale", app.scale.emplace());
  return app;
}

SavedEco read_eco(Fields& fields) {
  SavedEco eco;
  fields.parse(fields.subject, eco.name);
  fields.take("current", eco.current);
  fields.take("next", eco.next);
  fields.take_list("deleted", eco.deleted);
  return eco;
}

SavedChange read_change(Fields& fields) {
  SavedChange change;
  fields.parse(fields.subject, change.id);
  fields.take("kind", change.kind);
  fields.take("target", change.target);
  fields.take("who", change.who);
  fields.take("ecosystem", change.ecosystem);
  fields.take("revision", change.revision);
  fields.take("started", change.started);
  fields.take_list("apps", change.apps);
  fields.take_list("failed", change.failed);
  fields.take_list("why", change.why);
  return change;
}

bool read_line(std::string_view line, SavedState& state) {
  Fields fields{line};
  if (fields.word == "next") {
    fields.take("start", state.next_start);
    fields.take("change", state.next_change);
    fields.take("event", state.next_event);
  } else if (fields.word == "eco") {
    state.ecosystems.push_back(read_eco(fields));
  } else if (fields.word == "app") {
    state.apps.push_back(read_app(fields));
  } else if (fields.word == "slot" || fields.word == "beside") {
    if (state.apps.empty()) return false;
    auto& app = state.apps.back();
    auto slot = read_slot(fields);
    if ((slot.role == 0) != (fields.word == "slot")) return false;
    (slot.role == 0 ? app.slots : app.besides).push_back(std::move(slot));
  } else if (fields.word == "change") {
    state.changes.push_back(read_change(fields));
  }
  return fields.good;
}

}  // namespace

Result<SavedState> read_state(std::string_view text) {
  const auto cannot = [](const std::string& why) {
    return fail(std::errc::illegal_byte_sequence, "cannot read the runtime state: " + why);
  };
  const auto first = text.substr(0, text.find('\n'));
  if (!first.starts_with("svd-runtime ")) return cannot("it does not begin like one");
  if (first != header)
    return cannot("it was written by another version of svd ('" + std::string{first.substr(0, 40)} + "')");
  const auto trailer = text.rfind("end ");
  if (trailer == std::string_view::npos || trailer == 0 || text[trailer - 1] != '\n')
    return cannot("its end is missing");
  if (text.substr(trailer) != "end " + to_hex(checksum(text.substr(0, trailer))) + "\n")
    return cannot("its checksum is wrong");
  SavedState state;
  auto rest = text.substr(0, trailer).substr(header.size() + 1);
  for (std::size_t number = 2; !rest.empty(); ++number) {
    const auto end = std::min(rest.find('\n'), rest.size());
    if (!read_line(rest.substr(0, end), state))
      return cannot("line " + std::to_string(number) + " is malformed");
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return state;
}

}  // namespace svd

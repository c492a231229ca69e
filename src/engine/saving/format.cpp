// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <type_traits>

#include "engine/saving/saved.h"

namespace svd {
namespace {

constexpr std::string_view heading = "svd-runtime ";
constexpr unsigned level = 1;  // of what is written; a file of a lower one is migrated, level by level

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

// The descriptions. `io` writes or reads: io(key, value) where it is not its default, always() in any case,
// when() under a condition of the writer, group() what is there or not as a whole.
template <class Io, class Slot>
void describe_slot(Io& io, Slot& slot) {
  io.always("phase", slot.phase);
  io.when(slot.phase == Phase::stopping, "next", slot.next);
  io("limit", slot.limit);
  io("cause", slot.cause);
  io("by", slot.by);
  io("wanted", slot.wanted, true);
  io("late", slot.late);
  io("role", slot.role);
  io("part", slot.stage);
  io("renewal", slot.renewal);
  io("last", slot.last);
  io("start", slot.start);
  io("handled", slot.handled);
  io("generation", slot.generation);
  io("version", slot.version);
  io("revision", slot.revision);
  io("restarts", slot.restarts);
  io("since", slot.since);
  io("started", slot.started);
  io("until", slot.until);
  io("delay", slot.delay);
  io("streak", slot.streak);
  io("recent", slot.recent);
  io("exit", slot.last_exit.kind);
  io("status", slot.last_exit.number);
  io("core", slot.last_exit.core_dumped);
  io("oom", slot.last_exit.oom);
  io("oom_limit", slot.last_exit.oom_limit);
  io.group("stage", slot.failure, [&](auto& failure) {
    io.always("stage", failure.stage);
    io("errno", failure.err);
    io("detail", failure.detail);
  });
}

template <class Io, class App>
void describe_app(Io& io, App& app) {
  io("generation", app.generation);
  io("wanted", app.wanted, true);
  io("leaving", app.removed);
  io("halted", app.halted);
  io("rolling", app.rolling);
  io("paused", app.paused);
  io("reverting", app.going_back);
  io("version", app.version);
  io("stable", app.stable);
  io.group("scale", app.scale, [&](auto& scale) { io.always("scale", scale); });
}

template <class Io, class Eco>
void describe_ecosystem(Io& io, Eco& eco) {
  io("current", eco.current);
  io.always("next", eco.next);
  io("deleted", eco.deleted);
}

template <class Io, class Change>
void describe_change(Io& io, Change& change) {
  io("kind", change.kind);
  io("target", change.target);
  io("who", change.who);
  io("ecosystem", change.ecosystem);
  io("revision", change.revision);
  io("started", change.started);
  io("apps", change.apps);
  io("failed", change.failed);
  io("why", change.why);
}

template <class Io, class State>
void describe_counters(Io& io, State& state) {
  io.always("start", state.next_start);
  io.always("change", state.next_change);
  io.always("event", state.next_event);
}

// How many values an enum has that is saved by number.
template <class Enum>
constexpr std::size_t count_of = 0;
template <>
constexpr std::size_t count_of<ExitStatus::Kind> = static_cast<std::size_t>(ExitStatus::Kind::unknown) + 1;
template <>
constexpr std::size_t count_of<Oom> = static_cast<std::size_t>(Oom::machine) + 1;
template <>
constexpr std::size_t count_of<StartStage> = static_cast<std::size_t>(StartStage::hardening) + 1;

template <class Value>
concept Numbered = std::is_arithmetic_v<Value> ||(std::is_enum_v<Value>&& count_of<Value> > 0);

// One line: a word, a subject, then key=value.
class Line {
 public:
  Line(std::string& out, std::string_view word, std::string_view subject) : out_{out} {
    out_ += word;
    if (subject.empty()) return;
    out_ += ' ';
    escape(out_, subject);
  }
  ~Line() { out_ += '\n'; }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  template <class Value>
  void operator()(std::string_view key, const Value& value, const Value& usual = {}) {
    if (value != usual) always(key, value);
  }
  template <class Value>
  void always(std::string_view key, const Value& value) {
    out_ += ' ';
    out_ += key;
    out_ += '=';
    put(value);
  }
  template <class Value>
  void when(bool now, std::string_view key, const Value& value) {
    if (now) always(key, value);
  }
  template <class Value, class Describe>
  void group(std::string_view, const std::optional<Value>& value, Describe&& describe) {
    if (value) describe(*value);
  }

 private:
  template <Numbered Value>
  void put(Value value) {
    if constexpr (std::is_signed_v<Value>)
      out_ += std::to_string(static_cast<std::int64_t>(value));
    else
      out_ += std::to_string(static_cast<std::uint64_t>(value));
  }
  void put(Phase phase) { put(std::string{to_text(phase)}); }
  void put(const std::string& text) { escape(out_, text); }
  void put(const Name& name) { put(name.str()); }
  void put(const AppId& id) { put(id.str()); }
  template <class Item>
  void put(const std::vector<Item>& items) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += ',';
      put(items[i]);
    }
  }

  std::string& out_;
};

void write(std::string& out, const SavedSlot& slot) {
  Line line{out, slot.role == 0 ? "slot" : "beside", std::to_string(slot.index)};
  describe_slot(line, slot);
}

void write(std::string& out, const SavedApp& app) {
  {
    Line line{out, "app", app.id.str()};
    describe_app(line, app);
  }
  for (const auto& slot : app.slots) write(out, slot);
  for (const auto& slot : app.besides) write(out, slot);
}

void write(std::string& out, const SavedEco& eco) {
  Line line{out, "eco", eco.name.str()};
  describe_ecosystem(line, eco);
}

void write(std::string& out, const SavedChange& change) {
  Line line{out, "change", std::to_string(change.id)};
  describe_change(line, change);
}

void write_counters(std::string& out, const SavedState& state) {
  Line line{out, "next", ""};
  describe_counters(line, state);
}

}  // namespace

std::string write_state(const SavedState& state) {
  std::string out;
  std::size_t slots = 0;
  for (const auto& app : state.apps) slots += app.slots.size();
  out.reserve(256 * (1 + slots + state.apps.size()));
  out.append(heading).append(std::to_string(level)) += '\n';
  write_counters(out, state);
  for (const auto& eco : state.ecosystems) write(out, eco);
  for (const auto& app : state.apps) write(out, app);
  for (const auto& change : state.changes) write(out, change);
  const auto sum = to_hex(checksum(out));
  out.append("end ").append(sum) += '\n';
  return out;
}

namespace {

// One line taken apart. What is missing keeps its default; a value that cannot be read spoils the line.
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

  template <class Value>
  void operator()(std::string_view key, Value& into, const Value& = {}) {
    if (const auto found = values_.find(key); found != values_.end()) parse(found->second, into);
  }
  template <class Value>
  void always(std::string_view key, Value& into) {
    (*this)(key, into);
  }
  template <class Value>
  void when(bool, std::string_view key, Value& into) {
    (*this)(key, into);
  }
  template <class Value, class Describe>
  void group(std::string_view key, std::optional<Value>& into, Describe&& describe) {
    if (values_.contains(key)) describe(into.emplace());
  }

  template <class Number>
  requires std::is_arithmetic_v<Number>
  void parse(std::string_view text, Number& into) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), into);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) good = false;
  }
  void parse(std::string_view text, bool& into) {
    std::uint8_t value = into ? 1 : 0;
    parse(text, value);
    into = value != 0;
  }
  // A value that this version does not know is as good as none.
  template <class Enum>
  requires std::is_enum_v<Enum>
  void parse(std::string_view text, Enum& into) {
    std::uint64_t value = 0;
    parse(text, value);
    if (value < count_of<Enum>) into = static_cast<Enum>(value);
  }
  void parse(std::string_view text, Phase& into) {
    const auto found = std::ranges::find(phase_names, text);
    if (found != phase_names.end()) into = static_cast<Phase>(found - phase_names.begin());
  }
  void parse(std::string_view text, std::string& into) {
    if (auto plain = unescape(text))
      into = std::move(*plain);
    else
      good = false;
  }
  void parse(std::string_view text, Name& into) {
    if (auto name = Name::parse(unescape(text).value_or("")))
      into = std::move(*name);
    else
      good = false;
  }
  void parse(std::string_view text, AppId& into) {
    const auto colon = std::min(text.find(':'), text.size());
    parse(text.substr(0, colon), into.ecosystem);
    parse(text.substr(std::min(colon + 1, text.size())), into.app);
  }
  template <class Item>
  void parse(std::string_view text, std::vector<Item>& into) {
    while (!text.empty()) {
      const auto comma = std::min(text.find(','), text.size());
      parse(text.substr(0, comma), into.emplace_back());
      text.remove_prefix(std::min(comma + 1, text.size()));
    }
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

// What a line of a lower level has to become first; by the level that it is of.
using Migrate = void (*)(Fields&);
constexpr std::array<Migrate, level> migrations{[](Fields&) {}};

void read_slot(Fields& fields, SavedSlot& slot) {
  fields.parse(fields.subject, slot.index);
  describe_slot(fields, slot);
}

bool read_line(Fields& fields, SavedState& state) {
  if (fields.word == "next") {
    describe_counters(fields, state);
  } else if (fields.word == "eco") {
    auto& eco = state.ecosystems.emplace_back();
    fields.parse(fields.subject, eco.name);
    describe_ecosystem(fields, eco);
  } else if (fields.word == "app") {
    auto& app = state.apps.emplace_back();
    fields.parse(fields.subject, app.id);
    describe_app(fields, app);
  } else if (fields.word == "slot" || fields.word == "beside") {
    if (state.apps.empty()) return false;
    auto& app = state.apps.back();
    read_slot(fields, (fields.word == "slot" ? app.slots : app.besides).emplace_back());
  } else if (fields.word == "change") {
    auto& change = state.changes.emplace_back();
    fields.parse(fields.subject, change.id);
    describe_change(fields, change);
  }
  return fields.good;
}

tl::unexpected<Error> cannot(const std::string& why) {
  return fail(std::errc::illegal_byte_sequence, "cannot read the runtime state: " + why);
}

// The level that a text is of.
Result<unsigned> level_of(std::string_view text) {
  const auto first = text.substr(0, text.find('\n'));
  if (!first.starts_with(heading)) return cannot("it does not begin like one");
  const auto number = first.substr(heading.size());
  unsigned found = 0;
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), found);
  if (parsed.ec == std::errc{} && parsed.ptr == number.data() + number.size() && found <= level) return found;
  return cannot("it was written by another version of svd ('" + std::string{first.substr(0, 40)} + "')");
}

// What is between the first line and the last, which tells that all of it is there.
Result<std::string_view> body_of(std::string_view text) {
  const auto trailer = text.rfind("end ");
  if (trailer == std::string_view::npos || trailer == 0 || text[trailer - 1] != '\n')
    return cannot("its end is missing");
  if (text.substr(trailer) != "end " + to_hex(checksum(text.substr(0, trailer))) + "\n")
    return cannot("its checksum is wrong");
  const auto body = text.substr(0, trailer);
  return body.substr(body.find('\n') + 1);
}

}  // namespace

Result<SavedState> read_state(std::string_view text) {
  SVD_TRY(const auto from, level_of(text));
  SVD_TRY(auto rest, body_of(text));
  SavedState state;
  for (std::size_t number = 2; !rest.empty(); ++number) {
    const auto end = std::min(rest.find('\n'), rest.size());
    Fields fields{rest.substr(0, end)};
    for (auto each = from; each < level; ++each) migrations[each](fields);
    if (!read_line(fields, state)) return cannot("line " + std::to_string(number) + " is malformed");
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return state;
}

}  // namespace svd

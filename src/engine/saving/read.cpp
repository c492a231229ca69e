// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <vector>

#include "engine/saving/describe.h"

namespace svd {

using namespace saved;

namespace {

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
  void when(bool applies, std::string_view key, Value& into) {
    if (applies) (*this)(key, into);
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
    for (bool more = true; more;) {  // an empty list has no key: there is one item more than commas
      const auto comma = text.find(',');
      more = comma != std::string_view::npos;
      parse(text.substr(0, comma), into.emplace_back());
      if (more) text.remove_prefix(comma + 1);
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
    auto& slot = (fields.word == "slot" ? app.slots : app.besides).emplace_back();
    read_slot(fields, slot);
    if ((slot.role == 0) != (fields.word == "slot")) return false;
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

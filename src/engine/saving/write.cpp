// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <vector>

#include "engine/saving/describe.h"

namespace svd {

using namespace saved;

namespace {

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

}  // namespace svd

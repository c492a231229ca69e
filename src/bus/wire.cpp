// SPDX-License-Identifier: Apache-2.0
#include "bus/wire.h"

#include <type_traits>

#include "base/text.h"
#include "bus/paths.h"

namespace svd::bus {
namespace {

// Of a figure in a row that has a place for it.
constexpr std::uint64_t unknown = ~0ULL;

// The bytes of a noncharacter (U+FDD0 to U+FDEF, and the last two of each plane) at the start of a text that
// is UTF-8; 0: none is there.
std::size_t noncharacter_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0U; };
  if (at(0) == 0xEF && at(1) == 0xB7) return at(2) >= 0x90 && at(2) <= 0xAF ? 3 : 0;
  if (at(0) == 0xEF) return at(1) == 0xBF && at(2) >= 0xBE ? 3 : 0;
  return at(0) >= 0xF0 && (at(1) & 0x0FU) == 0x0F && at(2) == 0xBF && at(3) >= 0xBE ? 4 : 0;
}

std::size_t find_noncharacter(std::string_view text, std::size_t from = 0) {
  for (auto at = text.find_first_of("\xEF\xF0\xF1\xF2\xF3\xF4", from); at < text.size();
       at = text.find_first_of("\xEF\xF0\xF1\xF2\xF3\xF4", at + 1))
    if (noncharacter_length(text.substr(at)) > 0) return at;
  return std::string_view::npos;
}

// A NUL would end the string early on the wire; sd-bus refuses what is not UTF-8, and noncharacters.
bool is_clean(std::string_view value) {
  return value.find('\0') == std::string_view::npos && find_invalid_utf8(value) == std::string_view::npos &&
         find_noncharacter(value) == std::string_view::npos;
}

auto malformed(const std::string& what) {
  return fail(std::errc::bad_message, "cannot read the call's arguments: " + what);
}

template <class Value>
Result<Value> read_basic(sd_bus_message* message, char type) {
  Value value{};
  if (const int r = sd_bus_message_read_basic(message, type, &value); r <= 0)
    return malformed(std::string{"want a value of type '"} + type + "'");
  return value;
}

Result<> enter(sd_bus_message* message, char type, const char* contents) {
  if (sd_bus_message_enter_container(message, type, contents) <= 0)
    return malformed(std::string{"want a container of '"} + contents + "'");
  return {};
}

Result<> leave(sd_bus_message* message) {
  if (sd_bus_message_exit_container(message) < 0) return malformed("a container is too long");
  return {};
}

// As many times as the array that was entered has elements.
template <class ReadOne>
Result<> for_each(sd_bus_message* message, ReadOne&& read_one) {
  for (;;) {
    const int at_end = sd_bus_message_at_end(message, 0);
    if (at_end < 0) return malformed("broken array");
    if (at_end > 0) return {};
    SVD_CHECK(read_one());
  }
}

using Map = std::map<std::string, std::string>;

Result<Map> read_map(sd_bus_message* message) {
  Map map;
  SVD_CHECK(enter(message, 'a', "{ss}"));
  SVD_CHECK(for_each(message, [&]() -> Result<> {
    SVD_CHECK(enter(message, 'e', "ss"));
    SVD_TRY(auto key, read_string(message));
    SVD_TRY(auto value, read_string(message));
    map.insert_or_assign(std::move(key), std::move(value));
    return leave(message);
  }));
  SVD_CHECK(leave(message));
  return map;
}

Result<> read_option(sd_bus_message* message, const std::string& name, Source& into) {
  const bool is_text = name == "profile" || name == "directory";
  if (!is_text && name != "env_files" && name != "environment")
    return fail(std::errc::bad_message,
                "cannot use the option '" + name + "': want profile, directory, env_files or environment");
  SVD_CHECK(enter(message, 'v', is_text ? "s" : "a{ss}"));
  if (is_text) {
    SVD_TRY((name == "profile" ? into.profile : into.directory), read_string(message));
  } else {
    SVD_TRY((name == "env_files" ? into.env_files : into.pass_env), read_map(message));
  }
  return leave(message);
}

Result<> require_absolute(const std::string& path, const char* what) {
  if (!path.empty() && path.front() == '/') return {};
  return fail(std::errc::bad_message,
              std::string{"cannot use the "} + what + " '" + path + "': want an absolute path");
}

// Relative paths start at the file's directory unless the caller says otherwise.
Result<> settle_paths(Source& source) {
  if (source.file != "-") SVD_CHECK(require_absolute(source.file, "file"));
  if (source.directory.empty()) {
    if (source.file == "-")
      return fail(std::errc::bad_message, "cannot use standard input without the option 'directory'");
    const auto slash = source.file.rfind('/');
    source.directory = slash == 0 ? "/" : source.file.substr(0, slash);
  }
  SVD_CHECK(require_absolute(source.directory, "directory"));
  for (const auto& [path, content] : source.env_files) SVD_CHECK(require_absolute(path, "env file"));
  return {};
}

}  // namespace

std::string fit_for_bus(std::string_view text) {
  if (is_clean(text)) return std::string{text};
  auto fit = printable(text);
  for (auto at = find_noncharacter(fit); at != std::string::npos; at = find_noncharacter(fit, at))
    fit.replace(at, noncharacter_length(std::string_view{fit}.substr(at)), "\xEF\xBF\xBD");
  return fit;
}

void Writer::boolean(bool value) {
  const int wide = value ? 1 : 0;  // sd-bus takes a boolean as an int
  basic('b', &wide, sizeof wide);
}

void Writer::strings(const std::vector<std::string>& values) {
  array("s", [&](Writer& out) {
    for (const auto& value : values) out.string(value);
  });
}

void Writer::text(char type, const std::string& value) {
  basic(type, fit_for_bus(value).c_str(), value.size() + 5);
}

void Writer::basic(char type, const void* value, std::size_t size) {
  if (error_ < 0) return;
  bytes_ += size;
  if (const int r = sd_bus_message_append_basic(message_, type, value); r < 0) error_ = r;
}

void Writer::open(char type, const char* contents) {
  if (error_ < 0) return;
  bytes_ += 8;
  if (const int r = sd_bus_message_open_container(message_, type, contents); r < 0) error_ = r;
}

void Writer::close() {
  if (error_ < 0) return;
  if (const int r = sd_bus_message_close_container(message_); r < 0) error_ = r;
}

void write_row(Writer& out, const AppView& view) {
  out.string(view.id.str());
  out.object(path_of(view.id));
  out.u32(view.instances);
  out.u32(view.ready);
  out.string(view.state);
  out.string(view.reason);
  out.boolean(view.wanted);
  out.u64(view.revision);
  out.string(view.update);
}

void write_row(Writer& out, const InstanceView& view) {
  out.string(view.id.str());
  out.string(std::string{to_text(view.phase)});
  out.string(view.reason);
  out.u64(static_cast<std::uint64_t>(view.pid));
  out.u64(view.start);
  out.u64(view.revision);
  out.u64(view.generation);
  out.u64(view.restarts);
  out.i64(view.since.micros);
  out.i64(view.started.micros);
  out.i64(view.next_start.micros);
  out.string(to_text(view.last_exit));
  out.string(view.cgroup);
  out.string(view.log);
  out.string(view.role);
  out.string(view.directory);
  out.u64(view.usage.memory.value_or(unknown));
  out.u64(view.usage.cpu_time.value_or(unknown));
}

void write_row(Writer& out, const RevisionView& view) {
  out.string(view.ecosystem.str());
  out.u64(view.number);
  out.i64(view.when.micros);
  out.string(view.who);
  out.string(view.outcome);
  out.string(view.file);
  out.string(view.summary);
  out.boolean(view.current);
}

void write_row(Writer& out, const EventRecord& record) {
  out.u64(record.sequence);
  out.i64(record.when.micros);
  out.string(record.kind);
  out.string(record.subject);
  out.string(record.text);
}

void write_row(Writer& out, const PlanStep& step) {
  out.string(std::string{to_text(step.action)});
  out.string(step.app.str());
  out.u32(step.instances);
  out.string(step.summary);
  out.strings(step.why);
  out.strings(step.notes);
}

void write_row(Writer& out, const Measured& measured) {
  out.string(measured.id.str());
  out.u64(measured.start);
  write_figures(out, measured.usage);
  write_pressures(out, measured.usage);
}

void write_figures(Writer& out, const Usage& usage) {
  out.array("{st}", [&](Writer& all) {
    for (const auto& [name, member] : usage_figures)
      if (const auto& figure = usage.*member)
        all.entry("st", [&, word = std::string{name}](Writer& pair) {
          pair.string(word);
          pair.u64(*figure);
        });
  });
}

void write_pressures(Writer& out, const Usage& usage) {
  out.array("{sd}", [&](Writer& all) {
    for (const auto& [name, member] : usage_pressures)
      if (const auto& share = usage.*member)
        all.entry("sd", [&, word = std::string{name}](Writer& pair) {
          pair.string(word);
          pair.f64(*share);
        });
  });
}

Result<std::string> read_string(sd_bus_message* message) {
  SVD_TRY(const char* text, read_basic<const char*>(message, 's'));
  return std::string{text};
}

Result<std::vector<std::string>> read_strings(sd_bus_message* message) {
  std::vector<std::string> values;
  SVD_CHECK(enter(message, 'a', "s"));
  SVD_CHECK(for_each(message, [&]() -> Result<> {
    SVD_TRY(auto value, read_string(message));
    values.push_back(std::move(value));
    return {};
  }));
  SVD_CHECK(leave(message));
  return values;
}

Result<std::uint32_t> read_u32(sd_bus_message* message) { return read_basic<std::uint32_t>(message, 'u'); }
Result<std::uint64_t> read_u64(sd_bus_message* message) { return read_basic<std::uint64_t>(message, 't'); }
Result<std::int32_t> read_i32(sd_bus_message* message) { return read_basic<std::int32_t>(message, 'i'); }

Result<bool> read_bool(sd_bus_message* message) {
  SVD_TRY(const int value, read_basic<int>(message, 'b'));
  return value != 0;
}

Result<Source> read_source(sd_bus_message* message) {
  Source source;
  SVD_TRY(source.text, read_string(message));
  SVD_TRY(source.file, read_string(message));
  SVD_CHECK(enter(message, 'a', "{sv}"));
  SVD_CHECK(for_each(message, [&]() -> Result<> {
    SVD_CHECK(enter(message, 'e', "sv"));
    SVD_TRY(const auto name, read_string(message));
    SVD_CHECK(read_option(message, name, source));
    return leave(message);
  }));
  SVD_CHECK(leave(message));
  SVD_CHECK(settle_paths(source));
  return source;
}

Result<KillTarget> read_kill_target(sd_bus_message* message) {
  SVD_TRY(const auto text, read_string(message));
  if (text == "main") return KillTarget::main;
  if (text == "group") return KillTarget::group;
  return fail(std::errc::bad_message, "cannot signal '" + text + "': want 'main' or 'group'");
}

}  // namespace svd::bus

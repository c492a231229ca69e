// SPDX-License-Identifier: Apache-2.0
// The reference manual: what the table says, with the few rules that belong to no single key.
#include "spec/fields.h"
#include "spec/spec.h"

namespace svd::spec {
namespace {

constexpr std::string_view introduction = R"(# The ecosystem file

<!-- Generated from src/spec/fields.cpp by svd-gen-docs; do not edit. -->

One YAML file declares which apps must run. `svctl check FILE` validates it without a daemon, `svctl plan FILE` shows what applying it
would do, `svctl apply FILE` does it, and `svctl explain apps.web.restart` shows this reference for one key.

```yaml
# yaml-language-server: $schema=./ecosystem.schema.json
name: shop
defaults:
  env: { TZ: UTC }
apps:
  web:
    exec: [node, server.js]
    instances: 4
    env: { NODE_ENV: production, PORT: 8080 }
    increment_env: [PORT]
    restart: { delay: 100ms, max_delay: 30s }
  worker:
    exec: python3 -u worker.py --queue mail
```

## Values

- A **number** is what JSON calls a number: `4`, `1.5`; a whole one has no fraction and no exponent. In quotes it is a text. `0755`, `0x10` and
  `1:30` are texts.
- A **boolean** is `true` or `false`. `yes`, `on` and `True` are texts.
- A **duration** has one unit: `250ms`, `10s`, `2m`, `1h`, `7d`. A **size** too: `64KiB`, `512MiB`, `2GiB` (of 1024) or `1kB`, `1MB`, `1GB`
  (of 1000). A bare number is an error, except 0.
- A **name** (of an ecosystem, app or profile) is a letter or digit, then letters, digits, `_`, `.` or `-`, at most 63 characters.
  A file without `name` has that of its directory, with `-` for what a name may not hold: `/srv/my shop/ecosystem.yaml` is `my-shop`. For a directory
  `current`, a link to the newest release, it is that of the directory above. Two projects have two names; give one where it matters.
- A **path** is absolute or relative to the directory of the file.
- A key without a value, or with `~` or `null`, counts as not written; it also takes back what `defaults` or the app gave.
- Anchors, aliases and merge keys (`<<: *base`) work. Tags, directives and a second document do not.
- Unknown keys, duplicate keys, wrong types and contradictions are errors. All are reported at once, and nothing is applied while there is one.

)";

constexpr std::string_view rules = R"(
## How a setting is found

For each app, in this order, later ones over earlier ones, key by key and deep for maps (lists are replaced whole):
`defaults`, the profile's `defaults`, the app, the profile's app of the same name.

```yaml
defaults: { env: { TZ: UTC, LOG: info }, restart: { delay: 1s } }
profiles:
  production: { apps: { web: { instances: max, env: { LOG: ~ } } } }   # takes LOG away
apps:
  web: { exec: node server.js, restart: { max_delay: 1m } }            # delay stays 1s
```

## Commands

A list is the program and its arguments. A text is split at blanks; `'…'`, `"…"` and `\` quote as in a shell. **No shell runs it**: what
only a shell would understand (`|`, `&&`, `>`, `$HOME`, `~/`, `NAME=value` in front) is an error. Where a shell is wanted, say so:
`[sh, -c, "exec node server.js | logger"]`. A program without `/` is searched for in the app's `PATH`.

## Variables in values

In `exec`, `cwd` and the values of `env`, `${NAME}` is the value of a variable in the instance's own environment, at each start:

```yaml
exec: [worker, --slot, "${SVD_INSTANCE}", --port, "${PORT:-8080}"]
env: { PATH: "${HOME}/bin:${PATH}" }     # its own name: what would be there without this line
```

`${NAME:-text}` is the text where NAME is not set or empty. `$$` is one `$`: a shell's own variable in `[sh, -c, …]` is `$NAME` or `$${NAME}`, its
pid `$$$$`. Any other `$` stands for itself. A name that nothing sets is an error at `check` where that can be known, else at the start.
One `${…}` inside of another is an error. Values that come in are taken as they are: those of env files and of `pass_env` are not
looked through, and never shown. Addresses under `listen` and `ready.tcp` are the app's, not an instance's: there only `env`, `env_file` and `pass_env`
count. Elsewhere, as in `logs.path`, `${…}` is an error.

## The environment of an instance

From weakest to strongest: `PATH`, `LANG` (`C.UTF-8`, so that programs do not fall back to ASCII), `SVD_ECOSYSTEM`, `SVD_APP`, `SVD_INSTANCE` (its slot), `SVD_INSTANCES`,
`SVD_REVISION`, `NODE_APP_INSTANCE`; `HOME`, `USER`, `LOGNAME` and `SHELL` of its user; `pass_env`; `env_file`; `env`. Then the slot is added to what
`increment_env` names. `NAME: ~` under `env` takes a variable away, wherever it would come from. Nothing else is inherited. Stronger than all of these is
only what svd needs to speak with the program:
with `listen`: `LISTEN_FDS`, `LISTEN_PID`, `LISTEN_FDNAMES`; with `channel: node`: `NODE_CHANNEL_FD`, `NODE_UNIQUE_ID` and `NODE_OPTIONS` (see `preload`), with
`channel: json`: `SVD_CHANNEL_FD`; with `ready.notify`: `NOTIFY_SOCKET`.
Where there are no cgroups, `SVD_START` comes along: by it the daemon knows a process that has left its instance's session.

An env file has lines `NAME=value`, optionally after `export`; blank lines and `#` comments are skipped, also behind a value. `'…'` is taken as it
stands, `"…"` knows `\n`, `\r`, `\t`, `\"`, `\\` and `\$`, and both may span lines. `$NAME` is not expanded. Files are read at apply, not later: a
changed file takes effect with the next apply. Values from env files and from `pass_env` are never shown, logged or sent to anyone.

## Sockets

What `listen` names is bound by the supervisor, before the first instance starts, with the supervisor's own rights: a port
below 1024 is there for an app with a `user`, too. It is closed only when it is gone from the file: no restart, crash, update or
`instances: 0` closes it, and who connects meanwhile waits in its queue. One that moves to another
app of the file, as when an app is renamed, is handed on as it is. An instance finds it

- by `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES`, as from systemd: descriptors from 3 on, in the order of the file;
- with `channel: node`, when it listens on that port, as any Node program does.

Two listeners on one address, also where one of them means all addresses, are an error. `localhost` is none: names are not looked up.

| `balance` | who gets a connection | good for |
|---|---|---|
| `shared` | whoever is free: one queue for all | nearly everything: a busy or hung instance delays nobody |
| `even` | a ready instance, at random: one queue each | equal shares where connections live long |
| `sticky` | the same instance for each peer address | sessions in memory, socket.io |
| `round-robin` | each in turn; the supervisor accepts, and passes it over the channel | strict turns, at a price for each connection |

## Readiness, updates, dependencies

An instance is *starting* until its gate is met: `ready` says which. A new version, `svctl reload` and `svctl rollback` replace
instances as `update` says. With `start-first`, the replacement of a slot is started beside the old instance; when it is ready and
has stayed so for `min_ready`, it takes over the slot, and the old one drains: it answers what it is asked, keeps no connection
(`drain`), is told to end over its channel (`stop.message`, then Node's `disconnect`), and, when it has, by `stop.signal`. Never are
more than `instances` + `max_surge` there, nor fewer than `instances` − `max_unavailable` ready. So with a `max_surge` of 1 the slots
drain one after the other, each as long as its slowest client, or `drain`; with `100%` all drain at once. When a replacement does not
become ready, crashes, or `deadline` passes without progress, it is removed. What served, serves on, and `on_failure` says what follows.

`depends_on` holds a start back until every wanted instance of the other app is started, ready or has completed. `svctl status` says
for whom an instance waits; when that one has failed, it says why, and `apply` fails. Stopping goes the other way round: of what is
to end, an app is stopped when all that depends on it has ended. What is up already is not touched when a dependency goes away.

## Logs

With `logs.path`, all instances of the app append to that one file; without it, each slot has its own file.

## Bounds

)";

std::string bounds() {
  const auto line = [](std::string_view what, std::size_t most) {
    return "- " + std::string{what} + ": " + std::to_string(most) + "\n";
  };
  return line("bytes of the file", max_text) +
         line("values in it, aliases expanded, defaults and profile merged", max_nodes) +
         line("levels of nesting", max_depth) + line("aliases", max_aliases) + line("apps", max_apps) +
         line("instances of all apps", max_instances) + line("listeners of one app", max_listeners) +
         line("bytes of one env file", max_env_file);
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string{"\\|"} : std::string{c};
  return out;
}

std::string_view effect_cell(Effect effect) {
  switch (effect) {
    case Effect::none:
      return "nothing";
    case Effect::live:
      return "live";
    case Effect::scale:
      return "scale";
    case Effect::replace:
      return "replace";
  }
  return "";
}

void append_row(std::string& out, const Key& field, std::string_view key) {
  out += "| `" + std::string{key} + "` | " + cell(field.words) + " | " + cell(field.initial) + " | " +
         std::string{effect_cell(field.effect)} + " | " + cell(field.doc) + " |\n";
}

constexpr std::string_view table_head =
    "| key | value | default | a change | what it is |\n|---|---|---|---|---|\n";

}  // namespace

std::string manual() {
  std::string out{introduction};
  out += "## The top of the file\n\n| key | value | default | what it is |\n|---|---|---|---|\n";
  for (const auto& top : top_keys())
    out += "| `" + std::string{top.key} + "` | " + cell(top.words) + " | " + cell(top.initial) + " | " +
           cell(top.doc) + " |\n";
  out += "\n## An app\n\nWhat a change of a key does to instances that run: *replace*: " +
         std::string{to_words(Effect::replace)} + "; *scale*: " + std::string{to_words(Effect::scale)} +
         "; *live*: " + std::string{to_words(Effect::live)} + ".\n\n";
  out += table_head;
  for (const auto& field : fields())
    if (field.key.find('.') == std::string_view::npos) append_row(out, field, field.key);
  for (const auto& section : sections()) {
    out += "\n### " + std::string{section.key} + "\n\n" + std::string{section.doc} + "\n\n" +
           std::string{table_head};
    for (const auto& field : fields())
      if (field.key.starts_with(std::string{section.key} + "."))
        append_row(out, field, field.key.substr(section.key.size() + 1));
  }
  for (const auto& field : fields()) {
    if (field.entry.empty()) continue;
    out += "\n### " + std::string{field.key} + ".NAME\n\n" + std::string{table_head};
    for (const auto& key : field.entry) append_row(out, key, key.key);
  }
  return out + std::string{rules} + bounds();
}

}  // namespace svd::spec

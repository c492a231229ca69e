// SPDX-License-Identifier: Apache-2.0
// Completion scripts, read off the tree of verbs: what an option or argument takes is its type name.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/text.h"
#include "cli/command_line.h"

namespace svd::cli {
namespace {

struct Word {
  std::string text, description;
};

struct OptionWord {
  std::vector<std::string> names;  // with their dashes
  std::string description;
  std::string takes;  // a type name; empty: a flag
};

// One place in the tree: "", "apply", "daemon", "daemon stop".
struct Place {
  std::string path;
  std::vector<Word> verbs;
  std::vector<OptionWord> options;  // its own; those of the root are valid everywhere
  std::vector<std::string> takes;   // type names of its positionals, in order
};

std::string upper_case_signals() {
  std::string text;
  for (int number = 1; number < 32; ++number)
    text += (text.empty() ? "" : " ") + signal_name(number).substr(3);
  return text;
}

// The words that a type name offers; empty: nothing fixed.
std::string fixed_words(std::string type) {
  if (type == "SIGNAL") return upper_case_signals();
  if (type.find('|') == std::string::npos) return "";
  std::ranges::replace(type, '|', ' ');
  return type;
}

// The command that lists what a type name means; empty: none.
std::string listing(const std::string& type) {
  if (type == "NAME") return "svctl ls --names 2>/dev/null";
  if (type == "ECOSYSTEM") return "svctl ls --ecosystems 2>/dev/null";
  return "";
}

void collect(const CLI::App& command, const std::string& path, std::vector<Place>& places) {
  Place place;
  place.path = path;
  for (const auto* verb : verbs_of(command))
    place.verbs.push_back({verb->get_name(), verb->get_description()});
  for (const auto* option : options_of(command)) {
    OptionWord word{
        {}, option->get_description(), option->get_expected_max() > 0 ? option->get_type_name() : ""};
    for (const auto& name : option->get_snames()) word.names.push_back("-" + name);
    for (const auto& name : option->get_lnames()) word.names.push_back("--" + name);
    place.options.push_back(std::move(word));
  }
  for (const auto* positional : positionals_of(command)) place.takes.push_back(positional->get_type_name());
  places.push_back(std::move(place));
  for (const auto* verb : verbs_of(command))
    collect(*verb, path.empty() ? verb->get_name() : path + " " + verb->get_name(), places);
}

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : std::string{separator}) + word;
  return text;
}

// In single quotes, for all three shells.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string{"'\\''"} : std::string(1, c);
  return out + "'";
}

std::vector<std::string> option_names(const Place& place) {
  std::vector<std::string> names;
  for (const auto& option : place.options)
    names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

// Its own, and those of the root, which every verb takes.
std::vector<std::string> valid_options(const Place& place, const Place& root) {
  auto names = option_names(place);
  for (const auto& name : option_names(root))
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  return names;
}

// Of the whole tree, each once: the names of options that take a value, as "-n|--lines", and the type of it.
std::vector<std::pair<std::string, std::string>> valued_options(const std::vector<Place>& places) {
  std::vector<std::pair<std::string, std::string>> valued;
  for (const auto& place : places)
    for (const auto& option : place.options) {
      std::pair entry{joined(option.names, "|"), option.takes};
      if (!option.takes.empty() && std::ranges::find(valued, entry) == valued.end())
        valued.push_back(std::move(entry));
    }
  return valued;
}

struct CasePatterns {
  std::string valued;  // "--address|--color": the next word is theirs
  std::string paths;   // "'apply'|'daemon'|'daemon stop'"
};
CasePatterns case_patterns(const std::vector<Place>& places) {
  CasePatterns patterns;
  for (const auto& [names, type] : valued_options(places))
    patterns.valued += (patterns.valued.empty() ? "" : "|") + names;
  for (const auto& place : places)
    if (!place.path.empty()) patterns.paths += (patterns.paths.empty() ? "" : "|") + quoted(place.path);
  return patterns;
}

// --- bash: one function that fills COMPREPLY ---

std::string value_cases(const std::vector<Place>& places, const std::string& before,
                        const std::string& after) {
  std::string text;
  for (const auto& [names, type] : valued_options(places)) {
    const auto words = fixed_words(type);
    text += "    " + names + ") " + (words.empty() ? "" : before + words + after + "; ") + "return ;;\n";
  }
  return text;
}

std::string bash_place(const Place& place, const Place& root) {
  const auto words = valid_options(place, root);
  std::vector<std::string> verbs;
  for (const auto& verb : place.verbs) verbs.push_back(verb.text);
  auto text = "    " + quoted(place.path) + ") options=" + quoted(joined(words, " ")) +
              "; offered=" + quoted(joined(verbs, " "));
  std::string lists;
  for (const auto& type : place.takes) {
    if (type == "FILE") text += "; files=1";
    if (const auto fixed = fixed_words(type); !fixed.empty()) lists += "; offered+=' " + fixed + "'";
    if (const auto command = listing(type); !command.empty()) lists += "; offered+=\" $(" + command + ")\"";
  }
  return text + lists + " ;;\n";
}

std::string bash_script(const std::vector<Place>& places) {
  const auto [valued, paths] = case_patterns(places);
  std::string text =
      "# bash completion for svctl: source <(svctl completion bash)\n_svctl() {\n"
      // Not COMP_WORDS: bash cuts that at colons, and names have them.
      "  local line=${COMP_LINE:0:COMP_POINT} verb= options= offered= files= i\n"
      "  local -a typed; read -ra typed <<<\"$line\"; [[ $line == *[[:space:]] ]] && typed+=('')\n"
      "  local last=$((${#typed[@]} - 1)); local cur=${typed[last]} prev=${typed[last-1]}\n"
      "  COMPREPLY=()\n"
      "  case $prev in\n" +
      value_cases(places, "COMPREPLY=($(compgen -W '", "' -- \"$cur\"))") +
      "  esac\n"
      "  for ((i = 1; i < last; i++)); do\n"
      "    case ${typed[i]} in\n"
      "      " +
      valued +
      ") ((i++)) ;;\n"
      "      -*) ;;\n"
      "      *) case \"${verb:+$verb }${typed[i]}\" in " +
      paths +
      ") verb=\"${verb:+$verb }${typed[i]}\" ;; esac ;;\n"
      "    esac\n"
      "  done\n"
      "  case $verb in\n";
  for (const auto& place : places) text += bash_place(place, places.front());
  return text +
         "  esac\n"
         "  if [[ $cur == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
         "  else\n"
         "    COMPREPLY=($(compgen -W \"$offered\" -- \"$cur\"))\n"
         "    [[ -n $files ]] && COMPREPLY+=($(compgen -f -- \"$cur\"))\n"
         "  fi\n"
         "  if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then\n"
         "    for i in \"${!COMPREPLY[@]}\"; do COMPREPLY[i]=${COMPREPLY[i]#\"${cur%\"${cur##*:}\"}\"}; "
         "done\n"
         "  fi\n"
         "}\n"
         "complete -o filenames -o bashdefault -F _svctl svctl\n";
}

// The same in zsh's own words; the last line serves both `source` and a file in fpath.
std::string zsh_place(const Place& place, const Place& root) {
  const auto names = valid_options(place, root);
  std::string described;
  for (const auto& verb : place.verbs) described += " " + quoted(verb.text + ":" + verb.description);
  auto text = "    " + quoted(place.path) + ") options=(" + joined(names, " ") + ")";
  if (!described.empty()) text += "; verbs=(" + described.substr(1) + ")";
  for (const auto& type : place.takes) {
    if (type == "FILE") text += "; files=1";
    if (const auto fixed = fixed_words(type); !fixed.empty()) text += "; offered+=(" + fixed + ")";
    if (const auto command = listing(type); !command.empty())
      text += "; offered+=(${(f)\"$(" + command + ")\"})";
  }
  return text + " ;;\n";
}

std::string zsh_script(const std::vector<Place>& places) {
  const auto [valued, paths] = case_patterns(places);
  std::string text =
      "#compdef svctl\n# zsh completion for svctl: source <(svctl completion zsh)\n_svctl() {\n"
      "  local verb= files= i\n  local -a options verbs offered\n"
      "  case ${words[CURRENT-1]} in\n" +
      value_cases(places, "compadd -- ", "") +
      "  esac\n"
      "  for ((i = 2; i < CURRENT; i++)); do\n"
      "    case ${words[i]} in\n"
      "      " +
      valued +
      ") ((i++)) ;;\n"
      "      -*) ;;\n"
      "      *) case \"${verb:+$verb }${words[i]}\" in " +
      paths +
      ") verb=\"${verb:+$verb }${words[i]}\" ;; esac ;;\n"
      "    esac\n  done\n  case $verb in\n";
  for (const auto& place : places) text += zsh_place(place, places.front());
  return text +
         "  esac\n"
         "  if [[ ${words[CURRENT]} == -* ]]; then\n    compadd -- $options\n    return\n  fi\n"
         "  (( $#verbs )) && _describe verb verbs\n"
         "  (( $#offered )) && compadd -- $offered\n"
         "  [[ -n $files ]] && _files\n"
         "}\n"
         "if [[ $funcstack[1] == _svctl ]]; then _svctl \"$@\"; else compdef _svctl svctl; fi\n";
}

// --- fish: one `complete` a word ---

std::string fish_condition(const Place& place) {
  if (place.path.empty()) return "__fish_use_subcommand";
  std::string text = "__fish_seen_subcommand_from " + place.path.substr(0, place.path.find(' '));
  if (const auto blank = place.path.find(' '); blank != std::string::npos)
    text += "; and __fish_seen_subcommand_from " + place.path.substr(blank + 1);
  return text;
}

std::string fish_option(const OptionWord& option, const std::string& condition) {
  std::string text = "complete -c svctl" + (condition.empty() ? "" : " -n " + quoted(condition));
  for (const auto& name : option.names)
    text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (!option.takes.empty()) text += option.takes == "FILE" ? " -r" : " -x";
  if (const auto words = fixed_words(option.takes); !words.empty()) text += " -a " + quoted(words);
  return text + " -d " + quoted(option.description) + "\n";
}

std::string fish_script(const std::vector<Place>& places) {
  std::string text = "# fish completion for svctl: svctl completion fish | source\ncomplete -c svctl -f\n";
  for (const auto& place : places) {
    const auto condition = fish_condition(place);
    for (const auto& verb : place.verbs)
      text += "complete -c svctl -n " + quoted(condition) + " -a " + quoted(verb.text) + " -d " +
              quoted(verb.description) + "\n";
    for (const auto& option : place.options) text += fish_option(option, place.path.empty() ? "" : condition);
    for (const auto& type : place.takes) {
      if (type == "FILE") text += "complete -c svctl -n " + quoted(condition) + " -F\n";
      if (const auto words = fixed_words(type); !words.empty())
        text += "complete -c svctl -n " + quoted(condition) + " -a " + quoted(words) + "\n";
      if (const auto command = listing(type); !command.empty())
        text += "complete -c svctl -n " + quoted(condition) + " -a " + quoted("(" + command + ")") + "\n";
    }
  }
  return text;
}

}  // namespace

std::string completion_text(const CLI::App& root, const std::string& shell) {
  std::vector<Place> places;
  collect(root, "", places);
  if (shell == "fish") return fish_script(places);
  return shell == "zsh" ? zsh_script(places) : bash_script(places);
}

}  // namespace svd::cli

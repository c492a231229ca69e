#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What README.md tells is so: its verbs and options exist, its YAML is accepted, its links lead somewhere."""
import re

from harness import Daemon, SOURCE, check, equal, run

TEXT = (SOURCE / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.M | re.S)


def verbs_exist():
    """every `svctl VERB --option` in README.md exists"""
    uses = set(re.findall(r"svctl ([a-z][a-z-]*(?: (?:status|stop|reexec)\b)?)((?:[^\n`|#]*))", TEXT))
    check(len(uses) > 10, "README shows svctl at work")
    with Daemon() as svd:
        for verb, rest in sorted(uses):
            words = verb.split() if verb.startswith("daemon ") else verb.split()[:1]
            shown = svd.svctl(*words, "--help", ok=False)
            equal(shown.returncode, 0, f"exit status of svctl {' '.join(words)} --help")
            for option in re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", rest):
                check(re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", shown.stdout), f"svctl {words[0]} has {option}:\n{shown.stdout}")


def yaml_is_accepted():
    """every YAML example in README.md passes svctl check"""
    found = [text for text in blocks("yaml") if "apps:" in text]
    check(found, "README has an ecosystem file")
    with Daemon() as svd:
        svd.write("A=1\n", ".env")
        for number, text in enumerate(found):
            svd.svctl("check", svd.write(text, f"readme{number}.yaml"))


def links_lead_somewhere():
    """every relative link in README.md leads to a file"""
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", TEXT):
        check((SOURCE / target).exists(), f"the link to {target}")


run(verbs_exist, yaml_is_accepted, links_lead_somewhere)

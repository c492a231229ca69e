#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The shape of src/engine: who calls whom, and how large an owner may grow.

    engine_shape.py SOURCE_DIR BUILD_DIR   no cycle of calls between its files, none between its folders, and no struct with
                                           more than 15 data members or 25 functions (but for those that make or end it); exit status 1 when there is one
    engine_shape.py --self-test            a planted one of each must be found

Calls are read from the object files of the build: a symbol that one leaves open and another one defines.
"""
import pathlib
import re
import subprocess
import sys

MOST_MEMBERS, MOST_FUNCTIONS = 15, 25


def symbols(objects):
    """file → (what it defines, what it calls elsewhere)"""
    found = {}
    for path in objects:
        defined, wanted = set(), set()
        for line in subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout.splitlines():
            kind, name = line.split()[-2:]
            if kind == "U":
                wanted.add(name)
            elif kind == "T":
                defined.add(name)
        found[str(path)] = (defined, wanted)
    return found


def calls(found):
    owner = {name: path for path, (defined, _) in found.items() for name in defined}
    return {path: {owner[name] for name in wanted if name in owner and owner[name] != path}
            for path, (_, wanted) in found.items()}


def cycle(graph):
    """One cycle as a list, or None."""
    state, trail = {}, []

    def visit(node):
        state[node] = 1
        trail.append(node)
        for other in sorted(graph.get(node, ())):
            if state.get(other) == 1:
                return trail[trail.index(other):] + [other]
            if other not in state and (found := visit(other)):
                return found
        state[node] = 2
        trail.pop()
        return None

    for node in sorted(graph):
        if node not in state and (found := visit(node)):
            return found
    return None


def by_folder(graph):
    def folder(path):
        parent = str(pathlib.PurePath(path).parent)
        return path if parent == "." else parent  # what is on top is apart: it knows them all
    out = {}
    for path, others in graph.items():
        out.setdefault(folder(path), set()).update(folder(other) for other in others if folder(other) != folder(path))
    return out


def bodies(text):
    """(name, body) of every struct and class, nested ones too."""
    for match in re.finditer(r"(?<!enum )\b(?:struct|class)\s+([\w:]+)[^;{}()]*\{", text):
        depth, at = 1, match.end()
        while depth and at < len(text):
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        yield match[1], text[match.end():at - 1]


def count(body):
    """(data members, functions) of its own"""
    while "{" in body:
        reduced = re.sub(r"\{[^{}]*\}", "\x01", body)
        if reduced == body:
            break
        body = reduced
    body = re.sub(r"\b(public|private|protected)\s*:", "", body)
    body = re.sub(r"\x01(?=\s*(\w|\[\[|~|$))", "\x01;", body)
    members = functions = 0
    for statement in body.split(";"):
        previous = None
        while previous != statement:
            previous, statement = statement, re.sub(r"<[^<>]*>", "", statement)
        text = re.sub(r"\[\[\w+\]\]", "", statement).strip()
        if not text or text == "\x01" or re.match(r"(using|friend|struct|class|enum|template\s*(struct|class)|static constexpr)\b", text):
            continue
        if "(" in text.split("=")[0]:
            functions += not re.match(r"(virtual |explicit )*~?([A-Z]\w*)\(", text)  # being made and unmade counts for nothing
        else:
            members += 1 + text.split("\x01")[0].count(",")
    return members, functions


def too_large(name, text):
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r'"(\\.|[^"\\])*"|^\s*#[^\n]*', '""', text, flags=re.M)
    for struct, body in bodies(text):
        members, functions = count(body)
        if members > MOST_MEMBERS or functions > MOST_FUNCTIONS:
            yield f"{name}: {struct} has {members} data members and {functions} functions"


def check(source, build):
    objects = build / "src/engine/CMakeFiles/svd_engine.dir"
    paths = sorted(p for p in objects.rglob("*.o") if (source / "src/engine" / p.relative_to(objects).with_suffix("")).exists())
    if not paths:
        print("the engine is not built")
        return 77
    found = {str(pathlib.PurePath(path).relative_to(objects)): what for path, what in symbols(paths).items()}
    graph = calls(found)
    faults = [f"calls in a circle: {' → '.join(c)}" for c in (cycle(graph), cycle(by_folder(graph))) if c]
    for path in sorted((source / "src/engine").rglob("*")):
        if path.suffix in (".h", ".cpp"):
            faults += too_large(path.relative_to(source), path.read_text(encoding="utf-8"))
    print("\n".join(faults) or f"{len(graph)} files, {sum(map(len, graph.values()))} calls from one to another, no circle")
    return 1 if faults else 0


def self_test():
    good = {"a/x.o": ({"x"}, {"y"}), "b/y.o": ({"y"}, {"z"}), "b/z.o": ({"z"}, set())}
    bad = dict(good, **{"b/z.o": ({"z"}, {"x"})})
    folders = dict(good, **{"a/w.o": ({"w"}, set()), "b/z.o": ({"z"}, {"w"})})
    large = "struct A {" + "".join(f"int m{i} = {{}};" for i in range(16)) + "};"
    many = "class B {" + "".join(f"int f{i}(int a) const {{ return a; }}\n" for i in range(26)) + "};"
    fine = "struct C { int a, b; std::function<void(int)> c; void f(); struct D { int d; }; };"
    return 0 if (cycle(calls(good)) is None and cycle(calls(bad)) is not None
                 and cycle(calls(folders)) is None and cycle(by_folder(calls(folders))) is not None
                 and list(too_large("a", large)) and list(too_large("b", many)) and not list(too_large("c", fine))
                 and count("int a, b; std::function<void(int)> c; void f();") == (3, 1)) else 1


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1:] == ["--self-test"] else check(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))

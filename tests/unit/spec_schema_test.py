#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A JSON Schema validator that shares no code with ours judges the corpus as our decoder does.

    spec_schema_test.py SOURCE_DIR

good/*.yaml must be valid. bad/*.yaml must be invalid, or no YAML, unless their first line says "# schema-accepts":
then only rules beyond a schema refuse them, and the schema must accept them. Exit status 77: no validator here.
"""
import json
import pathlib
import re
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

NULL = re.compile(r"~|null|Null|NULL|$")
BOOLEAN = re.compile(r"true|false")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")


class Loader(yaml.SafeLoader):
    """PyYAML with the scalars of our manual instead of those of YAML 1.1; what the gate refuses is an error here too."""
    yaml_implicit_resolvers = {}

    def construct_plain(self, node):
        text = node.value
        if node.style is not None:  # quoted, or a block
            return text
        if NULL.fullmatch(text):
            return None
        if BOOLEAN.fullmatch(text):
            return text == "true"
        if NUMBER.fullmatch(text):
            return float(text) if re.search(r"[.eE]", text) else int(text)
        return text

    def construct_mapping(self, node, deep=False):
        keys = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or (key.style is None and NULL.fullmatch(key.value)):
                raise yaml.constructor.ConstructorError(None, None, "a key that is no text", key.start_mark)
            if key.value in keys:
                raise yaml.constructor.ConstructorError(None, None, "a duplicate key", key.start_mark)
            keys.add(key.value)
        self.merge(node)
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}

    def merge(self, node):
        own = [(key, value) for key, value in node.value if key.value != "<<" or key.style is not None]
        bases = [value for key, value in node.value if key.value == "<<" and key.style is None]
        present = {key.value for key, _ in own}
        for base in (item for value in bases for item in (value.value if isinstance(value, yaml.SequenceNode) else [value])):
            if not isinstance(base, yaml.MappingNode):
                raise yaml.constructor.ConstructorError(None, None, "a merge of what is no map", base.start_mark)
            self.merge(base)
            own += [(key, value) for key, value in base.value if key.value not in present]
            present |= {key.value for key, _ in base.value}
        node.value = own

    def compose_node(self, parent, index):
        event = self.peek_event()
        if getattr(event, "tag", None) not in (None, "!"):
            raise yaml.constructor.ConstructorError(None, None, "a tag", event.start_mark)
        return super().compose_node(parent, index)


Loader.add_constructor(None, Loader.construct_plain)
for tag, construct in {"str": Loader.construct_plain, "map": Loader.construct_mapping}.items():
    Loader.add_constructor(f"tag:yaml.org,2002:{tag}", construct)
Loader.add_constructor("tag:yaml.org,2002:seq", lambda loader, node: loader.construct_sequence(node, deep=True))


def verdict(validator, text):
    """None: valid. Else why not."""
    if text.count(b"\r") != text.count(b"\r\n"):
        return "a lone carriage return"
    if re.search(rb"^%(?!YAML )", text, re.MULTILINE):
        return "a directive"
    try:
        document = yaml.load(text.decode("utf-8-sig"), Loader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        return f"no YAML: {str(error).splitlines()[0]}"
    except RuntimeError:
        return "no YAML: a value that contains itself"
    if has_nul(document):
        return "a NUL"
    errors = sorted(validator.iter_errors(document), key=lambda error: list(map(str, error.path)))
    return f"{'.'.join(map(str, errors[0].path))}: {errors[0].message[:100]}" if errors else None


def has_nul(value):
    if isinstance(value, dict):
        return any(has_nul(key) or has_nul(item) for key, item in value.items())
    return any(map(has_nul, value)) if isinstance(value, list) else isinstance(value, str) and "\0" in value


def main(source):
    source = pathlib.Path(source)
    schema = json.loads((source / "schemas/ecosystem.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    wrong = judged = 0
    for folder in ("good", "bad"):
        for path in sorted((source / "tests/corpus/spec" / folder).glob("*.yaml")):
            text = path.read_bytes()
            wanted = folder == "good" or text.startswith(b"# schema-accepts")
            why = verdict(validator, text)
            judged += 1
            if (why is None) != wanted:
                wrong += 1
                print(f"{folder}/{path.name}: {'refused: ' + why if why else 'accepted'}")
    print(f"{judged} files, {wrong} judged otherwise than by our decoder")
    return 1 if wrong or judged < 50 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

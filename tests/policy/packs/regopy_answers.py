"""Runs in a process of its own: the value of one entrypoint for each input, by regopy alone (none of our engine code).

standard input: {"modules": {path: text}, "entrypoint": "data.mc.flags.deny_x", "inputs": [...]}
standard output: one JSON line per input: [value], [] when undefined, or {"error": text}
"""

import json
import sys

from regopy import Interpreter


def main() -> None:
    request = json.load(sys.stdin)
    rego = Interpreter()
    rego.strict_built_in_errors = True
    for path, text in request["modules"].items():
        rego.add_module(path, text)
    entrypoint = request["entrypoint"].removeprefix("data.").replace(".", "/")
    bundle = rego.build(None, [entrypoint])
    if not bundle.ok():
        sys.exit("regopy cannot build this")
    for value in request["inputs"]:
        rego.set_input_term(json.dumps(value, ensure_ascii=False))
        try:
            text = str(rego.query_bundle_entrypoint(bundle, entrypoint))
            answer = [] if text == "undefined" else json.loads(text)["expressions"]
        except Exception as error:
            answer = {"error": str(error)}
        print("answer " + json.dumps(answer))


main()

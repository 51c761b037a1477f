#!/usr/bin/env python3
"""What the documents name exists: `make lint` runs it. Standard library only.

A document goes wrong in silence: nothing fails when a key is renamed and its page isn't. So each link, anchor, file, make target,
test, stat and key in them is looked up where it is defined, and each example in YAML is read by the filter's own reader. What the
code has and no page explains is a fault too: an outcome, a stat, a field of the record.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "envoy" / "manual"))
import configuration  # noqa: E402

THIS = "tests/tools/documents.py"
MANUAL = "envoy/manual"
MOST_BYTES_OF_README = 10_000

# Words of others, and those of the filter's log, that stand in the documents and in no table here.
FOREIGN = set(
    """ai_protocol_manager billed_units claim_to_headers enable_request_compression env_key ext_proc filter_manager_forward
    filter_manager_forward_added_data_on_continue gen_ai health_flags include_usage is_negative_hits local_ratelimit max_completion_tokens
    max_tokens message_start openai_base_url request_headers_to_add request_max_retries requires_openai_auth skip_xff_append small_model
    stats_matcher stream_max_retries stream_options use_remote_address vm_reload_failure vm_reload_success account_refused
    header_left_out max_retries previous_response_id item_reference max_uses max_tool_calls inference_geo file_id vector_store_ids
    file_url web_fetch max_content_tokens previous_interaction_id anthropic_beta image_generation_call
    response_headers_to_remove num_predict best_of n_cmpl num_return_sequences web_search_options search_parameters cache_control
    chat_template container_id conversation_id anthropic_version api_base kv_transfer_params bootstrap_host custom_logit_processor num_gpu
    batch_size num_images num_outputs num_images_per_prompt sequential_image_generation max_images cached_tokens extra_body tool_changes
    encrypted_content keep_alive num_ctx reasoning_content reasoning_details tool_use tool_choice tool_call_id authorization_token
    finish_reason get_weather web_search_20250305 code_execution parallel_tool_calls tool_search_output mcp_servers generation_config
    enable_search web_search_call mcp_call server_tool_use delete_user""".split()
)

# What a path of words begins with that is none of the configuration's.
OTHER_ROOTS = {"ai_gateway", "function", "prompt", "envoy", "error", "expect", "gen_ai", "http", "metadata", "stream_options", "upstream", "xds"}
# Files of others'.
OTHER_FILES = {"opencode.json", "settings.json", "nexus_ai_gateway.wasm", "plugin.wasm"}

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.M)
WORD = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
FUNCTION = re.compile(r"\b(?:fn|def) ([a-z_0-9]+)")


def tracked():
    """The files of the repository, those that are new and not yet added among them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=TOP, capture_output=True, text=True
    )
    names = listed.stdout.splitlines() if listed.returncode == 0 else walked()
    return {name for name in names if (TOP / name).is_file()}


def walked():
    for folder, folders, names in os.walk(TOP):
        folders[:] = [name for name in folders if name not in ("target", ".git", "node_modules")]
        yield from (str(Path(folder, name).relative_to(TOP)) for name in names)


def slug(heading):
    """A heading's anchor, as GitHub makes it."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def without_fences(text):
    return FENCE.sub(lambda match: "\n" * match[0].count("\n"), text)


def anchors(text):
    found, seen = set(), {}
    for heading in HEADING.findall(without_fences(text)):
        name = slug(heading)
        seen[name] = seen.get(name, -1) + 1
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
    return found


class House:
    """What there is to be named."""

    def __init__(self):
        self.files = tracked()
        self.bare = {Path(name).name for name in self.files}
        self.folders = {str(parent) for name in self.files for parent in Path(name).parents}
        self.texts = {name: self.read(name) for name in self.files if Path(name).suffix in SUFFIXES or name in NAMED}
        # Not this program, which names what is not there.
        self.code = {name: text for name, text in self.texts.items() if not name.endswith(".md") and name != THIS}
        makefiles = [text for name, text in self.code.items() if name == "Makefile" or name.endswith(".mk")]
        self.targets = {name for text in makefiles for name in re.findall(r"^([a-z0-9-]+%?):", text, re.M)}
        self.variables = set(re.findall(r"\b[A-Z][A-Z0-9_]{2,}\b", "\n".join(self.code.values())))
        self.functions = {name: set(FUNCTION.findall(text)) for name, text in self.code.items() if name.endswith((".rs", ".py"))}
        self.schema = self.code["envoy/schema.json"]
        self.keys = set(re.findall(r'"([a-z][a-z0-9_]*)"', self.schema))
        self.names = {"acme"}  # of a tenant
        self.stats = self.literals("src/record/metric.rs", r'"(ai_gateway_[a-z_0-9]+)"')
        self.outcomes = self.literals("src/outcome.rs", r'Self::\w+ => "([a-z_]+)"')
        self.fields = self.literals("src/record.rs", r'name!\("([a-z_0-9]+)"')
        self.fields |= self.literals("src/llm/kind.rs", r"^ +\(([a-z_0-9]+)")
        self.words = self.vocabulary()

    def read(self, name):
        return (TOP / name).read_text(errors="replace")

    def literals(self, name, pattern):
        """The words of a pattern in a file and in the folder of its name."""
        stem = name.removesuffix(".rs")
        texts = [text for other, text in self.code.items() if other == name or other.startswith(stem + "/")]
        found = {word for text in texts for word in re.findall(pattern, text, re.M)}
        if not found:
            sys.exit(f"tests/tools/documents.py: {name} has no words of the kind that it looks for there; tell it where they are now")
        return found

    def vocabulary(self):
        """Words with an underscore that may stand in a document: keys, stats, outcomes, fields, tests, and Envoy's own."""
        found = self.keys | self.stats | self.outcomes | self.fields | FOREIGN
        for stat in self.stats:
            found |= {stat.replace("_nanousd", "_usd"), stat.removesuffix("_ms") + "_seconds", stat.removesuffix("_us") + "_seconds"}
        for names in self.functions.values():
            found |= names
        for name, text in self.code.items():
            if name.startswith("src/"):
                found |= set(re.findall(r'=> "([a-z0-9_]+)"', text))  # closed vocabularies
            if name in ("src/outcome.rs", "src/outcome/rejection.rs", "tests/fixtures/expected.py"):
                found |= set(WORD.findall(text))
            if name.startswith("envoy/") and Path(name).suffix in (".yaml", ".yml", ".sql", ".json", ".py", "") or name.endswith(".toml"):
                # The plugin's own keys are those of the schema: what a shipped file names and the schema doesn't is Envoy's.
                found |= set(WORD.findall(text))
        return found

    def exists(self, path):
        return path in self.files or path in self.folders


SUFFIXES = {".rs", ".py", ".md", ".yaml", ".yml", ".json", ".sql", ".toml", ".mk", ".txt", ".go", ".mjs"}
NAMED = {"Makefile", "envoy/start/run", "envoy/start/production", "envoy/start/demo", "envoy/start/cluster", "envoy/postgres/bring", "envoy/postgres/exporter"}


class Document:
    def __init__(self, house, name, text):
        self.house, self.name, self.text = house, name, text
        self.faults = []

    def fault(self, what, where=""):
        at = self.text.find(where)
        line = self.text.count("\n", 0, at) + 1 if where and at >= 0 else 1
        self.faults.append(f"{self.name}:{line}: {what}")

    def check(self):
        self.links()
        self.code()
        self.tests()
        return self.faults

    def links(self):
        for target in LINK.findall(without_fences(self.text)):
            if target.startswith(("http://", "https://")):
                continue
            path, _, anchor = target.partition("#")
            here = os.path.normpath(os.path.join(os.path.dirname(self.name), path)) if path else self.name
            if not self.house.exists(here):
                self.fault(f"the link leads nowhere: {target}", target)
            elif anchor:
                text = self.text if here == self.name else self.house.texts.get(here, "")
                if anchor not in anchors(text):
                    self.fault(f"the page has no such heading: {target}", target)

    def code(self):
        fences = [body for _, body in FENCE.findall(self.text)]
        spans = CODE.findall(without_fences(self.text))
        for piece in [*spans, *fences]:
            for name in re.findall(r"\bmake ([a-z][a-z0-9.-]*)", piece):
                if not any(name == target or target.endswith("%") and name.startswith(target[:-1]) for target in self.house.targets):
                    self.fault(f"there is no such target: make {name}", f"make {name}")
        for span in spans:
            self.span(span)

    def span(self, span):
        path = re.fullmatch(r"\.?/?((?:src|tests|envoy|\.ci)/[\w./-]+)", span)
        if path and not self.house.exists(path[1].rstrip("/")):
            self.fault(f"there is no such file: {span}", f"`{span}`")
        if re.fullmatch(r"[\w-]+\.(?:yaml|yml|json|sql|py|rs|md|toml|txt)", span) and span not in self.house.bare | OTHER_FILES:
            self.fault(f"no file is called that: {span}", f"`{span}`")
        elif re.fullmatch(r"[a-z_]+(?:\.(?:[a-z_0-9]+|\*))+", span) and span not in self.house.bare | OTHER_FILES:
            first, *rest = span.split(".")
            if first not in OTHER_ROOTS and not {first, *rest} <= self.house.keys | self.house.names | {"*"}:
                self.fault(f"no key is called that: {span}", f"`{span}`")
        if re.fullmatch(r"[A-Z][A-Z0-9_]{2,}(=.*)?", span) and "_" in span.split("=")[0] and span != "NO_ERROR":
            if span.split("=")[0] not in self.house.variables:
                self.fault(f"nothing reads such a variable: {span}", f"`{span}`")
        for word in re.findall(r"(?<![\w.…/%-])[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?![\w…])", span):
            if word in self.house.words or self.recorded(word):
                continue
            self.fault(f"nothing is called that: {word}", f"`{span}`")

    def recorded(self, word):
        """A stat of Prometheus' own making, or a histogram's."""
        base = re.sub(r"_(bucket|sum|count)$", "", word)
        return base in self.house.words

    def tests(self):
        """`file`: `test`, `test`; each test stands in the file before it."""
        if not self.name.endswith("CLAIMS.md"):
            return
        for row in re.findall(r"^\|.*\|([^|]*)\|$", self.text, re.M):
            if row.strip(" -") in ("", "test"):
                continue
            file = None
            if not CODE.search(row):
                self.fault("a claim without a test", row.strip())
            for span in CODE.findall(row):
                if span.endswith((".rs", ".py", ".txt", ".yml")):
                    file = span
                elif WORD.fullmatch(span.rstrip("…").rstrip("_")) and not span.startswith("make"):
                    names = self.house.functions.get(file, set())
                    if not any(name == span or span.endswith("…") and name.startswith(span[:-1]) for name in names):
                        self.fault(f"{file} has no such test: {span}", f"`{span}`")


def top_keys():
    return set(re.findall(r"^\| `(\w+)` ", configuration.reference().split("### Tenant")[0], re.M))


def examples(house, document, check):
    """An example is a configuration that the reader takes, or stands in a shipped file as it is here."""
    shipped = {name: flat(text) for name, text in house.code.items() if name.startswith("envoy/") and name.endswith((".yaml", ".yml"))}
    keys = top_keys()
    for kind, body in FENCE.findall(document.text):
        if kind != "yaml":
            continue
        top = re.findall(r"^(\w+):", body, re.M)
        if not set(top) <= keys:
            if not any(flat(body) in text for text in shipped.values()):
                document.fault(f"neither a configuration nor a part of a shipped file: {', '.join(top)}", body)
        elif check:
            refused = read_by_the_filter(check, completed(top, body))
            if refused:
                document.fault(f"the filter refuses this example: {refused}", body)


def flat(text):
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def completed(top, body):
    needed = {"tenants": "tenants: {acme: {}}\n", "prices": 'prices: [{model: "*", input_usd_per_1m_tokens: "1", output_usd_per_1m_tokens: "1"}]\n'}
    return body + "".join(text for key, text in needed.items() if key not in top)


def read_by_the_filter(check, text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        done = subprocess.run([check, file.name], capture_output=True, text=True)
        return (done.stderr or done.stdout).strip().removeprefix(file.name) if done.returncode else ""


def all_is_said(house, documents):
    """What the code has, the manual explains."""
    spans = {name: set(CODE.findall(document.text)) for name, document in documents.items()}
    rows = {name: "\n".join(re.findall(r"^\|.*$", document.text, re.M)) for name, document in documents.items()}
    for page, kind, words in [
        ("errors.md", "outcome", house.outcomes),
        ("observability.md", "stat", house.stats),
        ("observability.md", "field of the record", house.fields),
    ]:
        for word in sorted(words - spans[f"{MANUAL}/{page}"]):
            yield f"{MANUAL}/{page}: the {kind} `{word}` is not explained"
    about = set(re.findall(r"`(\w+)`", rows[f"{MANUAL}/configuration.md"].rsplit("| keys | page |", 1)[-1]))
    for key in sorted(top_keys() - about):
        yield f"{MANUAL}/configuration.md: no page is named for the key `{key}`"
    for key in sorted(about - house.keys):
        yield f"{MANUAL}/configuration.md: a page is named for `{key}`, which is no key"
    index = documents[f"{MANUAL}/README.md"].text
    for name in documents:
        if name.startswith(MANUAL) and f"]({name.removeprefix(MANUAL + '/')})" not in index and not name.endswith("/README.md"):
            yield f"{MANUAL}/README.md: it doesn't lead to {name}"
    if configuration.parts(documents[f"{MANUAL}/configuration.md"].text)[1] != configuration.reference():
        yield f"{MANUAL}/configuration.md: the reference is not what make configuration-reference writes"
    front = documents["README.md"].text
    if len(front.encode()) > MOST_BYTES_OF_README:
        yield f"README.md: {len(front.encode())} bytes; {MOST_BYTES_OF_README} are the most that a newcomer reads"
    words = re.findall(r"^\| [^|]+ \|", index.split("## Glossary", 1)[-1], re.M)[1:]
    if len(words) > 30:
        yield f"{MANUAL}/README.md: a glossary of {len(words)} words; 30 are the most that anybody learns"


def named_by_code(house):
    """Comments and messages lead to documents, too."""
    for name, text in house.code.items():
        for path in re.findall(r"\b((?:envoy|tests)/[\w/-]+\.md)\b", text):
            if not house.exists(path):
                yield f"{name}: it leads to {path}, which is not there"


BROKEN = """# A page with a fault of each kind
[nowhere](nowhere.md), [no heading](../../README.md#nothing), `make nothing`, `src/nothing.rs`, `NOTHING_READS_THIS=1`,
`ai_gateway_nothing_total`, `held_by_nobody: true`, `nothing.yaml`, `status.nothing`.

```yaml
tenant_heather: x
```
| claim | test |
|---|---|
| A | `tests/tools/documents.py`: `nobody_tests_this` |
| B | nothing |
"""
FOUND = [
    "leads nowhere: nowhere.md", "no such heading", "no such target: make nothing", "no such file: src/nothing.rs", "nothing reads such",
    "called that: ai_gateway_nothing_total", "called that: held_by_nobody", "no file is called that", "no key is called that",
    "no such test: nobody_tests_this", "claim without a test", "neither a configuration",
]  # fmt: skip


def blind(house):
    """The kinds of fault that this program would overlook."""
    document = Document(house, f"{MANUAL}/CLAIMS.md", BROKEN)
    examples(house, document, None)
    faults = "\n".join(document.check())
    return [f"tests/tools/documents.py: it doesn't find a fault of the kind: {kind}" for kind in FOUND if kind not in faults]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--check-config", help="the program that reads the examples; without it they are not read")
    check = arguments.parse_args().check_config

    house = House()
    names = [name for name in house.texts if re.fullmatch(r"(README|CHANGELOG)\.md|(envoy|tests)/.*\.md", name)]
    documents = {name: Document(house, name, house.texts[name]) for name in sorted(names)}
    faults = blind(house)
    for name, document in documents.items():
        examples(house, document, check)
        # A changelog names what is gone.
        faults += [fault for fault in document.check() if name != "CHANGELOG.md" or "link" in fault or "heading" in fault]
    faults += [*all_is_said(house, documents), *named_by_code(house)]
    for fault in faults:
        print(fault, file=sys.stderr)
    if not faults:
        print(f"{len(documents)} documents: what they name is there")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

"""The licences of what is inside the .wasm, from cargo's own account of it and from the sources that were compiled.

    licences.py TARGET >LICENSES.txt
"""

import json
import pathlib
import subprocess
import sys

ALLOWED = {"Apache-2.0", "MIT", "Unlicense", "Zlib", "BSD-3-Clause", "BSL-1.0"}
NAMES = ("licen", "copying", "notice", "unlicense", "copyright")

STANDARD_LIBRARY = """\
The standard library of Rust, with the libraries that it is made of (dlmalloc, wasi-libc, compiler-rt among them), is
under MIT or Apache-2.0, and parts under licences as permissive: https://github.com/rust-lang/rust/blob/main/COPYRIGHT
"""


def told_by(*cargo):
    return subprocess.run(["cargo", *cargo, "--locked"], check=True, capture_output=True, text=True).stdout


def inside(target):
    """The packages that are linked: macros only run at build time, and of features those of the .wasm alone count."""
    tree = told_by("tree", "--target", target, "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}")
    linked = {tuple(line.split(" ")[:2]) for line in tree.splitlines() if line}
    packages = json.loads(told_by("metadata", "--format-version", "1", "--filter-platform", target))["packages"]
    packages = {(package["name"], f"v{package['version']}"): package for package in packages}
    return [packages[name] for name in sorted(linked)]


def main(target):
    lines, texts = [], {}
    for package in inside(target):
        name, licence = f"{package['name']} {package['version']}", package["license"] or ""
        choices = licence.replace("/", " OR ").replace("(", "").replace(")", "").split(" OR ")
        if not any(set(choice.split(" AND ")) <= ALLOWED for choice in choices):
            sys.exit(f"{name}: the licence `{licence}` is none of {', '.join(sorted(ALLOWED))}")
        folder = pathlib.Path(package["manifest_path"]).parent
        files = sorted(path for path in folder.iterdir() if path.is_file() and path.name.lower().startswith(NAMES))
        if not files:
            sys.exit(f"{name}: no text of its licence in {folder}")
        lines.append(f"{name:32}{licence}")
        for path in files:
            texts.setdefault(path.read_text(errors="replace").strip(), []).append(f"{name}: {path.name}")
    print("What is inside nexus_ai_gateway.wasm, and under which licences.\n")
    print("\n".join(lines), end="\n\n")
    print(STANDARD_LIBRARY)
    for text, whose in texts.items():
        print("=" * 100, *whose, "=" * 100, "", text, "", sep="\n")


if __name__ == "__main__":
    main(sys.argv[1])

"""Writes the dashboards as Grafana imports them: `make dashboards`.

What the library wrote, it must read again as the same.
"""

import argparse
import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

sys.dont_write_bytecode = True  # nothing is left beside the sources
import compare
import developer
import finance
import models
import sre


def written(board):
    return json.dumps(board, cls=JSONEncoder, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--into", type=Path, required=True, help="folder for sre.json, finance.json, developer.json, compare.json and models.json")
    into = arguments.parse_args().into
    register_default_plugins()
    boards = {"sre": sre.BOARD, "finance": finance.BOARD, "developer": developer.BOARD, "compare": compare.BOARD, "models": models.BOARD}
    for name, board in boards.items():
        text = written(board)
        if written(Dashboard.from_json(json.loads(text))) != text:
            sys.exit(f"{name}.json: the library reads another dashboard than it wrote")
        (into / f"{name}.json").write_text(text)


if __name__ == "__main__":
    main()

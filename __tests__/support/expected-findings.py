"""Expected findings, computed without the gate's code and without the scanner.

usage: expected-findings.py ADVISORIES.jsonl ROOT

Reads every Python package installed below ROOT (importlib.metadata), matches its version against each advisory's
ranges with the `packaging` library, and prints {"package version": [advisory ids]} as JSON. An advisory goes by its
first CVE, else by its own id.
"""

import importlib.metadata
import json
import pathlib
import re
import sys

from packaging.utils import canonicalize_name
from packaging.version import Version


def advisory_id(row):
    ids = [row["id"], *row["aliases"]]
    return next((name for name in ids if re.fullmatch(r"CVE-\d{4}-\d{4,}", name)), row["id"])


def affected(version, span):
    introduced = span.get("introduced", "0")
    if introduced != "0" and version < Version(introduced):
        return False
    if "fixed" in span:
        return version < Version(span["fixed"])
    if "last_affected" in span:
        return version <= Version(span["last_affected"])
    return True


def main(advisories, root):
    rows = {}
    with open(advisories, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            rows.setdefault(canonicalize_name(row["package"]), []).append(row)
    folders = sorted({str(info.parent) for info in pathlib.Path(root).rglob("*.dist-info")})
    found = {}
    for installed in importlib.metadata.distributions(path=folders):
        name = canonicalize_name(installed.metadata["Name"])
        version = Version(installed.version)
        ids = {
            advisory_id(row)
            for row in rows.get(name, [])
            if any(affected(version, span) for span in row["ranges"])
        }
        found[f"{name} {installed.version}"] = sorted(ids)
    print(json.dumps(found, sort_keys=True))


main(*sys.argv[1:])

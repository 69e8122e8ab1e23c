"""Validates SBOM files by the libraries of their formats; prints {file: [what is wrong]} as JSON."""
import json
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document


def spdx(path):
    try:
        document = parse_file(path)
    except Exception as error:  # what the parser refuses, with all it says
        return [f"{error}: {getattr(error, 'messages', '')}"]
    return [message.validation_message for message in validate_full_spdx_document(document, "SPDX-2.3")]


def cyclonedx(path):
    with open(path, encoding="utf-8") as stream:
        error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(stream.read())
    return [] if error is None else [str(error)[:1000]]


def validate(path):
    return spdx(path) if path.endswith(".spdx.json") else cyclonedx(path)


print(json.dumps({path: validate(path) for path in sys.argv[1:]}))

"""Reads metrics as Prometheus' own Python client understands them: URL as argument, JSON on stdout."""

import json
import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families


def main() -> None:
    with urllib.request.urlopen(sys.argv[1]) as answer:
        text = answer.read().decode()
    families = [
        {
            "name": family.name,
            "type": family.type,
            "samples": [{"name": each.name, "labels": each.labels, "value": each.value} for each in family.samples],
        }
        for family in text_string_to_metric_families(text)
    ]
    print(json.dumps({"families": families}))


if __name__ == "__main__":
    main()

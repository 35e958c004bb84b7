"""requirements/*.txt -> the known vulnerabilities of the packages in them.

    python scripts/audit.py

`make audit` runs it with pip-audit, which must be in the path. It fails as well if a package could not be looked up:
no answer is no good news.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "requirements"
MAX_NAMED = 3
NOTHING = "Nothing was checked: the service with the known vulnerabilities cannot be reached"


def verdict(dependencies: list[dict[str, Any]]) -> tuple[str, bool]:
    """Return what pip-audit found, in words, and whether all is well.

    Args:
        dependencies: the packages in pip-audit's JSON.
    """
    skipped = [one["name"] for one in dependencies if "skip_reason" in one]
    if len(skipped) == len(dependencies):
        return f"{NOTHING}, or it knows none of the {len(dependencies)} packages.", False
    found = [
        f"{one['name']} {one['version']}: {fault['id']}, fixed in {', '.join(fault['fix_versions']) or 'no version'}"
        for one in dependencies
        for fault in one.get("vulns", ())
    ]
    if skipped:
        named = ", ".join(skipped[:MAX_NAMED]) + (", ..." if len(skipped) > MAX_NAMED else "")
        found.append(f"{len(skipped)} of {len(dependencies)} packages could not be looked up: {named}")
    return "\n".join(found) or f"{len(dependencies)} packages, no known vulnerabilities", not found


def main() -> None:
    """Ask, print the answer, and fail unless all is well."""
    files = [part for file in sorted(FOLDER.glob("*.txt")) for part in ("-r", str(file))]
    command = ["pip-audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off", "-f", "json", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        answer, well = verdict(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or [f"pip-audit ended with {done.returncode}"])[-1]
        sys.exit(f"{NOTHING} ({reason}).")
    if not well:
        sys.exit(answer)
    print(answer)


if __name__ == "__main__":
    main()

"""A check of a comparison by another library: its TREC runs and qrels evaluated by ranx, to four digits.

    python benchmarks/ranx_check.py comparison

Exits with 1 if a figure differs. RR counts up to the length of the run files (1,000 ranks).
"""

import json
import sys
from pathlib import Path

from ranx import Qrels, Run, evaluate

SAME = {
    "RR": "mrr",
    "Success@1": "hit_rate@1",
    "Success@5": "hit_rate@5",
    "Success@10": "hit_rate@10",
    "nDCG@10": "ndcg@10",
    "R@100": "recall@100",
}


def differences(folder: Path) -> list[tuple[str, str, float, float]]:
    """Return (model, measure, our value, ranx's value) of every model that has a run file."""
    comparison = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    qrels = Qrels.from_file(str(folder / "runs" / "qrels.txt"), kind="trec")
    rows = []
    for contender in comparison["contenders"]:
        run = folder / "runs" / f"{contender['label']}.trec"
        if contender["costs"] is not None:
            theirs = evaluate(qrels, Run.from_file(str(run), kind="trec"), list(SAME.values()), make_comparable=True)
            ours = contender["measures"]
            rows += [(contender["label"], name, ours[name]["value"], float(theirs[SAME[name]])) for name in SAME]
    return rows


if __name__ == "__main__":
    wrong = 0
    print(f"{'model':36}{'measure':12}{'ours':>10}{'ranx':>10}")
    for model, name, ours, theirs in differences(Path(sys.argv[1])):
        wrong += abs(ours - theirs) >= 0.5e-4
        print(f"{model:36}{name:12}{ours:10.4f}{theirs:10.4f}{'  differs' if abs(ours - theirs) >= 0.5e-4 else ''}")
    sys.exit(1 if wrong else 0)

"""Judges the modules by checkov's checks for Terraform: none fails, and each that is skipped has a reason beside it."""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(HERE + "/../../..")


def check(folder):
    # Without a network it needs no account either: --skip-download.
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "checkov.main",
            "-d",
            folder,
            "--framework",
            "terraform",
            "--output",
            "json",
            "--skip-download",
            "--quiet",
            "--compact",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "LOG_LEVEL": "ERROR"},
    )
    try:
        return json.loads(ended.stdout)
    except ValueError:
        sys.exit(f"checkov: status {ended.returncode}: {ended.stdout}{ended.stderr}")


def main():
    result = check(ROOT + "/deploy/terraform")
    summary = result["summary"]
    failed = [
        f"{c['check_id']} {c['file_path']} {c['resource']}: {c['check_name']}"
        for c in result["results"]["failed_checks"]
    ]
    if failed or summary["parsing_errors"]:
        sys.exit("checkov:\n" + "\n".join(sorted(set(failed))) + f"\n{summary}")
    if summary["passed"] < 100:
        sys.exit(f"checkov passed only {summary['passed']} checks: {summary}")
    for path in glob.glob(ROOT + "/deploy/terraform/*/*.tf"):
        with open(path) as file:
            for line in file:
                if "checkov:skip" in line and not re.search(r"#checkov:skip=CKV2?_AWS_\d+:\S.{20,}", line):
                    sys.exit(f"{path}: a skipped check without a reason: {line}")
    # It can fail: a public bucket is found.
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/main.tf", "w") as file:
            file.write('resource "aws_s3_bucket" "x" {\n  bucket = "x"\n  acl    = "public-read"\n}\n')
        if check(folder)["summary"]["failed"] == 0:
            sys.exit("checkov accepted a public bucket")
    print(f"judged: {summary['passed']}")


main()

#!/usr/bin/env python3
"""Counts test results for scripts/test.sh: prints "PASSED FAILED", then one line per failed test.

  tally.py ctest NAME FOLDER    FOLDER/ctest.junit, and the GoogleTest XML files beside it: where a program wrote one,
                                its cases are counted instead of the program
  tally.py calls NAME FILE      the JSON of tests/system/run.js
"""
import json
import pathlib
import sys
import xml.etree.ElementTree as xml


def googletest_cases(file):
    """(passed, names of the failed) of one GoogleTest XML file."""
    passed, failed = 0, []
    for case in xml.parse(file).getroot().iter("testcase"):
        if case.get("status") != "run" or case.get("result") in ("skipped", "suppressed"):
            continue
        if case.find("failure") is not None:
            failed.append(f"{case.get('classname')}.{case.get('name')}")
        else:
            passed += 1
    return passed, failed


def ctest(name, folder):
    folder = pathlib.Path(folder)
    passed, failed = 0, []
    report = folder / "ctest.junit"
    if not report.exists():
        return 0, [f"{name}: ctest wrote no report"]
    for test in xml.parse(report).getroot().iter("testcase"):
        program, status = test.get("name"), test.get("status")
        cases = folder / f"{program}.xml"
        if cases.exists():
            inner_passed, inner_failed = googletest_cases(cases)
            passed += inner_passed
            failed += [f"{name}: {program}: {case}" for case in inner_failed]
            # A program that dies after its last case (a leak, a sanitizer) has failed although no case has.
            if status == "fail" and not inner_failed:
                failed.append(f"{name}: {program}")
        elif status == "run":
            passed += 1
        elif status == "fail":
            failed.append(f"{name}: {program}")
    return passed, failed


def calls(name, file):
    try:
        results = json.loads(pathlib.Path(file).read_text())
    except (OSError, ValueError):
        return 0, [f"{name}: no results"]
    failed = [f"{name}: {result['name']}: {result.get('error', '')}" for result in results if not result["ok"]]
    return len(results) - len(failed), failed


def main():
    kind, name, where = sys.argv[1:4]
    passed, failed = {"ctest": ctest, "calls": calls}[kind](name, where)
    print(passed, len(failed))
    print("\n".join(failed), end="\n" if failed else "")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""scripts/import-turnserver-conf on the files of tests/data/turnserver: NAME.conf gives NAME.toml and NAME.stderr."""
import pathlib
import subprocess
import sys
import tomllib
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
SCRIPT, DATA = ROOT / "scripts/import-turnserver-conf", ROOT / "tests/data/turnserver"


def convert(*arguments, text=None):
    return subprocess.run([sys.executable, "-B", SCRIPT, *arguments], input=text, capture_output=True, text=True)


class ImportTurnserverConf(unittest.TestCase):
    maxDiff = None

    def test_sample_files(self):
        for file in sorted(DATA.glob("*.conf")):
            with self.subTest(file.name):
                done = convert(file)
                self.assertEqual(done.stdout, file.with_suffix(".toml").read_text())
                self.assertEqual(done.stderr, file.with_suffix(".stderr").read_text())
                self.assertEqual(done.returncode, 1 if "not converted" in done.stderr else 0)
                tomllib.loads(done.stdout)

    def test_names_what_coturn_would_find_out(self):
        done = convert("--interface", "ens5", "--address", "192.0.2.1", "--address", "2001:db8::1", text="realm=a.example\n")
        realm = tomllib.loads(done.stdout)["realm"][0]
        self.assertEqual((realm["interface"], realm["addresses"]), ("ens5", ["192.0.2.1", "2001:db8::1"]))
        self.assertNotIn("REPLACE", done.stdout)

    def test_allowed_wins_over_denied_as_in_coturn(self):
        text = "denied-peer-ip=203.0.113.0-203.0.113.255\nallowed-peer-ip=203.0.113.128-203.0.113.255\n"
        turn = tomllib.loads(convert(text=text).stdout)["turn"]
        self.assertEqual((turn["allowed_peers"], turn["denied_peers"]), (["203.0.113.128/25"], ["203.0.113.0/25"]))

    def test_a_second_secret_is_the_previous_one(self):
        done = convert(text="static-auth-secret=new\nstatic-auth-secret=old\nstatic-auth-secret=older\n")
        turn = tomllib.loads(done.stdout)["turn"]
        self.assertEqual((turn["shared_secret"], turn["previous_shared_secret"], done.returncode), ("new", "old", 1))
        self.assertNotIn("older", done.stderr)

    def test_no_password_is_shown(self):
        done = convert(text="user=ann:0x0011\nredis-userdb=password=hush\ncli-password=hush\npkey-pwd=hush\n")
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("hush", done.stderr)
        self.assertNotIn("0x0011", done.stderr)

    def test_quotes_what_toml_would_read_otherwise(self):
        turn = tomllib.loads(convert(text='user=a"b\\c:p"w\\d\n').stdout)["turn"]
        self.assertEqual(turn["users"], [{"name": 'a"b\\c', "password": 'p"w\\d'}])

    def test_a_missing_file_is_an_error(self):
        done = convert("/nowhere/turnserver.conf")
        self.assertEqual((done.returncode, done.stdout), (2, ""))


if __name__ == "__main__":
    unittest.main()

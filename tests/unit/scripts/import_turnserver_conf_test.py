#!/usr/bin/env python3
"""scripts/import-turnserver-conf on the files of tests/data/turnserver: NAME.conf gives NAME.toml and NAME.stderr.


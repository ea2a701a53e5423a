#!/bin/sh
# What mr-dkimsign signs, python3-dkim and libopendkim verify: every key, canonical form and kind of message.
. "$(dirname "$0")/../lib.sh"
python_with dkim
cd "$T_DIR" || exit 1
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$T_ROOT/test/peer exec "$python" "$T_ROOT/test/peer/dkimsign.py"

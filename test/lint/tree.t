#!/usr/bin/env python3
# The rules of rules.py over this tree and what was built from it.
import os
import sys

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
import rules

root = os.path.dirname(os.path.dirname(here))
tree = rules.Tree(root, os.environ.get('MR_BUILD') or os.path.join(root, 'build'))
failed = 0
for n, rule in enumerate(rules.RULES, 1):
    try:
        faults = list(rule(tree))
    except rules.Skip as why:
        print(f'ok {n} - {rule.__doc__} # SKIP {why}')
        continue
    print(f'{"not " if faults else ""}ok {n} - {rule.__doc__}')
    for f in faults[:20]:
        print(f'# {f}')
    failed += bool(faults)
print(f'1..{len(rules.RULES)}')
sys.exit(failed != 0)

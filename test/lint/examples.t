#!/usr/bin/env python3
# The examples of the pages do what the pages say.  A literal block is tried if the line before it says
#	.\" example: file NAME      it is the file NAME
#	.\" example: session        lines "$ command" are run, the others are what they print
# in a folder of its own for each page, in their order, by sh, with our programs in the PATH.
# Milliseconds (1.234) and the number of blanks may differ.
import os
import re
import subprocess
import sys
import tempfile

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
programs = os.path.join(os.environ.get('MR_BUILD') or os.path.join(root, 'build'), 'bin')
env = dict(os.environ, PATH=programs + ':' + os.environ['PATH'], LC_ALL='C')
count = failed = 0


def ok(is_ok, name, why=''):
    global count, failed
    count += 1
    failed += not is_ok
    print(f'{"" if is_ok else "not "}ok {count} - {name}')
    if not is_ok:
        print(re.sub('^', '#   ', why.rstrip('\n'), flags=re.M))


def blocks(page):
    """(what the mark says, text) of each marked block."""
    pattern = r'^\.\\" example: (.*)\n\.Bd -literal.*\n((?:.*\n)*?)\.Ed$'
    for mark, text in re.findall(pattern, page, re.M):
        text = re.sub(r'^\\&', '', text, flags=re.M)
        yield mark, text.replace(r'\(dq', '"').replace(r'\e', '\\')


def normal(text):
    text = re.sub(r'\b\d+\.\d{3}\b', 'N', text.replace('\r', ''))
    return [re.sub(r'\s+', ' ', line).strip() for line in text.rstrip('\n').split('\n')]


def session(name, text, folder):
    for step in re.split(r'^\$ ', text, flags=re.M)[1:]:
        command, _, want = step.partition('\n')
        while command.endswith('\\') or want.startswith('> '):
            more, _, want = want.partition('\n')
            command += '\n' + more.removeprefix('> ')
        got = subprocess.run(['sh', '-c', command], cwd=folder, env=env, text=True, timeout=60,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT).stdout
        ok(normal(got) == normal(want), f'{name}: {command}', f'got:\n{got}want:\n{want}')


man = os.path.join(root, 'man')
for name in sorted(os.listdir(man)):
    with open(os.path.join(man, name), encoding='utf-8') as f:
        page = f.read()
    marks = len(re.findall(r'^\.\\" example:', page, re.M))
    found = list(blocks(page))
    if marks:
        ok(marks == len(found), f'{name}: each mark has its block')
    with tempfile.TemporaryDirectory(prefix='mr-examples.') as folder:
        for mark, text in found:
            kind, _, arg = mark.partition(' ')
            if kind == 'file':
                at = os.path.join(folder, arg)
                with open(at, 'w', encoding='utf-8') as f:
                    f.write(text)
                os.chmod(at, 0o755 if text.startswith('#!') else 0o644)
            elif kind == 'session':
                session(name, text, folder)
            else:
                ok(False, f'{name}: {mark}', 'neither file nor session')
print(f'1..{count}')
sys.exit(failed != 0)

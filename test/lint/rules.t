#!/usr/bin/env python3
# Lint proves itself: a small good tree passes every rule, and each fault makes its rule speak.
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rules

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = '''.Dd July 1, 2024
.Dt MR-X 1
.Os
.Sh NAME
.Nm mr-x
.Nd does it
.Sh SYNOPSIS
.Nm
.Sh DESCRIPTION
It does.
.Sh EXIT STATUS
0.
.Sh EXAMPLES
None.
'''
LOG_PAGE = '''.Dd July 1, 2024
.Dt MR-LOG 7
.Os
.Sh NAME
.Nm mr-log
.Nd events
.Sh DESCRIPTION
Events.
.Sh EVENTS
.Bl -tag -width Ds
.It Cm old
.Va id :
it is old.
.El
.Sh EXAMPLES
None.
'''
HEADER = '/* a.h - a. */\n#ifndef MR_BASE_A_H\n#define MR_BASE_A_H\n\nint mr_a(void);\n\n#endif\n'
SOURCE = '''#include "base/a.h"

#include <stdio.h>

static const char *const words[] = { "goto sprintf( typedef", "b" };

/* sprintf(is only named here) */
int
mr_a(void)
{
	return words[0][0];
}
'''
PROG = '#!/bin/sh\necho "usage: mr-x" >&2\nexit 111\n'
GOOD = {
    'Makefile': 'W = -Wvla -Wmissing-prototypes -Wstrict-prototypes\n\tapt-get install gcc\n',
    'README.md': 'mr\n',
    'lib/base/a.h': HEADER,
    'lib/base/a.c': SOURCE,
    'cmd/mr-x.c': '#include "base/a.h"\n\nint\nmain(void)\n{\n\tMR_LOG(l, 1, "old", { "id", f("a", 1) });\n'
                  '\treturn mr_a();\n}\n',
    'man/mr-x.1': PAGE,
    'man/mr-log.7': LOG_PAGE,
    'test/e2e/x.t': '#!/bin/sh\n',
    'build/bin/mr-x': PROG,
}
CHECKS = {
    'lib/check/dnsreport.h': 'G(DNS, 1000)\nC(A_B, "a-b", DNS, 100, 25)\nC(C_D, "c-d", DNS, 0, 0)\n',
    'test/dns/CHECKS.md': '| a-b | x | y | 1 | 0.25 | z |\n| c-d | x | y \\| z | 0 | 0 | z |\n',
    'man/mr-dnscheck.1': PAGE + '.Bl -tag\n.It Cm a-b Pq 1, 0.25\nx RFC 1\n.It Cm c-d Pq 0, 0\nRFC 2\n.El\n',
}
OTHER = HEADER.replace('a.h', 'b.h').replace('BASE_A', 'DNS_B')


def more(text):  # a source like the good one, and more
    return SOURCE + text


# rule, what it must say, the files that are wrong (None: not there)
BAD = [
    ('ranks', 'must not see', {'lib/base/a.h': HEADER.replace('int', '#include "mail/b.h"\nint')}),
    ('ranks', 'must not see', {'lib/dns/b.c': '#include "table/c.h"\n'}),
    ('ranks', 'no such room', {'lib/attic/b.c': '#include "base/a.h"\n'}),
    ('ranks', 'is not "room', {'lib/base/a.c': SOURCE.replace('base/a.h', 'a.h')}),
    ('own_header_first', 'before', {'lib/base/a.c': '#include <stdio.h>\n' + SOURCE}),
    ('third_party', 'is for table/table_cdb.c only', {'lib/base/a.c': '#include <cdb.h>\n'}),
    ('third_party', 'only', {'lib/base/a.h': HEADER.replace('int', '#include <ldns/ldns.h>\nint')}),
    ('third_party', 'only', {'cmd/mr-x.c': '#include <openssl/ssl.h>\n'}),
    ('third_party', 'in no list', {'lib/base/a.c': '#include <foo/bar.h>\n'}),
    ('header_form', 'no guard', {'lib/dns/b.h': OTHER.replace('DNS_B', 'B')}),
    ('header_form', 'does not begin', {'lib/dns/b.h': OTHER.replace('b.h', 'c.h')}),
    ('external_names', 'external name helper', {'lib/base/a.c': more('int helper;\n')}),
    ('mutable_data', 'in .bss', {'lib/base/a.c': more(
        'int mr_b(void);\nint\nmr_b(void)\n{\n\tstatic int count;\n\treturn count++;\n}\n')}),
    ('mutable_data', 'mr_list in .data', {'lib/base/a.c': more('const char *mr_list[] = { "" };')}),
    ('mutable_data', 'mr_z in', {'lib/base/a.c': more('_Thread_local int mr_z;')}),
    ('banned_calls', 'sprintf', {'cmd/mr-x.c': 'int\nmain(void)\n{\n\tsprintf (0, "");\n}\n'}),
    ('banned_calls', 'strtok', {'test/unit/x.c': 'int\nmain(void)\n{\n\tstrtok(0, "");\n}\n'}),
    ('banned_symbols', 'uses strcpy', {'lib/base/a.c': more(
        '#include <string.h>\nvoid mr_b(char *, char *);\nvoid\nmr_b(char *a, char *b)\n'
        '{\n\t(strcpy)(a, b);\n}\n')}),
    ('quiet_library', 'uses printf', {'lib/base/a.c': more(
        'void mr_b(int);\nvoid\nmr_b(int a)\n{\n\tprintf("%d\\n", a);\n}\n')}),
    ('quiet_library', 'uses getenv', {'lib/base/a.c': more(
        '#include <stdlib.h>\nvoid *mr_b(void);\nvoid *\nmr_b(void)\n{\n\treturn getenv("X");\n}\n')}),
    ('quiet_library', 'uses exit', {'lib/base/a.c': more(
        '#include <stdlib.h>\nvoid mr_b(void);\nvoid\nmr_b(void)\n{\n\texit(1);\n}\n')}),
    ('warnings_on', '-Wvla', {'Makefile': 'W = -Wmissing-prototypes -Wstrict-prototypes\n'}),
    ('no_typedef', 'typedef', {'lib/base/a.c': more('typedef int number;\n')}),
    ('only_out', 'goto again', {'lib/base/a.c': more('void f(void) { again: goto again; }\n')}),
    ('function_length', '81 lines', {'cmd/mr-x.c': 'int\nmain(void)\n{\n' + '\t;\n' * 81 + '}\n'}),
    ('file_length', '651 lines', {'test/e2e/x.t': ':\n' * 651}),
    ('pages', 'no man/mr-x.1', {'man/mr-x.1': None}),
    ('tests', 'no test', {'test/e2e/x.t': None}),
    ('page_sections', 'EXIT STATUS', {'man/mr-x.1': PAGE.replace('.Sh EXIT STATUS\n', '')}),
    ('page_lint', 'order', {'man/mr-x.1': PAGE + '.Sh STANDARDS\nx\n.Sh SEE ALSO\n'}),
    ('log_page', 'event=new is not', {'cmd/mr-x.c': 'MR_LOG(log, X, "new", { "id", f(1) });\n'}),
    ('log_page', 'why= of event=old', {'cmd/mr-x.c': 'MR_LOG(l, X, "old", { "why", f(1) });\n'}),
    ('log_page', 'nothing writes event=old', {'cmd/mr-x.c': 'int x;\n'}),
    ('page_lint', 'mr-x.1', {'man/mr-x.1': PAGE + '.Xx bad macro\n'}),
    ('dnschecks', 'no group', {**CHECKS, 'lib/check/dnsreport.h': CHECKS['lib/check/dnsreport.h'].replace('"a-b", DNS', '"a-b", X')}),
    ('dnschecks', 'CHECKS.md: does not have a-b', {**CHECKS, 'test/dns/CHECKS.md': '| c-d | x | y | 0 | 0 | z |\n'}),
    ('dnschecks', 'CHECKS.md: has a-b, which', {**CHECKS, 'test/dns/CHECKS.md': CHECKS['test/dns/CHECKS.md'].replace('0.25', '0.5')}),
    ('dnschecks', '.1: does not have c-d', {**CHECKS, 'man/mr-dnscheck.1': CHECKS['man/mr-dnscheck.1'].replace('c-d', 'c-e')}),
    ('dnschecks', 'another order', {**CHECKS, 'lib/check/dnsreport.h': 'G(DNS, 1)\nC(C, "c-d", DNS, 0, 0) C(A, "a-b", DNS, 100, 25)'}),
    ('dnschecks', 'a-b names no RFC', {**CHECKS, 'man/mr-dnscheck.1': CHECKS['man/mr-dnscheck.1'].replace('RFC 1', 'x')}),
    ('formatted', 'clang-format', {'lib/base/a.c': SOURCE.replace('\treturn', '  return')}),
    ('finished', 'TODO', {'lib/base/a.c': more('/* TO' 'DO: the rest */\n')}),
    ('finished', 'stub', {'man/mr-x.1': PAGE + 'This is a st' 'ub.\n'}),
    ('usage', 'exit 0', {'build/bin/mr-x': '#!/bin/sh\necho "usage: mr-x" >&2\n'}),
    ('usage', 'no usage line', {'build/bin/mr-x': '#!/bin/sh\nexit 111\n'}),
    ('usage', 'writes to fd 1', {'build/bin/mr-x': PROG.replace('exit', 'echo x\nexit')}),
    ('usage', 'No such file', {'build/bin/mr-x': None}),
    ('one_package_list', 'README.md', {'README.md': 'sudo apt-get install -y gcc\n'}),
]
OBJECTS = {'external_names', 'mutable_data', 'banned_symbols', 'quiet_library'}


def plant(folder, files, objects):
    for path, text in files.items():
        at = os.path.join(folder, path)
        os.makedirs(os.path.dirname(at), exist_ok=True)
        if text is not None:
            with open(at, 'w') as f:
                f.write(text)
            os.chmod(at, 0o755)
    shutil.copy(os.path.join(ROOT, '.clang-format'), folder)
    if objects:
        os.makedirs(os.path.join(folder, 'build/lib/base'))
        subprocess.run(['gcc', '-O2', '-fPIE', '-D_FORTIFY_SOURCE=3', '-w', '-Ilib', '-c', '-o',
                        'build/lib/base/a.o', 'lib/base/a.c'], cwd=folder, check=True)
    return rules.Tree(folder, os.path.join(folder, 'build'))


count, failed = 0, 0


def ok(is_ok, name, faults):
    global count, failed
    count += 1
    print(f'{"" if is_ok else "not "}ok {count} - {name}')
    if not is_ok:
        failed += 1
        print('#', faults)


def ask(rule, files, objects, judge, name):
    with tempfile.TemporaryDirectory(prefix='mr-lint.') as folder:
        try:
            faults = list(rule(plant(folder, {**GOOD, **files}, objects)))
        except rules.Skip as why:
            ok(True, f'{name} # SKIP {why}', '')
            return
    ok(judge(faults), name, faults)


for rule in rules.RULES:
    ask(rule, {}, rule.__name__ in OBJECTS, lambda f: not f, f'{rule.__name__}: silent when good')
for name, want, files in BAD:
    ask(getattr(rules, name), files, name in OBJECTS,
        lambda faults: any(want in f for f in faults), f'{name}: says "{want}"')
for name in sorted({r.__name__ for r in rules.RULES} - {b[0] for b in BAD}):
    ok(False, f'{name}: has no tree that is wrong', '')
print(f'1..{count}')
sys.exit(failed != 0)

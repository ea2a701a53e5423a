"""rules.py - the rules of mr-hacking(7) that a program can check.

Each rule is a function of a Tree; it returns a list of faults ("file:line: what is wrong"), or
raises Skip.  tree.t runs them over this tree, rules.t over trees that are wrong on purpose."""

import os
import re
import shutil
import subprocess

RANK = {'base': 0, 'mail': 1, 'dns': 2, 'table': 2, 'store': 2, 'ui': 2, 'check': 3,
        'filter': 4, 'queue': 4, 'pipe': 5, 'smtp': 6, 'cmd': 7}

# One library, one file: header (a name, or a folder with its '/') -> the files that may see it.
THIRD_PARTY = {
    'cdb.h': ['table/table_cdb.c'],
    'dlfcn.h': ['base/lazy.c'],
    'zlib.h': ['base/inflate.c'],
    'openssl/': ['smtp/tls.c', 'base/crypto.c'],
    'ldns/': ['dns/dns_wire.c'],
    'libpsl.h': ['dns/orgdomain.c'],
    'lmdb.h': ['store/store_lmdb.c'],
    'hiredis/': ['store/store_redis.c'],
    'spf2/': ['check/spf_match.c'],
    'idn2.h': ['mail/idn.c'],
    'opendkim/': ['check/opendkim.c'],
    'magic.h': ['check/magic.c'],
    'archive.h': ['check/archive.c'],
    'archive_entry.h': ['check/archive.c'],
    'seccomp.h': ['base/sandbox.c'],
}
LIBC = set('''assert ctype dirent endian errno fcntl fnmatch getopt grp ifaddrs inttypes limits
    locale netdb poll pthread pty pwd regex sched signal spawn stdarg stdalign stdbool stddef
    stdint stdio stdlib string strings sysexits syslog termios time ucontext unistd utime wchar'''.split())
LIBC_FOLDERS = ('sys/', 'linux/', 'arpa/', 'net/', 'netinet/', 'asm/')

BANNED = set('''sprintf vsprintf strcpy stpcpy strcat strncpy strncat gets atoi atol atoll atof
    sscanf vsscanf scanf fscanf strtok strtok_r system popen gethostbyname gethostbyname2
    gethostbyaddr alloca tmpnam tempnam mktemp rand random'''.split())
# What the library leaves to the commands.
OUTWARD = set('''printf vprintf fprintf vfprintf dprintf vdprintf puts putchar putc fputs fputc
    perror psignal err errx warn warnx exit abort __assert_fail getenv secure_getenv setenv
    putenv unsetenv clearenv stdin stdout stderr'''.split())
OUTWARD_MAY = {'filter/driver.o'}

FUNCTION_MAX = 80
FILE_MAX = 650


class Skip(Exception):
    pass


class Tree:
    def __init__(self, root, build):
        self.root, self.build = os.path.abspath(root), os.path.abspath(build)
        self._text, self._nm = {}, {}

    def files(self, *folders, ext=('.c', '.h')):
        found = []
        for folder in folders:
            for at, dirs, names in os.walk(os.path.join(self.root, folder)):
                dirs[:] = sorted(d for d in dirs if not d.startswith(('.', '__')))
                found += [os.path.relpath(os.path.join(at, n), self.root)
                          for n in sorted(names) if n.endswith(ext)]
        return found

    def has(self, path):
        return os.path.exists(os.path.join(self.root, path))

    def text(self, path):
        if path not in self._text:
            with open(os.path.join(self.root, path), encoding='utf-8', errors='replace') as f:
                self._text[path] = f.read()
        return self._text[path]

    def code(self, path, with_strings=False):
        """The text with comments (and the insides of strings) as blanks; lines stay lines."""
        def blank(m):
            s = m.group(0)
            if s[0] == '/':
                return re.sub(r'[^\n]', ' ', s)
            return s if with_strings else s[0] + s[-1]
        return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank,
                      self.text(path), flags=re.S)

    def includes(self, path):
        """(line, '<' or '"', header) of each #include."""
        for n, line in enumerate(self.code(path, True).split('\n'), 1):
            m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if m:
                yield n, m.group(1), m.group(2)

    def nm(self, *args):
        """nm over libmr.a: (member as room/x.o, its line).  An archive keeps base names only, so
        the objects are asked themselves."""
        lib = os.path.join(self.build, 'lib')
        objects = sorted(os.path.join(at, n) for at, _, names in os.walk(lib)
                         for n in names if n.endswith('.o'))
        # An object whose source is gone is no longer part of the library.
        objects = [o for o in objects
                   if self.has('lib/' + os.path.relpath(o, lib)[:-1] + 'c')]
        if not objects:
            raise Skip('nothing built in ' + self.build)
        if args not in self._nm:
            out = subprocess.run(['nm', '-A', *args, *objects], capture_output=True, text=True,
                                 check=True)
            self._nm[args] = [(os.path.relpath(o, lib), line) for o, line in
                              re.findall(r'^(/.*?\.o):(?: )?(.*)$', out.stdout, re.M)]
        yield from self._nm[args]

    def is_instrumented(self):
        return any(re.search(r'__(asan|ubsan|gcov|sanitizer|llvm_prof)', line)
                   for _, line in self.nm())


def grep(tree, files, pattern, what, raw=False):
    for path in files:
        text = tree.text(path) if raw else tree.code(path)
        for n, line in enumerate(text.split('\n'), 1):
            m = re.search(pattern, line)
            if m:
                yield f'{path}:{n}: {what.format(m.group(0).strip())}'


def room_of(path):
    part = path.split('/')
    return part[1] if part[0] == 'lib' and len(part) > 2 else 'cmd'


def ranks(tree):
    """a file includes headers of its own room and of lower ranks only"""
    for path in tree.files('lib', 'cmd'):
        room = room_of(path)
        if room not in RANK:
            yield f'{path}: no such room: {room}'
            continue
        for n, kind, header in tree.includes(path):
            other = header.split('/')[0]
            if kind != '"':
                continue
            if '/' not in header or other not in RANK:
                yield f'{path}:{n}: "{header}" is not "room/x.h"'
            elif other != room and RANK[other] >= RANK[room]:
                yield f'{path}:{n}: {room} (rank {RANK[room]}) must not see {other}'


def own_header_first(tree):
    """x.c includes its own header first"""
    for path in tree.files('lib', ext='.c'):
        first = next(tree.includes(path), (0, '', ''))
        own = path[len('lib/'):-1] + 'h'
        if tree.has('lib/' + own) and first[2] != own:
            yield f'{path}:{first[0]}: includes {first[2]} before "{own}"'


def third_party(tree):
    """one third-party library a file, and none in our headers"""
    for path in tree.files('lib', 'cmd'):
        for n, kind, header in tree.includes(path):
            if kind != '<':
                continue
            key = header if header in THIRD_PARTY else header.split('/')[0] + '/'
            if key in THIRD_PARTY:
                if path not in ['lib/' + f for f in THIRD_PARTY[key]]:
                    yield f'{path}:{n}: <{header}> is for {" and ".join(THIRD_PARTY[key])} only'
            elif header[:-2] not in LIBC and not header.startswith(LIBC_FOLDERS):
                yield f'{path}:{n}: <{header}> is in no list of test/lint/rules.py'


def header_form(tree):
    """headers begin "/* x.h - what it is" and have a guard MR_ROOM_X_H"""
    for path in tree.files('lib', ext='.h'):
        base = os.path.basename(path)
        guard = 'MR_' + re.sub(r'\W', '_', path[len('lib/'):]).upper()
        if not tree.text(path).startswith(f'/* {base} - '):
            yield f'{path}:1: does not begin "/* {base} - "'
        if f'#ifndef {guard}\n#define {guard}\n' not in tree.text(path):
            yield f'{path}: no guard {guard}'


def external_names(tree):
    """external names start mr_"""
    for member, line in tree.nm('-g', '--defined-only', '-P'):
        name, kind = line.split()[:2]
        if not name.startswith('mr_') and not (tree.is_instrumented() and name.startswith('__')):
            yield f'{member}: external name {name} ({kind})'


def mutable_data(tree):
    """the library has no mutable data"""
    if tree.is_instrumented():
        raise Skip('instrumented build')
    for member, line in tree.nm('-f', 'sysv', '--defined-only'):
        col = [c.strip() for c in line.split('|')]
        if len(col) == 7 and re.match(r'\.(data(?!\.rel\.ro)|bss|tdata|tbss)|\*COM', col[6]):
            yield f'{member}: {col[0]} in {col[6]}'


def banned_calls(tree):
    """no banned function, by name in the sources"""
    words = '|'.join(sorted(BANNED))
    yield from grep(tree, tree.files('lib', 'cmd', 'test', ext=('.c', '.h')),
                    rf'(?<![\w.>])({words})\s*\(', 'banned: {}')


def undefined(tree, names, may=()):
    if tree.is_instrumented():
        raise Skip('instrumented build')
    for member, line in tree.nm('-u', '-P'):
        name = re.sub(r'@.*', '', line.split()[0])
        name = re.sub(r'^__(?:isoc\d+_)?(\w+?)(?:_chk)?$', r'\1', name) \
            if name not in names else name
        if name in names and member not in may:
            yield f'{member}: uses {name}'


def banned_symbols(tree):
    """no banned function, by name in the objects"""
    yield from undefined(tree, BANNED)


def quiet_library(tree):
    """the library never prints, exits or reads the environment"""
    yield from undefined(tree, OUTWARD, OUTWARD_MAY)


def warnings_on(tree):
    """the Makefile refuses VLAs and missing prototypes"""
    for flag in ('-Wvla', '-Wmissing-prototypes', '-Wstrict-prototypes'):
        if flag not in tree.text('Makefile'):
            yield f'Makefile: {flag} is gone'


def no_typedef(tree):
    """no typedefs"""
    yield from grep(tree, tree.files('lib', 'cmd'), r'\btypedef\b', '{}')


def only_out(tree):
    """no goto but to out"""
    yield from grep(tree, tree.files('lib', 'cmd'), r'\bgoto\s+(?!out;)\w+', '{}')


def function_length(tree):
    """functions up to 80 lines"""
    for path in tree.files('lib', 'cmd', 'test'):
        start = 0
        for n, line in enumerate(tree.code(path).split('\n'), 1):
            if line == '{':
                start = n
            elif line == '}' and start:
                if n - start - 1 > FUNCTION_MAX:
                    yield f'{path}:{start}: function of {n - start - 1} lines'
                start = 0


def file_length(tree):
    """files up to 650 lines"""
    for path in tree.files('lib', 'cmd', 'test', ext=('.c', '.h', '.t', '.sh', '.py')):
        n = tree.text(path).count('\n')
        if n > FILE_MAX:
            yield f'{path}: {n} lines'


def commands(tree):
    return [os.path.basename(p)[:-2] for p in tree.files('cmd', ext='.c')
            if os.path.basename(p).startswith('mr-')]


def pages(tree):
    """each command has a page"""
    for name in commands(tree):
        if not any(tree.has(f'man/{name}.{s}') for s in (1, 8)):
            yield f'cmd/{name}.c: no man/{name}.1 or .8'


def tests(tree):
    """each command has a test of its name"""
    have = {os.path.basename(p).rsplit('.', 1)[0] for p in tree.files('test', ext=('.t', '.c'))}
    for name in commands(tree):
        if not any(t == n or t.startswith(n + '-') for t in have for n in (name, name[3:])):
            yield f'cmd/{name}.c: no test/*/{name}.t'


def page_sections(tree):
    """pages have their sections"""
    command = ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'EXIT STATUS', 'EXAMPLES']
    for path in tree.files('man', ext=tuple(f'.{n}' for n in range(1, 9))):
        got = [s.strip('"') for s in re.findall(r'^\.Sh +(.+?) *$', tree.text(path), re.M)]
        for s in command if path[-1] in '18' else ['NAME', 'DESCRIPTION']:
            if s not in got:
                yield f'{path}: no section {s}'


def log_calls(tree):
    """(file, event or None, fields) of each MR_LOG(...) in lib and cmd"""
    for path in tree.files('lib', 'cmd', ext='.c'):
        code = tree.code(path, True)
        for m in re.finditer(r'\bMR_LOG\(', code):
            depth, end = 1, m.end()
            while depth and end < len(code):
                depth += {'(': 1, ')': -1}.get(code[end], 0)
                end += 1
            call = code[m.end():end]
            event = re.search(r'"([a-z-]+)"\s*,\s*\{', call)
            fields = re.findall(r'\{\s*"(\w+)"\s*,', call)
            yield path, event and event.group(1), fields


def log_page(tree):
    """mr-log(7) names each event that the code writes, with its fields, and no other"""
    if not tree.has('man/mr-log.7'):
        raise Skip('no man/mr-log.7')
    page = tree.text('man/mr-log.7')
    events = page[page.index('.Sh EVENTS'):page.index('.Sh EXAMPLES')]
    known = {}
    for item in re.split(r'^\.It ', events, flags=re.M)[1:]:
        head, _, text = item.partition('\n')
        for name in re.findall(r'[\w-]{3,}', head):
            known[name] = set(re.findall(r'\w+', ' '.join(re.findall(r'^\.Va (.*)', text, re.M))))
    anywhere = set().union(*known.values()) if known else set()
    for path, event, fields in log_calls(tree):
        if event and event not in known:
            yield f'{path}: event={event} is not in man/mr-log.7'
        for f in fields:
            if f not in (known.get(event, set()) if event else anywhere):
                yield f'{path}: {f}= of event={event} is not in man/mr-log.7'
    words = set()
    for path in tree.files('lib', 'cmd', ext='.c'):
        words.update(re.findall(r'"([\w-]+)"', tree.code(path, True)))
    for name in known:
        if name not in words:
            yield f'man/mr-log.7: nothing writes event={name}'


def page_lint(tree):
    """pages are clean for mandoc"""
    if not shutil.which('mandoc'):
        raise Skip('no mandoc')
    found = tree.files('man', ext=tuple(f'.{n}' for n in range(1, 9)))
    if found:
        out = subprocess.run(['mandoc', '-Tlint', '-Wwarning', *found], cwd=tree.root,
                             capture_output=True, text=True)
        yield from (out.stdout + out.stderr).strip().split('\n') if out.returncode else []


def dnschecks(tree):
    """the checks of mr-dnscheck are those of the catalogue and of its page, in the same order and at the same cost"""
    header, page, catalogue = 'lib/check/dnsreport.h', 'man/mr-dnscheck.1', 'test/dns/CHECKS.md'
    if not tree.has(header):
        raise Skip('no ' + header)
    groups = {m[0]: [] for m in re.findall(r'\bG\((\w+), (\d+)\)', tree.text(header))}
    code = []
    for name, group, fail, warn in re.findall(r'\bC\(\w+, "([\w-]+)", (\w+), (\d+), (\d+)\)', tree.text(header)):
        code.append((name, int(fail) / 100, int(warn) / 100))
        if group not in groups:
            yield f'{header}: {name} is of no group: {group}'
    has = {catalogue: [(r[0], float(r[1]), float(r[2])) for r in re.findall(
               r'^\| ([a-z0-9]+-[a-z0-9-]+) \|(?:[^|\\]|\\.)*\|(?:[^|\\]|\\.)*\| ([\d.]+) \| ([\d.]+) \|', tree.text(catalogue), re.M)],
           page: [(r[0], float(r[1]), float(r[2])) for r in re.findall(
               r'^\.It Cm ([a-z0-9]+-[a-z0-9-]+) Pq ([\d.]+), ([\d.]+)$', tree.text(page), re.M)]}
    for path, rows in has.items():
        for row in code:
            if row not in rows:
                yield f'{path}: does not have {row[0]} with {row[1]:g} and {row[2]:g}'
        for row in rows:
            if row not in code:
                yield f'{path}: has {row[0]}, which {header} does not have like that'
        if sorted(rows) == sorted(code) and rows != code:
            yield f'{path}: another order than {header}'
    for item in re.split(r'^\.It Cm ', tree.text(page), flags=re.M)[1:]:
        name = item.split(' ')[0].strip()
        if name in dict((r[0], r) for r in code) and not re.search(r'RFC \d|sender guidelines', item):
            yield f'{page}: {name} names no RFC'


def formatted(tree):
    """sources are as clang-format leaves them"""
    if not shutil.which('clang-format'):
        raise Skip('no clang-format')
    found = tree.files('lib', 'cmd', 'test')
    if found:
        out = subprocess.run(['clang-format', '--dry-run', '-Werror', '--ferror-limit=1', *found],
                             cwd=tree.root, capture_output=True, text=True)
        yield from re.findall(r'^\S+:\d+:\d+: .*', out.stderr, re.M)


def finished(tree):
    """nothing says that it is not finished"""
    found = [p for p in tree.files('lib', 'cmd', 'test', 'man', 'examples', 'contrib', ext='')
             if not p.startswith('test/lint/') and not re.search('/(seed|mail|mime)/', p)]
    found += [p for p in ('Makefile', 'README.md') if tree.has(p)]
    yield from grep(tree, found, r'\b(TODO|FIXME|XXX|[Ss]tub)\b(?! resolver)', '{}', raw=True)


def usage(tree):
    """every command answers a wrong option with its usage and 111"""
    for name in commands(tree):
        for option in ('-?', '-%'):
            try:
                out = subprocess.run([os.path.join(tree.build, 'bin', name), option], timeout=60,
                                     stdin=subprocess.DEVNULL, capture_output=True, text=True)
            except (OSError, subprocess.TimeoutExpired) as e:
                yield f'{name} {option}: {e}'
                continue
            if out.returncode != 111:
                yield f'{name} {option}: exit {out.returncode}'
            if not re.search(rf'(?i)usage: {name}\b', out.stderr):
                yield f'{name} {option}: no usage line'
            if out.stdout:
                yield f'{name} {option}: writes to fd 1'


def one_package_list(tree):
    """packages are listed in the Makefile only"""
    found = [p for p in tree.files('.', ext='')
             if not p.startswith(('test/lint/', 'build')) and p not in ('Makefile', './Makefile')]
    found = [p for p in found if re.search(r'\.(md|sh|t|yml|yaml|[1-8])$|/run$|Dockerfile', p)]
    found += [p for p in ('.ci/run', '.gitlab-ci.yml') if tree.has(p)]
    yield from grep(tree, found, r'\bapt(-get)?\b.*\binstall\b.*', '{}', raw=True)


RULES = [ranks, own_header_first, third_party, header_form, external_names, mutable_data,
         banned_calls, banned_symbols, quiet_library, warnings_on, no_typedef, only_out,
         function_length, file_length, pages, tests, page_sections, log_page, page_lint, dnschecks, formatted,
         finished, usage, one_package_list]

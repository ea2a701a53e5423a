"""spf_pyspf.py SEED N - N random worlds of SPF records, and what python3-spf makes of them.

Writes into the present folder: zone (a fixture of the DNS module), records (policy requests), want (the
result of each, and who asked).  Left out is what the two read differently, by decision:
an include of itself (permerror there before it is reached), what is wrong in an unknown modifier and
"%{d0}" (accepted there, against RFC 7208 6 and 7.3), hosts of an mx without addresses (all looked up
there before one is compared, and each a void lookup)."""
import random
import sys

import spf

SEED, N = sys.argv[1:]
rnd = random.Random(SEED)
zone = {}    # (name, type) -> values
faults = []  # (name, type) that answer SERVFAIL
IP4 = ['192.0.2.%d' % i for i in range(1, 9)] + ['127.0.0.1', '203.0.113.129']
IP6 = ['2001:db8::%d' % i for i in range(1, 5)] + ['::1']


def lookup(name, qtype, *_):
    key = name.lower().rstrip('.'), qtype
    if key in faults:
        raise spf.TempError('server failure')
    return [(key, (v.encode(),) if qtype == 'TXT' else v) for v in zone.get(key, [])]


spf.DNSLookup = lookup


def pick(*v):
    return rnd.choice(v)


def host(case):
    return pick('h0.', 'h1.', 'h2.', 'h3.', 'nx.') + case


def spec(case):
    """a domain-spec that is right"""
    return pick(host(case), host(case), '%{l}.x.' + case, '%{l1r+-}.x.%{d2}', '%{ir}.%{v}.' + case,
                '%{d}', '%{o}', 'h0.%{d2}', 'h1.%{o9}', '%{h}', 'h2.%{H2}', 'a..' + case, '.' + case,
                host(case) + '.', 'h%%.' + case, 'h%_.' + case, 'x' * 64 + '.' + case,
                '.'.join(['y' * 50] * 6) + '.h0.' + case)


def mechanism(case, i):
    cidr = pick('', '', '', '/24', '/30', '/0', '//64', '//0', '/31//127')
    return pick(
        lambda: 'a' + pick('', ':' + spec(case)) + cidr,
        lambda: 'mx' + pick('', ':' + pick('m0.', 'm1.', 'm2.') + case, ':' + spec(case)) + cidr,
        lambda: 'include:r%d.' % rnd.randrange(i + 1, 5) + case,
        lambda: 'exists:' + spec(case),
        lambda: 'ptr' + pick('', ':' + case),
        lambda: 'ip4:' + pick('192.0.2.0/29', *IP4) + pick('', '', '/24' * (rnd.random() < .3)),
        lambda: 'ip6:' + pick(*IP6) + pick('', '/128', '/64', '/0'),
        lambda: 'ip6:' + pick('::ffff:192.0.2.1', '2001:db8::/126'))()


WRONG = ['a:nodot', 'a:x.123', 'a:%{', 'a:%{x}.example', 'a:%{c}.example', 'a:%{d}%', 'a/33', 'a//129',
         'a/024', 'a/', 'a/x', 'mx:', 'ip4:192.0.2', 'ip4:192.0.2.256', 'ip4:2001:db8::1', 'ip4:192.0.2.1/33',
         'ip6:192.0.2.1', 'ip6:1:2', 'ip6:::1/129', 'all.', 'all:x', 'al', '-x=y', 'redirect=',
         'include', 'exists', 'ip5:1', '9=x', '=x', '%']


def record(case, i):
    terms = []
    for _ in range(rnd.randrange(6)):
        terms.append(pick('', '', '', '+', '-', '~', '?') + mechanism(case, i))
    terms.append(pick('-all', '~all', '?all', 'x=y', 'x.y-_=%{d}/', 'redirect=r%d.' % (i + 1) + case))
    if rnd.random() < .07:
        terms.insert(rnd.randrange(len(terms) + 1), pick(*WRONG))
    return pick('v=spf1 ', 'V=sPf1  ') + pick(' ', '  ').join(terms) + pick('', ' ')


def world(case):
    for i in range(4):
        for _ in range(pick(0, 1, 1, 2)):
            v6 = rnd.random() < .4
            zone.setdefault(('h%d.%s' % (i, case), 'AAAA' if v6 else 'A'), []).append(pick(*(IP6 if v6 else IP4)))
        zone['m%d.%s' % (i, case), 'MX'] = [(10, pick('both0.', 'both1.', 'both2.') + case) for _ in range(pick(1, 2, 3))]
        zone['both%d.%s' % (i, case), 'A'] = [pick(*IP4)]
        zone['both%d.%s' % (i, case), 'AAAA'] = [pick(*IP6)]
        zone['r%d.%s' % (i, case), 'TXT'] = [record(case, i)] + pick([], [], [], ['other'], ['v=spf10 -all'],
                                                                  [pick('other', 'v=spf1')])
        if rnd.random() < .3:
            zone['r%d.%s' % (i, case), 'A'] = [pick(*IP4)]
        if rnd.random() < .05:
            faults.append((pick('r%d.', 'h%d.', 'm%d.') % i + case, pick('A', 'AAAA', 'MX', 'TXT')))
    zone['bob.x.' + case, 'A'] = zone['x.a.x.' + case, 'A'] = ['127.0.0.2']


def lines():
    for (name, rtype), values in zone.items():
        for v in values:
            if rtype == 'TXT':
                v = ' '.join('"%s"' % v[k:k + 200] for k in range(0, len(v), 200))
            yield '%s %s %s\n' % (name, rtype, '%d %s' % v if rtype == 'MX' else v)
    for name, rtype in faults:
        yield '%s ! servfail %s\n' % (name, rtype)


with open('records', 'w') as records, open('want', 'w') as want:
    for n in range(int(N)):
        case = 'c%d.example' % n
        world(case)
        ip, sender = pick(*IP4 * 2 + IP6), pick('bob', 'a-x+c', 'x') + '@r0.' + case
        records.write('client_address=%s\nsender=%s\nhelo_name=h3.%s\n\n' % (ip, sender, case))
        want.write('%s %s %s\n' % (spf.check2(i=ip, s=sender, h='h3.' + case)[0], ip, sender))
with open('zone', 'w') as f:
    f.writelines(lines())

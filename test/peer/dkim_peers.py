#!/usr/bin/env python3
"""dkim_peers.py DIR SEED N - messages in DIR signed by python3-dkim and by opendkim, most of them changed
afterwards in ways that matter or do not; DIR/zone has the keys, DIR/want what the peers say: "FILE PEER
pass|fail" a line."""

import base64
import os
import random
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../dkim'))
import dkim
import kit

out, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rnd = random.Random(seed)
os.chdir(out)
want = open('want', 'w')
zone = open('zone', 'w')
records = {}
KEYS = [('k%d' % bits, kit.Key('rsa', bits)) for bits in (1024, 2048, 4096)] + [('ked', kit.Key('ed25519'))]
for selector, key in KEYS:
    name = '%s._domainkey.example.org' % selector
    records[name] = key.record()
    zone.write(kit.zone(name, key.record()))
zone.close()
with open('keys', 'w') as f:
    for name, text in records.items():
        f.write('%s %s\n' % (name, text))


def blank():
    return rnd.choice([b' ', b'  ', b'\t', b' \t ', b'\r\n ', b' \r\n\t'])


def value():
    words = [rnd.choice([b'x', b'Word', 'é'.encode(), b'a=b;c', b'(c)', b'<a@b>', b'"q"'])
             for _ in range(rnd.randrange(5))]
    return rnd.choice([b'', b' ', b' ', b'  ']) + b''.join(w + blank() for w in words).rstrip() \
        + rnd.choice([b'', b'', b' ', b'\t'])


def message():
    names = [b'To', b'Subject', b'Date', b'Message-ID', b'X-A', b'x-a', b'X-B', b'X-C', b'X-C']
    rnd.shuffle(names)
    fields = [n + b':' + value() for n in names[:rnd.randrange(3, 10)]]
    fields.insert(rnd.randrange(len(fields)), b'From: Bob <bob@example.org>')
    lines = [rnd.choice([b'', b'', b' ', b'x', b' x  y', b'x \t', b'\t', '½'.encode(), b'\xff', b'.', b'a' * 300])
             for _ in range(rnd.randrange(8))]
    body = b'\r\n'.join(lines) + rnd.choice([b'', b'\r\n', b'\r\n\r\n'])
    return fields, whole(body)


def change(fields, body):
    """One change."""
    i = rnd.randrange(1, len(fields))
    fields = list(fields)
    how = rnd.randrange(14)
    if how == 0:
        body += b'\r\n'
    elif how == 1:
        body = body.replace(b'x', b'y', 1)
    elif how == 2:
        body = body.replace(b'x', b'x ', 1)
    elif how == 3:
        body = body.replace(b'\r\n', b' \r\n', 1)
    elif how == 4:
        body = body.replace(b' ', b'\t', 1)
    elif how == 5:
        name, v = fields[i].split(b':', 1)
        fields[i] = name.swapcase() + b':' + v
    elif how == 6:
        fields[i] = fields[i].replace(b' ', b'\r\n ', 1)
    elif how == 7:
        fields[i] += rnd.choice([b' ', b'z'])
    elif how == 8:
        del fields[i]
    elif how == 9:
        fields.insert(1, rnd.choice([b'X-New: 1', b'Subject: other', b'To: other', b'X-C: 1']))
    elif how == 10:
        fields.append(rnd.choice([b'X-New: 1', b'Subject: other', b'To: other', b'X-C: 1']))
    elif how == 11:
        j = rnd.randrange(1, len(fields))
        fields[i], fields[j] = fields[j], fields[i]
    elif how == 12:
        fields[0] = fields[0].replace(b' b=', rnd.choice([b' b= ', b' b=\r\n ', b' b=A']), 1)
    return fields, whole(body)


def whole(body):
    """python3-dkim keeps blanks at the end of a last line without line end; no MTA has such a line."""
    return body + b'\r\n' if body[-1:] in (b' ', b'\t') else body


def join(fields, body):
    return b'\r\n'.join(fields) + b'\r\n\r\n' + body


def sign_python(fields, body, selector, key):
    names = sorted({f.split(b':')[0].lower() for f in fields} - {b'from'})
    rnd.shuffle(names)
    names = [b'from'] + names[:rnd.randrange(len(names) + 1)] + rnd.choice([[], [b'from'], [b'nothing']])
    private = key.pem or base64.b64encode(bytes(key.key))
    c = rnd.choice([b'simple', b'relaxed']), rnd.choice([b'simple', b'relaxed'])
    return dkim.sign(join(fields, body), selector.encode(), b'example.org', private, canonicalize=c,
                     signature_algorithm=b'%s-sha256' % key.kind.encode(), include_headers=names)


def sign_opendkim(fields, body, selector, key):
    with open('key.pem', 'wb') as f:
        os.fchmod(f.fileno(), 0o600)
        f.write(key.pem)
    with open('sign.conf', 'w') as f:
        f.write('Mode s\nDomain example.org\nSelector %s\nKeyFile key.pem\nSyslog no\nRequireSafeKeys no\n'
                'SignatureAlgorithm rsa-sha256\nCanonicalization %s/%s\n' % (
                    selector, rnd.choice(['simple', 'relaxed']), rnd.choice(['simple', 'relaxed'])))
    # opendkim's test mode reads files with LF.
    with open('unsigned', 'wb') as f:
        f.write(join(fields, body).replace(b'\r\n', b'\n'))
    said = subprocess.run(['opendkim', '-x', 'sign.conf', '-v', '-v', '-t', 'unsigned'],
                          capture_output=True).stdout
    m = re.search(rb"hname='DKIM-Signature' hvalue='(.*?)'\n", said, re.S)
    return b'DKIM-Signature: ' + m.group(1).replace(b'\n', b'\r\n') + b'\r\n' if m else None


def resolve(name, timeout=5):
    return records.get(name.decode().rstrip('.'), '').encode() or None


names = []
for i in range(count):
    fields, body = message()
    selector, key = rnd.choice(KEYS)
    by = 'python' if key.pem is None or i % 4 else 'opendkim'
    if by == 'opendkim':
        body = re.sub(rb'(\r\n)*$', b'\r\n', body)
        # What its test mode makes of other blanks is its own.
        fields = [f if f.startswith(b'From') else re.sub(rb':\s*(.*?)\s*$', rb': \1', f, flags=re.S)
                  for f in fields]
    signature = (sign_python if by == 'python' else sign_opendkim)(fields, body, selector, key)
    if signature is None:
        sys.exit('opendkim does not sign')
    fields = [signature[:-2] if signature.endswith(b'\r\n') else signature] + fields
    if rnd.randrange(3):
        fields, body = change(fields, body)
    text = join(fields, body)
    name = '%d-%s' % (i, by)
    names.append(name)
    with open(name, 'wb') as f:
        f.write(text)
    says = dkim.verify(text, dnsfunc=resolve)
    want.write('%s python3-dkim %s\n' % (name, 'pass' if says else 'fail'))
with open('verify.conf', 'w') as f:
    f.write('Mode v\nTestPublicKeys keys\nSyslog no\n')
for name in names:
    if name.endswith('opendkim'):
        with open('lf', 'wb') as f:
            f.write(open(name, 'rb').read().replace(b'\r\n', b'\n'))
        said = subprocess.run(['opendkim', '-x', 'verify.conf', '-t', 'lf'], capture_output=True)
        said = said.stdout + said.stderr
        if b'verification' in said:
            want.write('%s opendkim %s\n' % (name, 'pass' if b' succeeded' in said else 'fail'))
want.close()

"""dkimsign.py - the matrix of dkimsign.t; prints TAP."""

import subprocess
import sys

from dkim_oracle import Dkimpy, Dkimverify, Opendkim, count

KEYS = {'rsa1024': ['-b', '1024'], 'rsa2048': [], 'rsa4096': ['-b', '4096'], 'ed': ['-a', 'ed25519']}
FORMS = ['relaxed/relaxed', 'relaxed/simple', 'simple/relaxed', 'simple/simple']
HEAD = (b'Received: from a\r\n\tby b; Fri, 24 Nov 2026 12:00:00 +0000\r\n'
        b'From: "A. B" <a@example.org>\r\nTo: b@example.net\r\nSubject: Hello\r\n'
        b'Date: Fri, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n')
BODIES = {
    'empty body': b'',
    'one empty line': b'\r\n',
    'empty lines only': b'\r\n' * 5,
    'text': b'Hello\r\n',
    'white space at line ends': b'a  \r\nb\t\r\n \t\r\n c  d\r\n',
    'white space only': b' \r\n\t \r\n',
    'empty lines at the end': b'a\r\n\r\n\r\n',
    'white space, then empty lines': b'a \r\n \r\n\r\n',
    'leading white space': b'  a\r\n\tb\r\n',
    'eight bits': b'\xc3\xa4\xff\x80 \xa0\r\n',
    'dots': b'.\r\n..\r\n.a\r\n',
    'long line': b'x ' * 40000 + b'\r\n',
    '10 MB': b'Lorem ipsum dolor  sit amet \r\n' * 350000,
}
HEADERS = {
    'folded fields': HEAD + b'Subject:\r\n  folded\r\n\t twice \r\nMIME-Version: 1.0\r\n'
                            b'Content-Type: multipart/mixed;\r\n\tboundary="b  b"\r\n',
    'repeated fields': HEAD + b'To: c@example.net\r\nTo: d@example.net\r\nComments: x\r\n'
                              b'List-Id: <a>\r\nReferences: <1@a>\r\n <2@a>\r\n',
    'odd case and blanks': b'fROM:a@example.org\r\nSUBJECT:  x\t y  \r\nto: \r\ncc:\t\r\n \r\n',
    'eight bits in the header': HEAD + b'Reply-To: \xc3\xa4 <\xff@example.org>\r\n',
    'signed already': b'DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=x; h=from; bh=; b=\r\n' + HEAD,
}
MESSAGES = {n: HEAD + b'\r\n' + b for n, b in BODIES.items()}
MESSAGES |= {n: h + b'\r\nHello\r\n' for n, h in HEADERS.items()}
MESSAGES['no empty line'] = HEAD
LF = {n: m for n, m in MESSAGES.items() if n in ('text', 'white space at line ends', 'folded fields',
                                                 'one empty line', 'empty body')}
OPEN = {'no line end at the end': HEAD + b'\r\nHello', 'blanks at the end': HEAD + b'\r\nHello  '}

failed = done = 0


def ok(is_ok, name, why=''):
    global failed, done
    done += 1
    print(f'{"" if is_ok else "not "}ok {done} - {name}', flush=True)
    if not is_ok:
        failed += 1
        print('#', why)


def run(*argv, stdin=None):
    return subprocess.run(argv, input=stdin, stdout=subprocess.PIPE, check=True).stdout


records = {}
for key, options in KEYS.items():
    run('mr-dkimsign', '-g', '-k', key, *options)
    out = run('mr-dkimsign', '-p', '-d', 'example.org', '-s', key, '-k', key).decode()
    records[f'{key}._domainkey.example.org'] = out.split('\n')[2].removeprefix('; ')
with open('zone', 'w') as f:
    for key in KEYS:
        f.write(run('mr-dkimsign', '-p', '-d', 'example.org', '-s', key, '-k', key).decode())
oracles = {'python3-dkim': Dkimpy(records), 'libopendkim': Opendkim(records), 'mr-dkimverify': Dkimverify('zone')}


def sign(form, message, keys=KEYS):
    return run('mr-dkimsign', '-d', 'example.org', '-c', form,
               *(w for k in keys for w in ('-s', k, '-k', k)), stdin=message)


def verifies(name, signed, n=len(KEYS), skip=0, without=()):
    """the first n signatures are good for all; `skip` more below are not ours"""
    for who, oracle in oracles.items():
        if who in without:
            continue
        got = oracle.verify(signed)
        ok(got[:n] == [True] * n and len(got) == n + skip, f'{name}: {who}', got)


for form in FORMS:
    for name, message in MESSAGES.items():
        signed = sign(form, message)
        if not signed.endswith(message):
            ok(False, f'{form}, {name}: the message is behind the fields as it was')
        verifies(f'{form}, {name}', signed, skip=count(message))
    for name, message in LF.items():
        signed = sign(form, message.replace(b'\r\n', b'\n'))
        ok(b'\r' not in signed, f'{form}, {name} with LF: so are the fields')
        verifies(f'{form}, {name} with LF', signed.replace(b'\n', b'\r\n'))
    # python3-dkim knows no blank before the colon (RFC 5322 4.5), mr-dkimverify none in simple fields.
    verifies(f'{form}, a blank before the colon', sign(form, b'From : a@example.org\r\nSubject : x\r\n\r\n'),
             without=['python3-dkim'] + ['mr-dkimverify'] * form.startswith('simple'))
    for name, message in OPEN.items():
        # On its way it gets its line end.
        verifies(f'{form}, {name}', sign(form, message) + b'\r\n')

# The oracles can say no: each change of what is signed, and of what is oversigned.
signed = sign('relaxed/simple', MESSAGES['text'])
CHANGES = {
    'another body': signed.replace(b'Hello\r\n', b'Hellp\r\n', 2),
    'another subject': signed.replace(b'Subject: Hello', b'Subject: Hullo'),
    'a second From on top': b'From: c@example.net\r\n' + signed,
    'a second Subject on top': b'Subject: x\r\n' + signed,
    'a Cc that was not there': signed.replace(b'\r\nTo:', b'\r\nCc: x@example.net\r\nTo:'),
    'a Reply-To that was not there': b'Reply-To: x@example.net\r\n' + signed,
    'a Content-Type that was not there': b'Content-Type: text/html\r\n' + signed,
}
for name, message in CHANGES.items():
    for who, oracle in oracles.items():
        got = oracle.verify(message)
        ok(message != signed and True not in got and got, f'{name} breaks all: {who}', got)
verifies('a trace field on top breaks none', b'Received: x\r\nX-Other: y\r\n' + signed)

# x= is kept, and its time is not over.
expiring = run('mr-dkimsign', '-d', 'example.org', '-s', 'ed', '-k', 'ed', '-x', '3600', stdin=MESSAGES['text'])
ok(b' x=' in expiring, 'x= is there')
verifies('with x=', expiring, 1)

print(f'1..{done}')
sys.exit(failed != 0)

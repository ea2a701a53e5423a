#!/usr/bin/env python3
"""cases.py DIR - writes messages, DIR/zone with their keys, and DIR/want: "FILE RESULT..." a line, one
result for each signature."""

import base64
import sys
import time

import kit
from kit import Key, sign

out = sys.argv[1]
now = int(time.time())
want = open(out + '/want', 'w')
zone = open(out + '/zone', 'w')
rsa, ed, short, small = Key('rsa'), Key('ed25519'), Key('rsa', 1024), Key('rsa', 768)

TEXT = b'''From: Bob <bob@example.org>\r
To: alice@b.example,\r
\tcarol@b.example\r
Subject:  Hello   there \r
Date: Tue, 24 Nov 2026 10:00:00 +0000\r
\r
'''
BODY = b'Hello  world \r\n\r\n. \t x\r\n \r\n\r\n'
MAIL = TEXT + BODY


def case(name, message, *words):
    with open('%s/%s.eml' % (out, name), 'wb') as f:
        f.write(message)
    want.write(' '.join((name,) + words) + '\n')


def key(selector, text, domain='example.org'):
    zone.write(kit.zone('%s._domainkey.%s' % (selector, domain), text))


key('sel', rsa.record())
key('ed', ed.record())
key('short', short.record())
key('small', small.record())

# ---- what is right -----------------------------------------------------------------------------------
BODIES = {'empty': b'', 'crlf': b'\r\n', 'crlfs': b'\r\n\r\n\r\n', 'blanks': b' \t \r\n\t\r\n',
          'trailing': b'x \t\r\n y\t z  \r\n\r\n', 'open': b'no final newline', 'open-blank': b'x \t',
          '8bit': 'Käse \xa0 ½\r\n'.encode() + bytes(range(128, 256)) + b'\r\n', 'dots': b'.\r\n..\r\n',
          'nul': b'a\0b\r\n', 'long': b'x' * 70000 + b'\r\n' + b' y' * 40000 + b'\r\n'}
for c in 'simple/simple', 'simple/relaxed', 'relaxed/simple', 'relaxed/relaxed', 'simple', 'relaxed':
    for k, s in (rsa, 'sel'), (ed, 'ed'), (short, 'short'):
        for name, b in BODIES.items():
            case('good-%s-%s-%s' % (c.replace('/', '-'), s, name),
                 sign(TEXT + b, k, selector=s, c=c), 'pass')
lf = sign(MAIL, rsa, c='simple/simple')
case('good-lf', lf.replace(b'\r\n', b'\n'), 'pass')
case('good-mixed-ends', lf.replace(b'\r\n', b'\n', 3), 'pass')
case('good-mbox', b'From bob@example.org Tue Nov 24 10:00:00 2026\n' + lf.replace(b'\r\n', b'\n'), 'pass')
case('good-two', sign(sign(MAIL, rsa), ed, selector='ed'), 'pass', 'pass')
case('good-two-of-a-key', sign(sign(MAIL, rsa), rsa, c='simple/simple'), 'pass', 'pass')
case('good-nested', sign(sign(MAIL, rsa), ed, selector='ed', h='from:dkim-signature'), 'pass', 'pass')
case('good-oversigned', sign(MAIL, rsa, h='from:from:to:to:subject:subject:cc:x'), 'pass')
for n in range(8): # libopendkim wrote beyond its list of fields
    case('all-%d' % n, sign(b''.join(b'Y%d: y\r\n' % i for i in range(n)) + b'From: a@example.org\r\n\r\n', rsa,
         h='from:dkim-signature:dkim-signature:x:x-0:X-1' + ''.join(':y%d' % i for i in range(n))), 'fail')
case('good-repeated', sign(b'X: 1\r\nX: 2\r\nx:3\r\n' + MAIL, rsa, h='from:x:X:x:x'), 'pass')
case('good-folded-tags', sign(MAIL, rsa, h='from :\r\n\t to:subject', fold='\r\n  '), 'pass')
case('good-folded-b', sign(MAIL, rsa).replace(b' b=', b'\r\n\tb=', 1), 'pass')
case('good-b-not-last', sign(MAIL, rsa, tail='; n=x'), 'pass')
case('good-q', sign(MAIL, rsa, extra='q=x/y:dns/txt; '), 'pass')
case('good-i', sign(MAIL, rsa, extra='i=bob@sub.example.org; '), 'pass')
case('good-i-qp', sign(MAIL, rsa, extra='i=b=6Fb@example.org; '), 'pass')
case('good-times', sign(MAIL, rsa, extra='t=%d; x=%d; ' % (now, now + 600)), 'pass')
case('good-drift', sign(MAIL, rsa, extra='t=%d; ' % (now + 200)), 'pass')
case('good-unknown-tags', sign(MAIL, rsa, extra='zz=1; r=y; z=From:x|To:y; '), 'pass')
case('good-case', sign(MAIL, rsa, domain='EXAMPLE.Org', selector='SEL'), 'pass')
case('good-blank-before-colon', sign(MAIL.replace(b'Subject:', b'Subject \t:'), rsa), 'pass')
case('simple-blank-before-colon', sign(MAIL.replace(b'Subject:', b'Subject \t:'), rsa, c='simple/simple'),
     'fail')
case('good-8bit-from', sign(MAIL.replace(b'Bob <bob@', 'Bób <bób@'.encode()), rsa), 'pass')
case('good-odd-from', sign(MAIL.replace(b'Bob <bob@example.org>', b'undisclosed'), rsa), 'pass')
case('good-long-field', sign(MAIL.replace(b'alice@', b'x' * 100000 + b'@'), rsa), 'pass')
case('good-l-all', sign(MAIL, rsa, length=len(kit.body(BODY, 'relaxed'))), 'pass')
case('good-l-all-simple',
     sign(MAIL, rsa, c='simple/simple', length=len(kit.body(BODY, 'simple'))), 'pass')
case('good-l-blank-lines', sign(MAIL, rsa, length=len(kit.body(BODY, 'relaxed'))) + b'\r\n \r\n', 'pass')
case('good-l-empty', sign(TEXT, rsa, length=0), 'pass')
case('good-a-label', sign(MAIL, rsa, domain='xn--bcher-kva.example'), 'pass')
key('sel', rsa.record(), 'xn--bcher-kva.example')
case('u-label', sign(MAIL, rsa, domain='bücher.example'.encode()), 'neutral')
case('u-label-and-good', sign(sign(MAIL, rsa), rsa, domain='bücher.example'.encode()), 'neutral', 'pass')
case('none', MAIL, 'none')
case('none-empty', b'', 'none')
case('none-no-from', b'X: y\r\n\r\nDKIM-Signature: v=1\r\n', 'none')

# ---- what was changed ----------------------------------------------------------------------------------
good = sign(MAIL, rsa)
case('changed-body', good.replace(b'Hello  w', b'Hallo  w'), 'fail')
case('changed-subject', good.replace(b'Hello   there', b'Hello   their'), 'fail')
case('changed-b', good[:200].replace(b' b=', b' b=AAAA') + good[200:] if b' b=' in good[:200] else
     good.replace(b'; b=', b'; b=AAAA', 1), 'fail')
case('changed-bh', sign(MAIL, rsa, bh=base64.b64encode(b'x' * 32).decode()), 'fail')
case('changed-appended', good + b'more\r\n', 'fail')
case('changed-simple-space', sign(MAIL, rsa, c='simple/simple').replace(b'Hello   there', b'Hello  there'),
     'fail')
case('changed-simple-body-space', sign(MAIL, rsa, c='relaxed/simple').replace(b'world \r', b'world\r'),
     'fail')
case('changed-subject-added', sign(MAIL, rsa, h='from:subject:subject').replace(
    b'To:', b'Subject: other\r\nTo:', 1), 'fail')
case('changed-last-counts', good.replace(b'Date:', b'Subject: other\r\nDate:'), 'fail')
case('changed-one-of-two', sign(sign(MAIL, rsa, h='from'), ed, selector='ed').replace(
    b'Hello   t', b'Hallo   t'), 'fail', 'pass')
case('changed-ed', sign(MAIL, ed, selector='ed').replace(b'world', b'wOrld'), 'fail')
case('changed-ed-header', sign(MAIL, ed, selector='ed').replace(b'Hello ', b'HEllo '), 'fail')
key('sel', Key('rsa', nth=1).record(), 'other.example')
case('changed-key', sign(MAIL, rsa, domain='other.example'), 'fail')
key('ed', Key('ed25519', nth=1).record(), 'other.example')
case('changed-ed-key', sign(MAIL, ed, domain='other.example', selector='ed'), 'fail')
case('expired', sign(MAIL, rsa, extra='t=1000; x=%d; ' % (now - 400)), 'fail')
case('of-the-future', sign(MAIL, rsa, extra='t=%d; ' % (now + 1000)), 'fail')
case('l-too-long', sign(MAIL, rsa, length=100000), 'fail')

# ---- what must never pass --------------------------------------------------------------------------------
case('two-from', b'From: eve@example.org\r\n' + good, 'permerror')
case('two-from-below', good.replace(b'Date:', b'FROM : eve@example.org\r\nDate:'), 'permerror')
case('no-from', sign(MAIL.replace(b'From:', b'Sender:'), rsa), 'permerror')
case('from-not-signed', sign(MAIL, rsa, h='to:subject'), 'permerror')
partial = sign(MAIL, rsa, length=5)
case('l-part', partial, 'policy')
case('l-appended', sign(MAIL, rsa, length=len(kit.body(BODY, 'relaxed'))) + b'more\r\n', 'policy')
case('l-appended-simple', sign(MAIL, rsa, c='simple/simple', length=len(kit.body(BODY, 'simple')))
     + b'more\r\n', 'policy')
case('l-cut', sign(TEXT + b'abc\r\ndef\r\n', rsa, c='relaxed/simple', length=5) , 'policy')
case('l-of-two', sign(sign(sign(MAIL, rsa, length=5), rsa, c='simple/simple'), rsa), 'pass', 'pass', 'policy')
case('l-nothing', sign(MAIL, rsa, length=0), 'policy')
case('sha1', sign(MAIL, rsa, hash_name='sha1'), 'permerror')
case('rsa-768', sign(MAIL, small, selector='small'), 'policy')
case('lone-cr-body', good.replace(b'world', b'wor\rld'), 'permerror')
case('lone-cr-signed', sign(MAIL.replace(b'world', b'wor\rld'), rsa), 'permerror')
case('lone-cr-header', good.replace(b'Date: ', b'Date: \r'), 'permerror')
case('no-field', good.replace(b'Date:', b'No field\r\nDate:'), 'permerror')
case('no-field-first', b' folded\r\n' + good, 'permerror')
case('nul-signed', sign(MAIL.replace(b'Hello   t', b'Hello\0  t'), rsa), 'permerror')

# ---- signatures that are wrong ------------------------------------------------------------------------------
for name, old, new in (
        ('v-2', b'v=1', b'v=2'), ('v-none', b'v=1; ', b''), ('v-empty', b'v=1', b'v='),
        ('a-none', b'a=rsa-sha256; ', b''), ('a-unknown', b'rsa-sha256', b'rsa-sha512'),
        ('d-none', b'd=example.org; ', b''), ('d-empty', b'd=example.org', b'd='),
        ('d-odd', b'd=example.org', b'd=exa mple.org'), ('d-dots', b'd=example.org', b'd=.org'),
        ('s-none', b's=sel; ', b''), ('s-empty', b's=sel', b's='), ('s-odd', b's=sel', b's=s/l'),
        ('d-long', b'd=example.org', b'd=' + b'a' * 64 + b'.org'),
        ('h-none', b'h=from:to:subject; ', b''), ('h-empty', b'from:to:subject', b''),
        ('h-odd', b'from:to', b'from::to'), ('c-odd', b'relaxed/relaxed', b'relaxed/none'),
        ('c-odd-2', b'relaxed/relaxed', b'/relaxed'), ('twice', b's=sel', b's=sel; s=sel'),
        ('twice-d', b'd=example.org', b'd=example.org; d=other.example'), ('no-list', b'v=1', b'v'),
        ('bh-odd', b'bh=', b'bh=!'), ('bh-short', b'bh=', b'bh=AAAA; bx='), ('utf8', b'v=1', b'v=1\xff')):
    case('wrong-' + name, sign(MAIL, rsa, raw=lambda s: s.replace(old, new, 1)), 'neutral')
case('wrong-b-none', good.replace(b' b=', b' bx=', 1), 'neutral')
case('wrong-b-empty', good.replace(b' b=', b' b=; bx=', 1), 'neutral')
case('wrong-b-odd', good.replace(b' b=', b' b=*', 1), 'neutral')
for name, extra in (('i-other', 'i=@other.example; '), ('i-like', 'i=@xexample.org; '),
                    ('i-parent', 'i=@org; '), ('i-no-at', 'i=example.org; '), ('q', 'q=http; '),
                    ('t', 't=x; '), ('t-negative', 't=-1; '), ('x-before-t', 't=2000; x=1000; '),
                    ('l-negative', 'l=-1; '), ('l-empty', 'l=; '), ('l-huge', 'l=%s; ' % ('9' * 80)),
                    ('64-tags', ''.join('x%d=; ' % i for i in range(65)))):
    case('wrong-' + name, sign(MAIL, rsa, extra=extra), 'neutral')
case('wrong-empty', b'DKIM-Signature:\r\n' + MAIL, 'neutral')
case('wrong-and-good', b'DKIM-Signature: v=1; nonsense\r\n' + good, 'neutral', 'pass')
case('limit-h', sign(MAIL, rsa, h='from:' + ':'.join('x' * 60 for _ in range(67))), 'pass')
case('limit-h-over', sign(MAIL, rsa, h='from:' + ':'.join('x' * 60 for _ in range(68))), 'permerror')
case('limit-h-names', sign(MAIL, rsa, h='from' + ':x' * 255), 'pass')
case('limit-h-names-over', sign(MAIL, rsa, h='from' + ':x' * 256), 'permerror')
pad = 16384 - len(good.split(b'\r\n')[0])
case('limit-field', sign(MAIL, rsa, extra='n=%s; ' % ('x' * (pad - 4))), 'pass')
case('limit-field-over', sign(MAIL, rsa, extra='n=%s; ' % ('x' * (pad - 3))), 'permerror')
case('limit-fields', b''.join(b'X%d: y\r\n' % i for i in range(4995)) + good, 'pass')
case('limit-fields-over', b''.join(b'X%d: y\r\n' % i for i in range(4996)) + good, 'permerror')
case('limit-header-over', b'X: y\r\n' * 3 + (b'X: ' + b'y' * 16000 + b'\r\n') * 66 + good, 'permerror')
for c in 'relaxed/relaxed', 'relaxed/simple':
    case('long-line-' + c[8:], sign(TEXT + b'a\r\n' + b'x  y' * 300000 + b'\r\nb\r\n', rsa, c=c), 'pass')
head = len(sign(TEXT, rsa)) + 5
for n, word in (1048576, 'pass'), (1048577, 'permerror'):
    case('limit-header-%d' % n, b'X: ' + b'y' * (n - head) + b'\r\n' + sign(MAIL, rsa), word)
case('limit-signed-field', sign(b'X: ' + b'y' * (262144 - 3) + b'\r\n' + MAIL, rsa, h='from:x'), 'pass')
case('limit-signed-field-over', sign(b'X: ' + b'y' * (262144 - 2) + b'\r\n' + MAIL, rsa, h='from:x'),
     'permerror')

# ---- keys of all kinds -----------------------------------------------------------------------------------------
b64 = base64.b64encode(rsa.public).decode()
RECORDS = {
    'bare': ('p=' + b64, 'pass'), 'no-k': ('v=DKIM1; p=' + b64, 'pass'),
    'folded': ('v = DKIM1 ; p = %s ;' % ' '.join(b64[i:i + 64] for i in range(0, len(b64), 64)), 'pass'),
    'notes': (rsa.record('n=%s; ' % ('note ' * 300)), 'pass'), 's-email': (rsa.record('s=email; '), 'pass'),
    's-any': (rsa.record('s=x:*; '), 'pass'), 'h-list': (rsa.record('h=sha1:sha256; '), 'pass'),
    'test': (rsa.record('t=y; '), 'pass'), 'strict': (rsa.record('t=s; '), 'pass'),
    'unknown': (rsa.record('zz=1; t=zz; '), 'pass'),
    'empty': ('', 'permerror'), 'no-p': ('v=DKIM1; k=rsa', 'permerror'),
    'revoked': ('v=DKIM1; k=rsa; p=', 'permerror'), 'other': ('v=spf1 -all', 'permerror'),
    'v-2': (rsa.record().replace('DKIM1', 'DKIM2'), 'permerror'),
    'v-late': ('k=rsa; v=DKIM1; p=' + b64, 'permerror'), 'twice': (rsa.record('k=rsa; '), 'permerror'),
    'k-other': (rsa.record().replace('k=rsa', 'k=dsa'), 'permerror'),
    'k-ed': (rsa.record().replace('k=rsa', 'k=ed25519'), 'permerror'),
    'really-ed': (ed.record(), 'permerror'), 'h-sha1': (rsa.record('h=sha1; '), 'permerror'),
    's-other': (rsa.record('s=tlsrpt; '), 'permerror'), 'cut': (rsa.record()[:255], 'permerror'),
    'base64': (rsa.record().replace('p=', 'p=!'), 'permerror'),
    'quotes': ('"%s"' % rsa.record(), 'permerror'), 'no-key': ('v=DKIM1; p=AAAA', 'permerror'),
}
for name, (text, word) in RECORDS.items():
    key('r-' + name, text)
    case('key-' + name, sign(MAIL, rsa, selector='r-' + name), word)
for name in 'no-key', 'cut', 'really-ed':
    case('key-%s-and-good' % name, sign(sign(MAIL, rsa), rsa, selector='r-' + name), 'permerror', 'pass')
    case('key-%s-below-good' % name, sign(sign(MAIL, rsa, selector='r-' + name), rsa), 'pass', 'permerror')
case('key-strict-below', sign(MAIL, rsa, selector='r-strict', extra='i=@sub.example.org; '), 'permerror')
case('key-strict-same', sign(MAIL, rsa, selector='r-strict', extra='i=x@example.org; '), 'pass')
big, large = Key('rsa', 4096), Key('rsa', 5120)
key('big', big.record())
key('large', large.record())
case('key-4096', sign(MAIL, big, selector='big'), 'pass')
case('key-5120', sign(MAIL, large, selector='large'), 'permerror')
for n in 31, 33:
    key('ed%d' % n, 'v=DKIM1; k=ed25519; p=' + base64.b64encode(b'x' * n).decode())
    case('key-ed-%d' % n, sign(MAIL, ed, selector='ed%d' % n), 'permerror')
key('ed-rsa', rsa.record())
case('key-ed-is-rsa', sign(MAIL, ed, selector='ed-rsa'), 'permerror')
key('two', rsa.record())
key('two', ed.record())
case('key-two', sign(MAIL, rsa, selector='two'), 'permerror')
case('key-none', sign(MAIL, rsa, selector='nobody'), 'permerror')
zone.write('alias._domainkey.example.org CNAME sel._domainkey.example.org\n'
           'nodata._domainkey.example.org A 192.0.2.1\n')
case('key-alias', sign(MAIL, rsa, selector='alias'), 'pass')
case('key-nodata', sign(MAIL, rsa, selector='nodata'), 'permerror')
for fault in 'servfail', 'refused', 'timeout', 'broken':
    zone.write('%s._domainkey.example.org ! %s\n' % (fault, fault))
    case('key-' + fault, sign(MAIL, rsa, selector=fault), 'temperror')
case('key-servfail-and-good', sign(sign(MAIL, rsa), rsa, selector='servfail'), 'temperror', 'pass')

# ---- many -----------------------------------------------------------------------------------------------------
many = MAIL
for i in range(12):
    many = sign(many, rsa, selector='sel' if i > 1 else 'late%d' % i)
case('many', many, *['pass'] * 10, 'neutral')
want.close()
zone.close()

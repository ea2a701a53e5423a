"""kit.py - a DKIM signer for tests that can sign anything wrongly, too (RFC 6376, RFC 8463).

Canonicalization is written here anew; the arithmetic is python3-dkim's and python3-nacl's.  Keys are made by
openssl(1), one of each kind a run."""

import base64
import hashlib
import re
import subprocess

import dkim.crypto
import nacl.signing


def relax(text):
    return re.sub(rb'[ \t]+', b' ', text)


def header(field, how):
    name, value = field.split(b':', 1)
    if how == 'simple':
        return field + b'\r\n'
    value = relax(re.sub(rb'\r\n', b'', value)).strip(b' \t')
    return name.strip(b' \t').lower() + b':' + value + b'\r\n'


def body(text, how, length=None):
    if text and not text.endswith(b'\r\n'):
        text += b'\r\n'
    if how == 'relaxed':
        text = b'\r\n'.join(relax(line).rstrip(b' ') for line in text.split(b'\r\n'))
    text = re.sub(rb'(\r\n)+$', b'', text)
    text = text + b'\r\n' if text or how == 'simple' else b''
    return text if length is None else text[:length]


def fields(message):
    """The header's fields, unfolded not, and the body."""
    head, _, rest = message.partition(b'\r\n\r\n')
    return re.split(rb'\r\n(?![ \t])', head), rest


class Key:
    made = {}

    def __init__(self, kind, bits=2048, nth=0):
        self.kind = kind
        if kind == 'ed25519':
            self.key = nacl.signing.SigningKey(hashlib.sha256(b'%d' % nth).digest())
            self.public = bytes(self.key.verify_key)
            self.pem = None
            return
        made = self.made.get((bits, nth))
        if not made:
            pem = subprocess.run(['openssl', 'genrsa', '-traditional', str(bits)], check=True,
                                 capture_output=True).stdout
            der = subprocess.run(['openssl', 'rsa', '-pubout', '-outform', 'DER'], input=pem,
                                 check=True, capture_output=True).stdout
            self.made[bits, nth] = made = pem, der
        self.pem, self.public = made
        self.key = dkim.crypto.parse_pem_private_key(self.pem)

    def record(self, tags=''):
        p = base64.b64encode(self.public).decode()
        return 'v=DKIM1; k=%s; %sp=%s' % (self.kind, tags, p)

    def sign(self, data, hash_name):
        h = hashlib.new(hash_name)
        h.update(data)
        if self.kind == 'ed25519':
            return self.key.sign(h.digest()).signature
        return dkim.crypto.RSASSA_PKCS1_v1_5_sign(h, self.key)


def sign(message, key, domain='example.org', selector='sel', c='relaxed/relaxed',
         h='from:to:subject', hash_name='sha256', a=None, length=None, extra='', bh=None, tail='',
         raw=lambda s: s, names='dkim-signature', fold=' '):
    """The message with a signature in front.  `extra`: tags in front of b=; `tail`: behind it; `raw`: the
    field's bytes, without b=, on their way to be signed and written."""
    hc, _, bc = c.partition('/')
    if isinstance(domain, str):
        domain = domain.encode()
    if isinstance(selector, str):
        selector = selector.encode()
    all_fields, text = fields(message)
    if bh is None:
        hashed = hashlib.new(hash_name, body(text, bc or 'simple', length)).digest()
        bh = base64.b64encode(hashed).decode()
    tags = ['v=1', 'a=' + (a or '%s-%s' % (key.kind, hash_name)), 'c=' + c]
    if length is not None:
        tags.append('l=%d' % length)
    tags += ['h=' + h, 'bh=' + bh]
    field = b'DKIM-Signature:' + fold.encode() + b'd=' + domain + b'; s=' + selector + b'; ' \
        + '; '.join(tags).encode() + b'; ' + extra.encode() + b'b='
    field = raw(field)
    data, rest = b'', list(all_fields)
    for name in h.split(':'):
        name = name.strip().lower().encode()
        for i in range(len(rest) - 1, -1, -1):
            if rest[i].split(b':')[0].strip(b' \t').lower() == name:
                data += header(rest.pop(i), hc)
                break
    data += header(field + tail.encode(), hc)[:-2]
    b = base64.b64encode(key.sign(data, hash_name))
    return field + b + tail.encode() + b'\r\n' + message


def zone(name, text):
    """Lines of a fixture for -D file:."""
    pieces = [text[i:i + 200] for i in range(0, len(text), 200)] or ['']
    quoted = ' '.join('"%s"' % p.replace('\\', '\\\\').replace('"', '\\"') for p in pieces)
    return '%s TXT %s\n' % (name, quoted)

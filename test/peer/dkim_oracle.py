"""dkim_oracle.py - what python3-dkim and libopendkim think of the signatures of a message.

Both get their keys from a dict (name -> record), never from the DNS."""

import ctypes
import ctypes.util
import re
import subprocess

import dkim

FIXED_KEY = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p,
                             ctypes.c_size_t)
PASSED, BODY_MATCH = 0x04, 0


def fields(message):
    """(header fields without their last CRLF, body) of a message with CRLF"""
    head, _, body = message.partition(b'\r\n\r\n')
    return re.split(rb'\r\n(?![ \t])', head.removesuffix(b'\r\n')), body


def count(message):
    return sum(f.lower().startswith(b'dkim-signature:') for f in fields(message)[0])


class Dkimpy:
    """[True or False] for each signature, top down"""

    def __init__(self, records):
        self.records = records

    def lookup(self, name, timeout=5):
        return self.records.get(name.decode().rstrip('.'), '').encode() or None

    def verify(self, message):
        out = []
        for i in range(count(message)):
            try:
                out.append(dkim.DKIM(message, minkey=1024).verify(i, dnsfunc=self.lookup))
            except dkim.DKIMException as e:
                out.append(repr(e))
        return out


class Opendkim:
    def __init__(self, records):
        self.records = records
        self.lib = c = ctypes.CDLL('libopendkim.so.11')
        for f in ('dkim_init', 'dkim_verify', 'dkim_sig_getselector', 'dkim_sig_getdomain'):
            getattr(c, f).restype = ctypes.c_void_p
        self.callback = FIXED_KEY(self.lookup)
        self.handle = ctypes.c_void_p(c.dkim_init(None, None))
        c.dkim_set_key_lookup(self.handle, self.callback)

    def lookup(self, _, sig, buf, size):
        sig = ctypes.c_void_p(sig)
        name = '%s._domainkey.%s' % tuple(
            ctypes.string_at(f(sig)).decode()
            for f in (self.lib.dkim_sig_getselector, self.lib.dkim_sig_getdomain))
        record = self.records.get(name, '').encode()
        if not record or len(record) >= size:
            return 3  # DKIM_CBSTAT_NOTFOUND
        ctypes.memmove(buf, record + b'\0', len(record) + 1)
        return 0

    def verify(self, message):
        c, st = self.lib, ctypes.c_int()
        d = ctypes.c_void_p(c.dkim_verify(self.handle, b'test', None, ctypes.byref(st)))
        c.dkim_set_margin(d, 0)  # or it folds again what is signed as it is
        head, body = fields(message)
        for f in head:
            c.dkim_header(d, f, ctypes.c_size_t(len(f)))
        if c.dkim_eoh(d) not in (0, 8):  # DKIM_STAT_NOSIG
            c.dkim_free(d)
            return ['end of header']
        if body:
            c.dkim_body(d, body, ctypes.c_size_t(len(body)))
        c.dkim_eom(d, None)
        sigs, n = ctypes.POINTER(ctypes.c_void_p)(), ctypes.c_int()
        c.dkim_getsiglist(d, ctypes.byref(sigs), ctypes.byref(n))
        out = [bool(c.dkim_sig_getflags(ctypes.c_void_p(sigs[i])) & PASSED)
               and c.dkim_sig_getbh(ctypes.c_void_p(sigs[i])) == BODY_MATCH
               for i in range(n.value)]
        c.dkim_free(d)
        return out


class Dkimverify:
    """our own verifier; `zone` is a file of the records' lines"""

    def __init__(self, zone):
        self.zone = zone

    def verify(self, message):
        out = subprocess.run(['mr-dkimverify', '-H', '-D', 'file:' + self.zone, '-N', 'mx.example'],
                             input=message, stdout=subprocess.PIPE, check=True).stdout.decode()
        return [w == 'pass' for w in re.findall('^ar=dkim=(\\w+)', out, re.M)]

"""Half C: further bends, by kind of trick and not by program.  Form as in cases_a.py."""
from mimekit import *
import bz2, lzma

def cases():
    C = Cases('C'); add = C.add
    X = pe(); OCT = 'application/octet-stream'; PDF = 'application/pdf'; D = b'payload text without magic\n'
    def blk(name, cat, why, data, tier='core', raw=False): add(name, 'block', cat, why, data, tier, raw)
    def ok(name, cat, why, data, raw=False): add(name, 'allow', cat, why, data, 'core', raw)
    def m(tag, *p, **k): return mixed(tag, *p, **k)
    def named(tag, cd, ct='Content-Type: application/octet-stream', data=D): return m(tag, att('x', data, ctl=ct, cdl=cd))
    E = att('report.exe', X); T = 'Content-Type: multipart/mixed; boundary='

    # boundaries
    for i, (p, b) in enumerate([("multipart/mixed; boundary*=us-ascii''b%31", 'b1'), ('multipart/mixed; boundary*0="aa"; boundary*1="bb"', 'aabb'),
                                ('multipart/mixed; boundary="a\\"b"', 'a"b'), ("multipart/mixed; boundary='sq'", 'sq'), ('multipart/mixed', 'none'),
                                ('multipart/mixed; boundary="x\n y"', 'x y'), ('multipart/mixed; boundary = "sp" ', 'sp'), ('multipart/mixed boundary=nosemi', 'nosemi'),
                                ('multipart/mixed; x="; boundary=in"; boundary=out', 'in'), ('"multipart/mixed"; boundary=q', 'q'), ('multipart; boundary=w', 'w'),
                                ('text/plain; boundary=tp', 'tp'), ('multipart/mixed; boundary=a; boundary=b; boundary=c', 'b'), ('multipart/mixed; boundary="trail  "', 'trail')]):
        blk('c-bnd-%d' % i, 'boundary', 'boundary by ' + p.replace('\n', ' '), mail('cb%d' % i, ['Content-Type: ' + p], join([text(), E], b)))
    blk('c-bnd-nohead', 'boundary', 'no Content-Type at all, the body begins with a part', mail('cbn', [], join([E], 'zz', pre=b'')))
    blk('c-bnd-inner-epilogue', 'boundary', 'a part behind the end of an inner multipart', mail('cbi', [T + 'o'], join([part([T + 'i'], join([text()], 'i') + join([E], 'i', pre=b''))], 'o')))
    blk('c-bnd-outer-lost', 'boundary', 'the inner multipart never ends, the outer goes on', mail('cbo', [T + 'o'], join([part([T + 'i'], join([text()], 'i', end=False)), E], 'o')))
    blk('c-bnd-space', 'boundary', 'blanks before the header of a part', mail('cbs', [T + 'o'], b'--o\n \nContent-Type: x/y\nContent-Transfer-Encoding: base64\n\n' + b64(X) + b'--o--\n'))
    blk('c-cr', 'line-ends', 'CR only, throughout', m('ccr', E).replace(b'\n', b'\r'), raw=True)
    blk('c-crcrlf', 'line-ends', 'CR CR LF throughout', m('cc2', E).replace(b'\n', b'\r\r\n'), raw=True)
    blk('c-no-blank', 'line-ends', 'no empty line before the body', m('cnb', part(['Content-Type: application/octet-stream', 'Content-Transfer-Encoding: base64'], b'')[:-1] + b64(X)))
    # transfer encodings
    for i, l in enumerate(['Content-Transfer-Encoding: 7bit, base64', 'Content-Transfer-Encoding: base64;', 'CONTENT-TRANSFER-ENCODING:BASE64', 'Content-Transfer-Encoding\t: base64', 'Content-transfer-encoding: (base64', 'Content-Transfer-Encoding:\n base64 (x)', 'Content-Transfer-Encoding: "base64', 'Content-Transfer-Encoding:', 'X-Nothing: 1']):
        blk('c-cte-%d' % i, 'transfer-encoding', ' '.join(l.split()), m('ct%d' % i, part(['Content-Type: application/octet-stream', l], b64(X))))
    blk('c-cte-multi-qp', 'transfer-encoding', 'a multipart in quoted-printable', mail('cmq', [T + 'o'], join([part([T + 'i', 'Content-Transfer-Encoding: quoted-printable'], qp(join([E], 'i')))], 'o')))
    blk('c-cte-top-b64', 'transfer-encoding', 'the whole multipart in base64', mail('ctb', [T + 'o', 'Content-Transfer-Encoding: base64'], b64(join([text(), E], 'o'))))
    blk('c-cte-qp-of-uu', 'inline-encoding', 'uuencode within quoted-printable', m('cqu', part(['Content-Type: text/plain', 'Content-Transfer-Encoding: quoted-printable'], qp(b'see\n' + uu(X, b'a.txt')))))
    blk('c-cte-b64-of-uu', 'inline-encoding', 'uuencode within base64', m('cbu', part(['Content-Type: text/plain', 'Content-Transfer-Encoding: base64'], b64(b'see\n' + uu(X, b'a.txt')))))
    AL = '+-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
    def xx(d, name):
        o = b'begin 644 ' + name + b'\n'
        for i in range(0, len(d), 45):
            c = d[i:i + 45]; p = c + b'\0' * (-len(c) % 3); o += AL[len(c)].encode()
            for k in range(0, len(p), 3): n = int.from_bytes(p[k:k + 3], 'big'); o += bytes(ord(AL[n >> s & 63]) for s in (18, 12, 6, 0))
            o += b'\n'
        return o + b'+\nend\n'
    blk('c-inl-xx', 'inline-encoding', 'xxencode', mail('cxx', ['Content-Type: text/plain'], b'hi\n' + xx(X, b'a.txt')))
    blk('c-inl-b64', 'inline-encoding', 'begin-base64', mail('cib', ['Content-Type: text/plain'], b'hi\nbegin-base64 644 a.txt\n' + b64(X) + b'====\n'))
    blk('c-inl-uu-strip', 'inline-encoding', 'uuencode whose blanks at line ends were lost', mail('cus', ['Content-Type: text/plain'], b'\n'.join(l.rstrip() for l in uu(X, b'a.txt').replace(b'`', b' ').split(b'\n')) + b'\n'))
    blk('c-inl-uu-html', 'inline-encoding', 'uuencode in an HTML part, name only', mail('cuh', ['Content-Type: text/html'], b'<p>hi</p>\n' + uu(D, b'run.bat')))
    blk('c-inl-ypart', 'inline-encoding', 'yEnc with a part line', mail('cyp', ['Content-Type: text/plain'], yenc(X, b'a.txt').replace(b'\n', b'\n=ypart begin=1 end=1024\n', 1)), raw=True)
    blk('c-inl-binhex-text', 'inline-encoding', 'BinHex in plain text, harmless name', mail('cbh', ['Content-Type: text/plain'], b'hi\n' + binhex(X, b'photo.jpg', b'JPEG')))
    # names
    for i, cd in enumerate(['attachment; filename==?utf-8?q?report.exe?=', 'attachment; filename="=?utf-8?b?cmVwb3J0?= =?utf-8?b?LmV4ZQ==?="', "attachment; filename*0*=utf-8''report%2E; filename*1*=ex; filename*2=e",
                            'attachment; filename*0="report.e"; filename*1*=%78%65', 'attachment; filename="report.exe\0.pdf"', 'attachment; filename="report.exe "', 'attachment; filename="report.exe\u00a0"', 'attachment; filename="report\u202efdp.exe"',
                            'attachment; filename="report.\u200bexe"', 'attachment; filename="r.pdf"; name="r.exe"', 'attachment; FILENAME="r.exe"', 'attachment;filename = r.exe;size=1', 'attachment; filename="a;b.exe"', 'attachment; filename=\'it is.exe\'',
                            'attachment; filename="C:\\\\tmp\\\\r.exe"', 'attachment; filename="r.exe/"', 'attachment; filename="=?iso-2022-jp?B?GyRCQEEbKEIuZXhl?="', 'attachment; filename="=?utf-16be?B?AHIALgBlAHgAZQ==?="', 'attachment; filename=r.exe (a comment)',
                            'attachment (filename=r.exe)', 'attachment; filename*=r.exe', "attachment; filename*='r.exe", "attachment; filename*=utf-8'en'r%2Eexe%20%20", 'attachment; filename="r.lnk:x"', 'attachment; filename="=?utf-8?Q?r=2E?=exe"',
                            'attachment; filename="a.{00021401-0000-0000-C000-000000000046}"', 'attachment; filename="r.scr."', 'attachment; filename="r.JsE"']):
        blk('c-name-%d' % i, 'name-decoding', 'name by ' + ascii(cd), named('cn%d' % i, 'Content-Disposition: ' + cd))
    blk('c-name-word-field', 'name-decoding', 'the whole field is an encoded word', named('cnw', 'Content-Disposition: =?utf-8?Q?attachment;_filename=3D=22r.exe=22?='))
    blk('c-name-quotes', 'name-decoding', 'quotation marks of a word processor', named('cnq', 'Content-Disposition: attachment; filename=\u201cr.exe\u201d'))
    blk('c-name-desc-ct', 'name-decoding', 'the name in Content-Type of a text part', m('cnd', part(['Content-Type: text/plain; charset=utf-8;\n\tname="r.vbs"'], D)))
    # containers
    blk('c-eml-b64', 'nesting', '.eml in base64 as octet-stream', m('ceb', att('mail.eml', m('cei', E), OCT)))
    blk('c-eml-zip', 'nesting', '.eml in a zip', m('cez', att('m.zip', zipf([('m.eml', m('cei', E))]), 'application/zip')))
    blk('c-global', 'nesting', 'message/global', m('cgl', part(['Content-Type: message/global'], m('cei', E))))
    blk('c-plain-eml', 'nesting', 'a message as text/plain attachment', m('cpe', part(['Content-Type: text/plain; name=m.txt'], m('cei', E))))
    nest = m('cei', E)
    for i in range(40): nest = mail('cn8%d' % i, ['Content-Type: message/rfc822'], nest)
    blk('c-rfc822-40', 'nesting', '40 messages within each other', nest)
    def der(t, b): n = len(b); return bytes([t]) + (bytes([n]) if n < 128 else b'\x82' + struct.pack('>H', n)) + b
    oid = lambda h: der(6, bytes.fromhex(h))
    chunks = b''.join(der(4, E[i:i + 400]) for i in range(0, len(E), 400))
    ber = b'\x30\x80' + oid('2a864886f70d010702') + b'\xa0\x80\x30\x80' + der(2, b'\1') + der(0x31, b'') + b'\x30\x80' + oid('2a864886f70d010701') + b'\xa0\x80\x24\x80' + chunks + b'\0\0' * 4 + der(0x31, b'') + b'\0\0' * 3
    blk('c-smime-ber', 'container', 'S/MIME in BER, content in pieces', mail('csb', ['Content-Type: application/pkcs7-mime; name=smime.p7m', 'Content-Transfer-Encoding: base64'], b64(ber)))
    blk('c-smime-octet', 'container', 'the same as octet-stream', m('cso', att('x.dat', ber, OCT)))
    def prop(t, i, v): return struct.pack('<HHII', t, i, 1, len(v)) + v + b'\0' * (-len(v) % 4)
    def attr(l, a, d): return bytes([l]) + struct.pack('<II', a, len(d)) + d + struct.pack('<H', sum(d) & 0xffff)
    tn = struct.pack('<IH', 0x223e9f78, 1) + attr(1, 0x89006, struct.pack('<I', 0x10000)) + attr(2, 0x69002, b'\1' * 14) + attr(2, 0x18010, b'r~1.txt\0') + attr(2, 0x6800f, D) + attr(2, 0x69005, struct.pack('<I', 1) + prop(0x1f, 0x3707, 'report.exe'.encode('utf-16le') + b'\0\0'))
    blk('c-tnef-long', 'container', 'TNEF, the long name alone is exe', m('ctl', att('x.dat', tn, OCT)))
    blk('c-tnef-magic', 'container', 'TNEF, a program under a harmless name', m('ctm', att('winmail.dat', tnef([(b'a.txt', X)]), 'application/ms-tnef')))
    # archives
    st = rawzip([(b'notes.txt', b'notes.txt', D, 0, 0, b'')])
    blk('c-zip-two', 'archive-odd', 'a second zip before the first', m('cz1', att('d.zip', rawzip([(b'r.exe', b'r.exe', D, 0, 0, b'')]) + st, 'application/zip')))
    hid = rawzip([(b'r.exe', b'', D, 0, 0, b'')], cd=False)
    blk('c-zip-hidden', 'archive-odd', 'a member that is in no directory', m('cz2', att('d.zip', hid + st, 'application/zip')))
    blk('c-zip-unicode', 'archive-odd', 'the name of the Unicode extra field', m('cz3', att('d.zip', rawzip([(b'r.txt', b'r.txt', D, 0, 0, struct.pack('<HHBI', 0x7075, 10, 1, zlib.crc32(b'r.txt')) + b'r.exe')]), 'application/zip')))
    blk('c-zip-nul', 'archive-odd', 'NUL within the name', m('cz4', att('d.zip', rawzip([(b'r.exe\0.txt', b'r.exe\0.txt', D, 0, 0, b'')]), 'application/zip')))
    blk('c-zip-pdf', 'archive-odd', 'zip behind a PDF', m('cz5', att('d.pdf', pdf() + zipf([('r.exe', X)]), PDF)))
    blk('c-zip-html', 'archive-odd', 'zip behind 10 KB of text', m('cz6', att('d.txt', prose(10000).encode() + zipf([('r.txt', X)]), 'text/plain')))
    for i, (meth, nm) in enumerate([(zipfile.ZIP_BZIP2, 'bzip2'), (zipfile.ZIP_LZMA, 'lzma')]):
        blk('c-zip-' + nm, 'archive-odd', 'a member packed by ' + nm, m('czm%d' % i, att('d.zip', zipf([('a.txt', X)], meth), 'application/zip')))
    blk('c-zip-masked', 'archive-odd', 'the list is encrypted', m('cz7', att('d.zip', rawzip([(b'1', b'', rnd('z', 50), 0, 0x2041, b'')]), 'application/zip')))
    blk('c-tar-xz', 'archive', 'tar.xz', m('cx1', att('d.tar.xz', lzma.compress(tarf([('a/r', elf())])), 'application/x-xz')))
    blk('c-tar-bz2', 'archive', 'tar.bz2 in a zip', m('cx2', att('d.zip', zipf([('d.tbz', bz2.compress(tarf([('r.exe', X)])))]), 'application/zip')))
    blk('c-gz-name', 'archive', 'gzip, name by its header alone', m('cx3', att('d.dat', gz(D, b'r.exe'), OCT)))
    blk('c-gz-outer', 'archive', 'gzip, name by that of the file', m('cx4', att('r.exe.gz', gz(D), 'application/gzip')))
    blk('c-gz-two', 'archive', 'two gzip streams, the program in the second', m('cx5', att('d.gz', gz(b'\x7f') + gz(elf()[1:]), 'application/gzip')))
    blk('c-cpio', 'archive', 'cpio', m('cx6', att('d.cpio', b''.join(b'070707' + b'%06o%06o%06o%06o%06o%06o%06o%011o%06o%011o' % (1, 1, 0o100644, 0, 0, 1, 0, 0, len(n) + 1, len(d)) + n + b'\0' + d for n, d in [(b'r.exe', X), (b'TRAILER!!!', b'')]), OCT)))
    blk('c-iso-zip', 'disk-image', 'ISO in a zip', m('cx7', att('d.zip', zipf([('d.txt', iso9660(b'A.TXT;1', D))]), 'application/zip')))
    blk('c-vhdx', 'disk-image', 'VHDX', m('cx8', att('d.dat', b'vhdxfile'.ljust(4096, b'\0'), OCT)))
    fat = (b'\xeb\x3c\x90MSDOS5.0' + struct.pack('<HBHBHHBHHH', 512, 4, 1, 2, 512, 20480, 0xf8, 20, 32, 64)).ljust(510, b'\0') + b'\x55\xaa'
    blk('c-fat', 'disk-image', 'a FAT image', m('cx9', att('d.dat', fat.ljust(4096, b'\0'), OCT)))
    blk('c-dmg', 'disk-image', 'a DMG by its trailer', m('cx10', att('d.dat', rnd('dmg', 3000) + b'koly\0\0\0\4'.ljust(512, b'\0'), OCT)))
    # scripts by content, under harmless names
    for n, d in [('vbs', vbs()), ('js', js()), ('bat', bat()), ('ps1', ps1()), ('wsf', wsf()), ('hta', hta()), ('url', url()), ('reg', b'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\a]\r\n')]:
        blk('c-scr-' + n, 'script', '%s as notes.txt' % n, m('cs' + n, att('notes.txt', d, 'text/plain')))
        blk('c-scr16-' + n, 'script', '%s in UTF-16 as notes.txt' % n, m('cu' + n, att('notes.txt', b'\xff\xfe' + d.decode().encode('utf-16le'), 'text/plain')))
    one = bytes.fromhex('e4525c7b8cd8a74daeb15378d02996d3').ljust(1024, b'\0')
    blk('c-onenote', 'macro', 'OneNote', m('co1', att('d.dat', one, OCT)), 'extended')
    blk('c-xlsm', 'macro', 'a workbook with macros called xlsx', m('co2', att('d.xlsx', ooxml('xl', True), OCT)), 'extended')
    blk('c-smug-svg', 'smuggling', 'SVG that makes a file', m('co3', att('d.svg', b'<svg xmlns="http://www.w3.org/2000/svg"><script>var b=new Blob([new Uint8Array([77,90])]);location=URL.createObjectURL(b)</script></svg>', 'image/svg+xml')), 'extended')
    blk('c-ole-package', 'macro', 'a document with an embedded file', m('co4', att('d.doc', cfb([(('WordDocument',), b'x'), (('ObjectPool', '\1Ole10Native'), b'x')]), OCT)), 'extended')

    def pdfemb(name, data, flate):
        d = zlib.compress(data) if flate else data
        return (b'%PDF-1.7\n%\xe2\xe3\n1 0 obj<</Type/Catalog/Names<</EmbeddedFiles 5 0 R>>>>endobj\n' + b'4 0 obj<</Length 40000>>stream\n' + rnd('pe', 40000) + b'\nendstream endobj\n'
                b'2 0 obj<</Type/Filespec/F(' + name + b')/EF<</F 3 0 R>>>>endobj\n3 0 obj<</Type/EmbeddedFile' + (b'/Filter/FlateDecode' if flate else b'') + b'/Length %d>>stream\r\n' % len(d) + d + b'\nendstream endobj\n%%EOF\n')
    blk('c-pdf-name', 'polyglot', 'PDF with an embedded file called exe', m('cp1', att('a.pdf', pdfemb(b'r.exe', D, False), PDF)), 'extended')
    blk('c-pdf-flate', 'polyglot', 'PDF with an embedded program, packed', m('cp2', att('a.pdf', pdfemb(b'r.txt', X, True), PDF)), 'extended')
    blk('c-pdf-raw', 'polyglot', 'PDF with an embedded program', m('cp3', att('a.pdf', pdfemb(b'r.txt', X, False), PDF)), 'extended')
    blk('c-pdf-launch', 'polyglot', 'PDF that starts a program', m('cp4', att('a.pdf', pdf().replace(b'/Type/Catalog', b'/Type/Catalog/OpenAction<</S/Launch/F(cmd)>>'), PDF)), 'extended')
    blk('c-html-data', 'smuggling', 'a link to a program in the page itself', m('cp5', att('v.html', b'<html><a href="data:application/octet-stream;base64,' + base64.b64encode(X) + b'">x</a></html>', 'text/html')), 'extended')
    blk('c-html-download', 'smuggling', 'a link to a zip in the page itself', m('cp6', att('v.html', b'<html><a download="a.zip" href="data:application/zip;base64,' + base64.b64encode(zipf([('r.exe', X)])) + b'">x</a></html>', 'text/html')), 'extended')
    blk('c-head-split', 'header-conflict', 'a field whose line breaks before the colon', m('ch1', part(['Content-Type: application/octet-stream', 'Content-Transfer-Encoding\n : base64'], b64(X))))
    blk('c-cte-text-first', 'transfer-encoding', 'a line of text before base64', m('ch2', part(['Content-Type: application/octet-stream; name=a.dat', 'Content-Transfer-Encoding: base64'], b'Here it is\n' + b64(X))))
    cz = der(0x30, oid('2a864886f70d0109100109') + der(0xa0, der(0x30, der(2, b'\0') + der(0x30, oid('2a864886f70d0109100308')) + der(0x30, oid('2a864886f70d010701') + der(0xa0, der(4, zlib.compress(E)))))))
    blk('c-smime-zlib', 'container', 'S/MIME, compressed', mail('ch3', ['Content-Type: application/pkcs7-mime; smime-type=compressed-data; name=smime.p7z', 'Content-Transfer-Encoding: base64'], b64(cz)))
    r = rar4(b'r.txt', D); h = struct.pack('<BHH', 0x73, 0x80, 13) + b'\0' * 6
    blk('c-rar-masked', 'archive', 'rar whose list is encrypted', m('ch4', att('d.rar', r[:7] + struct.pack('<H', zlib.crc32(h) & 0xffff) + h + rnd('rar', 200), 'application/x-rar')))
    for i, t in enumerate(['application/x-sh', 'application/java-archive', 'application/x-msi', 'text/vbscript', 'application/javascript', 'application/vnd.microsoft.portable-executable']):
        blk('c-type-%d' % i, 'declared-type', t, m('cy%d' % i, att('', rnd('cy%d' % i, 200), t)))

    # ---------------------------------------------------------------- clean
    ok('c-ok-pdf-embedded', 'clean', 'PDF with an embedded XML, as e-invoices have', m('k18', att('a.pdf', pdfemb(b'factur-x.xml', b'<?xml version="1.0"?><a/>', True), PDF)))
    ok('c-ok-pdf-link', 'clean', 'PDF with a link to a file elsewhere', m('k19', att('a.pdf', pdf().replace(b'/Type/Catalog', b'/Type/Catalog/A<</S/GoToR/F(http://www.example.com)>>'), PDF)))
    ok('c-ok-tar-js', 'clean', 'sources with scripts of all kinds in tar.xz', m('k1', att('src.tar.xz', lzma.compress(tarf([('a.js', js()), ('b.sh', sh()), ('c.py', b'#!/usr/bin/python3\n'), ('d.ps1', ps1()), ('t.eml.txt', m('x', text()))])), 'application/x-xz')))
    ok('c-ok-quote-mime', 'clean', 'a text that explains MIME', mail('k2', ['Content-Type: text/plain'], 'A part looks like this:\n\n--boundary\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename="setup.exe"\n\nTVqQAAMAAAAEAAAA\n--boundary--\n'))
    ok('c-ok-quote-mime-part', 'clean', 'the same as a part', m('k3', part(['Content-Type: text/plain'], 'A part looks like this:\n\n--boundary\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename="setup.exe"\n\nx\n--boundary--\n')))
    ok('c-ok-forward-inline', 'clean', 'an inline forward', mail('k4', ['Content-Type: text/plain'], 'See below.\n\n-----Original Message-----\nFrom: a@example.org\nTo: b@example.org\nSubject: setup.exe\n\nHello\n'))
    ok('c-ok-digest', 'clean', 'a digest', mail('k5', ['Content-Type: multipart/digest; boundary=dg'], join([b'\n' + m('k5a', att('a.pdf', pdf(), PDF)), b'\n' + mail('k5b', [], prose(300))], 'dg')))
    ok('c-ok-smime-enc', 'clean', 'S/MIME enveloped', mail('k6', ['Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m', 'Content-Transfer-Encoding: base64'], b64(der(0x30, oid('2a864886f70d010703') + der(0xa0, der(0x30, der(2, b'\0') + der(0x31, der(0x30, der(4, rnd('k', 128)))) + der(0x30, oid('2a864886f70d010701') + der(0x80, rnd('e', 2000)))))))))
    ok('c-ok-names', 'clean', 'names that only look dangerous', m('k7', *[att(n, pdf(), PDF) for n in ('Re: www.example.com - offer.pdf', 'exe.pdf', 'setup.exe.pdf', 'a.b.c.pdf', 'report', 'v1.2 (final).pdf', '.hidden.pdf')]))
    ok('c-ok-js-talk', 'clean', 'notes about scripts', m('k8', att('notes.txt', b'How to use WScript.Shell and CreateObject("x"):\nparam is a keyword, @echo off hides.\n' + prose(300).encode(), 'text/plain')))
    ok('c-ok-html', 'clean', 'a saved page with scripts', m('k9', att('page.html', b'<!DOCTYPE html><html><head><script>var x=new ActiveXObject("Microsoft.XMLHTTP");var u=new Uint8Array(4);</script></head><body onload="f()">hi</body></html>', 'text/html')))
    ok('c-ok-msg', 'clean', 'an OLE file that is no document', m('k10', att('a.msg', cfb([(('__properties_version1.0',), b'x'), (('__substg1.0_0037001F',), b'x')]), 'application/vnd.ms-outlook')))
    ok('c-ok-b64-lines', 'clean', 'a certificate in plain text', mail('k11', ['Content-Type: text/plain'], '-----BEGIN CERTIFICATE-----\n' + b64(rnd('cert', 900)).decode() + '-----END CERTIFICATE-----\n'))
    ok('c-ok-zero', 'clean', 'zeros, noise, a font', m('k12', att('a.bin', b'\0' * 5000), att('b.bin', rnd('noise', 70000)), att('c.ttf', b'\0\1\0\0\0\x0f' + rnd('ttf', 900), 'font/ttf')))
    ok('c-ok-rfc822-headers', 'clean', 'a bounce with headers only', mail('k13', ['Content-Type: multipart/report; report-type=delivery-status; boundary=r'], join([text('Failed\n'), part(['Content-Type: text/rfc822-headers'], 'From: a@example.org\nContent-Type: multipart/mixed; boundary=q\nSubject: x\n\n')], 'r')))
    ok('c-ok-zip-zip', 'clean', 'documents four archives deep', m('k14', att('a.zip', zipf([('b.zip', zipf([('c.tgz', gz(tarf([('d.zip', zipf([('e.docx', ooxml())]))])))]))]), 'application/zip')))
    ok('c-ok-utf16', 'clean', 'UTF-16 text', m('k15', att('a.txt', '\ufeffGrüße aus Köln, MZ und #! und @echo'.encode('utf-16le'), 'text/plain')))
    ok('c-ok-signature', 'clean', 'a signature separator and dashes', mail('k16', [T + 'o'], join([text('Hi\n-- \nAnna\n--\n----\n--o2 is oxygen\nContent-ish: no\n')], 'o')))
    ok('c-ok-gz-ratio', 'clean', 'a log that packs well', m('k17', att('big.log.gz', gz(b'2024-03-05 09:30:00 all is well\n' * 300000), 'application/gzip')))
    return C

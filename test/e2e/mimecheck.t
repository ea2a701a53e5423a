#!/bin/sh
# mr-mimecheck: the corpus of bent messages, tables, answers, as a stage of a pipeline, limits.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1

"$T_ROOT/test/mime/generate" corpus >/dev/null || exit 1
score() {
	"$T_ROOT/test/mime/run" --corpus corpus --timeout 60 --cmd mr-mimecheck "$@"
}
ok 'the corpus: every verdict is right' score
ok 'the corpus with CRLF' score --crlf

# mail FILE NAME BODY: an attachment
mail() {
	cat >"$1" <<EOT
From: a@example.org
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

Hello
--b
Content-Type: application/octet-stream
Content-Disposition: attachment; filename="$2"

$3
--b--
EOT
}
mail exe invoice.pdf.exe text
mail pdf invoice.pdf text
mail script list.csv '#!/bin/sh'

is 'by hand: what blocks' "$(mr-mimecheck <exe; echo $?)" \
	'block: ext exe, invoice.pdf.exe, by programs:2 (part in 2, read as header)
100'
is 'by hand: nothing blocks' "$(mr-mimecheck <pdf; echo $?)" 'pass
0'
is '-n: exit 0' "$(mr-mimecheck -n <exe >/dev/null; echo $?)" 0
is 'the answer of a stage' "$(mr-mimecheck -H <exe; echo $?)" \
	'action=REJECT 5.7.1 Attachment refused: invoice.pdf.exe (ext exe)
mime_result=block
mime_rule=programs:2

100'
like '-v: a tree' "$(mr-mimecheck -v <exe)" '^2  raw, 5 bytes, "invoice.pdf.exe"'
is '-j: JSON' "$(mr-mimecheck -j <exe | python3 -c '
import json, sys
d = json.load(sys.stdin)
print(d["verdict"], d["hits"][0]["value"], d["hits"][0]["path"], [f["path"] for f in d["files"]])')" \
	"block exe 2 ['', '1', '2']"

cat >table <<'EOT'
pass   name     update.exe   # ours
pass   ext      exe         in=part
tag    content  script batch
use programs
EOT
mail update update.exe text
is 'a table: another rule first' "$(mr-mimecheck table <exe; echo $?)" 'pass
0'
mail name-rule name.bat text
is 'a table: the built-in one behind it' "$(mr-mimecheck table <name-rule >/dev/null; echo $?)" 100
is 'a tag' "$(mr-mimecheck -H table <script; echo $?)" 'action=DUNNO
mime_result=tag
mime_rule=table:3

X-Attachment-Tag: content script; file="list.csv"
0'
is 'content in the body passes, in an attachment not' \
	"$(printf 'Subject: x\n\n#!/bin/sh\n' | mr-mimecheck; mr-mimecheck <script >/dev/null; echo $?)" 'pass
100'

echo 'block magic application/pdf' >pdf-table
is "what file(1) says" "$(mr-mimecheck pdf-table <corpus/a/eml/ok-pdf.eml | head -n 1; mr-mimecheck pdf-table <exe)" \
	'block: magic application/pdf, Invoice 4711.pdf, by pdf-table:1 (part in 2, read as base64)
pass'

sed -n '/^pass   name/,/^use programs/p' "$T_ROOT/man/mr-mimecheck.1" >page-table
mail page report.exe text
is 'the table of the page' "$(wc -l <page-table; mr-mimecheck page-table <page; mr-mimecheck page-table <exe)" '5
pass
pass'

mr-table -k attachments table table.cdb || exit 1
is 'the same, compiled' "$(mr-mimecheck -H table.cdb <script; echo $?)" 'action=DUNNO
mime_result=tag
mime_rule=table.cdb:3

X-Attachment-Tag: content script; file="list.csv"
0'
is 'its text' "$(mr-table -d table.cdb)" 'pass   name     update.exe
pass   ext      exe         in=part
tag    content  script batch
use programs'
like 'it has no keys' "$(mr-table -q exe table.cdb 2>&1; echo $?)" 'rules have no keys; ask mr-mimecheck.*
111'
printf 'block ext\n' >wrong
is 'what mr-table says of a wrong one' "$(mr-table -c -k attachments wrong 2>&1; echo $?)" \
	'mr-table: wrong:1: no value; write block ext value...
111'
printf 'a b\n' >map && mr-table map map.cdb
like 'a table of another kind' "$(mr-mimecheck map.cdb <exe 2>&1)" 'of kind map where one of kind attachments is needed'

sed -n '/only=auth/,/^use programs/p' "$T_ROOT/man/mr-mimecheck.1" >class-table
printf 'sender=a@example.org\nclass=tls+auth\nrecipient=b@example.net\n\n' >auth
printf 'sender=a@example.org\nclass=tls\nrecipient=b@example.net\n\n' >stranger
is 'classes: the table of the page' "$(mr-mimecheck -E 3 class-table <exe 3<auth
	mr-mimecheck -E 3 class-table <exe 3<stranger >/dev/null; echo $?)" 'pass
100'

# refuses TEXT REASON: a table that is wrong
refuses() {
	printf '%b' "$1" >wrong
	like "a wrong table: $2" "$(mr-mimecheck wrong <exe 2>&1; echo $?)" "$2"
	is 'and it is a fault of ours' "$(mr-mimecheck wrong <exe >/dev/null 2>&1; echo $?)" 111
}
refuses 'drop ext exe\n' "wrong:1: 'drop': need block, tag, pass or use"
refuses '\nblock size 1\n' "wrong:2: 'size': need ext, name, type, content, magic or limit"
refuses 'block ext in=mail exe\n' "wrong:1: 'in=mail': need part"
refuses 'block ext in=part\n' 'wrong:1: no value'
refuses 'block ext only=a,b exe\n' "wrong:1: 'only=a,b': need classes joined by '.', as in only=auth"
refuses 'block ext unless= exe\n' "wrong:1: 'unless=': need classes"
refuses 'use all\n' 'wrong:1: need: use programs'
exits 'no table' 111 mr-mimecheck none
exits 'two tables' 111 mr-mimecheck table table
exits 'an option of other filters' 111 mr-mimecheck -l

# As a stage: inside, in a child; and executed.
echo 'data mime - mr-mimecheck' >spec
for x in '' -x; do
	is "a stage blocks ($x)" \
		"$(mr-pipe $x -f a@example.org -r b@example.net spec <exe 2>log; echo $?)" \
		'action=REJECT 5.7.1 Attachment refused: invoice.pdf.exe (ext exe)

100'
	like "the log names rule, part and reading ($x)" "$(cat log)" \
		'event=attachment action=block kind=ext value=exe rule=programs:2 path=2 name=invoice.pdf.exe reading=header'
	is "a stage passes ($x)" \
		"$(mr-pipe $x -f a@example.org -r b@example.net spec <pdf 2>log; echo $?; cat log)" \
		'action=DUNNO

0'
	for case in arc-7z arc-tgz arc-bz2 magic-elf-pdf lim-zipbomb; do
		is "$case in a stage ($x)" "$(mr-pipe $x -f a@example.org -r b@example.net spec \
			<corpus/a/eml/$case.eml 2>/dev/null | grep -o REJECT)" REJECT
	done
done
printf '%s\n' 'data one - mr-mimecheck table' 'data two warn mr-mimecheck' 'data three - cat' \
	'data four - mr-mimecheck' >several
is 'several stages, one after the other' \
	"$(mr-pipe -v -f a@example.org -r b@example.net several <exe 2>/dev/null | awk '$1 == "data" { print $2, $3 }')" \
	'one 0
two 100
three 0
four 100'

# In the server: what the client is told, and that the next message of the session is served.
mkdir spool
echo 'example.net 127.0.0.1:2525' >routes
cat >talk.py <<'EOT'
import smtplib, sys
s = smtplib.SMTP('127.0.0.1', int(sys.argv[1]))
s.ehlo('c.example')
for name in sys.argv[2:]:
    try:
        s.sendmail('a@example.org', ['b@example.net'], open(name, 'rb').read().replace(b'\n', b'\r\n'))
        print('accepted')
    except smtplib.SMTPDataError as e:
        print(e.smtp_code, e.smtp_error.decode())
s.quit()
EOT
port=$(free_port)
start smtpd.log mr-smtpd -L 127.0.0.1:"$port" -N mx.example -R routes -Q spool spec
wait_port "$port"
is 'mr-smtpd refuses and accepts' "$(python3 talk.py "$port" exe pdf exe | sed 's/ (.*//')" \
	'554 5.7.1 Attachment refused: invoice.pdf.exe
accepted
554 5.7.1 Attachment refused: invoice.pdf.exe'
stop $T_PID

echo 'mail mime - mr-mimecheck' >spec
like 'only in data' "$(mr-pipe -t spec 2>&1)" 'mr-mimecheck needs the message, which only data has'

# Each limit: at it, and over it.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$T_ROOT/test/mime python3 - <<'EOT'
from mimekit import att, gz, mixed, rawzip, zipf
def attach(name, data):
    open(name, 'wb').write(mixed(name, att('a.dat', data)))
def write(name, *lines):
    open(name, 'w').write('\n'.join(lines) + '\n')
def multiparts(n):
    head = []
    for i in range(n):
        head += ['Content-Type: multipart/mixed; boundary=d%d' % i, '', '--d%d' % i]
    return head + ['', 'text']
def fields(n, value):
    return ['Content-Type: text/plain'] + ['Content-Disposition: ' + value] * (n - 1) + ['', 'text']
for over in 0, 1:
    end = '-over' if over else '-at'
    write('depth' + end, *multiparts(100 + over))
    write('parts' + end, 'Content-Type: multipart/mixed; boundary=b', '', *['--b', '', ''] * (19999 + over))
    write('boundaries' + end, 'Content-Type: multipart/mixed; ' +
          '; '.join('boundary=b%d' % i for i in range(200)), 'Content-Disposition: x; boundary=c' * over, '', 'text')
    write('names' + end, 'Content-Type: text/plain; ' + '; '.join(['name=a'] * (200 + over)), '', 'text')
    write('header' + end, *fields(64 + over, 'inline'))
    # A part is one file; each zip in it is one more.
    zip = zipf([('a.txt', b'text')])
    for i in range(8 + over):
        zip = zipf([('a.zip', zip)])
    attach('nested' + end, zip)
    attach('members' + end, rawzip([(b'a', b'', b'', 0, 1, b'')] * (9999 + over), cd=False))
    attach('expansion' + end, gz(b'\0' * ((32 << 20) + over)))
    attach('overlap' + end, rawzip([(b'a', b'', b'', 0, 8, b'')] * (8 + over), cd=False))
    attach('encrypted' + end, rawzip([(b'a', b'a', b'', 0, 1 | over << 13, b'')]))
EOT
for limit in depth parts boundaries names header nested members expansion overlap encrypted; do
	is "limit $limit: at it" "$(mr-mimecheck <$limit-at)" pass
	word=$limit
	[ $limit != nested ] || word=depth
	like "limit $limit: over it" "$(mr-mimecheck <$limit-over)" "^block: limit $word,"
done

# What is a fault of ours, and what -e makes of it.
exits 'a message that cannot be read' 111 sh -c 'mr-mimecheck </'
exits 'with -e open' 0 sh -c 'mr-mimecheck -e open </'
exits 'a record that cannot be read' 111 sh -c 'mr-mimecheck -E 9 <pdf'
printf 'sender=a@example.org\nqueue_id=x1\n\n' >record
like 'a record by -E' "$(mr-mimecheck -E 9 <exe 9<record 2>&1)" 'event=attachment id=x1 action=block'

# What takes time: it ends, and says so if it is too much.
python3 - <<'EOT'
def write(name, head, unit, n):
    open(name, 'wb').write(head + unit * n)
MP = b'Content-Type: multipart/mixed; ' + b'; '.join(b'boundary=b%d' % i for i in range(190)) + b'\n\n'
write('slow-cr', b'A: b\n\n', b'a\r', 5000000)
write('slow-crcr', b'A: b\n\n', b'\r', 10000000)
write('slow-dashes', MP, b'--a\n', 2000000)
write('slow-lines', b'A: b\n\n', b'\n', 10000000)
write('slow-begin', b'A: b\n\n', b'begin 644 a\n#86%A\n', 500000)
write('slow-names', MP, b'--b1\nContent-Type: x; ' + b'name=' * 180 + b'\n\n', 10000)
write('slow-zip', b'Content-Type: x/y\n\n\0', b'PK\3\4\x14\0\0\0\x08\0' + b'\0' * 16 + b'\1\0\0\0a\3\0', 300000)
EOT
for slow in cr crcr dashes lines begin names zip; do
	like "slow $slow ends within its time" \
		"$(timeout 60 mr-mimecheck <slow-$slow 2>&1; echo $?)" '^(0|100|111)$'
done

# A large message, and a bomb in little memory.
head -c 60000000 /dev/zero | base64 >zeros
{ printf 'Content-Type: x/y\nContent-Transfer-Encoding: base64\n\n'; cat zeros; } >large
is 'a large message passes' "$(mr-mimecheck <large)" pass
# Sanitizers need more for themselves.
if (ulimit -v 60000; mr-mimecheck <pdf) >/dev/null 2>&1; then
	(ulimit -v 60000; mr-mimecheck <corpus/a/eml/lim-zipbomb.eml >/dev/null 2>&1; echo $?) >code
	is 'a bomb is blocked in 60 MB of address space' "$(cat code)" 100
fi
done_testing

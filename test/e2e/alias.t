#!/bin/sh
# mr-alias: by hand, records on standard input, tables that are wrong, and in a relay: one message to an
# alias arrives at all hosts.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
printf 'ours.example 127.0.0.1:1\nother.example local\n' >routes
cat >aliases <<'X'
# The four examples of the gateway
manager    r.johnson
sales      j.smith, r.johnson
r.johnson  r.johnson j.smith  until=2999-12-31   # on vacation, a copy is kept
ceo        boss@provider.example
old        nobody             until=2020-12-31
Mixed      Mixed.Case
ring1      ring2@ours.example
ring2      ring1@ours.example
X
mr-table -k alias aliases aliases.cdb || exit 1

# ---- by hand ----
# hand ARGS WANT
hand() { is "mr-alias $1" "$(mr-alias -R routes $1 2>/dev/null; echo $?)" "$2"; }
for table in aliases aliases.cdb; do
	hand "-r manager@ours.example $table" 'manager@ours.example  (entry manager)
  r.johnson@ours.example  (entry r.johnson, until 2999-12-31)
    r.johnson@ours.example  keeps its mail
    j.smith@ours.example
0'
done
hand "-n -r sales@other.example aliases" 'sales@other.example  (entry sales)
  j.smith@other.example
  r.johnson@other.example  (entry r.johnson, until 2999-12-31)
    r.johnson@other.example  keeps its mail
    j.smith@other.example  has it already
0'
hand "-r old@ours.example aliases" 'old@ours.example
0'
hand "-r ceo@far.example aliases" 'ceo@far.example
0'
hand "-c -r mixed@ours.example aliases" 'mixed@ours.example  (entry mixed)
  mixed.case@ours.example
0'
hand "-r ring1@ours.example aliases" 'ring1@ours.example  (entry ring1)
  ring2@ours.example  (entry ring2)
    ring1@ours.example  (entry ring1)
a circle: ring1@ours.example -> ring2@ours.example -> ring1@ours.example
111'
hand "-n -r ring1@ours.example aliases" 'ring1@ours.example  (entry ring1)
  ring2@ours.example  (entry ring2)
    ring1@ours.example  (entry ring1)
a circle: ring1@ours.example -> ring2@ours.example -> ring1@ours.example
0'

# ---- a record ----
# record LINES: in $GOT the output and the exit code, in $ERR the log
record() {
	GOT=$(printf "$1\n" | mr-alias -R routes aliases.cdb 2>err; echo "exit $?")
	ERR=$(cat err)
}
record 'sender=a@b.example\nrecipient=sales@ours.example\ndsn_notify=NEVER\nrecipient=x@far.example\n'
is "each recipient keeps what was asked for it, and its first name" "$GOT" 'sender=a@b.example
recipient=j.smith@ours.example
dsn_notify=NEVER
original_recipient=sales@ours.example
recipient=r.johnson@ours.example
dsn_notify=NEVER
original_recipient=sales@ours.example
recipient=x@far.example

exit 0'
record 'recipient=manager@ours.example\nrecipient=sales@ours.example\n'
is "who is behind two of them gets it once" "$(printf '%s\n' "$GOT" | grep -c '^recipient=')" 2
record 'recipient=sales@ours.example\noriginal_recipient=shop@ours.example\n'
is "the first of all names stays" "$(printf '%s\n' "$GOT" | grep -c '^original_recipient=shop@ours.example')" 2
record 'recipient=ring1@ours.example\n'
is "a circle is our fault" "$GOT" 'action=DEFER 4.4.6 Aliases of this address go in a circle

exit 111'
like "and the log names it" "$ERR" 'fault event=alias rcpt=ring1@ours.example problem=circle why="ring1@ours.example -> ring2@ours.example -> ring1@ours.example"'
record 'recipient=nonsense\n'
is "no address" "$GOT" 'action=REJECT 5.1.3 Bad recipient address

exit 100'
record 'sender=a@b.example\n'
is "no recipient stays none" "$GOT" 'sender=a@b.example

exit 0'
{ echo "big$(seq -f ' m%g' 1 1001 | tr -d '\n')"; } >big
is "too many recipients" "$(printf 'recipient=big@ours.example\n\n' | mr-alias -R routes big 2>/dev/null)" \
	'action=DEFER 4.5.3 Too many recipients behind this address'

# ---- what is wrong ----
exits "no routes" 111 mr-alias aliases
exits "no table" 111 mr-alias -R routes
exits "-l" 111 mr-alias -l -R routes aliases
exits "a table of another kind" 111 mr-alias -R routes -r a@ours.example routes.cdb
printf 'a b\nb c\nc a\n' >ring
is "a circle is found when it is compiled" "$(mr-table -k alias ring ring.cdb 2>&1; echo $?)" \
	'mr-table: ring:2: a circle of aliases; take one out: c -> a -> b -> c
111'
ok "and nothing is written" test ! -e ring.cdb
is "mr-table -q finds a local part" "$(mr-table -q Sales aliases.cdb)" "sales j.smith r.johnson"
mr-table -d aliases.cdb >dump
mr-table -k alias dump again.cdb
ok "a dump makes the same table" cmp aliases.cdb again.cdb

# ---- quotes, UTF-8, as long as addresses may be ----
# letters N C: C, N times
letters() { printf "%0$1d" 0 | tr 0 "$2"; }
K=$(letters 241 k) T=$(letters 242 t)
cat >wide <<X
"john doe"       "j. doe" "x@y"@far.example
müller           möller@straße.example
long             $T@far.example
$K@ours.example  short
X
mr-table -k alias wide wide.cdb || exit 1
# stands ADDRESS WANT: what it stands for, in one line
stands() {
	for table in wide wide.cdb; do
		is "$table: $1" "$(mr-alias -R routes -r "$1" $table | sed 's/  (.*//' | tr -d '\n')" "$1$2"
	done
}
stands '"john doe"@ours.example' '  "j. doe"@ours.example  "x@y"@far.example'
stands 'müller@ours.example' '  möller@straße.example'
stands long@ours.example "  $T@far.example"
stands "$K@ours.example" '  short@ours.example'
# refused LINE WANT: by mr-table, with file and line
refused() {
	printf '# a table\n%s\n' "$1" >bad
	like "refused: $2" "$(mr-table -k alias bad bad.cdb 2>&1; echo $?)" "^mr-table: bad:2: .*$2"
}
refused "long ${T}t@far.example" 'is not an address \(address over 254 octets\); write'
refused "k$K@ours.example short" 'is not an address \(address over 254 octets\); write'
refused "$(printf 'm\374ller x')" 'is not an address \(bad local part\); write'
refused '"john doe x' 'is not an address \(bad quoted local part\); write'
refused "a $(letters 16384 b)" 'line over 16384 bytes; make it shorter'
is "what is longer than an address with its domain is our fault" \
	"$(printf 'a %s\n' "$T" >bad; mr-alias -R routes -r a@ours.example bad 2>/dev/null; echo $?)" \
	'try later: 4.3.0 Temporary problem of this host
111'

# ---- a million ----
awk 'BEGIN { for (i = 1; i <= 1000000; i++) print "user" i, "box" i % 1000 }' >million
tail -n 1000 million >thousand
# cost COMMAND...: kilobytes of memory and page faults
cost() {
	python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
r = resource.getrusage(resource.RUSAGE_CHILDREN)
print(r.ru_maxrss, r.ru_minflt + r.ru_majflt)' "$@"
}
# of two costs: the second is at most 100 MB more; at most 300 page faults more, for a table of 10000 pages
little_memory() { [ "${2% *}" -lt $((${1% *} + 100000)) ]; }
few_faults() { [ "${2#* }" -lt $((${1#* } + 300)) ]; }
SMALL=$(cost mr-table -k alias thousand thousand.cdb)
LARGE=$(cost mr-table -k alias million million.cdb)
# (sanitizers keep what is freed)
grep -q __asan_ "$MR_BUILD/bin/mr-table" ||
	ok "a million are compiled in little memory: $LARGE, a thousand in $SMALL" little_memory "$SMALL" "$LARGE"
for who in user1 user500000 user1000000; do
	is "$who is found" "$(mr-alias -R routes -r $who@ours.example million.cdb | tail -n 1)" "  box$((${who#user} % 1000))@ours.example"
done
SMALL=$(cost mr-alias -R routes -r user1000000@ours.example thousand.cdb)
LARGE=$(cost mr-alias -R routes -r user1000000@ours.example million.cdb)
ok "as fast as among a thousand, in pages: $LARGE, $SMALL" few_faults "$SMALL" "$LARGE"
rm million million.cdb

# ---- in a pipeline ----
spec() { printf '%s\n' "$@" >spec; mr-pipe -t spec 2>&1; }
A="mr-alias -R routes aliases.cdb"
is "edit in rcpt" "$(spec "rcpt alias edit $A")" "spec: 1 stage, no error"
like "without edit" "$(spec "rcpt alias - $A")" "spec:1: stage 'alias': mr-alias edits recipients: phase rcpt, option edit"
like "in data" "$(spec "data alias edit $A")" "spec:1: stage 'alias': mr-alias edits recipients"
spec "rcpt alias edit $A" "data show codes=sysexits sh -e show" >/dev/null
echo 'grep recipient= <&3 >&2' >show
printf 'Subject: x\n\n' >mail
for x in '' -x; do
	is "mr-pipe ${x:-inside}" "$(mr-pipe $x -n -i 192.0.2.1 -f x@y.example -r sales@ours.example -r ceo@ours.example spec <mail 2>&1 | grep recipient)" \
		'recipient=j.smith@ours.example
original_recipient=sales@ours.example
recipient=r.johnson@ours.example
original_recipient=sales@ours.example
recipient=boss@provider.example
original_recipient=ceo@ours.example'
done

# ---- in the relay ----
# sink NAME: an SMTP server with the folder NAME; its port in $PORT
sink() {
	mkdir "$1"
	start "$1.log" "$T_ROOT/test/fakesmtp" --dir "$1" --port-file "$1.port"
	wait_for 60 test -s "$1.port" || exit 1
	PORT=$(cat "$1.port")
}
sink lan
LAN=$PORT
sink out
printf 'ours.example 127.0.0.1:%s\n* 127.0.0.1:%s\n' "$LAN" "$PORT" >routes
mkdir spool
printf 'team  ann bob@ours.example eve@provider.example\nloop1 loop2@ours.example\nloop2 loop1@ours.example\n' >aliases
mr-table -k alias aliases aliases.cdb
start queue.log mr-queue run -Q spool -R routes -N mx.example
start smtpd.log mr-smtpd -L 127.0.0.1:0 -Q spool -R routes -N mx.example spec
wait_for 60 grep -q event=listening smtpd.log
SMTP=$(sed -n 's/.*event=listening.* port=\([0-9]*\).*/\1/p' smtpd.log)
python3 -c 'print("Subject: to all\n\n.dot\n\344\200\377 8-bit\n" + "long " * 200 + "\n..\nend")' | iconv -f utf-8 -t latin1 >body
ok "one message to a group" python3 -c 'import smtplib, sys
smtplib.SMTP("127.0.0.1", int(sys.argv[1])).sendmail("a@client.example", "team@ours.example", open("body", "rb").read().replace(b"\n", b"\r\n"))' "$SMTP"
has_all() { [ "$(cat lan/*.env out/*.env 2>/dev/null | grep -c '^RCPT')" = 3 ]; }
wait_for 60 has_all
is "two at the LAN's host" "$(cat lan/*.env | grep '^RCPT' | sort | tr -d '\r' | cut -d' ' -f1,2)" 'RCPT TO:<ann@ours.example>
RCPT TO:<bob@ours.example>'
is "one at the other's" "$(cat out/*.env | grep '^RCPT' | tr -d '\r' | cut -d' ' -f1,2)" 'RCPT TO:<eve@provider.example>'
# body FILE: what is behind the header
body() { python3 -c 'import sys; sys.stdout.buffer.write(open(sys.argv[1],"rb").read().split(b"\r\n\r\n", 1)[1])' "$1"; }
python3 -c 'import sys; d=open("body","rb").read().split(b"\n\n",1)[1]; sys.stdout.buffer.write(d.replace(b"\n",b"\r\n"))' >want
for got in lan/*.eml out/*.eml; do
	body "$got" >got
	ok "byte for byte: $got" cmp got want
done
ID=$(sed -n 's/.*event=queued id=\([^ ]*\).*/\1/p' smtpd.log)
is "one id from the alias to each delivery" "$(grep -c "event=delivered id=$ID .*rcpt=[a-z]*@" queue.log)" 3
like "a circle is put off" "$(swaks --server "127.0.0.1:$SMTP" --from a@client.example --to loop1@ours.example 2>&1)" \
	'<\*\* 451 4.4.6 Aliases of this address go in a circle'
like "and logged" "$(cat smtpd.log)" 'fault event=alias .*problem=circle'
# ---- a fault loses nobody ----
mr-table -k alias aliases broken.cdb
python3 - <<'X' # all of its hash tables but those that are read when it is opened
import struct
def bucket(key):
    h = 5381
    for c in key:
        h = (h * 33 & 0xffffffff) ^ c
    return h & 255
kept = {0} | {bucket(k) for k in (b"\0kind", b"\0version", b"\0v4", b"\0v6")}
with open("broken.cdb", "r+b") as f:
    for n in set(range(256)) - kept:
        f.seek(8 * n)
        f.write(struct.pack("<II", 0x7fffff00, 9))
X
record='sender=a@b.example\nrecipient=team@ours.example\nrecipient=x@ours.example\n\n'
is "a damaged table puts them off" \
	"$(printf "$record" | mr-alias -R routes broken.cdb 2>/dev/null; echo $?)" 'action=DEFER 4.3.0 Temporary problem of this host

111'
is "-e open: the recipients stay as they are" "$(printf "$record" | mr-alias -e open -R routes broken.cdb 2>/dev/null; echo $?)" \
	"$(printf "$record"; echo 0)"
spec "rcpt alias edit mr-alias -e open -R routes broken.cdb" "data show codes=sysexits sh -e show" >/dev/null
for x in '' -x; do
	is "so it is ${x:-inside}" "$(mr-pipe $x -n -i 192.0.2.1 -f x@y.example -r team@ours.example -r x@ours.example spec <mail 2>&1 | grep ^recipient)" \
		'recipient=team@ours.example
recipient=x@ours.example'
done
spec "rcpt alias edit $A" "data show codes=sysexits sh -e show" >/dev/null

printf 'team  zoe\n' >aliases
mr-table -k alias aliases aliases.cdb
ok "a new table" swaks --server "127.0.0.1:$SMTP" --from a@client.example --to team@ours.example -S 2
has_zoe() { cat lan/*.env | grep -q zoe@ours.example; }
ok "counts from the next connection on" wait_for 60 has_zoe
done_testing

#!/bin/sh
# mr-smtpd: a session on a pipe, the listener, relay control, what ends a message, limits, class scopes.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
mkdir spool
printf 'example.org 127.0.0.1:2525\nlocal.example local\n' >routes
printf 'forbid bad.example\npermit good.example\n' >access
printf 'connect net class=trusted mr-access -c trusted\nmail access - mr-access access\n' >spec
printf 'permit 10.0.0.0/8\n' >trusted

cat >talk.py <<'X'
# talk.py OPTIONS... -- LINE...: a session with mr-smtpd on pipes; prints the replies' codes and texts.
# A line "!FILE" sends a file as it is and waits for one reply; "+LINE" is sent without waiting.
import os, subprocess, sys
at = sys.argv.index("--")
p = subprocess.Popen(["mr-smtpd", "-N", "mx.example", "-R", "routes", "-Q", "spool", *sys.argv[1:at]],
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open("log", "ab"))
def reply():
    while True:
        line = p.stdout.readline()
        if not line:
            print("closed"); return
        if line[3:4] == b" ":
            print(line.decode().strip()); return
reply()
waiting = 1
for arg in sys.argv[at + 1:]:
    wait = True
    data = arg.encode().decode("unicode_escape").encode("latin-1")
    if data[:1] == b"+":
        data, wait = data[1:], False
    if data[:1] == b"!":
        data = open(data[1:], "rb").read()
    else:
        data += b"\r\n"
    try:
        p.stdin.write(data); p.stdin.flush()
    except BrokenPipeError:
        reply(); break
    if wait:
        for _ in range(waiting): reply()
        waiting = 1
    else:
        waiting += 1
try:
    p.stdin.close()
except BrokenPipeError:
    pass
p.wait()
X
talk() { : >log; timeout 60 python3 talk.py "$@"; }
spooled() { find spool/incoming -type f | wc -l; }
EH='EHLO c.example' MF='MAIL FROM:<a@a.example>' RT='RCPT TO:<u@example.org>'

out=$(talk -- "$EH" "$MF" "$RT" DATA 'Subject: x\r\n\r\nhello\r\n.' QUIT)
like "a message is queued" "$out" '^250 2.0.0 Ok: queued as [0-9a-z]{11}\.[0-9a-z]{8}$'
is "and is in the spool" "$(spooled)" 1
like "and in the log" "$(cat log)" 'event=queued id=.* sender=a@a.example rcpt=u@example.org rcpts=1'
ok "and whole" mr-queue -Q spool check

for to in 'u@other.example' 'u@sub.example.org' 'u@[192.0.2.1]' '@example.org:u@other.example' 'u@EXAMPLE.ORG.evil.example'; do
	like "no relay for $to" "$(talk -- "$EH" "$MF" "RCPT TO:<$to>" QUIT)" '^550 5.7.1 Relaying denied \('
	is "one line says why: $to" "$(grep -c 'event=rcpt .*stage=relay verdict=reject code=5.7.1' log)" 1
done
like "a source route ends at our domain" "$(talk -- "$EH" "$MF" 'RCPT TO:<@other.example:u@EXAMPLE.org>')" '^250 2.1.5'
like "a local domain without delivery" "$(talk -- "$EH" "$MF" 'RCPT TO:<u@local.example>')" '^451 4.3.5'
like "RELAYCLIENT is trusted" "$(RELAYCLIENT= talk -- "$EH" "$MF" 'RCPT TO:<u@other.example>')" '^250 2.1.5'
like "a trusted network is trusted" "$(TCPREMOTEIP=10.1.2.3 talk spec -- "$EH" "$MF" 'RCPT TO:<u@other.example>')" '^250 2.1.5'
like "another is not" "$(TCPREMOTEIP=11.1.2.3 talk spec -- "$EH" "$MF" 'RCPT TO:<u@other.example>')" '^550 5.7.1'
like "a forbidden sender" "$(talk spec -- "$EH" 'MAIL FROM:<x@bad.example>' "$RT")" '^550 5.7.1 Sender is forbidden here \('
like "a permitted sender may not relay" "$(talk spec -- "$EH" 'MAIL FROM:<x@good.example>' 'RCPT TO:<u@other.example>')" '^550 5.7.1 Relaying'

n=$(spooled)
for end in '\n.\n' '\n.\r\n' '\r\n.\n' '\r.\r' '\r\n.\r'; do
	printf 'Subject: x\r\n\r\nbody%bMAIL FROM:<evil@a.example>\r\nRCPT TO:<u@example.org>\r\nDATA\r\nevil\r\n.\r\n' "$end" >data
	out=$(talk -- "$EH" "$MF" "$RT" DATA '!data' QUIT)
	is "smuggling by $end: one refusal, then the session goes on" \
		"$(printf '%s\n' "$out" | tail -n 2 | cut -c 1-9 | tr '\n' ,)" "554 5.6.0,221 2.0.0,"
done
is "and nothing of it is queued" "$(spooled)" "$n"
like "data before 354" "$(talk -- "$EH" "$MF" "$RT" 'DATA\r\nx')" '^554 5.5.1'
like "bare LF in a command" "$(printf 'EHLO x\nQUIT\r\n' | mr-smtpd -N mx -Q spool 2>/dev/null)" '^500 5.5.2'

while read -r line want; do
	line=$(printf '%s' "$line" | tr '~' ' ')
	like "$line" "$(talk -- "$EH" "$MF" "$line" 2>&1 | sed -n 4p)" "^$want"
done <<'X'
FROB 500
EXPN~x 502
VRFY~x 252
VRFY 501
HELP 214
NOOP~x 250
RSET 250
RSET~x 501
DATA 554
EHLO 501
MAIL~FROM:<b@b.example> 503
RCPT~TO:<> 501
RCPT~TO:u@example.org 501
RCPT~TO:<u@example.org>~X=Y 555
RCPT~TO:<u@exa\x00mple.org> 500
RCPT~TO:<u@exa\rmple.org> 500
RCPT~TO:<u\xc3\xa9@example.org> 553
RCPT~TO:<"a"@example.org> 250
X
while read -r line want; do
	line=$(printf '%s' "$line" | tr '~' ' ')
	like "$line" "$(talk -- "$EH" "$line" 2>&1 | sed -n 3p)" "^$want"
done <<'X'
MAIL~FROM:<> 250
MAIL~FROM:~<a@b.example> 250
MAIL~FROM:<a@b.example>~SIZE=99999999999 552
MAIL~FROM:<a@b.example>~SIZE=x 501
MAIL~FROM:<a@b.example>~BODY=9BIT 501
MAIL~FROM:<a@b.example>~SMTPUTF8 555
MAIL~FROM:<a@b..example> 501
MAIL~FROM:<postmaster> 501
RCPT~TO:<a@example.org> 503
DATA 503
X
like "MAIL before HELO" "$(talk -- "$MF")" '^503'

python3 -c 'print("x: y\r\n\r\n" + ("0123456789" * 10 + "\r\n") * 20 + ".\r", end="\n")' >data
out=$(talk -o size=1k -- "$EH" "$MF" "$RT" DATA '!data' "$MF" "$RT" DATA 'x: y\r\n\r\nsmall\r\n.')
like "too large in DATA" "$out" '^552 5.3.4'
like "then the session goes on" "$out" '^250 2.0.0 Ok: queued'
python3 -c 'print("Received: x\r\n" * 4 + "\r\n.\r", end="\n")' >data
like "too many hops" "$(talk -o hops=3 -- "$EH" "$MF" "$RT" DATA '!data')" '^554 5.4.6'
like "too many recipients" "$(talk -o rcpts=1 -- "$EH" "$MF" "$RT" "$RT")" '^452 4.5.3'
like "too many errors" "$(talk -o errors=2 -- X X X X)" '^421 4.7.0 Too many errors'
like "too many commands" "$(talk -o commands=10 -- NOOP NOOP NOOP NOOP NOOP NOOP NOOP NOOP NOOP NOOP NOOP)" '^421 4.7.0'
like "too many messages" "$(talk -o messages=1 -- "$EH" "$MF" "$RT" DATA '.' "$MF")" '^421 4.7.0'
like "idle" "$( (printf 'EHLO x\r\n'; sleep 3) | mr-smtpd -N mx -Q spool -o idle=1 2>/dev/null)" '^421 4.4.2'
exits "an unknown limit" 111 mr-smtpd -o nonsense=1
is "the page has every limit with its default" "$(python3 - "$T_ROOT/man/mr-smtpd.8" <<'X'
import re, sys
unit = {'': 1, 'k': 1 << 10, 'm': 1 << 20, 's': 1}
page = re.findall(r'^\.It ([a-z-]+)=(\d+)([kms]?)( seconds| minutes| hours)?', open(sys.argv[1]).read(), re.M)
print(*(f'{n}={int(v) * unit[u]}' for n, v, u, _ in page))
X
)" "$(sed -n 's/.*known, with their defaults: //p' .err)"
exits "a spec that is not there" 111 mr-smtpd -Q spool nowhere

printf 'Authentication-Results: mx.example;\r\n spf=pass\r\nauthentication-results: (c) "MX.example" 1; x=y\r\nAuthentication-Results: other.example; spf=pass\r\nSubject: ar\r\n\r\nAuthentication-Results: mx.example; body\r\n.\r\n' >data
find spool/incoming -type f -exec rm {} +
talk -- "$EH" "$MF" "$RT" DATA '!data' QUIT >/dev/null
is "fields under our name go, others stay" "$(grep -ac 'uthentication-' spool/incoming/*)" 2

# A recipient must not profit from another's permit: rcpt stages permit u1 only.
cat >permit1 <<'X'
#!/bin/sh
grep -q '^recipient=u1@' && exit 99
exit 0
X
cat >refuse <<'X'
#!/bin/sh
exit 100
X
chmod +x permit1 refuse
printf 'rcpt permit - ./permit1\nrcpt strict unless=permitted ./refuse\n' >scope
out=$(talk scope -- "$EH" "$MF" 'RCPT TO:<u1@example.org>' 'RCPT TO:<u2@example.org>' 'RCPT TO:<u1@example.org>')
is "a permit holds for its recipient only" "$(printf '%s\n' "$out" | tail -n 3 | cut -c 1-3 | tr '\n' ' ')" "250 550 250 "
printf 'rcpt permit - ./permit1\ndata strict unless=permitted ./refuse\n' >scope
like "in data all must have it" "$(talk scope -- "$EH" "$MF" 'RCPT TO:<u1@example.org>' 'RCPT TO:<u2@example.org>' DATA '.')" '^554 5.7.1'
like "and then it counts" "$(talk scope -- "$EH" "$MF" 'RCPT TO:<u1@example.org>' DATA '.')" '^250 2.0.0 Ok: queued'

# What a parent that ignores SIGCHLD passes on.
printf 'rcpt good - /bin/true\n' >good
like "a stage's exit code is known even so" "$(timeout 60 env --ignore-signal=CHLD \
	python3 talk.py good -- "$EH" "$MF" "$RT" QUIT)" '^250 2.1.5'

# The README: the commands of "A relay by hand", with other ports and folders; nobody is at home there.
port=$(free_port)
cp -R "$T_ROOT/examples/relay" readme
mkdir readme/spool
sed -i -e "s/10\.20\.30\.40/127.0.0.1:$(free_port)/" -e '/^branch/d' -e '/^\* /d' readme/routes
sed -n '/^## A relay by hand/,/^## Where/s/^    //p' "$T_ROOT/README.md" |
	sed -e "s|/tmp/spool|spool|" -e "s/2525/$port/g" >readme/commands
is "the README has the recipe" "$(cut -d ' ' -f 1 readme/commands | tr '\n' ' ')" "mkdir mr-queue mr-smtpd swaks mr-queue "
# recipe N: its N-th command
recipe() { sed -n "$1s/ &\$//; $1p" readme/commands; }
start readme.queue sh -c "cd readme && exec $(recipe 2)"
queue=$T_PID
start readme.smtpd sh -c "cd readme && exec $(recipe 3)"
wait_port "$port"
ok "its message is taken" sh -c "$(recipe 4) --hide-all"
ok "and tried" wait_for 60 grep -q event=deferred readme.queue
like "and its list says why it waits" "$(sh -c "cd readme && $(recipe 5)")" 'office@mydomain.com .*Connection refused'
stop "$T_PID"
stop "$queue"

# The listener, with swaks.
start l.log mr-smtpd -L 127.0.0.1:0 -N mx.example -R routes -Q spool -o per-client=2 spec
wait_for 60 grep -q event=listening l.log
port=$(sed -n 's/.*event=listening.* port=\([0-9]*\).*/\1/p' l.log)
mail() { swaks --server 127.0.0.1 --port "$port" --to u@example.org --from "$1" --hide-all; }
ok "swaks delivers" mail a@a.example
ok "and again, to the same child" mail a@a.example
ok "a forbidden sender is refused" sh -c "! swaks --server 127.0.0.1 --port $port --to u@example.org --from x@bad.example --hide-all"
printf 'forbid a.example\n' >access.new
mv access.new access
ok "a table that was replaced counts at once" sh -c "! swaks --server 127.0.0.1 --port $port --to u@example.org --from a@a.example --hide-all"
printf 'forbidden nonsense\n' >access.new
mv access.new access
ok "a bad one does not" sh -c "! swaks --server 127.0.0.1 --port $port --to u@example.org --from a@a.example --hide-all"
ok "nor twice" sh -c "! swaks --server 127.0.0.1 --port $port --to u@example.org --from a@a.example --hide-all"
is "and is logged once" "$(grep -c 'event=reload result=old-stays' l.log)" 1
like "more connections of one client than allowed" "$(python3 - "$port" <<'X'
import socket, sys
s = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(3)]
print(s[0].recv(99).decode(), s[1].recv(99).decode(), s[2].recv(99).decode())
X
)" '^ ?421 4.7.0 Too many connections'
stop "$T_PID"

# Under the real tcpserver and inetd's way.
port=$(free_port)
printf '127.:allow,RELAYCLIENT=""\n:allow\n' | tcprules rules.cdb rules.tmp
start t.log tcpserver -RHl0 -x rules.cdb 127.0.0.1 "$port" mr-smtpd -N mx.example -Q spool
wait_port "$port"
ok "tcpserver with RELAYCLIENT" swaks --server 127.0.0.1 --port "$port" --to x@far.example --from a@a.example --hide-all
done_testing

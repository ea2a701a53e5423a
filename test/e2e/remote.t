#!/bin/sh
# mr-remote by hand: what goes out byte for byte, and what becomes of each answer.
. "$(dirname "$0")/../lib.sh"
. "$T_ROOT/test/fakesmtp.sh"

# remote ARG...: the message of $T_DIR/m to the server; output and exit code in $GOT
remote() {
	GOT=$(mr-remote -N me.example -T "${WAIT:-30}" -f a@x.example "$@" <"$T_DIR/m" 2>&1; echo "exit $?")
}

# says NAME RCPT OUTCOME-AND-WORDS EXIT: one recipient's line and the exit code
says() {
	like "$1" "$GOT" "^$2: $3"
	is "$1: exit code" "$(printf '%s\n' "$GOT" | tail -n 1)" "exit $4"
}

B=b@y.example
serve
# ---- bytes ----
# same NAME: $T_DIR/m (LF) arrives as it is, with CRLF
N=0
same() {
	N=$((N + 1))
	python3 -c 'import sys; d=open(sys.argv[1],"rb").read(); d+=b"" if not d or d.endswith(b"\n") else b"\n"
open(sys.argv[2],"wb").write(d.replace(b"\r\n",b"\n").replace(b"\n",b"\r\n"))' "$T_DIR/m" "$T_DIR/want"
	remote -r $B "127.0.0.1:$PORT"
	says "$1" $B "delivered: 127.0.0.1\[127.0.0.1\]:$PORT: 250 2.0.0 kept" 0
	ok "$1: byte for byte" cmp "$T_DIR/want" "$D/$N.eml"
}
printf 'Subject: s\n\n.\n..\n.a\na.\n\n' >"$T_DIR/m"
same "dots"
printf 'Subject: \303\244\n\n\344\200\377 8-bit\n\0 NUL\n' >"$T_DIR/m"
same "8-bit"
like "BODY is declared" "$(cat "$D/$N.env")" 'BODY=8BITMIME'
: >"$T_DIR/m"
same "empty"
printf 'Subject: s\n' >"$T_DIR/m"
same "header only"
printf 'Subject: s\n\n' >"$T_DIR/m"
same "empty body"
printf 'Subject: s\n\nno newline' >"$T_DIR/m"
same "no line end at the end"
printf 'Subject: s\r\n\r\n.crlf\r\nlf\n' >"$T_DIR/m"
same "CRLF stays"
python3 -c 'print("Subject: s\n\n" + "x" * 300000 + "\n." + "y" * 300000)' >"$T_DIR/m"
same "long lines"
python3 -c 'print("Subject: s\n\n" + "".join("." * (i % 7) + "x" * (i % 61) + "\n" for i in range(60000)), end="")' >"$T_DIR/m"
same "2 MB of dots"
for n in 32766 32767 32768 65534 65535 65536 65537; do
	python3 -c "import sys; n=$n; print('x' * (n - 2) + '\n.\n.' + 'z' * 70000)" >"$T_DIR/m"
	same "a dot at byte $n"
done
printf 'Subject: s\n\na\rb\n' >"$T_DIR/m"
remote -r $B "127.0.0.1:$PORT"
like "a CR alone by hand: nothing is sent" "$GOT" 'CR without LF'
like "a CR alone by hand: refused" "$GOT" '^exit 100'
is "no message more" "$(ls "$D"/*.eml | wc -l | tr -d ' ')" "$N"
is "the client sent commands in the order of RFC 5321" \
	"$(tr -d '\r' <"$D/conn-1.in" | grep -aE '^[A-Z]{4}' | cut -c 1-4 | tr '\n' ' ')" "EHLO MAIL RCPT DATA QUIT "

printf 'Subject: s\n\n.hello\n' >"$T_DIR/m"
remote -r $B "127.0.0.1:$PORT"
like "SIZE is declared, dots not doubled" "$(cat "$D"/*.env)" "^MAIL FROM:<a@x.example> SIZE=22$"
GOT=$(mr-remote -N me.example -f '' -r $B "127.0.0.1:$PORT" <"$T_DIR/m"; echo "exit $?")
like "null sender" "$(cat "$D"/*.env)" '^MAIL FROM:<> SIZE'

# ---- refusals at each step ----
# step NAME EXIT OUTCOME-AND-WORDS RULE...
step() {
	s_name=$1 s_exit=$2 s_words=$3
	shift 3
	serve "$@"
	remote -r $B "127.0.0.1:$PORT"
	says "$s_name" $B "$s_words" "$s_exit"
}
step "4xx greeting" 111 "deferred: $H: 421 4.3.2 busy" 'connect bye 421 4.3.2 busy'
step "5xx greeting" 100 "failed: $H: 554 5.7.1 go away" 'connect 554 5.7.1 go away'
step "4xx to EHLO" 111 "deferred: $H: 450 no" 'ehlo 450 no'
step "5xx to EHLO and HELO" 100 "failed: $H: 550 no HELO" 'ehlo 550 no' 'helo 550 no HELO'
step "4xx to MAIL" 111 "deferred: $H: 451 4.3.0 later" 'mail 451 4.3.0 later'
step "5xx to MAIL" 100 "failed: $H: 550 5.7.1 never" 'mail 550 5.7.1 never'
step "4xx to RCPT" 111 "deferred: $H: 450 4.2.1 grey" 'rcpt 450 4.2.1 grey'
step "5xx to RCPT" 100 "failed: $H: 550 5.1.1 no such user, sorry" 'rcpt 550 5.1.1 no such|5.1.1 user, sorry'
step "552 to RCPT is too many, thus later" 111 "deferred: $H: 552 too many" 'rcpt 552 too many'
step "4xx to DATA" 111 "deferred: $H: 451 disk" 'data 451 disk'
step "5xx to DATA" 100 "failed: $H: 554 never" 'data 554 never'
step "4xx to the dot" 111 "deferred: $H: 452 4.3.1 disk full" 'dot 452 4.3.1 disk full'
step "5xx to the dot" 100 "failed: $H: 550 5.7.1 spam" 'dot 550 5.7.1 spam'
step "421 to the dot" 111 "deferred: $H: 421 4.3.2 going" 'dot bye 421 4.3.2 going'
step "3xx to MAIL" 111 "deferred: $H: strange answer to MAIL: 354 what" 'mail 354 what'
step "2xx to DATA" 111 "deferred: $H: strange answer to DATA: 250 what" 'data 250 what'
step "354 to the dot" 111 "deferred: $H: no answer to the end of the message: a strange" 'dot 354 go on'
for s in connect ehlo mail rcpt data; do
	step "421 at $s" 111 "deferred: $H: 421 4.3.2 bye" "$s bye 421 4.3.2 bye"
	step "closed at $s" 111 "deferred: $H: no answer to [A-Za-z ]*: connection closed" "$s close"
	step "garbage at $s" 111 "deferred: $H: no answer to [A-Za-z ]*: not an SMTP reply: 99" "$s raw 99\\xff\\x00 nonsense\\r\\n"
done
step "closed after the dot" 111 "deferred: $H: no answer to the end of the message: connection closed; .*may arrive twice" 'dot close'
step "garbage after the dot" 111 "deferred: $H: no answer to the end of the message: not an SMTP reply.*may arrive twice" 'dot raw 2\r\n'
step "an answer that is cut" 111 "deferred: $H: no answer to the end of the message: connection closed" 'dot cut 250 ok'
step "a reply without an end" 111 "deferred: $H: no answer to EHLO: reply of more than 100 lines" 'ehlo endless'
step "a line without an end" 111 "deferred: $H: no answer to EHLO: line longer than 2048" "ehlo raw 250-$(printf '%03000d' 0)"
step "control characters in words" 100 "failed: $H: 550 a\?\[31mb\?c" 'mail raw 550 a\x1b[31mb\tc\r\n'
head -c 12000000 /dev/zero | tr '\0' x | fold -w 70 >"$T_DIR/big"
cp "$T_DIR/m" "$T_DIR/small"
cp "$T_DIR/big" "$T_DIR/m"
step "closed within DATA" 111 "deferred: $H: " 'body close 1000'
step "reset within DATA" 111 "deferred: $H: (connection lost|no answer to the end of the message): " 'body reset 200000'
ok "what came of it is no whole message" test ! -e "$D/1.eml"
cp "$T_DIR/small" "$T_DIR/m"

# ---- time limits ----
WAIT=1
for s in connect ehlo mail rcpt data; do
	step "hangs at $s" 111 "deferred: $H: no answer to [A-Za-z ]*: time-out" "$s hang"
done
step "hangs after the dot" 111 "deferred: $H: no answer to the end of the message: time-out; .*may arrive twice" 'dot hang'
cp "$T_DIR/big" "$T_DIR/m"
step "reads no more within DATA" 111 "deferred: $H: connection lost: time-out" 'body stall 1000'
cp "$T_DIR/small" "$T_DIR/m"
step "drips lines of one reply" 111 "deferred: $H: no answer to MAIL: time-out" 'mail wait 3 250 ok'
WAIT=30

# ---- several recipients ----
for ext in PIPELINING X-STEP-BY-STEP; do
	serve "ehlo 250 fake.example|8BITMIME|$ext" 'rcpt/bad@ 550 5.1.1 no such user' 'rcpt/grey@ 450 4.7.1 grey'
	remote -r $B -r bad@y.example -r grey@y.example -r c@y.example "127.0.0.1:$PORT"
	says "$ext: accepted" $B "delivered: $H: 250" 111
	says "$ext: refused" bad@y.example "failed: $H: 550 5.1.1" 111
	says "$ext: deferred" grey@y.example "deferred: $H: 450 4.7.1" 111
	is "$ext: who got it" "$(grep -c '^RCPT' "$D/1.env")" 2
	serve "ehlo 250 fake.example|$ext" 'rcpt 550 5.1.1 no such user' 'data 354 go on anyway'
	remote -r $B -r c@y.example "127.0.0.1:$PORT"
	says "$ext: all refused" c@y.example "failed: $H: 550 5.1.1" 100
	if [ $ext = PIPELINING ]; then
		ok "DATA accepted without recipients is an empty message" cmp /dev/null "$D/1.eml"
	else
		is "no DATA without recipients" "$(grep -c '^< DATA' "$D/conn-1.log")" 0
	fi
done
serve 'rcpt@2 bye 421 4.3.2 bye'
remote -r $B -r c@y.example "127.0.0.1:$PORT"
says "421 in the middle of the recipients" $B "deferred: $H: 421" 111

# ---- extensions ----
serve 'ehlo 502 what' 'helo 250 old.example'
remote -r $B "127.0.0.1:$PORT"
says "HELO where EHLO is unknown" $B "delivered: " 0
is "no parameters then" "$(head -n 1 "$D/1.env")" "MAIL FROM:<a@x.example>"
printf 'Subject: s\n\n\344\n' >"$T_DIR/m"
serve 'ehlo 250 fake.example|PIPELINING'
remote -r $B "127.0.0.1:$PORT"
says "8-bit goes as it is without 8BITMIME" $B "delivered: " 0
is "and is not declared" "$(head -n 1 "$D/1.env")" "MAIL FROM:<a@x.example>"
printf 'Subject: s\r\n\r\n\344\r\n' >"$T_DIR/want"
ok "byte for byte" cmp "$T_DIR/want" "$D/1.eml"
cp "$T_DIR/small" "$T_DIR/m"
serve 'ehlo 250 fake.example|size 21'
remote -r $B "127.0.0.1:$PORT"
says "too large for the host" $B "failed: $H: message of 22 bytes is over this host's limit of 21" 100
is "is not asked" "$(grep -c '^< MAIL' "$D/conn-1.log")" 0
serve 'ehlo 250 fake.example|SIZE 22'
remote -r $B "127.0.0.1:$PORT"
says "just small enough" $B "delivered: " 0
serve 'ehlo 250 fake.example|SIZE 0'
remote -r $B "127.0.0.1:$PORT"
says "SIZE 0 is no limit" $B "delivered: " 0
U=$(printf '\303\244@y.example')
remote -r "$U" -r $B "127.0.0.1:$PORT"
says "an address in UTF-8 without SMTPUTF8" "$U" "failed: $H: .*SMTPUTF8" 100
says "others are not harmed" $B "delivered: " 100
serve 'ehlo 250 fake.example|SMTPUTF8'
remote -r "$U" "127.0.0.1:$PORT"
says "with SMTPUTF8" "$U" "delivered: " 0
like "it is declared" "$(cat "$D/1.env")" '^MAIL.* SMTPUTF8$'

# ---- several hosts ----
CLOSED=$(free_port)
serve
remote -r $B "127.0.0.1:$CLOSED" "127.0.0.1:$PORT"
says "the second where the first is closed" $B "delivered: 127.0.0.1\[127.0.0.1\]:$PORT" 0
remote -r $B "127.0.0.1:$CLOSED"
says "closed" $B "deferred: 127.0.0.1\[127.0.0.1\]:$CLOSED: connect: Connection refused" 111
for rule in 'connect@1 421 no' 'connect@1 554 no' 'connect@1 raw ?\r\n' 'ehlo@1 450 no' 'mail@1 bye 421 no' 'rcpt@1 close' 'data@1 close'; do
	serve "$rule"
	remote -r $B "127.0.0.1:$PORT" "127.0.0.1:$PORT"
	says "next host after '${rule%% raw*}'" $B "delivered: " 0
	is "the message came once" "$(ls "$D"/*.eml | wc -l | tr -d ' ')" 1
done
for rule in 'mail@1 451 no' 'rcpt@1 450 no' 'data@1 451 no' 'dot@1 451 no' 'dot@1 close'; do
	serve "$rule"
	remote -r $B "127.0.0.1:$PORT" "127.0.0.1:$PORT"
	says "no next host after '$rule'" $B "deferred: " 111
	ok "no second connection" test ! -e "$D/conn-2.in"
done
serve 'connect@1 421 4.3.2 no' 'connect 554 5.3.2 no'
remote -r $B "127.0.0.1:$PORT" "127.0.0.1:$PORT" "127.0.0.1:$PORT"
says "one host may do better later: deferred" $B "deferred: .*421" 111
serve 'rcpt@1 250 ok' 'rcpt@2 550 5.1.1 no' 'data@1 bye 421 4.3.2 no'
remote -r $B -r c@y.example "127.0.0.1:$PORT" "127.0.0.1:$PORT"
says "what the first host decided stays" c@y.example "failed: .*550 5.1.1 no" 100
says "what it left goes to the next" $B "delivered: " 100
is "and only that" "$(cat "$D/1.env")" "MAIL FROM:<a@x.example> SIZE=22
RCPT TO:<b@y.example>"
serve 'connect 421 no'
P=127.0.0.1:$PORT
remote -r $B $P $P $P $P $P $P $P $P $P $P $P $P
is "at most 10 addresses are tried" "$(ls "$D"/conn-*.in | wc -l | tr -d ' ')" 10
remote -r $B no-such-host.invalid
says "a host name that is not there is our fault" $B "deferred: .*(has no address|look-up)" 111
remote -r $B 'a:b:c:d'
says "a next hop that is none, too" $B "deferred: " 111

# ---- many recipients, IPv6, smtp-sink ----
serve
set --
i=0
while [ $i -lt 230 ]; do
	set -- "$@" -r "user$i@y.example"
	i=$((i + 1))
done
remote "$@" "127.0.0.1:$PORT"
is "230 recipients" "$(printf '%s\n' "$GOT" | grep -c ': delivered: ')" 230
is "in three messages" "$(cat "$D"/*.env | grep -c '^MAIL')" 3
is "on one connection" "$(ls "$D"/conn-*.in | wc -l | tr -d ' ')" 1
if python3 -c 'import socket; socket.create_server(("::1",0),family=socket.AF_INET6)' 2>/dev/null; then
	HOST=::1
	serve
	remote -r $B "[::1]:$PORT"
	says "IPv6" $B "delivered: ::1\[::1\]:$PORT: " 0
fi
if command -v smtp-sink >/dev/null; then
	PORT=$(free_port)
	mkdir "$T_DIR/sink"
	start "$T_DIR/log" sh -c "cd '$T_DIR/sink' && exec smtp-sink $([ "$(id -u)" = 0 ] && echo -u nobody) -D '$T_DIR/sink/all' 127.0.0.1:$PORT 10"
	chmod 777 "$T_DIR" "$T_DIR/sink"
	wait_port "$PORT"
	remote -r $B -r c@z.example "127.0.0.1:$PORT"
	says "smtp-sink of Postfix takes it" c@z.example "delivered: " 0
fi

# ---- usage ----
exits "no recipient" 111 mr-remote -f a@x.example 127.0.0.1:1
exits "no sender" 111 mr-remote -r $B 127.0.0.1:1
exits "unknown option" 111 mr-remote -Z
exits "-w with operands" 111 mr-remote -w 127.0.0.1:1
exits "bad name" 111 mr-remote -N 'a b' -f '' -r $B 127.0.0.1:1
exits "bad resolver" 111 mr-remote -D x -f '' -r $B 127.0.0.1:1
exits "bad recipient" 111 mr-remote -f '' -r 'a b' 127.0.0.1:1
exits "a line break in an address" 111 mr-remote -f '' -r "a@b
DATA" 127.0.0.1:1
exits "no domain and no host" 111 mr-remote -f '' -r postmaster
done_testing

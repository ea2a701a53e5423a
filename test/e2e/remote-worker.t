#!/bin/sh
# mr-remote -w: jobs over a socket, connections that are kept, replaced and ended.
. "$(dirname "$0")/../lib.sh"
. "$T_ROOT/test/fakesmtp.sh"

# work [OPTION...]: a worker carries out the jobs of stdin; what came back, and exit code, in $GOT
work() {
	GOT=$("$T_ROOT/test/jobs" mr-remote -w -N me.example -T 10 "$@" 2>&1; echo "exit $?")
}
conns() { ls "$D" | grep -c '^conn-.*in'; }

M=$T_DIR/m F=$T_DIR/front
printf 'Subject: s\r\n\r\n.body\r\n' >"$M"
printf 'Received: by me\r\n' >"$F"
cat "$F" "$M" >"$T_DIR/want"
OK="host=127.0.0.1\[127.0.0.1\]:[0-9]+"

serve
work <<X
job $HOST:$PORT a@x $M $F b@y c@y
job $HOST:$PORT - $M - d@y
job $HOST:$PORT a@x /dev/null - e@y
X
like "first recipient" "$GOT" "^rcpt=0 outcome=delivered status=2.0.0 $OK reply=\"250 2.0.0 kept\""
like "second recipient" "$GOT" "^rcpt=1 outcome=delivered"
is "each job ends" "$(printf '%s\n' "$GOT" | grep -c '^done=1 host_down=0$')" 3
like "ends with its input" "$GOT" "^exit 0"
ok "front fields come first" cmp "$T_DIR/want" "$D/1.eml"
ok "no front fields" cmp "$M" "$D/2.eml"
ok "nothing at all" cmp /dev/null "$D/3.eml"
like "SIZE counts both" "$(cat "$D/1.env")" "SIZE=$(wc -c <"$T_DIR/want" | tr -d ' ')"
is "one connection for all" "$(conns)" 1
is "one EHLO, no needless RSET, QUIT at the end" "$(tr -d '\r' <"$D/conn-1.in" | grep -E '^[A-Z]{4}( |$)' | cut -c 1-4 | tr '\n' ' ')" \
	"EHLO MAIL RCPT RCPT DATA MAIL RCPT DATA MAIL RCPT DATA QUIT "

serve 'rcpt@1 550 5.1.1 no' 'data@1 554 no recipients'
work <<X
job $HOST:$PORT a@x $M - bad@y
job $HOST:$PORT a@x $M - b@y
X
like "a refused one" "$GOT" '^rcpt=0 outcome=failed status=5.1.1 .*reply="550 5.1.1 no"'
is "RSET before the next, on the same connection" "$(tr -d '\r' <"$D/conn-1.in" | grep -E '^[A-Z]{4}( |$)' | cut -c 1-4 | tr '\n' ' ')" \
	"EHLO MAIL RCPT DATA RSET MAIL RCPT DATA QUIT "
for ext in PIPELINING X-STEP; do
	serve "ehlo 250 fake|$ext" 'rcpt@1 550 5.1.1 no' 'data@1 354 as you like'
	work <<X
job $HOST:$PORT a@x $M - bad@y
job $HOST:$PORT a@x $M - b@y
X
	is "$ext: all refused, then one sent" "$(printf '%s\n' "$GOT" | grep -o 'outcome=[a-z]*' | tr '\n' ' ')" "outcome=failed outcome=delivered "
	is "$ext: on one connection" "$(conns)" 1
done

# ---- a kept connection that is dead ----
serve 'dot@1 bye 250 2.0.0 kept'
work <<X
job $HOST:$PORT a@x $M - b@y
wait $D/conn-1.log by
job $HOST:$PORT a@x $M - c@y
X
is "closed while idle: replaced silently" "$(printf '%s\n' "$GOT" | grep -c outcome=delivered)" 2
is "by one new connection" "$(conns)" 2
for rule in close 'bye 421 4.4.2 idle too long' 'raw nonsense\r\n'; do
	serve "mail@2 $rule"
	work <<X
job $HOST:$PORT a@x $M - b@y
job $HOST:$PORT a@x $M - c@y
X
	is "dead at MAIL (${rule%% *}): replaced silently" "$(printf '%s\n' "$GOT" | grep -c outcome=delivered)" 2
	is "by one new connection" "$(conns)" 2
done
serve 'mail@2- close'
work <<X
job $HOST:$PORT a@x $M - b@y
job $HOST:$PORT a@x $M - c@y
X
is "once only" "$(conns) $(printf '%s\n' "$GOT" | grep -c 'outcome=deferred status=4.4.2')" "2 1"
serve 'dot@1 raw 250 ok\r\n250 out of turn\r\n'
work <<X
job $HOST:$PORT a@x $M - b@y
job $HOST:$PORT a@x $M - c@y
X
is "a reply out of turn is not taken for the answer to MAIL" "$(conns) $(printf '%s\n' "$GOT" | grep -c outcome=delivered)" "2 2"

# ---- ends ----
serve
work -k 1 <<X
job $HOST:$PORT a@x $M - b@y
wait $D/conn-1.log QUIT
job $HOST:$PORT a@x $M - c@y
X
is "QUIT after idle time, then a new connection" "$(conns) $(printf '%s\n' "$GOT" | grep -c outcome=delivered)" "2 2"
serve
work -k 0 <<X
job $HOST:$PORT a@x $M - b@y
wait $D/conn-1.log QUIT
X
like "-k 0 keeps none" "$GOT" "^exit 0"
serve
work <<X
job $HOST:$PORT a@x $M - b@y
job [$HOST]:$PORT a@x $M - c@y
X
is "another next hop: QUIT and another connection" "$(conns) $(grep -c '^< QUIT' "$D/conn-1.log")" "2 1"

# ---- faults ----
CLOSED=$(free_port)
work <<X
job $HOST:$CLOSED a@x $M - b@y c@y
X
is "no host: all deferred" "$(printf '%s\n' "$GOT" | grep -c 'outcome=deferred status=4.4.1')" 2
like "and host_down" "$GOT" '^done=1 host_down=1$'
serve 'mail 451 4.3.0 later'
work <<X
job $HOST:$PORT a@x $M - b@y
X
like "a host that answers is not down" "$GOT" '^done=1 host_down=0$'
serve
printf 'Subject: s\r\n\r\nbare\nlf\r\n' >"$T_DIR/bare"
work <<X
job $HOST:$PORT a@x $T_DIR/bare - b@y
short $HOST:$PORT a@x $M - c@y
job $HOST:$PORT a@x $M - d@y
X
like "a LF alone is never sent: deferred" "$GOT" '^rcpt=0 outcome=deferred status=4.6.0 .*CR or LF alone'
like "a file that is too short: deferred" "$GOT" '^rcpt=0 outcome=deferred status=4.3.0 .*cannot be read: shorter'
like "the next is sent" "$GOT" '^rcpt=0 outcome=delivered'
is "only that one arrived" "$(cd "$D" && ls *.eml | tr '\n' ' ')" "3.eml "
work <<X
raw nonsense
job $HOST:$PORT a@x $M - d@y
X
like "a packet that is no job is logged" "$GOT" '^mr-remote: fault event=job'
like "and the next is done" "$GOT" '^rcpt=0 outcome=delivered'
ok "a descriptor 0 that is no socket is a fault" sh -c 'mr-remote -w -N me.example </dev/null 2>&1 | grep fault'
done_testing

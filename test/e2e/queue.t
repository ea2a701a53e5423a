#!/bin/sh
# mr-queue: adding, listing and deleting; the scheduler with real workers and peers; what must hold
# when any of them is killed.
. "$(dirname "$0")/../lib.sh"
. "$T_ROOT/test/fakesmtp.sh"

S=$T_DIR/spool
LOG=$T_DIR/log
ROUTES=$T_DIR/routes
MR_SPOOL=$S
export MR_SPOOL
mkdir "$S"

# add SENDER RECIPIENT...: a small message; its id in $ID
add() {
	from=$1
	shift
	args=
	for r; do args="$args -r $r"; done
	ID=$(printf 'Subject: hello\n\nbody of a message\n' | mr-queue add -N me.example -f "$from" $args)
}
# run [OPTION...]: the scheduler; its pid in $RUN
run() {
	start "$LOG" mr-queue run -R "$ROUTES" -N me.example -b 1 "$@"
	RUN=$T_PID
	wait_for 60 grep -q event=running "$LOG" || sed 's/^/# /' "$LOG"
}
is_empty() { [ "$(find "$S/incoming" "$S/deferred" -type f | wc -l)" = 0 ]; }
logged() { grep -Eq -- "$1" "$LOG"; }
got() { ls "$D" | grep -c 'eml$'; }
has_got() { [ "$(got)" -ge "$1" ]; }
mail_for() { cat $(grep -l "RCPT TO:<$1>" "$D"/*.env 2>/dev/null | sed 's/env$/eml/') 2>/dev/null; }

# ---- adding, and all that needs no scheduler ----
strace -f -e trace=openat,fsync,linkat,write -o "$T_DIR/trace" \
	mr-queue add -f a@a.example -r b@b.example -r c@c.example </dev/null >"$T_DIR/id"
ID=$(cat "$T_DIR/id")
like "add prints the id" "$ID" '^[0-9a-z]{11}\.[0-9a-z]{8}$'
is "the file is synced, linked, then its folder is synced, then success is told" \
	"$(sed -n 's/^[0-9]* *//
		/fsync/s/(.*//p
		/^linkat/s/(.*//p
		/^write(1/s/(.*//p' "$T_DIR/trace" | tail -n 5 | tr '\n' ' ')" "fsync linkat fsync write write "
is "mode of the file" "$(stat -c %a "$S/incoming/$ID")" 640
is "mode of the folders" "$(stat -c %a "$S/incoming" "$S/deferred" | tr '\n' ' ')" "770 770 "
like "list shows sender" "$(mr-queue list)" "^$ID .* a@a.example"
like "list shows recipients" "$(mr-queue list)" "c@c.example +not tried yet"
is "json" "$(mr-queue list -j | python3 -c '
import json, sys
m = [json.loads(l) for l in sys.stdin]
print(len(m), m[0]["sender"], [r["recipient"] for r in m[0]["recipients"]])')" \
	"1 a@a.example ['b@b.example', 'c@c.example']"
like "show has the record" "$(mr-queue show "$ID")" '^recipient=c@c.example'
like "show has the header" "$(mr-queue show "$ID")" '^Received: by '
like "retry without a scheduler" "$(mr-queue retry "$ID")" '^1 message'
ok "check" mr-queue check
for verb in show retry delete; do
	exits "$verb: no such message" 100 mr-queue $verb 00000000000.00000000
	exits "$verb: no id at all" 100 mr-queue $verb ../../etc/passwd
	exits "$verb: nothing named" 111 mr-queue $verb
done
exits "no verb" 111 mr-queue
exits "unknown verb" 111 mr-queue nonsense
exits "unknown option" 111 mr-queue list --nonsense
exits "no such spool" 111 mr-queue list -Q "$T_DIR/none"
exits "no recipient" 111 mr-queue add -f a@a.example
exits "a wrong recipient" 111 mr-queue add -f a@a.example -r nonsense
printf 'bare\rCR\n' >"$T_DIR/cr"
is "bare CR is refused for good" \
	"$(mr-queue add -f a@a.example -r b@b.example <"$T_DIR/cr" >/dev/null 2>&1; echo $?)" 100
printf 'sender=\nrecipient=x@x.example\ndsn_notify=NEVER\n\n' >"$T_DIR/record"
ID2=$(echo hi | mr-queue add -E 3 3<"$T_DIR/record")
like "add with a record" "$(mr-queue show "$ID2")" '^dsn_notify=NEVER'
like "delete without a scheduler" "$(mr-queue delete "$ID2")" '^1 message'
exits "it is gone" 100 mr-queue show "$ID2"
mr-queue delete all >/dev/null
ok "delete all" is_empty

# ---- delivery ----
serve 'rcpt/b2@ 550 5.1.1 no such user' 'rcpt/later@ 451 4.2.1 come later'
printf '* %s:%s\nlocal.example local\n' "$HOST" "$PORT" >"$ROUTES"
add a@a.example b@b.example
run
ok "what was there before the start is delivered" wait_for 60 has_got 1
ok "and removed" wait_for 60 is_empty
like "with our Received on top" "$(head -n 1 "$D/1.eml")" '^Received: by me.example id '
like "its log line" "$(cat "$LOG")" \
	"event=delivered id=$ID sender=a@a.example rcpt=b@b.example host=.* status=2.0.0 reply=\"250 2.0.0 kept\" delay_s="
exits "a second scheduler" 111 mr-queue run -R "$ROUTES" -N me.example
is "only our own user may give commands" "$(stat -c %a "$S/control")" 600
strace -f -p "$RUN" -o "$T_DIR/trace" 2>/dev/null &
TRACE=$!
wait_for 60 test -s "$T_DIR/trace"
add a@a.example quick@b.example
ok "a new one wakes it" wait_for 60 logged 'event=delivered .*rcpt=quick@'
ok "it goes" wait_for 60 is_empty
kill $TRACE
wait $TRACE 2>/dev/null
is "a message delivered at once is read, handed over and removed; nothing is written or synced" \
	"$(grep -cE '^[0-9]+ +(fsync|fdatasync|rename|openat\(.*O_CREAT)' "$T_DIR/trace")" 0

# ---- one is deferred ----
add a@a.example b3@b.example later@c.example
ok "one delivered, one deferred" wait_for 60 logged 'event=deferred .*rcpt=later@'
is "the one got it" "$(grep -l 'RCPT TO:<b3@b.example>' "$D"/*.env | wc -l)" 1
serve 'rcpt/b2@ 550 5.1.1 no such user'
ok "and delivered at the second try" wait_for 60 logged 'event=delivered .*rcpt=later@'
ok "then it is gone" wait_for 60 is_empty
is "the other one not again" "$(cat "$D"/*.env)" "MAIL FROM:<a@a.example> SIZE=$(wc -c <"$D/1.eml")
RCPT TO:<later@c.example>"

add a@a.example late@local.example
ok "a local domain without a delivery" wait_for 60 logged "status=4.3.5"
wait_for 60 test -e "$S/deferred/$ID.log"
like "stays, and list says why" "$(mr-queue list)" 'late@local.example .*no delivery route'
like "so does show" "$(mr-queue show "$ID")" 'outcome=deferred status=4.3.5'
like "delete asks the scheduler" "$(mr-queue delete "$ID")" '^1 message'
ok "which removes it" is_empty
exits "and knows it no more" 100 mr-queue delete "$ID"

# ---- bounces ----
add bounce@a.example b2@b.example ok@b.example
ok "refused" wait_for 60 logged 'event=failed .*rcpt=b2@b.example .*status=5.1.1'
ok "the bounce arrives" wait_for 60 sh -c "grep -l 'RCPT TO:<bounce@a.example>' $D/*.env"
ok "all is done" wait_for 60 is_empty
mail_for bounce@a.example >"$T_DIR/dsn"
is "it is a report of RFC 3464" "$(python3 - "$T_DIR/dsn" <<'X'
import email, email.policy, sys
m = email.message_from_binary_file(open(sys.argv[1], 'rb'), policy=email.policy.default)
print(m.get_content_type(), m.get_param('report-type'), [str(d) for d in m.defects])
parts = list(m.iter_parts())
print([p.get_content_type() for p in parts])
of_message, of_rcpt = parts[1].get_payload()
print(of_message['Reporting-MTA'], '|', of_rcpt['Final-Recipient'], '|', of_rcpt['Action'], '|', of_rcpt['Status'])
print(of_rcpt['Diagnostic-Code'], '|', m['From'], '|', m['Auto-Submitted'])
print('Subject: hello' in parts[2].get_payload(), 'body of' in str(parts[2].get_payload()))
X
)" "multipart/report delivery-status []
['text/plain', 'message/delivery-status', 'text/rfc822-headers']
dns; me.example | rfc822; b2@b.example | failed | 5.1.1
smtp; 550 5.1.1 no such user | Mail Delivery System <MAILER-DAEMON@me.example> | auto-replied
True False"
like "from the null sender" "$(cat $(grep -l 'RCPT TO:<bounce@a' "$D"/*.env))" '^MAIL FROM:<>'
add '' b2@b.example
ok "a bounce that bounces is dropped with a line in the log" wait_for 60 logged 'event=double-bounce'
ok "and is gone" wait_for 60 is_empty
printf 'sender=quiet@a.example\nrecipient=b2@b.example\ndsn_notify=NEVER\n\n' >"$T_DIR/record"
echo hi | mr-queue add -E 3 3<"$T_DIR/record" >/dev/null
ok "NOTIFY=NEVER" wait_for 60 logged 'event=failed .*sender=quiet@'
ok "all is done" wait_for 60 is_empty
is "no bounce" "$(grep -l 'RCPT TO:<quiet@' "$D"/*.env)" ""
stop "$RUN"
is "it ends well" "$(grep -c 'event=running' "$LOG")" 1

# ---- expiry ----
serve 'rcpt/never@ 451 4.2.1 not \"today\"'
run -L 2
add sender@a.example never@b.example
ok "a message that is too old is given up" wait_for 60 logged 'event=bounced .*sender=sender@a.example'
ok "and told" wait_for 60 sh -c "grep -l 'RCPT TO:<sender@a.example>' $D/*.env"
like "with the last words of the remote" "$(mail_for sender@a.example)" '^Diagnostic-Code: .*451 4.2.1 not'
ok "all is done" wait_for 60 is_empty
stop "$RUN"

# ---- a terminal is safe from what strangers say ----
serve 'rcpt 451 4.2.1 \x1b[2J cleared'
printf 'sender=a@a.example\nhelo_name=\033[2J\nrecipient=b@b.example\n\n' >"$T_DIR/record"
ID=$(printf 'Subject: \033[2J\n\n' | mr-queue add -E 3 3<"$T_DIR/record")
run
ok "a remote with control characters" wait_for 60 logged 'event=deferred'
stop "$RUN"
is "list and show give none of them to a terminal" \
	"$( (mr-queue list; mr-queue show "$ID") | tr -d '\n\t -~' | wc -c)" 0
mr-queue delete all >/dev/null

# ---- an address literal ----
: >"$ROUTES"
add a@a.example 'lit@[127.0.0.1]'
run
ok "is no domain to look up" wait_for 60 logged 'event=deferred .*rcpt=lit@.127.0.0.1. .*127.0.0.1.*:25'
stop "$RUN"
mr-queue delete all >/dev/null

# ---- a next hop that is down ----
DOWN=$(free_port)
printf 'down.example 127.0.0.1:%s\n* %s:%s\n' "$DOWN" "$HOST" "$PORT" >"$ROUTES"
serve
run -b 2
add a@a.example one@down.example
ok "down" wait_for 60 logged 'event=deferred .*rcpt=one@'
add a@a.example two@down.example three@up.example
ok "others go on meanwhile" wait_for 60 logged 'event=delivered .*rcpt=three@up.example'
sink_user=
[ "$(id -u)" != 0 ] || sink_user="-u root" # it asks for that
start "$T_DIR/sink.log" smtp-sink $sink_user -d "$T_DIR/sink.%M." "127.0.0.1:$DOWN" 100
wait_port "$DOWN"
ok "retry all" mr-queue retry all
ok "up again: both arrive" wait_for 90 sh -c "[ \$(cat '$LOG' | grep -cE 'event=delivered .*rcpt=(one|two)@') = 2 ]"
ok "all is done" wait_for 60 is_empty

# ---- routes that are replaced while it runs ----
printf 'down.example 127.0.0.1:1\n* 127.0.0.1:%s\n' "$DOWN" >"$ROUTES.new"
mv "$ROUTES.new" "$ROUTES"
ok "are seen" wait_for 60 logged 'event=reload result=new'
add a@a.example rerouted@other.example
ok "are used" wait_for 60 logged "rcpt=rerouted@other.example host=.*:$DOWN"
echo 'b.example host:port:nonsense' >"$ROUTES.new"
mv "$ROUTES.new" "$ROUTES"
ok "bad ones are told" wait_for 60 logged 'fault event=reload result=old-stays'
add a@a.example still@other.example
ok "and not used: the old ones stay" wait_for 60 logged "event=delivered .*rcpt=still@other.example"
ok "all is done" wait_for 60 is_empty
stop "$RUN"
printf '* %s:%s\n' "$HOST" "$PORT" >"$ROUTES"

# ---- damage ----
add a@a.example b@b.example
BAD=$ID
printf 'X' | dd of="$S/incoming/$BAD" bs=1 seek=80 conv=notrunc 2>/dev/null
exits "check finds it" 100 mr-queue check
ln -s /etc/passwd "$S/incoming/0000000000a.00000000"
serve
run
add a@a.example good@b.example
ok "others go on" wait_for 60 logged 'event=delivered .*rcpt=good@'
ok "a damaged file is put aside" wait_for 60 test -e "$S/damaged/$BAD"
ok "so is a link" wait_for 60 test -L "$S/damaged/0000000000a.00000000"
is "with one line each" "$(grep -c 'fault .*damaged' "$LOG")" 2
stop "$RUN"

# ---- killing ----
serve 'dot@1 hang' 'dot@3 hang'
add a@a.example killed@b.example
run -w 2
ok "a delivery that hangs" wait_for 60 test -s "$D/conn-1.log"
wait_for 60 grep -q 'body of a message' "$D/conn-1.in"
kill -9 "$(pgrep -P "$RUN" | head -n 1)"
ok "its worker is killed: deferred" wait_for 60 logged 'event=deferred .*rcpt=killed@'
ok "delivered by the next" wait_for 60 logged 'event=delivered .*rcpt=killed@'
ok "nothing is left" wait_for 60 is_empty
add a@a.example hangs@b.example
wait_for 60 sh -c "grep -l 'RCPT TO:<hangs@' $D/*.in"
WORKERS=$(pgrep -P "$RUN")
kill -STOP $WORKERS
BEFORE=$(date +%s)
kill "$RUN"
wait "$RUN"
is "told to stop, with a worker that never answers: it ends" "$?" 0
ok "soon" test $(($(date +%s) - BEFORE)) -le 15
T_PIDS=$(echo "$T_PIDS" | sed "s/\\b$RUN\\b//")
ok "and the message stays" test -e "$S/incoming/$ID" -o -e "$S/deferred/$ID"
kill -KILL $WORKERS 2>/dev/null
mr-queue delete all >/dev/null

# ---- a crowd before a slow next hop: more than are open at once ----
serve 'dot hang'
printf 'slow.example %s:%s\n* 127.0.0.1:%s\n' "$HOST" "$PORT" "$DOWN" >"$ROUTES"
i=0
while [ $i -lt 520 ]; do
	i=$((i + 1))
	mr-queue add -f a@a.example -r b@slow.example </dev/null >/dev/null
done
run -c 3
wait_for 60 sh -c "[ \$(ls '$D' | grep -c 'conn-.*in') = 3 ]"
add a@a.example b@quick.example
ok "others pass by" wait_for 60 logged 'event=delivered .*rcpt=b@quick.example'
like "delete all, those before the door, too" "$(mr-queue delete all)" '^520 messages deleted'
stop "$RUN"
mr-queue delete all >/dev/null # what was being delivered

# 60 messages to two recipients each; the scheduler is killed again and again.
printf '* 127.0.0.1:%s\n' "$DOWN" >"$ROUTES"
rm -f "$T_DIR"/sink.*.*
i=0
while [ $i -lt 60 ]; do
	i=$((i + 1))
	printf 'X-N: n%03d.\n\nx\n' $i | mr-queue add -f a@a.example -r "r$i@b.example" -r "s$i@c.example" >/dev/null
done
for n in 1 2 3 4 5 6; do
	mr-queue run -R "$ROUTES" -N me.example -b 1 -w 4 >>"$LOG" 2>&1 </dev/null &
	RUN=$!
	sleep "0.0$((n * 15))"
	kill -9 $RUN
	wait $RUN 2>/dev/null
done
run -w 4
ok "killed again and again, it ends all the same" wait_for 90 is_empty
stop "$RUN"
is "no message is lost" "$(cat "$T_DIR"/sink.* | grep -o 'X-N: n[0-9]*' | sort -u | wc -l)" 60
done_testing

#!/bin/sh
# What goes wrong under the whole relay: processes that are killed, a spool that is full or read-only.
# Nothing acknowledged is lost, nothing is cut or mixed, and all goes on without a restart.
. "$(dirname "$0")/../lib.sh"
. "$T_ROOT/test/fakesmtp.sh"
cd "$T_DIR" || exit 1

# ---- kill -9, of every process, over hundreds of messages ----
serve
printf 'a.example %s:%s\nb.example %s:%s\n' "$HOST" "$PORT" "$HOST" "$PORT" >routes
mkdir chaos
"$T_ROOT/test/chaos" --dir chaos --sink "$D" --routes routes --seed 1 --messages 400 --kills 100 >chaos/out 2>&1
sed 's/^/# /' chaos/out
is "killed again and again: all messages are taken in the end" "$(sed -n 's/^sent //p' chaos/out)" 400
for what in listener child scheduler worker; do
	like "... kills met: $what" "$(cat chaos/out)" "^kills .*$what=[1-9]"
done
is "nothing that was acknowledged is lost" "$(grep -c ^lost chaos/out)" 0
is "nothing is cut or mixed" "$(grep -c ^changed chaos/out)" 0
is "nothing is left" "$(grep -c ^left chaos/out)" 0
ok "no more copies than kills explain" awk '$1 == "copies" { ok = $2 <= $4 } END { exit !ok }' chaos/out
ok "the spool is whole" mr-queue -Q chaos/spool check

# The same without kills: no copy at all, so that the count above means something.
serve
mkdir peace
"$T_ROOT/test/chaos" --dir peace --sink "$D" --routes routes --seed 2 --messages 100 --kills 0 >peace/out 2>&1
is "without kills: each once, byte for byte" "$(cat peace/out)" "kills listener=0 child=0 scheduler=0 worker=0
copies 0 allowed 0
sent 100"
# And one that an operator deletes is noticed.
serve 'dot 451 4.3.0 later'
mkdir theft
"$T_ROOT/test/chaos" --dir theft --sink "$D" --routes routes --seed 3 --messages 3 --kills 0 >theft/out 2>&1 &
CHAOS=$!
wait_for 60 sh -c '[ "$(grep -c event=deferred theft/queue.log)" -ge 3 ]'
mr-queue -Q theft/spool delete "$(mr-queue -Q theft/spool list | awk 'NR == 2 { print $1 }')" >/dev/null
rm -f "$D"/*.eml
serve
wait $CHAOS
like "a message that somebody deletes counts as lost" "$(cat theft/out)" '^lost '

# ---- a small disk of its own, in a mount namespace ----
userns=
[ "$(id -u)" = 0 ] || userns=-rU
mkdir disk
start hold.log unshare $userns -m sh -c "mount -t tmpfs -o size=512k,nr_inodes=80 mr-test disk && echo ready && exec sleep 3600"
HOLD=$T_PID
is_mounted() { grep -q ready hold.log || ! kill -0 "$HOLD"; }
wait_for 60 is_mounted
if ! grep -q ready hold.log; then
	echo "# no mount namespace here: the tests of a full disk are left out"
	done_testing
fi
DISK=/proc/$HOLD/root$T_DIR/disk
S=$DISK/spool
# writable ro|rw: who is not root takes the right to write away from the folders instead
writable() {
	if [ -z "$userns" ]; then
		nsenter -t "$HOLD" -m mount -o "remount,$1" "$T_DIR/disk"
	elif [ "$1" = ro ]; then
		chmod a-w "$S/incoming" "$S/deferred"
	else
		chmod ug+w "$S/incoming" "$S/deferred"
	fi
}
fill() { ! cat /dev/zero 2>/dev/null >"$DISK/filler"; }
# send WHO: one message of some kilobytes to WHO@a.example; its last replies in $OUT
send() {
	OUT=$(swaks --server 127.0.0.1 --port "$PORT_IN" --helo c.example --from s@s.example --to "$1@a.example" \
		--body "$(seq 1000)" 2>&1 | grep '^<')
}
logged() { grep -Eq -- "$1" "$LOG"; }
was_delivered() { logged "event=delivered .*rcpt=$1@a.example"; }
is_empty() { [ "$(find "$S/incoming" "$S/deferred" -type f | wc -l)" = 0 ]; }

LOG=$T_DIR/disk.log
serve 'rcpt/later 451 4.2.1 come later'
mkdir "$S"
start smtpd.log mr-smtpd -L 127.0.0.1:0 -N mx.example -R routes -Q "$S"
wait_for 60 grep -q event=listening smtpd.log
PORT_IN=$(sed -n 's/.*event=listening.* port=\([0-9]*\).*/\1/p' smtpd.log)
start "$LOG" mr-queue run -R routes -N mx.example -Q "$S" -b 1 -w 2
RUN=$T_PID
wait_for 60 logged event=running
send before
like "room enough" "$OUT" '250 2.0.0 Ok: queued'
ok "delivered" wait_for 60 was_delivered before

# No room when the first fault of a next hop is to be written down.
kill -STOP "$RUN"
send later
fill
kill -CONT "$RUN"
send full
like "a full disk is a temporary fault" "$OUT" '452 4.3.1 Cannot store the message now'
is "whose reason is logged" "$(grep -c 'fault event=spool .*No space left' smtpd.log)" 1
ok "a waiting message is tried all the same" wait_for 60 logged 'event=deferred .*rcpt=later@'
ok "what cannot be written about it is a fault, and kept" wait_for 60 logged 'fault .*in memory.*No space left'
rm "$DISK/filler"
send again
like "with room again, no restart, it is taken" "$OUT" '250 2.0.0 Ok: queued'
ok "and delivered" wait_for 60 was_delivered again
has_log() { grep -q 'outcome=deferred' "$S"/deferred/*.log; }
ok "what was kept is written" wait_for 60 has_log

# No inode for another file.
i=0
while touch "$DISK/inode.$i" 2>/dev/null; do i=$((i + 1)); done
send inode
like "no inode left is a temporary fault" "$OUT" '45[12] 4.3.1'
rm -f "$DISK"/inode.*
send inode
like "and over" "$OUT" '250 2.0.0 Ok: queued'
ok "and delivered" wait_for 60 was_delivered inode

# A spool that nobody may write to: the kernel makes a disk so that has errors.
kill -STOP "$RUN"
send slow
ok "no file of the spool is held open for writing" writable ro
kill -CONT "$RUN"
send readonly
like "a read-only spool is a temporary fault" "$OUT" '45[12] 4.3.[015]'
ok "what waits is delivered" wait_for 60 was_delivered slow
ok "that it cannot be removed is told" wait_for 60 logged 'fault .*(Read-only|Permission)'
writable rw
send writable
like "writable again, no restart" "$OUT" '250 2.0.0 Ok: queued'
ok "and delivered" wait_for 60 was_delivered writable
serve
ok "retry" mr-queue -Q "$S" retry all
ok "all is done" wait_for 90 is_empty
is "each was delivered once" "$(grep -o 'event=delivered .*rcpt=[a-z]*' "$LOG" | sed 's/.*=//' | sort | uniq -d)" ""
done_testing

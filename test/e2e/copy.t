#!/bin/sh
# mr-copy: by hand, records on standard input, tables that are wrong; in a relay a copy arrives once, and one that
# fails is nobody's trouble.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
printf 'ours.example archive@ours.example\nboss@ours.example audit@else.example archive@Ours.example\n.below.example b@ours.example\n' >copies
mr-table copies copies.cdb || exit 1

# hand ARGS WANT
hand() { is "mr-copy $1" "$(mr-copy $1 2>/dev/null; echo $?)" "$2"; }
for table in copies copies.cdb; do
	hand "-r BOB@ours.example $table" 'copy to archive@ours.example
0'
done
hand '-r boss@ours.example copies' 'copy to audit@else.example
copy to archive@ours.example
0'
hand '-r x@a.below.example copies' 'copy to b@ours.example
0'
hand '-r x@far.example copies' 'no copy
0'
hand '-r archive@ours.example copies' 'no copy
0'
hand '-f archive@ours.example -r bob@ours.example copies' 'no copy
0'
hand '-o -f boss@ours.example -r x@far.example copies' 'copy to audit@else.example
copy to archive@ours.example
0'
hand '-o -f x@far.example -r bob@ours.example copies' 'no copy
0'
printf '* all@ours.example\n' >all
hand '-r x@far.example all' 'copy to all@ours.example
0'
is "the null sender has no copies with -o" "$(printf 'sender=\nrecipient=x@far.example\n\n' | mr-copy -o all)" 'sender=
recipient=x@far.example'
is "each copy once, and what belongs to a recipient stays" \
	"$(printf 'sender=a@b.example\nrecipient=bob@ours.example\ndsn_notify=FAILURE\nrecipient=boss@ours.example\n\n' | mr-copy copies)" \
	'sender=a@b.example
recipient=bob@ours.example
dsn_notify=FAILURE
recipient=boss@ours.example
recipient=archive@ours.example
dsn_notify=NEVER
recipient=audit@else.example
dsn_notify=NEVER'

# ---- what is wrong ----
exits "no table" 111 mr-copy
printf 'ours.example nonsense\n' >bad
like "no address" "$(mr-copy -r a@b.example bad 2>&1)" '^mr-copy: bad: ours.example: nonsense: '
printf 'ours.example\n' >bad
like "nothing behind the key" "$(mr-copy -r a@b.example bad 2>&1)" '^mr-copy: bad: ours.example: need the address of the copy'
echo 'rcpt copy - mr-copy copies' >spec
like "a stage without edit" "$(mr-pipe -t spec 2>&1)" "spec:1: stage 'copy': mr-copy edits recipients"

# ---- in the relay ----
. "$T_ROOT/test/fakesmtp.sh"
serve 'rcpt/archive 550 5.1.1 no such box'
printf 'ours.example 127.0.0.1:%s\n' "$PORT" >routes
printf 'permit 127.0.0.0/8\n' >trusted
cat >spec <<'X'
rcpt  in   edit,unless=trusted  mr-copy copies
rcpt  out  edit,only=trusted    mr-copy -o copies
X
mkdir spool
start queue.log mr-queue run -Q spool -R routes -N mx.example
start smtpd.log mr-smtpd -L 127.0.0.1:0 -Q spool -R routes -N mx.example spec
wait_for 60 grep -q event=listening smtpd.log
SMTP=$(sed -n 's/.*event=listening.* port=\([0-9]*\).*/\1/p' smtpd.log)
ok "two recipients" swaks --server "127.0.0.1:$SMTP" --from a@client.example --to ann@ours.example,bob@ours.example -S 2
rcpts() { cat "$D"/*.in 2>/dev/null | tr -d '\r' | sed -n 's/^RCPT TO:<\([^>]*\)>.*/\1/p' | sort | tr '\n' ' '; }
is_all() { [ "$(rcpts)" = 'ann@ours.example archive@ours.example bob@ours.example ' ]; }
ok "and their copy, once" wait_for 60 is_all
ok "is refused by its host" wait_for 60 grep -q 'event=failed .*rcpt=archive@ours.example' queue.log
ok "the others are delivered" wait_for 60 grep -q 'event=delivered .*rcpt=bob@ours.example' queue.log
is_empty() { [ "$(find spool/incoming spool/deferred -type f | wc -l)" = 0 ]; }
ok "the queue is empty" wait_for 60 is_empty
is "and nobody is told" "$(grep -c event=bounced queue.log)" 0
done_testing

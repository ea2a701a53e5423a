#!/bin/sh
# Beside a real Postfix: mr-greylist -l and mr-limit -l as its policy services, under spawn(8) and under tcpserver, on
# one store; and a Postfix queue that tries again until it passes.
. "$(dirname "$0")/../lib.sh"
. "$T_ROOT/test/postfix.sh"
command -v tcpserver >/dev/null || skip_all 'no tcpserver'
take mr-greylist mr-limit
echo 'spf.example TXT "v=spf1 ip4:127.0.0.1 -all"' >zone
echo 'sam@a.example 3/1h' >rates
chmod 644 zone rates
mkdir state
chown nobody state
S=lmdb:$T_DIR/state
grey="$T_DIR/bin/mr-greylist -l -N mx.example -D file:$T_DIR/zone -S $S -a 0 -d 2"
limit="$T_DIR/bin/mr-limit -l -S $S -k sender $T_DIR/rates"
other=$(free_port)
out=$(free_port)
tcp_grey=$(free_port)
tcp_limit=$(free_port)
as="-u $(id -u nobody) -g $(id -g nobody)"
start grey.log tcpserver -HRl0 $as 127.0.0.1 "$tcp_grey" $grey
start limit.log tcpserver -HRl0 $as 127.0.0.1 "$tcp_limit" $limit
wait_port "$tcp_grey" && wait_port "$tcp_limit"
# With a back-off of a second the queue manager may want to try again before the client has let go of the message;
# it logs "skipped, still being delivered" and then leaves it alone.
# The server at $out takes what is to be sent, and its queue delivers to the one at $port.
start_postfix X-Greylist "smtpd_recipient_restrictions = reject_unauth_destination,
  check_policy_service unix:private/limit, check_policy_service unix:private/grey
smtpd_data_restrictions = check_policy_service unix:private/grey
limit_time_limit = 3600
grey_time_limit = 3600
queue_run_delay = 1s
minimal_backoff_time = 3s
maximal_backoff_time = 3s" \
	"127.0.0.1:$port inet n - n - - smtpd
127.0.0.1:$other inet n - n - - smtpd
  -o smtpd_recipient_restrictions=reject_unauth_destination,check_policy_service,inet:127.0.0.1:$tcp_limit,check_policy_service,inet:127.0.0.1:$tcp_grey
127.0.0.1:$out inet n - n - - smtpd
  -o smtpd_recipient_restrictions=reject_unauth_destination
  -o smtpd_data_restrictions=
  -o content_filter=next:[127.0.0.1]:$port
next unix - - n - - smtp
limit unix - n n - 0 spawn user=nobody argv=$limit
grey unix - n n - 0 spawn user=nobody argv=$grey"

# mail PORT SENDER RECIPIENT: swaks' transcript
mail() {
	swaks --server 127.0.0.1 --port "$1" --helo h.example --from "$2" --to "$3" --body body 2>&1
}
taken='^<-  250 2\.0\.0 Ok: queued as'
like 'the queue takes a message' "$(mail "$out" bob@a.example ann@ours.example)" "$taken"
ok 'it is delayed' wait_for 120 grep -q 'to=<ann@ours.example>.*status=deferred.*Greylisted; try again in' postfix.log
ok 'and tried again until it passes' wait_for 120 grep -q 'postfix/smtp\[.*to=<ann@ours.example>.*status=sent' postfix.log
like 'with the field' "$(grep X-Greylist postfix.log)" 'header X-Greylist: delayed [0-9]+ seconds by mr-greylist at mx\.example'
like 'then it is known' "$(mail "$port" bob@a.example ann@ours.example)" "$taken"
like 'under tcpserver, too' "$(mail "$other" bob@a.example ann@ours.example)" "$taken"

like 'under tcpserver: new' "$(mail "$other" eve@spf.example ann@ours.example)" \
	'^<\*\* 450 4\.7\.1 <ann@ours\.example>: Recipient address rejected: Greylisted; try again in 2 seconds'
passes() {
	mail "$port" eve@spf.example ann@ours.example | grep -q "$taken"
}
ok 'it passes under spawn' wait_for 120 passes
like 'by the domain that SPF vouches for' "$(mr-state -S "$S" list -p 'g1 spf.example ')" 'eve@spf\.example ann@ours\.example	[0-9]+ passed'

like 'a bounce is not delayed at RCPT' "$(mail "$port" '<>' ann@ours.example | grep -A1 'RCPT TO')" '250 2\.1\.5 Ok'
like 'but at DATA' "$(mail "$port" '<>' bea@ours.example | grep -A1 '^ -> DATA')" 'Greylisted; try again'

# Four recipients are over three an hour of a sender, whoever counts.
over='^<\*\* 450 4\.7\.1 .*Too many times of sam@a\.example; try again in'
for p in "$port" "$other" "$port"; do
	like 'a rate' "$(mail "$p" sam@a.example "p$p@ours.example")" 'Greylisted'
done
like 'is full under spawn' "$(mail "$port" sam@a.example q@ours.example)" "$over"
like 'and under tcpserver' "$(mail "$other" sam@a.example q@ours.example)" "$over"
done_testing

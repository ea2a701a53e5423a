#!/bin/sh
# examples/postfix under a real Postfix: a filter by its spawn(8), and a whole spec by mr-pipe -l under tcpserver.
. "$(dirname "$0")/../lib.sh"
command -v tcpserver >/dev/null || skip_all 'no tcpserver'
. "$T_ROOT/test/postfix.sh"
take mr-dnsbl mr-pipe
mkdir mr
cp "$T_ROOT"/examples/postfix/* mr
is 'its spec has no error' "$(cd mr && mr-pipe -t spec)" 'spec: 3 stages, no error'
cat >zone <<'X'
2.0.0.127.zen.example.net.  A    127.0.0.2
9.0.0.127.zen.example.net.  A    127.0.0.4
strict.example.             TXT  "v=spf1 -all"
X
policy_port=$(free_port)
# example FILE: it without comments, with our folders, ports and answers
example() {
	sed -e '/^#/d' -e "s#/usr/local/bin#$T_DIR/bin#; s#/etc/mr#$T_DIR/mr#; s#10040#$policy_port#" \
		-e "s#mr-dnsbl -l#& -D file:$T_DIR/zone#; s#mr-pipe -l#& -D file:$T_DIR/zone -N mx.example#" \
		-e 's#mydomain.com#ours.example#' "mr/$1"
}
example routes >routes && mv routes mr
example policy-service >policy-service
PATH=$T_DIR/bin:$PATH
start service.log sh policy-service
wait_port "$policy_port"
start_postfix Authentication-Results "$(example main.cf)" "127.0.0.1:$port inet n - n - - smtpd
$(example master.cf)"

# mail CLIENT HELO SENDER: swaks' transcript
mail() {
	swaks --server 127.0.0.1 --port "$port" --local-interface "$1" --helo "$2" --from "$3" --to one@ours.example --body body 2>&1
}
like 'accepted' "$(mail 127.0.0.5 h.example a@client.example)" '^<-  250 2\.0\.0 Ok: queued as'
like 'spawn(8): a listed client' "$(mail 127.0.0.9 h.example a@client.example)" '^<\*\* 554 5\.7\.1 .*127\.0\.0\.9 is listed by zen\.example\.net'
like 'tcpserver: a forbidden sender' "$(mail 127.0.0.5 h.example a@spam.example)" '^<\*\* 554 5\.7\.1 .*Sender is forbidden here'
like 'a permitted one' "$(mail 127.0.0.5 h.example billing@spam.example)" '^<-  250 2\.0\.0 Ok: queued as'
like 'a sender that SPF does not let' "$(mail 127.0.0.5 h.example a@strict.example)" '^<\*\* 5[0-9][0-9] 5\.7\.[0-9]* .*SPF'
like 'Postfix decides who may relay' "$(swaks --server 127.0.0.1 --port "$port" --from a@client.example --to x@far.example 2>&1)" \
	'^<\*\* 554 5\.7\.1 .*Relay access denied'
ok 'Postfix puts the results in front' wait_for 60 grep -q 'info: header Authentication-Results: mx.example;.*spf=' postfix.log
ok 'Postfix has no complaint about us' sh -c '! grep -E "warning|fatal|panic" postfix.log'
done_testing

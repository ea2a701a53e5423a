#!/bin/sh
# Beside a real Postfix: mr-dnsbl -l and mr-helo -l as its policy services, their replies as swaks sees them.
. "$(dirname "$0")/../lib.sh"
. "$T_ROOT/test/postfix.sh"
take mr-dnsbl mr-helo
cat >zone <<-'EOT'
	2.0.0.127.zen.example A 127.0.0.2
	9.0.0.127.zen.example A 127.0.0.4
	9.0.0.127.zen.example TXT "open proxy"
	9.0.0.127.parked.example A 203.0.113.9
	8.0.0.127.parked.example A 203.0.113.9
	test.dbl.example A 127.0.1.2
	bad.example.dbl.example A 127.0.1.2
	bad.example.dbl.example TXT "bad name"
	h.example A 127.0.0.8
	down.example ! servfail
EOT
chmod 644 zone
start_postfix X-None "smtpd_recipient_restrictions = reject_unauth_destination,
  check_policy_service unix:private/dnsbl, check_policy_service unix:private/helo
dnsbl_time_limit = 3600
helo_time_limit = 3600" \
	"127.0.0.1:$port inet n - n - - smtpd
dnsbl unix - n n - 0 spawn user=nobody argv=$T_DIR/bin/mr-dnsbl -l -D file:$T_DIR/zone -d dbl.example zen.example parked.example
helo unix - n n - 0 spawn user=nobody argv=$T_DIR/bin/mr-helo -l -s 2 -N mx.example -D file:$T_DIR/zone"

# mail CLIENT HELO SENDER: swaks' transcript
mail() {
	swaks --server 127.0.0.1 --port "$port" --local-interface "$1" --helo "$2" --from "$3" \
		--to one@ours.example --body body 2>&1 </dev/null
}
like 'nobody lists the client' "$(mail 127.0.0.8 h.example a@good.example)" '^<-  250 2\.0\.0 Ok: queued as'
like 'a list does, in its words' "$(mail 127.0.0.9 h.example a@good.example)" \
	'^<\*\* 554 5\.7\.1 <one@ours\.example>: Recipient address rejected: 127\.0\.0\.9 is listed by zen\.example: open proxy'
like 'the name of the sender is listed' "$(mail 127.0.0.8 h.example a@bad.example)" \
	'rejected: bad\.example is listed by dbl\.example: bad name'
like 'the null sender' "$(mail 127.0.0.8 h.example '<>')" '^<-  250 2\.0\.0 Ok: queued as'
like 'an unknown name in HELO' "$(mail 127.0.0.8 no.example a@good.example)" \
	'^<\*\* 554 5\.7\.1 <one@ours\.example>: Recipient address rejected: HELO no\.example: the DNS has neither'
like 'an address of somebody else' "$(mail 127.0.0.8 '[192.0.2.1]' a@good.example)" \
	'rejected: HELO \[192\.0\.2\.1\]: that is not your address'
like 'its own' "$(mail 127.0.0.8 '[127.0.0.8]' a@good.example)" '^<-  250 2\.0\.0 Ok: queued as'
like 'an outage' "$(mail 127.0.0.8 down.example a@good.example)" \
	'^<\*\* 450 4\.4\.3 <one@ours\.example>: Recipient address rejected: HELO down\.example: the DNS does not answer'
ok 'delivered' wait_for 60 sh -c '[ $(grep -c "status=sent" postfix.log) -ge 3 ]'
ok 'Postfix has no complaint about us' sh -c '! grep -E "warning|fatal|panic" postfix.log'
done_testing

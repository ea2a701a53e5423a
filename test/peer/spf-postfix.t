#!/bin/sh
# Beside a real Postfix: mr-spf -l as its policy service.
. "$(dirname "$0")/../lib.sh"
. "$T_ROOT/test/postfix.sh"
take mr-spf
cat >zone <<-'EOT'
	good.example TXT "v=spf1 ip4:127.0.0.1 -all"
	bad.example TXT "v=spf1 ip4:192.0.2.1 -all exp=why.example"
	why.example TXT "%{c} is none of ours"
	away.example ! servfail
EOT
chmod 644 zone
start_postfix Received-SPF "smtpd_recipient_restrictions = reject_unauth_destination,
  check_policy_service unix:private/spf
spf_time_limit = 3600" \
	"127.0.0.1:$port inet n - n - - smtpd
spf unix - n n - 0 spawn user=nobody argv=$T_DIR/bin/mr-spf -l -N mx.example -D file:$T_DIR/zone"

# mail SENDER RECIPIENT: swaks' transcript
mail() {
	swaks --server 127.0.0.1 --port "$port" --helo h.example --from "$1" --to "$2" --body body 2>&1
}
like 'pass' "$(mail a@good.example one@ours.example,two@ours.example,three@ours.example)" \
	'^<-  250 2\.0\.0 Ok: queued as'
like 'fail, with the domain'\''s words' "$(mail a@bad.example one@ours.example)" \
	'^<\*\* 554 5\.7\.23 <one@ours\.example>: Recipient address rejected: SPF fail: 127\.0\.0\.1 may not send mail for bad\.example; the domain bad\.example explains: 127\.0\.0\.1 is none of ours'
like 'temperror' "$(mail a@away.example one@ours.example)" \
	'^<\*\* 450 4\.7\.24 <one@ours\.example>: Recipient address rejected: SPF temperror: TXT of away\.example: server failure'
like 'none' "$(mail a@none.example one@ours.example)" '^<-  250 2\.0\.0 Ok: queued as'
like 'the null sender' "$(mail '<>' one@ours.example)" '^<-  250 2\.0\.0 Ok: queued as'
ok 'delivered' wait_for 60 sh -c '[ $(grep -c "status=sent" postfix.log) -ge 5 ]'
is 'one Received-SPF a message, also with three recipients' \
	"$(sed -n 's/.* info: header Received-SPF: \([a-z]*\).*identity=\([a-z]*\);.*/\1 \2/p' postfix.log)" \
	'pass mailfrom
none mailfrom
none helo'
like 'and what it says' "$(cat postfix.log)" \
	'header Received-SPF: pass.client-ip=127\.0\.0\.1;.envelope-from="a@good\.example";.helo=h\.example;.identity=mailfrom;.receiver=mx\.example;.mechanism=ip4:127\.0\.0\.1 from '
ok 'Postfix has no complaint about us' sh -c '! grep -E "warning|fatal|panic" postfix.log'
done_testing

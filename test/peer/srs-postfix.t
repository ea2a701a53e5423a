#!/bin/sh
# Forwarded to a real Postfix, which takes the mail and then bounces it: the bounce comes back to us and goes on to the
# one who wrote, as it does where SRS's local part has far more than 64 octets.
. "$(dirname "$0")/../lib.sh"
. "$T_ROOT/test/postfix.sh"
. "$T_ROOT/test/fakesmtp.sh"
serve 'rcpt/eve@ 550 5.1.1 nobody of this name'
smtp=$(free_port)
echo 'a key of ours, which is long' >keys
chmod 640 keys
# Postfix is the smarthost: provider.example, whose host refuses it, and client.example are both strangers' to us.
printf 'fwd.example 127.0.0.1:1\n* 127.0.0.1:%s\n' "$port" >routes
echo 'eve  eve@provider.example' >aliases
printf 'rcpt srs   edit mr-srs -k keys fwd.example\nrcpt alias edit mr-alias -R routes aliases\n' >spec
start_postfix Auto-Submitted "relay_domains = provider.example client.example
transport_maps = inline:{ { provider.example = smtp:[$HOST]:$PORT } }
relayhost = [127.0.0.1]:$smtp
smtp_host_lookup = native" \
	"127.0.0.1:$port inet n - n - - smtpd
smtp unix - - n - - smtp"
mkdir spool
start queue.log mr-queue run -Q spool -R routes -N mx.fwd.example -k keys -d fwd.example
start smtpd.log mr-smtpd -L "127.0.0.1:$smtp" -Q spool -R routes -N mx.fwd.example spec
wait_port "$smtp"
LONG=$(printf '%0100d' 7)
for who in ann "$LONG" 'o=x+y'; do
	ok 'a message to an alias' swaks --server 127.0.0.1 --port "$smtp" --from "$who@client.example" --to eve@fwd.example
	srs="SRS0=[^ >]*=client.example=$(echo "$who" | sed 's/+/[+]/')@fwd.example"
	ok 'Postfix has it from an address of ours' wait_for 120 grep -q "postfix/qmgr\[.*from=<$srs>" postfix.log
	ok 'sends its bounce there' wait_for 120 grep -q "postfix/smtp\[.*to=<$srs>, .*status=sent" postfix.log
	ok 'and we send it on to the one who wrote' wait_for 120 grep -q "postfix/discard\[.*to=<$who@client.example>, .*status=sent" postfix.log
done
id=$(sed -n 's/.*postfix\/discard\[[0-9]*\]: \([0-9A-F]*\): to=<ann@client.example>.*/\1/p' postfix.log)
like 'with no sender' "$(grep "qmgr.* $id:" postfix.log)" 'from=<>, '
like 'as the bounce that it is' "$(grep "cleanup.* $id:" postfix.log)" 'Auto-Submitted: auto-replied'
done_testing

#!/bin/sh
# examples/gateway: its cases, and the whole of it in a relay: a DNS world (nsd, rbldnsd, unbound), SpamAssassin,
# a LAN server, clients from any address.
. "$(dirname "$0")/../lib.sh"
for program in spamd spamc smtp-sink swaks nsd unbound rbldnsd; do
	command -v $program >/dev/null || skip_all "no $program"
done
python_with dkim
# In the DNS world, as the one that serves it.
if [ -z "${MR_DNS_PORT:-}" ]; then
	rm -rf "$T_DIR/made"
	mkdir "$T_DIR/made"
	"$T_ROOT/examples/gateway/world" "$T_DIR/made" || exit 1
	for try in 1 2 3; do # the ports may have been taken meanwhile
		"$T_ROOT/test/dns/serve" -w "$T_DIR/made" -p "$(free_port)" run "$0" && exit 0
		[ -s "$T_DIR/made/begun" ] && exit 1
	done
	exit 1
fi
echo yes >"$MR_DNS_WORLD/begun"
cd "$T_DIR" || exit 1
cp -R "$T_ROOT"/examples/gateway/* .

# ---- its cases ----
like 'setup makes the keys and says what to publish' "$(./setup 2>&1)" '^2026a._domainkey.mydomain.com. 3600 IN TXT \( "v=DKIM1'
is 'again: what is there stays' "$(cat 2026a.key srs-keys | cksum; ./setup >/dev/null)" "$(cat 2026a.key srs-keys | cksum)"
is 'the spec has no error and no warning' "$(mr-pipe -t pipeline)" 'pipeline: 19 stages, no error'
is 'its cases are as expected' "$(mr-pipe -c cases -D file:cases/dns -N mx.mydomain.com -R routes pipeline 2>/dev/null |
	grep -v '^ok ')" "$(ls cases/*.case | wc -l) cases, 0 wrong"
ok 'and touched no store' test ! -e state

# ---- in a relay ----
lan=$(free_port)
mkdir spool arrived
sed -i -e "s/10\.20\.30\.40/127.0.0.1:$lan/" -e "s/^\* .*/* 127.0.0.1:$lan/" routes
sed -i -e 's/mr-greylist -S/mr-greylist -d 1 -S/' -e "s/spamd.sock/$(echo "$T_DIR" | sed 's#/#\\/#g')\/spamd.sock/" pipeline
user=
if [ "$(id -u)" = 0 ]; then
	user='-u nobody'
	chmod 755 .
	chown nobody arrived
	mkdir sa
	chown nobody sa
else
	mkdir sa
fi
# shellcheck disable=SC2086
start spamd.log spamd -L -x -m 1 --min-children=1 --socketpath="$T_DIR/spamd.sock" --socketmode=0666 -s stderr $user -H "$T_DIR/sa"
# shellcheck disable=SC2086
(cd arrived && exec smtp-sink $user -h lan.mydomain.com -d mail. "127.0.0.1:$lan" 100) >lan.log 2>&1 &
T_PIDS="$! $T_PIDS"
start queue.log mr-queue -Q spool run -R routes -N mx.mydomain.com -k srs-keys -d mydomain.com
wait_port "$lan"
wait_for 60 grep -q 'server started' spamd.log
: >smtpd.log

# send CLIENT HELO FROM TO FILE: what swaks saw last; the server is started for the client, as by tcpserver
send() {
	cat >serve.sh <<-X
		TCPREMOTEIP=$1 exec mr-smtpd -D $MR_DNS_HOST:$MR_DNS_PORT -N mx.mydomain.com -R routes -Q spool pipeline 2>>smtpd.log
	X
	swaks --pipe 'sh serve.sh' --helo "$2" --from "$3" --to "$4" --data "@$5" --hide-informational 2>&1 |
		tr -d '\r' | sed -n 's/^ *<[~*-]* *\([2345][0-9][0-9] .*\)/\1/p' | grep -v '^221' | tail -n 1
}
arrived() { wait_for 60 sh -c "[ \$(ls arrived | wc -l) -ge $1 ]"; }
newest() { cat "arrived/$(ls -t arrived | head -n 1)" | tr -d '\r'; }
field() { newest | sed -n "/^$1:/,/^[^[:blank:]]/p" | sed -n "1p; 2,\${/^[[:blank:]]/p}"; }
case_mail() { sed '1,/^$/d' "cases/$1.case" >"$1.eml"; }
for name in 12-executable-in-zip 13-clean-message 14-dmarc 20-outgoing-signed; do case_mail $name; done

like 'listed' "$(send 192.0.2.66 mail.client.example anna@client.example office@mydomain.com 13-clean-message.eml)" \
	'^550 5.7.1 192.0.2.66 is listed by zen.dnsbl.example: open proxy'
like 'a forged sender' "$(send 192.0.2.77 mail.client.example service@bank.example office@mydomain.com 14-dmarc.eml)" '^550 5.7.23'
like 'a stranger waits' "$(send 192.0.2.10 mail.client.example anna@client.example office@mydomain.com 13-clean-message.eml)" \
	'^451 4.7.1 Greylisted'
sleep 2 # the delay of the greylist is a second
like 'and is let in on the second try' "$(send 192.0.2.10 mail.client.example anna@client.example office@mydomain.com 13-clean-message.eml)" '^250 2.0.0'
arrived 1
like 'it arrives, with its results' "$(field Authentication-Results | tr '\n\t' '  ')" \
	'mx.mydomain.com; .*spf=pass smtp.mailfrom=client.example; .*dkim=none.*; .*dmarc=pass .*header.from=client.example'
like 'and what SpamAssassin says' "$(newest)" '^X-Spam-Status: No'
like 'known from then on, signed this time' "$(mr-dkimsign -d client.example -s s1 -k "$MR_DNS_WORLD/s1.key" <13-clean-message.eml >signed.eml
	send 192.0.2.10 mail.client.example anna@client.example office@mydomain.com signed.eml)" '^250 2.0.0'
arrived 2
like 'DKIM is good' "$(field Authentication-Results | tr '\n\t' '  ')" 'dkim=pass header.d=client.example header.s=s1'
like 'a program in a zip' "$(send 192.0.2.10 mail.client.example anna@client.example office@mydomain.com 12-executable-in-zip.eml)" \
	'^554 5.7.1 Attachment refused: invoice.pdf.exe'
like 'the author of another domain, whose policy is reject' \
	"$(send 192.0.2.10 mail.client.example anna@client.example office@mydomain.com 14-dmarc.eml)" '^554 5.7.1 DMARC policy of bank.example'
like 'permitted: no SPF, no greylist' "$(send 192.0.2.41 x bob@partner.example office@mydomain.com 12-executable-in-zip.eml)" '^250 2.0.0'
arrived 3
is 'nor anything behind it' "$(newest | grep -c -e '^X-Spam' -e '^Authentication-Results')" 0
like 'but the lists count' "$(send 192.0.2.66 x bob@partner.example office@mydomain.com 13-clean-message.eml)" '^550 5.7.1 192.0.2.66 is listed'
like 'forbidden within permitted' "$(send 192.0.2.41 x offers@partner.example office@mydomain.com 13-clean-message.eml)" '^550 5.7.1 Sender is forbidden'
like 'no relay' "$(send 192.0.2.10 mail.client.example anna@client.example x@elsewhere.example 13-clean-message.eml)" '^550 5.7.1 Relaying denied'

like 'from the LAN to the world' "$(send 10.20.30.5 exchange boss@mydomain.com carl@friend.example 20-outgoing-signed.eml)" '^250 2.0.0'
arrived 4
newest | sed '/^X-\(Client\|Helo\|Mail\|Rcpt\)/d' | sed 's/$/\r/' >out.eml
./setup | head -n 1 >zone
is 'signed: python3-dkim finds it good' "$($python - out.eml zone <<'X'
import dkim, re, sys
record = "".join(re.findall(r'"([^"]*)"', open(sys.argv[2]).read())).encode()
message = open(sys.argv[1], "rb").read()
message = message[message.index(b"DKIM-Signature:"):]
print(dkim.verify(message, dnsfunc=lambda name, timeout=5: record if name == b"2026a._domainkey.mydomain.com." else None))
X
)" True
like 'whom they wrote to is known: no greylist' \
	"$(sed s/anna@client/carl@friend/ 13-clean-message.eml >reply.eml
	send 192.0.2.50 mail.friend.example carl@friend.example boss@mydomain.com reply.eml)" '^250 2.0.0'
arrived 5

before=$(ls arrived | wc -l)
like 'a group' "$(send 192.0.2.10 mail.client.example anna@client.example office@mydomain.com 13-clean-message.eml >/dev/null
	send 192.0.2.41 x bob@partner.example sales@mydomain.com 13-clean-message.eml)" '^250 2.0.0'
arrived $((before + 2))
is 'all its members get it' "$(newest | grep -c '^X-Rcpt-Args')" 2
like 'an alias elsewhere leaves under a sender of ours' \
	"$(send 192.0.2.41 x bob@partner.example ceo@mydomain.com 13-clean-message.eml)" '^250 2.0.0'
arrived $((before + 3))
like 'SRS' "$(newest)" '^X-Mail-Args: <SRS0=.*=partner.example=bob@mydomain.com>'

ok 'all of it was delivered' wait_for 60 sh -c '[ -z "$(ls spool/incoming spool/deferred | grep -v :)" ]'
is 'each refused or deferred recipient has one line that says which stage' \
	"$(grep -cE 'event=(rcpt|data) .*stage=[a-z]+ verdict=(reject|defer)' smtpd.log)" 8
is 'no fault was logged' "$(grep -E ' (fault|warn) ' smtpd.log queue.log | grep -v -e 'event=dnsbl' -e 'runs as root' | head -n 5)" ''
done_testing

#!/bin/sh
# Keys from a real resolver (unbound, with the records as its own data): the same results as from a file.
. "$(dirname "$0")/../lib.sh"
python_with dkim,nacl.signing
command -v unbound >/dev/null || skip_all 'no unbound'
cd "$T_DIR" || exit 1
mkdir cases
PYTHONDONTWRITEBYTECODE=1 "$python" "$T_ROOT/test/dkim/cases.py" cases || exit 1
port=$(free_port)
{
	cat <<EOT
server:
 interface: 127.0.0.1
 port: $port
 username: ""
 chroot: ""
 directory: "$T_DIR"
 pidfile: ""
 use-syslog: no
 do-daemonize: no
 num-threads: 1
 do-ip6: no
 do-not-query-localhost: no
 module-config: "iterator"
 max-udp-size: 1232
 edns-buffer-size: 1232
 local-zone: "example.org." static
 local-zone: "xn--bcher-kva.example." static
 local-zone: "other.example." static
 local-zone: "." refuse
EOT
	grep -v ' ! \| CNAME ' cases/zone | sed "s/^\([^ ]*\) \(.*\)/ local-data: '\1. IN \2'/"
} >unbound.conf
start unbound.log unbound -d -c "$T_DIR/unbound.conf"
wait_port "$port" || { sed 's/^/# /' unbound.log; exit 1; }
grep '^key-\|^good-.*-open\|^changed-' cases/want | grep -v '^key-alias\|^key-refused\|^key-timeout\|^key-broken\|^key-servfail' |
	while read -r name words; do
		echo "$name $words" >>want
		echo "$name $(mr-dkimverify -n -D "127.0.0.1:$port" <"cases/$name.eml" |
			sed -n 's/^dkim=\([a-z]*\).*/\1/p' | tr '\n' ' ')" | sed 's/ $//' >>got
	done
is 'the same results' "$(diff want got)" ''
ok 'of many' [ "$(wc -l <want)" -gt 60 ]
ok 'a record that needs TCP is among them' grep -q '^key-notes pass' got
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$T_ROOT/test/dkim "$python" -c '
import kit, sys
sys.stdout.buffer.write(kit.sign(b"From: a@far.example\r\n\r\nx\r\n", kit.Key("ed25519"), domain="far.example", h="from"))' >far
like 'a resolver that refuses is temporary' "$(mr-dkimverify -n -D "127.0.0.1:$port" <far)" '^dkim=temperror reason="the DNS has no key: REFUSED"'

# The same through the relay: the child that verifies asks through the session.
echo 'example.net 127.0.0.1:2525' >routes
mkdir spool
echo "data dkim - mr-dkimverify -H -D 127.0.0.1:$port -a none=reject -a fail=reject" >spec
relay=$(free_port)
start smtpd.log mr-smtpd -L 127.0.0.1:"$relay" -N mx.example -R routes -Q spool spec
wait_port "$relay"
"$python" - "$relay" >said <<'EOT'
import smtplib, sys
s = smtplib.SMTP('127.0.0.1', int(sys.argv[1]))
s.ehlo('c.example')
for name in 'good-two', 'changed-body', 'none', 'key-revoked', 'good-two':
    try:
        s.sendmail('a@example.org', ['b@example.net'], open('cases/%s.eml' % name, 'rb').read())
        print('accepted')
    except smtplib.SMTPDataError as e:
        print(e.smtp_code, e.smtp_error.decode().split(' (')[0])
s.quit()
EOT
is 'in the relay' "$(cat said)" 'accepted
554 5.7.20 No good DKIM signature: fail, the body hash did not verify
554 5.7.20 No good DKIM signature: none
accepted
accepted'
is 'its log has all results' "$(grep -c 'event=dkim ' smtpd.log)" 6
is 'the delivered ones have the field' "$(cat spool/*/* 2>/dev/null | grep -ac '^	dkim=pass header.d=example.org')" 4
done_testing

#!/bin/sh
# SPF, DKIM and DMARC together: messages signed by python3-dkim through mr-smtpd.
. "$(dirname "$0")/../lib.sh"
python_with dkim
cd "$T_DIR" || exit 1
mkdir spool
echo 'ours.example 127.0.0.1:2525' >routes
openssl genrsa -out key.pem 2048 2>/dev/null
openssl rsa -in key.pem -pubout -outform DER 2>/dev/null | base64 -w 200 >key.pub
{
	printf 's._domainkey.org.example TXT "v=DKIM1; p="'
	sed 's/.*/ "&"/' key.pub | tr -d '\n'
	cat <<-'EOT'

		_dmarc.org.example TXT "v=DMARC1; p=reject"
		_dmarc.strict.org.example TXT "v=DMARC1; p=reject; adkim=s"
		away._domainkey.org.example ! servfail TXT
		other.example TXT "v=spf1 ip4:127.0.0.1 -all"
	EOT
} >zone
cat >spec <<-EOT
	mail  spf    -  mr-spf -a fail=accept -D file:$T_DIR/zone
	data  dkim   -  mr-dkimverify -D file:$T_DIR/zone
	data  dmarc  -  mr-dmarc -a reject=reject -a temperror=defer -D file:$T_DIR/zone
EOT
is 'the spec is right' "$(mr-pipe -t spec)" 'spec: 3 stages, no error'
cat >talk.py <<'EOT'
import smtplib, sys
import dkim
key = open('key.pem', 'rb').read()
s = smtplib.SMTP('127.0.0.1', int(sys.argv[1]))
s.ehlo('c.example')
for author, selector, change in ('org', 's', ''), ('sub.org', 's', ''), ('strict.org', 's', ''), \
        ('org', 's', 'changed'), ('org', '', ''), ('org', 'away', ''), ('none', '', ''):
    message = b'From: B <b@%s.example>\r\nSubject: x\r\nDate: Tue, 24 Nov 2026 15:00:00 +0000\r\n\r\nbody\r\n' % author.encode()
    if selector:
        message = dkim.sign(message, selector.encode(), b'org.example', key,
                            include_headers=[b'From', b'Subject', b'Date']) + message
    try:
        s.sendmail('a@other.example', ['u@ours.example'], message + change.encode())
        print(author, 'accepted')
    except smtplib.SMTPDataError as e:
        print(author, e.smtp_code, e.smtp_error.decode().partition(' (')[0])
s.quit()
EOT
port=$(free_port)
start smtpd.log mr-smtpd -L 127.0.0.1:"$port" -N mx.example -R routes -Q spool spec
wait_port "$port"
is 'what the client is told' "$("$python" talk.py "$port")" \
	'org accepted
sub.org accepted
strict.org 554 5.7.1 DMARC policy of strict.org.example: mail in the name of strict.org.example must pass SPF or DKIM for it
org 554 5.7.1 DMARC policy of org.example: mail in the name of org.example must pass SPF or DKIM for it
org 554 5.7.1 DMARC policy of org.example: mail in the name of org.example must pass SPF or DKIM for it
org 451 4.7.1 DMARC temperror: not known now: DKIM of org.example
none accepted'
is 'the log has the signatures' "$(sed -n 's/.*event=dmarc.* from=\([^ ]*\) .* dkim=\([^ ]*\).*/\1 \2/p' smtpd.log)" \
	'org.example org.example/s/pass
sub.org.example org.example/s/pass
strict.org.example org.example/s/pass
org.example org.example/s/fail
org.example org.example/away/temperror'
is 'Authentication-Results has all three' "$(cat spool/incoming/* | grep -a -o '[^.]dmarc=pass header.from=sub.org.example' | wc -l)" 1
stop $T_PID
done_testing

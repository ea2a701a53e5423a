#!/bin/sh
# The spec of examples/gateway in other ways: under tcpserver, inetd and the listener of our own its cases get the same replies,
# from the same clients; as qmail-queue under mailfront its data stages run.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
chmod 755 .
cp -R "$T_ROOT"/examples/gateway/* .
./setup >/dev/null 2>&1 || exit 1
# All of 127.0.0.0/8 is on loopback: clients of the cases come from there.  Paths are whole, since inetd runs it in /
# and without PATH.
# shellcheck disable=SC2046
sed -i -e 's/192\.0\.2\./127.0.2./g; s/\.2\.0\.192\./.2.0.127./g; s/198\.51\.100\./127.51.100./g; s/10\.20\.30\./127.20.30./g' \
	trusted reputation $(find cases -type f)
sed -i "s|2026a.key|$T_DIR/2026a.key|" dkim
echo '1i X-Scanned: yes' >scan.sed
sed -i -e "s#^ *spamc .*#    $(command -v sed) -f scan.sed#" -e "s#lmdb:state#lmdb:$T_DIR/state#" -e "s#lmdb:rates#lmdb:$T_DIR/rates#" \
	-e "s# \(trusted\|access\|srs-keys\|routes\|attachments\|reputation\*4\|dkim\|scan.sed\)\( \|\$\)# $T_DIR/\1\2#g" \
	-e "s# aliases\$# $T_DIR/aliases#" pipeline
# mr-helo does not ask loopback whether it gives our own name.
rm cases/06-helo-is-ours.case
# The names of stages and classes were not meant.
sed -i -e "s#^\([a-z]* *\)$T_DIR/#\1#" -e "s#= *$T_DIR/#=#" pipeline
is 'the spec has no error' "$(mr-pipe -t pipeline)" 'pipeline: 19 stages, no error'

cat >client.py <<'X'
# client.py PORT: each case that has a recipient, as its client; the last reply, and whether it is as expected.
import glob, re, smtplib, sys
for name in sorted(glob.glob('cases/*.case')):
    record, _, message = open(name).read().partition('\n\n')
    pairs = [line.partition('=')[::2] for line in record.splitlines()]
    case, rcpts = dict(pairs), [value for key, value in pairs if key == 'recipient']
    if not rcpts:
        continue
    s = smtplib.SMTP('127.0.0.1', int(sys.argv[1]), case['helo_name'], 60, (case['client_address'], 0))
    s.ehlo()
    reply = s.mail(case['sender'])
    for rcpt in rcpts:
        if reply[0] < 400:
            reply = s.rcpt(rcpt)
    if reply[0] < 400:
        reply = s.data(message or 'Subject: x\r\n\r\n') if message else s.docmd('RSET')
    s.quit()
    text = re.sub(r'\([0-9a-z.]+\)$|queued as .*', 'ID', reply[1].decode())
    want = {'accept': 2, 'defer': 4, 'refuse': 5}[case['expect']]
    fits = reply[0] // 100 == want and case.get('expect_text', '') in text
    print('ok' if fits else 'WRONG', name, reply[0], text)
X
options="-D file:$T_DIR/cases/dns -N mx.mydomain.com -R $T_DIR/routes -Q $T_DIR/spool"
# clients WAY: what they are told; from a fresh store
clients() {
	timeout 120 python3 client.py "$port" >"$1.got" 2>&1 || tail -n 3 "$1.got" | sed 's/^/# /'
	ok "$1: each case is as expected" sh -c "[ \$(grep -c ^ok $1.got) -ge 13 ] && ! grep -v ^ok $1.got" || grep -v '^ok' "$1.got" | sed 's/^/# /'
	is "$1: what was let in is in the spool" "$(ls spool/incoming | wc -l)" "$(grep -c '^ok .* 250 2\.0\.0 ' "$1.got")"
	like "$1: signed" "$(cat spool/incoming/* | tr -d '\0')" '^DKIM-Signature: .*d=mydomain.com'
	rm -rf state spool/incoming/*
}
mkdir spool

# shellcheck disable=SC2086
start listener.log mr-smtpd -L 127.0.0.1:0 $options pipeline
wait_for 60 grep -q event=listening listener.log
port=$(sed -n 's/.*event=listening.* port=\([0-9]*\).*/\1/p' listener.log)
clients listener
stop "$T_PID"

port=$(free_port)
# shellcheck disable=SC2086
start tcpserver.log tcpserver -vRHl0 127.0.0.1 "$port" mr-smtpd $options "$T_DIR/pipeline"
wait_port "$port"
clients tcpserver
stop "$T_PID"
is 'tcpserver: the same replies' "$(cat tcpserver.got)" "$(cat listener.got)"

port=$(free_port)
# It would log to syslog, since descriptor 2 is the client's.
printf '#!/bin/sh\nexec %s/bin/mr-smtpd %s %s/pipeline 2>>%s/inetd.log\n' "$MR_BUILD" "$options" "$T_DIR" "$T_DIR" >serve
chmod +x serve
echo "127.0.0.1:$port stream tcp nowait.600 $(id -un) $T_DIR/serve serve" >inetd.conf
start inetd.log inetd -i "$T_DIR/inetd.conf"
if wait_port "$port"; then
	clients inetd
	is 'inetd: the same replies' "$(cat inetd.got)" "$(cat listener.got)"
else
	ok 'inetd # SKIP it wants to be root' true
fi
stop "$T_PID"

# ---- qmail-queue, under mailfront ----
sed -i "s#mr-dkimverify\|mr-dmarc#& -D file:$T_DIR/cases/dns#" pipeline
mkdir home
# smtp CASE SENDER RECIPIENT [NAME=VALUE...]: the reply to the message
smtp() {
	sed '1,/^$/d' "cases/$1.case" >message
	from=$2 to=$3
	shift 3
	{
		printf 'EHLO h.example\r\nMAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n' "$from" "$to"
		sed 's/$/\r/' message
		printf '.\r\nQUIT\r\n'
	} | env PROTO=TCP TCPREMOTEIP=127.0.2.10 TCPLOCALIP=127.0.0.1 QMAILHOME="$T_DIR/home" MR_SPOOL="$T_DIR/spool" \
		MR_PIPELINE="$T_DIR/pipeline" QMAILQUEUE="$MR_BUILD/bin/mr-qmail-queue" "$@" mailfront smtp qmail accept 2>qq.log |
		tr -d '\r' | sed -n '/^354/{n;s/qp .*//;p;}'
}
like 'mailfront: a file that runs' "$(smtp 12-executable-in-zip anna@client.example office@mydomain.com)" '^5'
like 'by the stage that is for it' "$(cat qq.log)" 'event=qmail-queue .*code=31 what=mime why="5.7.1 Attachment refused: invoice.pdf.exe'
is 'and nothing is queued' "$(ls spool/incoming)" ''
like 'mailfront: a clean message' "$(smtp 13-clean-message anna@client.example office@mydomain.com)" '^250 '
like 'its signatures were looked at' "$(tr '\t\r\n' '   ' <"spool/incoming/$(ls spool/incoming)" | tr -d '\0')" 'Authentication-Results: [^;]*; *dkim=none'
rm -f spool/incoming/*
like 'mailfront: ours' "$(smtp 20-outgoing-signed boss@mydomain.com partner@elsewhere.example RELAYCLIENT=)" '^250 '
like 'is signed' "$(cat spool/incoming/* | tr -d '\0')" '^DKIM-Signature: .*d=mydomain.com'
done_testing

#!/bin/sh
# mr-srs and mr-queue run -k -d: senders of forwarded mail by hand, as records, and in a relay: out under a sender of
# ours, the bounce back to the right one, keys that are replaced.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
echo 'a first key of ours, long' >keys
echo 'another key, long, too' >foreign
chmod 640 keys foreign

# ---- by hand ----
SRS='SRS0=[A-Za-z0-9+/]{8}=[A-Z2-7]{2}='
# hand ARG...: output and exit code
hand() { mr-srs -k keys "$@" ours.example 2>/dev/null; echo $?; }
A=$(mr-srs -k keys -f User@Client.example ours.example)
like "a sender is rewritten" "$A" "^${SRS}client.example=User@ours.example\$"
is "and comes back" "$(hand -r "$A")" "User@client.example
0"
is "though case is lost" "$(hand -r "$(echo "$A" | tr A-Z a-z)")" "user@client.example
0"
like "SRS1" "$(hand -f 'SRS0+abcd=JN=a.example=b@far.example')" '^SRS1=[A-Za-z0-9+/]{8}=far.example=\+abcd=JN=a.example=b@ours.example$'
is "SRS1 back" "$(hand -r "$(mr-srs -k keys -f 'SRS0+abcd=JN=a.example=b@far.example' ours.example)")" 'SRS0+abcd=JN=a.example=b@far.example
0'
is "others stay" "$(hand -r bob@ours.example -r "$(echo "$A" | sed s/ours/far/)")" "bob@ours.example
$(echo "$A" | sed s/ours/far/)
0"
not_ours='refuse: 5.1.1 No such address: it was not made here, or was changed on the way
100'
is "forged" "$(hand -r "$(mr-srs -k foreign -f a@b.example ours.example)")" "$not_ours"
is "changed" "$(hand -r "$(echo "$A" | sed s/User/Luser/)")" "$not_ours"
is "cut" "$(hand -r SRS0=abcd@ours.example)" "$not_ours"
is "no sender to rewrite" "$(hand -f nonsense)" 'refuse: 5.1.7 Bad sender address: address without a domain
100'
is "no address" "$(hand -r nonsense)" 'refuse: 5.1.3 Bad recipient address
100'
is "-n" "$(hand -n -r SRS0=abcd@ours.example | tail -n 1)" 0
# aged DAYS [KEY]: an address of a@b.example, made so long ago
aged() {
	python3 -c 'import base64, hashlib, hmac, sys, time
n = int(time.time() // 86400) - int(sys.argv[1])
b32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
day = b32[n // 32 % 32] + b32[n % 32]
mac = hmac.new(open("keys").readline().rstrip().encode(), (day + "b.examplea").lower().encode(), hashlib.sha1)
print("SRS0=%s=%s=b.example=a@ours.example" % (base64.b64encode(mac.digest()).decode()[:int(sys.argv[2])], day))' "$1" "${2:-8}"
}
is "20 days old" "$(hand -r "$(aged 20)")" 'a@b.example
0'
is "23 days old" "$(hand -r "$(aged 23)")" 'refuse: 5.1.1 This address was for bounces and is no longer valid
100'
is "-d says otherwise" "$(hand -d 40 -r "$(aged 23)")" 'a@b.example
0'
is "a short hash" "$(hand -r "$(aged 1 4)")" "$not_ours"
is "-c lets it in" "$(hand -c 4 -r "$(aged 1 4)")" 'a@b.example
0'

# ---- what is wrong ----
exits "no keys" 111 mr-srs ours.example
exits "no domain" 111 mr-srs -k keys
exits "no such file" 111 mr-srs -k none -f a@b.example ours.example
exits "-c too few" 111 mr-srs -c 3 -k keys -f a@b.example ours.example
exits "-d too many" 111 mr-srs -d 366 -k keys -f a@b.example ours.example
exits "no record" 111 mr-srs -k keys ours.example
chmod 644 keys
like "keys that all may read" "$(mr-srs -k keys -f a@b.example ours.example 2>&1; echo $?)" 'mr-srs: keys: open to everybody; chmod o= keys'
chmod 640 keys
echo short >bad
chmod 600 bad
like "a short key" "$(mr-srs -k bad -f a@b.example ours.example 2>&1)" 'mr-srs: bad:1: a key has 16 to 512 octets, not 5'

# ---- a record ----
is "recipients come out, the rest stays" "$(printf 'sender=\nrecipient=%s\ndsn_notify=NEVER\nrecipient=x@ours.example\nrecipient=User@client.example\n\n' "$A" | mr-srs -k keys ours.example)" \
	"sender=
recipient=User@client.example
dsn_notify=NEVER
original_recipient=$A
recipient=x@ours.example"
is "one is bad" "$(printf 'recipient=x@ours.example\nrecipient=srs1-x@ours.example\n\n' | mr-srs -k keys ours.example; echo $?)" \
	'action=REJECT 5.1.1 No such address: it was not made here, or was changed on the way

100'

# ---- mr-queue's options ----
mkdir spool
printf 'ours.example 127.0.0.1:1\n' >routes
like "keys without a domain" "$(mr-queue run -Q spool -R routes -k keys 2>&1; echo $?)" 'the keys and the domain of forwarded senders need each other'
like "a domain without keys" "$(mr-queue run -Q spool -R routes -d ours.example 2>&1; echo $?)" 'need each other'
like "a domain that is not ours" "$(mr-queue run -Q spool -R routes --srs-keys=keys --srs-domain=far.example 2>&1)" \
	'fault event=start why="domain far.example is not ours by the routes: bounces would not come back"'
chmod 644 keys
like "keys that all may read" "$(mr-queue run -Q spool -R routes -k keys -d ours.example 2>&1)" 'fault event=start why="keys: open to everybody; chmod o= keys"'
chmod 640 keys

# ---- in the relay ----
# sink NAME [RULE...]: an SMTP server with the folder NAME; its port in $PORT
sink() {
	name=$1
	shift
	mkdir "$name"
	printf '%s\n' "$@" >"$name.script"
	start "$name.log" "$T_ROOT/test/fakesmtp" --dir "$name" --port-file "$name.port" --script "$name.script"
	wait_for 60 test -s "$name.port" || exit 1
	PORT=$(cat "$name.port")
}
sink lan
LAN=$PORT
sink out 'rcpt/gone@ 550 5.1.1 no such user'
printf 'ours.example 127.0.0.1:%s\n* 127.0.0.1:%s\n' "$LAN" "$PORT" >routes
printf 'team  ann eve@provider.example dora@other.example\nlost  gone@provider.example\n' >aliases
cat >spec <<'E'
connect net   class=trusted mr-access -c trusted
rcpt    srs   edit          mr-srs -k keys ours.example
rcpt    alias edit          mr-alias -R routes aliases
E
echo 'permit 127.0.0.2' >trusted
is "the spec" "$(mr-pipe -t spec 2>&1)" 'spec: 3 stages, no error'
start queue.log mr-queue run -Q spool -R routes -N mx.example -k keys -d ours.example
start smtpd.log mr-smtpd -L 127.0.0.1:0 -Q spool -R routes -N mx.example spec
wait_for 60 grep -q event=listening smtpd.log
SMTP=$(sed -n 's/.*event=listening.* port=\([0-9]*\).*/\1/p' smtpd.log)
# send FROM SENDER RECIPIENT...: `mail`, from an address of ours; prints what is refused
send() {
	python3 -c 'import smtplib, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), source_address=(sys.argv[2], 0))
try:
    s.sendmail(sys.argv[3], sys.argv[4:], open("mail", "rb").read())
except smtplib.SMTPRecipientsRefused as e:
    print(*[" ".join((str(c), t.decode())) for c, t in e.recipients.values()])' "$SMTP" "$@"
}
# of ADDRESS: the reverse-path under which ADDRESS got its mail at `out`, or `lan`
of() { cat $(grep -l "^RCPT TO:<$1>" out/*.env lan/*.env 2>/dev/null) /dev/null | sed -n 's/^MAIL FROM:<\([^>]*\)>.*/\1/p'; }
got() { [ -n "$(grep -l "^RCPT TO:<$1>" out/*.env lan/*.env 2>/dev/null)" ]; }
printf 'Subject: to all\r\nDKIM-Signature: v=1; a=rsa-sha256; d=client.example;\r\n\tb=x\r\n\r\n.dot\r\n\344\200\377 8-bit\r\n..\r\n  \r\nend\r\n' >mail
send 127.0.0.1 a@client.example team@ours.example
for who in ann@ours.example eve@provider.example dora@other.example; do ok "$who gets it" wait_for 60 got "$who"; done
is "within our domain the sender stays" "$(of ann@ours.example)" a@client.example
like "elsewhere it is ours" "$(of eve@provider.example)" "^${SRS}client.example=a@ours.example\$"
is "the same for both" "$(of dora@other.example)" "$(of eve@provider.example)"
is "who go in one transaction" "$(grep -l 'eve@provider' out/*.env)" "$(grep -l 'dora@other' out/*.env)"
logged() { grep -Eq "$1" queue.log; }
ok "the log has both" wait_for 60 logged "event=delivered id=[^ ]* sender=a@client.example reverse_path=\"?${SRS}client.example=a@ours.example\"? rcpt=eve@provider.example"
ok "and has the third" wait_for 60 logged 'event=delivered .*rcpt=ann@ours.example'
is "and nothing where it stays" "$(grep 'rcpt=ann@ours.example' queue.log | grep -c reverse_path)" 0
# The message behind our Received, which is the first field.
python3 -c 'import re, sys
d = open(sys.argv[1], "rb").read()
sys.stdout.buffer.write(re.sub(rb"\AReceived:.*?\r\n(?![ \t])", b"", d, flags=re.S))' "$(grep -l 'eve@provider' out/*.env | sed 's/env$/eml/')" >arrived
ok "header and body are as they came, byte for byte" cmp arrived mail
BACK=$(of eve@provider.example)

# one message, two reverse-paths for one next hop
send 127.0.0.2 b@client.example team@ours.example zoe@third.example
ok "not forwarded, from a client of ours" wait_for 60 got zoe@third.example
is "its sender stays" "$(of zoe@third.example)" b@client.example
has_two() { [ "$(of eve@provider.example | wc -l)" = 2 ]; }
ok "beside the forwarded" wait_for 60 has_two
like "which is rewritten" "$(of eve@provider.example)" "^${SRS}client.example=b@ours.example\$"
send 127.0.0.2 boss@ours.example team@ours.example
has_boss() { of eve@provider.example | grep -qx boss@ours.example; }
ok "a sender of ours stays" wait_for 60 has_boss
send 127.0.0.1 '' team@ours.example
has_null() { [ "$(of eve@provider.example | grep -c '^$')" = 1 ]; }
ok "so does the null sender" wait_for 60 has_null
send 127.0.0.1 'SRS0=abcd=JN=a.example=b@far.example' team@ours.example
has_srs1() { of eve@provider.example | grep -Eq '^SRS1=.{8}=far.example==abcd=JN=a.example=b@ours.example$'; }
ok "what was forwarded before leaves as SRS1" wait_for 60 has_srs1
LONG=$(printf '%0230d' 7)
send 127.0.0.1 "$LONG@client.example" team@ours.example
has_long() { of eve@provider.example | grep -qx "$LONG@client.example"; }
ok "too long to be rewritten: it leaves as it is" wait_for 60 has_long
like "and the log says so" "$(cat queue.log)" "warn event=srs id=[^ ]* sender=$LONG@client.example why=\"address over 254 octets\""

# a copy of all mail is to arrive, too
echo 'ours.example  audit@archive.example' >copies
echo 'rcpt copy edit mr-copy copies' >>spec
send 127.0.0.1 f@client.example bob@ours.example
ok "a copy" wait_for 60 got audit@archive.example
like "leaves under a sender of ours" "$(of audit@archive.example)" "^${SRS}client.example=f@ours.example\$"
sed -i /mr-copy/d spec

# ---- and back ----
rm -f out/*
is "a bounce is taken" "$(send 127.0.0.1 '' "$BACK")" ''
ok "and goes to the one who wrote" wait_for 60 got a@client.example
is "as a bounce" "$(of a@client.example)" ''
rm -f out/*
is "an answer is taken, too" "$(send 127.0.0.1 eve@provider.example "$BACK")" ''
ok "and goes on" wait_for 60 got a@client.example
like "under a sender of ours: it is forwarded" "$(of a@client.example)" "^${SRS}provider.example=eve@ours.example\$"
like "a forged one is refused" "$(send 127.0.0.1 '' "$(echo "$BACK" | sed s/=a@/=b@/)")" \
	'^550 5\.1\.1 No such address: it was not made here, or was changed on the way'
like "with a line in the log" "$(cat smtpd.log)" 'event=rcpt .*stage=srs verdict=reject code=5\.1\.1'
like "one that is too old, too" "$(send 127.0.0.1 '' "$(aged 23)")" '^550 5\.1\.1 This address was for bounces and is no longer valid'
like "no relay by a name that is not ours" "$(send 127.0.0.1 '' "$(echo "$BACK" | sed s/@ours/@far/)")" '^550 5\.7\.1 '

rm -f out/*
send 127.0.0.1 c@client.example lost@ours.example
ok "our own bounce goes to the one who wrote" wait_for 60 got c@client.example
like "and names both addresses" "$(cat out/*.eml)" 'Original-Recipient: rfc822; lost@ours.example'
is "not to the address that the mail left under" "$(cat out/*.env | grep -c 'RCPT TO:<SRS')" 0
like "which the log has" "$(cat queue.log)" "event=failed id=[^ ]* sender=c@client.example reverse_path=\"?${SRS}client.example=c@ours.example"

# ---- keys are replaced ----
reloads() { [ "$(grep -c "event=reload result=$1" queue.log)" -ge "$2" ]; }
{ echo 'a second key, which is new'; cat keys; } >new
chmod 640 new
mv new keys
ok "the queue reads a new file" wait_for 60 reloads new 1
rm -f out/*
send 127.0.0.1 d@client.example team@ours.example
ok "mail goes on" wait_for 60 got eve@provider.example
NEW=$(of eve@provider.example)
head -n 1 keys >first
chmod 600 first
is "the first key signs" "$(mr-srs -k first -r "$NEW" ours.example)" d@client.example
is "an address of before is good" "$(send 127.0.0.1 '' "$BACK")" ''
ok "and leads back" wait_for 60 got a@client.example
echo short >new
chmod 640 new
mv new keys
ok "a file that is wrong" wait_for 60 reloads old-stays 1
rm -f out/*
send 127.0.0.1 e@client.example team@ours.example
ok "leaves the old one" wait_for 60 got eve@provider.example
like "which signs" "$(mr-srs -k first -r "$(of eve@provider.example)" ours.example)" '^e@client.example$'
mv first keys
ok "the old key goes" wait_for 60 reloads new 2
like "and with it its addresses" "$(send 127.0.0.1 '' "$BACK")" '^550 5\.1\.1 '
is "not those of the new one" "$(send 127.0.0.1 '' "$NEW")" ''

# ---- examples/forward ----
cp -R "$T_ROOT/examples/relay" example
cp "$T_ROOT"/examples/forward/* example
cd example || exit 1
(umask 027; openssl rand -base64 24 >srs-keys)
is "the example has no error" "$(mr-pipe -t pipeline 2>&1)" 'pipeline: 4 stages, no error'
ADDRESS=$(mr-srs -k srs-keys -f anna@client.example mydomain.com)
echo 'data show codes=sysexits sh -e show' >>pipeline
echo 'grep "^recipient=" <&3 >&2' >show
for x in '' -x; do
	is "both ways ${x:-inside}" "$(mr-pipe $x -n -R routes -i 192.0.2.1 -f '' -r "$ADDRESS" -r sales@mydomain.com pipeline <../mail 2>&1 | grep ^recipient)" \
		'recipient=anna@client.example
recipient=anna@mydomain.com
recipient=anna@provider.example
recipient=bob@mydomain.com'
	like "and a forged one ${x:-inside}" "$(mr-pipe $x -n -R routes -i 192.0.2.1 -f '' -r SRS0=x@mydomain.com pipeline <../mail 2>&1)" \
		'^action=REJECT 5.1.1 No such address'
done
done_testing

#!/bin/sh
# mr-dkimsign: what it prints and refuses, tables, keys, records in the DNS, as a stage.
# Whether the signatures are good: test/peer/dkimsign.t.
. "$(dirname "$0")/../lib.sh"
. "$T_ROOT/test/fakesmtp.sh"
cd "$T_DIR" || exit 1
umask 022

printf 'From: a@example.org\nTo: b@example.net\nSubject: x\n\nHello\n' >lf
sed 's/$/\r/' lf >crlf
mr-dkimsign -g -a ed25519 -k ed.key
mr-dkimsign -g -k rsa.key
by_hand='-d example.org -s ed -k ed.key'

# ---- the message

# rest FILE: the message behind the new field
rest() { sed '1,/^	b=/d' | sed '/^	 /d' | cmp - "$1"; }
mr-dkimsign $by_hand <lf >out
like 'a signature stands in front' "$(head -n 1 out)" '^DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.org;$'
ok 'the message behind it, with LF' rest lf <out
is 'the field has LF, too' "$(grep -c "$(printf '\r')" out)" 0
mr-dkimsign $by_hand <crlf >out
ok 'the message behind it, with CRLF' rest crlf <out
is 'the field has CRLF, too' "$(grep -vc "$(printf '\r')\$" out)" 0
cat lf | mr-dkimsign $by_hand >out
ok 'from a pipe' rest lf <out
is 'nothing is left of its file' "$(TMPDIR=$T_DIR/tmp; export TMPDIR; mkdir tmp; cat lf | mr-dkimsign $by_hand >/dev/null; ls tmp)" ''
is 'no folder for it' "$(TMPDIR=$T_DIR/none; export TMPDIR; cat lf | mr-dkimsign $by_hand 2>/dev/null; echo $?)" 111
is '-H: the answer with the field alone' "$(mr-dkimsign -H $by_hand <lf | sed 1,2d | cut -d' ' -f1 | head -n 1; mr-dkimsign -H $by_hand <lf | grep -c Hello)" 'DKIM-Signature:
0'
is '-n: what would be' "$(mr-dkimsign -n $by_hand -s rsa -k rsa.key <lf)" 'no objection (signed by example.org/ed example.org/rsa)'

# unfolded OPTION...: the fields alone
unfolded() { mr-dkimsign -H "$@" <lf | sed 1,2d | tr -d '\r\n\t' | sed 's/DKIM-Sig/\n&/g'; }
like 'two signatures' "$(unfolded $by_hand -s rsa -k rsa.key | tr '\n' '~')" '^~DKIM-Signature: v=1; a=ed25519-sha256;.*s=ed;.*~DKIM-Signature: v=1; a=rsa-sha256;.*s=rsa;.*b=.{344}'
like '-c for both' "$(unfolded $by_hand -s rsa -k rsa.key -c simple/relaxed | grep -c 'c=simple/relaxed')" '^2$'
like '-c for each' "$(unfolded $by_hand -c simple/simple -s rsa -k rsa.key -c relaxed/simple | tr '\n' ' ')" 'c=simple/simple.*c=relaxed/simple'
like 'another domain for each' "$(unfolded $by_hand -d example.com -s rsa -k rsa.key | tr '\n' ' ')" 'd=example.org;.*d=example.com;'
like 't= always, x= by option' "$(unfolded -x 3600 $by_hand)" 't=[0-9]{10}; x=[0-9]{10};'
is 'x= is t= and the seconds' "$(unfolded -x 3600 $by_hand | sed -n 's/.*t=\([0-9]*\); x=\([0-9]*\);.*/\2 - \1/p' | xargs expr)" 3600
is 'without: none' "$(unfolded $by_hand | grep -c 'x=')" 0
is 'U-labels become A-labels' "$(unfolded -d 'Bücher.Example' -s S1 -k ed.key | grep -o 'd=[^ ]*; *s=[^ ;]*')" 'd=xn--bcher-kva.example; s=s1'

# refuses NAME REASON MESSAGE: 100, and nothing is printed
refuses() {
	is "refused: $1" "$(printf "$3" | mr-dkimsign $by_hand 2>err; echo $?)" 100
	like "and told: $1" "$(cat err)" "event=stopped verdict=reject text=\"5.6.0 Message cannot be signed: $2\""
}
refuses 'no From' 'no From field' 'To: a@b\n\nHello\n'
refuses 'two From' 'more than one From field' 'From: a@b\nFROM: c@d\n\nHello\n'
refuses 'nothing' 'no From field' ''
refuses 'a line that is no field' 'a line of the header is no field' 'From: a@b\nx y\n\nHello\n'
refuses 'a lone CR' 'a CR without LF' 'From: a@b\n\nx\ry\n'
refuses 'a mailbox' 'it begins with the From line of a mailbox' 'From a Mon\nFrom: a@b\n\n'
is '-H says so, too' "$(printf 'To: b\n\n' | mr-dkimsign -H $by_hand 2>/dev/null)" 'action=REJECT 5.6.0 Message cannot be signed: no From field'

# ---- keys that are none

# fault NAME REASON OPTION...: 111, and nothing is printed
fault() {
	t_what=$1 t_why=$2
	shift 2
	is "111: $t_what" "$(mr-dkimsign "$@" <lf 2>err; echo $?)" 111
	like "and told: $t_what" "$(cat err)" "$t_why"
}
openssl genrsa -out short.key 768 2>/dev/null
openssl ecparam -genkey -name prime256v1 -noout -out ec.key
openssl genrsa -aes128 -passout pass:x -out secret.key 1024 2>/dev/null
openssl rsa -in rsa.key -pubout -out public.key 2>/dev/null
head -c 200 rsa.key >cut.key
cp rsa.key open.key
chmod 600 short.key ec.key secret.key public.key cut.key
chmod 644 open.key
fault 'no file' 'none.key: No such file' -d example.org -s a -k none.key
fault 'readable by all' 'open.key: everybody can read or write this private key; chmod 600 it' -d example.org -s a -k open.key
fault 'too short' 'short.key: an RSA key of 768 bits, which no receiver accepts; need 1024' -d example.org -s a -k short.key
fault 'another kind' 'ec.key: neither an RSA nor an Ed25519 key' -d example.org -s a -k ec.key
fault 'encrypted' 'secret.key: the key needs a passphrase' -d example.org -s a -k secret.key
fault 'public' 'public.key: a public key, which signs nothing' -d example.org -s a -k public.key
fault 'cut' 'cut.key: no key that can be read' -d example.org -s a -k cut.key
fault 'all or nothing' 'cut.key: no key that can be read' $by_hand -s b -k cut.key
is '-e open: unsigned, as an administrator wants it' "$(mr-dkimsign -e open -d example.org -s a -k cut.key <lf 2>/dev/null | cmp - lf; echo $?)" 0
for k in 'pkcs1 rsa -in rsa.key -traditional' 'pkcs8 rsa -in rsa.key'; do
	openssl ${k#* } -out "${k%% *}.key" 2>/dev/null
	chmod 600 "${k%% *}.key"
	like "${k%% *} is read" "$(unfolded -d example.org -s a -k "${k%% *}.key")" 'a=rsa-sha256'
done
echo 'nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=' >seed.key
base64 -d seed.key >raw.key
chmod 600 seed.key raw.key
for k in seed raw; do
	like "an ed25519 seed: $k" "$(mr-dkimsign -p -d example.org -s a -k $k.key)" 'p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo='
done

echo 'example.org ed:ed.key' >table
fault 'nothing to sign with' 'need -t, or -d, -s and -k'
fault 'no selector' '-k is there 1 times, -s 0 times' -d example.org -k ed.key
fault 'three selectors, two keys' '-k is there 2 times, -s 3 times' $by_hand -s b -k ed.key -s c
fault 'no domain' '-d is missing' -s a -k ed.key
fault 'no domain name' "'a..b' is no domain name" -d a..b -s a -k ed.key
fault 'no selector name' "the selector 'a;b' is no name" -d a.b -s 'a;b' -k ed.key
fault 'wrong form' "'lax/lax': need relaxed or simple" $by_hand -c lax/lax
fault 'no time' '-x' $by_hand -x 0
fault 'a table and keys' 'need -t, or' $by_hand -t table
fault 'an operand' 'no operand' $by_hand table
nine=$(for i in 1 2 3 4 5 6 7 8 9; do echo "-s s$i -k ed.key"; done)
fault 'nine signatures' 'more than 8 signatures' -d example.org $nine
is 'eight signatures' "$(unfolded -d example.org $(echo "$nine" | head -n 8) | grep -c DKIM-Signature)" 8

# ---- tables

cat >table <<'X'
example.org       ed:ed.key  rsa:rsa.key  c=relaxed/simple  x=600
.example.org      below:ed.key
other.example     sel:rsa.key  d=example.com
xn--bcher-kva.example  b:ed.key
X
mr-table table table.cdb
# signs FROM: by whom
signs() { printf 'From: %s\n\nHello\n' "$1" | mr-dkimsign -n -t "$table"; }
for table in table table.cdb; do
	is "$table: a domain" "$(signs a@example.org)" 'no objection (signed by example.org/ed example.org/rsa)'
	is "$table: case does not count" "$(signs 'A <a@EXAMPLE.org>')" 'no objection (signed by example.org/ed example.org/rsa)'
	is "$table: below a domain" "$(signs a@x.y.example.org)" 'no objection (signed by example.org/below)'
	is "$table: by another domain" "$(signs a@other.example)" 'no objection (signed by example.com/sel)'
	is "$table: U-labels" "$(signs a@bücher.example)" 'no objection (signed by xn--bcher-kva.example/b)'
	is "$table: none of ours" "$(signs a@nowhere.example)" 'no objection (no key for nowhere.example)'
	is "$table: several authors" "$(signs 'a@nowhere.example, b@other.example')" 'no objection (signed by example.com/sel)'
	like "$table: no address" "$(signs 'a' )" '^refuse: 5.6.0 Message cannot be signed: From: no address'
done
printf 'From: a@nowhere.example\n\nHello\n' >nowhere
is 'a message of none of ours passes as it is' "$(mr-dkimsign -t table <nowhere | cmp - nowhere; echo $?)" 0
echo '* def:ed.key d=example.com' >>table
table=table
is 'the default' "$(signs a@nowhere.example)" 'no objection (signed by example.com/def)'
like 'options of a line' "$(unfolded -t table | tr '\n' ' ')" 'c=relaxed/simple;.*t=([0-9]+); x=.*c=relaxed/simple;.*x='

# wrong LINE REASON: the table is refused before any message
wrong() {
	echo "$1" >bad
	fault "a table: $2" "$2" -t bad
}
wrong 'example.org ed' "bad: example.org: 'ed': need SELECTOR:KEYFILE, d=DOMAIN, c=HEADER/BODY or x=SECONDS"
wrong 'example.org c=simple/simple' 'bad: example.org: no SELECTOR:KEYFILE'
wrong 'example.org a:none.key' 'bad: example.org: none.key: No such file'
wrong 'example.org a:open.key' 'bad: example.org: open.key: everybody can read'
wrong '* a:ed.key' "bad: \*: '\*' needs d=DOMAIN"
wrong 'a@example.org a:ed.key' "bad: a@example.org: 'a@example.org' is no domain name"
fault 'no table' 'none: ' -t none
fault 'two tables' 'more than one table' -t table -t table

# ---- -g, -p

is '-g: a key for its owner alone' "$(stat -c '%a' rsa.key ed.key | tr '\n' ' ')" '600 600 '
sum=$(sha256sum rsa.key)
exits '-g never overwrites' 111 mr-dkimsign -g -k rsa.key
is 'it is as it was' "$(sha256sum rsa.key)" "$sum"
ln -s elsewhere link.key
exits '-g follows no link' 111 mr-dkimsign -g -k link.key
mr-dkimsign -g -b 4096 -k 4096.key
is '-b: its bits' "$(openssl rsa -in 4096.key -noout -text 2>/dev/null | head -n 1)" 'Private-Key: (4096 bit, 2 primes)'
for option in '-b 1023' '-b 8193' '-a dsa' '' '-k x y'; do
	exits "-g $option" 111 mr-dkimsign -g $option
done
for key in ed rsa 4096; do
	mr-dkimsign -p -d example.org -s $key -k $key.key >$key.zone
	is "-p: a line of $key" "$(sed -n 1p $key.zone | cut -d' ' -f1-5)" "$key._domainkey.example.org. 3600 IN TXT ("
	is "-p: strings of at most 255 octets, of $key" "$(sed -n 1p $key.zone | grep -o '"[^"]*"' | awk 'length($0) > 257' | wc -l)" 0
	is "-p: the strings are the one string, of $key" "$(sed -n 1p $key.zone | grep -o '"[^"]*"' | tr -d '"\n')" "$(sed -n '3s/^; //p' $key.zone)"
	is "-p: split for a web form, of $key" "; $(sed -n 1p $key.zone | sed 's/.*( //; s/ )$//')" "$(sed -n 5p $key.zone)"
done
is '-p: the key as openssl has it' "$(sed -n '3s/.*p=//p' rsa.zone)" "$(openssl rsa -in rsa.key -pubout -outform DER 2>/dev/null | base64 -w0)"

# A name server takes the lines, and gives the records.
{
	echo '$ORIGIN example.org.'
	echo '@ 3600 IN SOA ns. admin. 1 3600 600 86400 3600'
	echo '@ IN NS ns.'
	cat ed.zone rsa.zone 4096.zone
	echo 'bad._domainkey IN TXT "v=DKIM1; k=rsa; p="'
} >zonefile
port=$(free_port)
cat >nsd.conf <<X
server:
 ip-address: 127.0.0.1@$port
 server-count: 1
 username: ""
 chroot: ""
 zonesdir: "$T_DIR"
 pidfile: ""
 database: ""
 xfrdfile: ""
 zonelistfile: "$T_DIR/zone.list"
 logfile: "$T_DIR/nsd.log"
remote-control:
 control-enable: no
zone:
 name: example.org
 zonefile: zonefile
X
start nsd.out nsd -d -c "$T_DIR/nsd.conf"
wait_port "$port"
for key in ed rsa 4096; do
	is "-C of nsd: $key" "$(mr-dkimsign -C -D 127.0.0.1:"$port" -d example.org -s $key -k $key.key 2>&1; echo $?)" \
		"$key._domainkey.example.org: fits the private key
0"
done
is '-C of nsd: revoked' "$(mr-dkimsign -C -D 127.0.0.1:"$port" -d example.org -s bad -k rsa.key; echo $?)" \
	'bad._domainkey.example.org: the key is revoked (p= is empty)
100'
is '-C of nsd: missing' "$(mr-dkimsign -C -D 127.0.0.1:"$port" -d example.org -s none -k rsa.key; echo $?)" \
	'none._domainkey.example.org: missing: there is no TXT record
100'
stop "$T_PID"

# ---- -C, every kind of record

mr-dkimsign -g -k new.key
p=$(sed -n '3s/.*p=//p' rsa.zone)
edp=$(sed -n '3s/.*p=//p' ed.zone)
newp=$(mr-dkimsign -p -d example.org -s a -k new.key | sed -n '3s/.*p=//p')
# Strings of at most 255 octets, quoted.
txt() { printf '%s' "$1" | fold -w 250 | sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&"/' | tr '\n' ' '; }
# checks NAME WANT [RECORD...]: of rsa.key
checks() {
	t_what=$1 t_want=$2
	shift 2
	for record; do printf '%s\n' "s._domainkey.example.org TXT $(txt "$record")"; done >zone
	[ $# -gt 0 ] || echo 'example.org TXT "x"' >zone
	is "-C: $t_what" "$(mr-dkimsign -C -D file:zone -d example.org -s s -k "${key:-rsa.key}"; echo $?)" "s._domainkey.example.org: $t_want"
}
key=
checks 'good' 'fits the private key
0' "v=DKIM1; k=rsa; p=$p"
checks 'good, with white space in p=' 'note: white space stands in p=, which is allowed
s._domainkey.example.org: fits the private key
0' "v=DKIM1;k=rsa;p=$(echo "$p" | fold -w 60 | tr '\n' ' ')"
checks 'no v=' 'note: no v=DKIM1 in front
s._domainkey.example.org: fits the private key
0' "p=$p"
checks 't=s' 'note: the key is for the very domain only (t=s)
s._domainkey.example.org: fits the private key
0' "v=DKIM1; t=s; p=$p"
checks 'missing' 'missing: there is no TXT record
100'
checks 'another key' 'another key: its key does not belong to the private key
100' "v=DKIM1; k=rsa; p=$newp"
checks 'wrong type' 'wrong type: it has an ed25519 key, the private key is an RSA key
100' "v=DKIM1; k=ed25519; p=$edp"
checks 'cut at 255' 'cut: the record ends after 255 octets, within p=; a string of a TXT record holds 255, so it must be published as several
100' "$(echo "v=DKIM1; k=rsa; p=$p" | cut -c1-255)"
checks 'cut at a multiple of 4' 'cut: the record ends after 218 octets, within p=; a string of a TXT record holds 255, so it must be published as several
100' "v=DKIM1; k=rsa; p=$(echo "$p" | cut -c1-200)"
mr-dkimsign -g -k plus.key
while ! mr-dkimsign -p -d example.org -s s -k plus.key | sed -n 3p | grep -q '+'; do
	rm plus.key
	mr-dkimsign -g -k plus.key
done
key=plus.key
checks "'+' lost in a web form" "blanks stand in p= where there must be '+'
100" "$(mr-dkimsign -p -d example.org -s s -k plus.key | sed -n '3s/^; //p' | tr + ' ')"
key=
checks 'quotes pasted in' 'quotes or backslashes of a zone file stand in the record itself
s._domainkey.example.org: p= is not base64: cut off, or with stray characters
100' "v=DKIM1; k=rsa; p=$(echo "$p" | cut -c1-200)\" \"$(echo "$p" | cut -c201-)"
checks 'quotes around it' "the record is no list of tags: not a tag's name: '\"v=DKIM1'
s._domainkey.example.org: quotes or backslashes of a zone file stand in the record itself
100" "\"v=DKIM1; k=rsa; p=$p\""
checks 'backslashes pasted in' 'quotes or backslashes of a zone file stand in the record itself
s._domainkey.example.org: v= is not DKIM1
s._domainkey.example.org: k= is neither rsa nor ed25519
100' "v=DKIM1\\; k=rsa\\; p=$p"
checks 'revoked' 'the key is revoked (p= is empty)
100' 'v=DKIM1; p='
checks 'test flag' 'the record is marked as a test (t=y)
100' "v=DKIM1; t=y; p=$p"
checks 'wrong k=' 'k= is neither rsa nor ed25519
100' "v=DKIM1; k=ecdsa; p=$p"
checks 'h=sha1' 'h= does not allow sha256
100' "v=DKIM1; h=sha1; p=$p"
checks 's=other' 's= does not allow email
100' "v=DKIM1; s=tlsrpt; p=$p"
checks 'v= not first' 'v= is not the first tag
100' "k=rsa; v=DKIM1; p=$p"
checks 'a PEM file pasted in' 'p= is not base64: cut off, or with stray characters
100' "v=DKIM1; p=-----BEGIN PUBLIC KEY-----$p"
checks 'no key' 'no key in the record (no p=)
100' 'v=DKIM1; k=rsa'
checks 'another record' "v= is not DKIM1
s._domainkey.example.org: no key in the record (no p=)
100" 'v=spf1 -all'
checks 'two records' 'several TXT records: which one counts is not defined (RFC 6376 3.6.2.2)
s._domainkey.example.org: another key: its key does not belong to the private key
100' "v=DKIM1; p=$p" "v=DKIM1; p=$newp"
key=ed.key
checks 'ed25519: good' 'fits the private key
0' "v=DKIM1; k=ed25519; p=$edp"
checks 'ed25519: wrong type' 'wrong type: it has an RSA key, the private key is an ed25519 key
100' "v=DKIM1; k=rsa; p=$p"
checks 'ed25519: without k=' 'p= is no public key of the kind that k= says
100' "v=DKIM1; p=$edp"
checks 'ed25519: 31 octets' 'p= of an ed25519 key has not 32 octets
100' "v=DKIM1; k=ed25519; p=$(echo "$edp" | cut -c1-40)"
checks 'ed25519: another key' 'another key: its key does not belong to the private key
100' 'v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo='
printf 's._domainkey.example.org.example.org TXT %s\n' "$(txt "v=DKIM1; k=rsa; p=$p")" >zone
is '-C: the zone twice' "$(mr-dkimsign -C -D file:zone -d example.org -s s -k rsa.key; echo $?)" \
	's._domainkey.example.org: missing: there is no TXT record
s._domainkey.example.org: but s._domainkey.example.org.example.org has one: the name lacks its final dot in the zone file
100'
printf 's._domainkey.example.org CNAME s.keys.example\ns.keys.example TXT %s\n' "$(txt "v=DKIM1; k=rsa; p=$p")" >zone
is '-C: behind a CNAME' "$(mr-dkimsign -C -D file:zone -d example.org -s s -k rsa.key)" 's._domainkey.example.org: fits the private key'
for outage in servfail timeout refused broken; do
	echo "s._domainkey.example.org ! $outage" >zone
	is "-C: $outage is never called missing" "$(mr-dkimsign -C -D file:zone -d example.org -s s -k rsa.key 2>err; echo $?)" 111
	like "and told: $outage" "$(cat err)" 's._domainkey.example.org: the DNS gives no answer'
done
cat ed.zone rsa.zone >zone
echo 'example.org ed:ed.key rsa:rsa.key' >table
echo 'example.com gone:ed.key' >>table
is '-C: a table' "$(mr-dkimsign -C -D file:zone -t table; echo $?)" \
	'ed._domainkey.example.org: fits the private key
rsa._domainkey.example.org: fits the private key
gone._domainkey.example.com: missing: there is no TXT record
100'
for option in '' '-d example.org -s s' '-t table -d example.org' '-t none' '-d example.org -s s -k open.key -D file:zone'; do
	exits "-C $option" 111 mr-dkimsign -C $option
done

# ---- as a stage

echo 'example.org ed:ed.key' >table
printf 'connect net class=trusted mr-access nets\ndata mime - mr-mimecheck\ndata sign only=trusted mr-dkimsign -H -t table\n' >spec
echo 'permit 192.0.2.0/24' >nets
for x in '' -x; do
	like "a trusted client's message is signed ($x)" \
		"$(mr-pipe $x -i 192.0.2.1 -f a@example.org -r b@example.net spec <lf 2>log | tr '\n' ' '; cat log)" \
		'^action=DUNNO .*DKIM-Signature: .*s=ed;'
	like "the log names who signed ($x)" "$(cat log)" 'mr-(pipe|dkimsign): info event=signed .*by=example.org/ed'
	is "a stranger's is not ($x)" \
		"$(mr-pipe $x -i 198.51.100.1 -f a@example.org -r b@example.net spec <lf 2>/dev/null | grep -c DKIM)" 0
	like "what cannot be signed is refused ($x)" \
		"$(printf 'To: x\n\n' | mr-pipe $x -i 192.0.2.1 -f a@example.org -r b@example.net spec 2>/dev/null)" \
		'^action=REJECT 5.6.0 Message cannot be signed: no From field'
	chmod 644 ed.key
	like "a fault of ours is temporary ($x)" \
		"$(mr-pipe $x -i 192.0.2.1 -f a@example.org -r b@example.net spec <lf 2>&1; echo "exit $?")" \
		'^exit 111'
	chmod 600 ed.key
done

printf 'data sign - mr-dkimsign -t table\ndata more edit cat\n' >careless
is '-t warns of what makes signatures worthless' "$(mr-pipe -t careless; echo $?)" \
	"careless:1: warning: stage 'sign': it signs what anybody sends; say only=auth+trusted
careless:2: warning: stage 'more': it edits what stage 'sign' has signed
careless: 2 stages, no error
0"
is 'and of nothing else' "$(mr-pipe -t spec)" 'spec: 3 stages, no error'

# Who opens the key: one process, which is neither the runner nor the child that mr-mimecheck ran in.
ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=openat,clone,fork,vfork,clone3,seccomp,prctl -o trace \
	mr-pipe -i 192.0.2.1 -f a@example.org -r b@example.net spec <lf >/dev/null 2>&1
main=$(awk 'NR == 1 { print $1 }' trace)
opened=$(awk '/openat.*"ed.key"/ { print $1 }' trace)
is 'the key is opened once, not by the runner' "$(echo "$opened" | wc -w) $([ "$opened" != "$main" ] && echo child)" '1 child'
is 'by a child of its own' "$(grep -c 'PR_SET_SECCOMP' trace)" 2
is 'that has given up its rights before' "$(awk -v pid="$opened" '$1 == pid && /PR_SET_SECCOMP/ { rights = 1 } $1 == pid && /"ed.key"/ { print rights + 0 }' trace)" 1

# In the server, to the next one.
mkdir spool
serve
printf 'example.net 127.0.0.1:%s\n' "$PORT" >routes
start run.log mr-queue run -Q spool -R routes -N mx.example -b 1
echo 'permit 127.0.0.0/8' >nets
port=$(free_port)
start smtpd.log mr-smtpd -L 127.0.0.1:"$port" -N mx.example -R routes -Q spool spec
wait_port "$port"
ok 'mr-smtpd takes a message' swaks --server 127.0.0.1 --port "$port" --helo c.example --from a@example.org --to b@example.net \
	--data @crlf --hide-all
ok 'it arrives' wait_for 60 test -s "$D/1.eml"
like 'signed, the signature under our Received' "$(tr -d '\r' <"$D/1.eml" | grep -v '^	' | tr '\n' ' ')" \
	'^(Received: by mx.example.*)?(DKIM-Signature: .*Received: from c.example|Received: from c.example.*DKIM-Signature:|DKIM-Signature: ).* From: a@example.org'
# A new key in the table counts for the next connection.
mr-dkimsign -g -a ed25519 -k second.key
echo 'example.org second:second.key' >table.new
mv table.new table
ok 'mr-smtpd takes another' swaks --server 127.0.0.1 --port "$port" --helo c.example --from a@example.org --to b@example.net \
	--data @crlf --hide-all
ok 'it arrives, too' wait_for 60 test -s "$D/2.eml"
like 'signed by the new key' "$(tr -d '\r\n\t' <"$D/2.eml")" 'DKIM-Signature: .*s=second;'
if (python_with dkim) >/dev/null 2>&1; then
	python_with dkim
	is 'both are good where they arrive' "$(PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$T_ROOT/test/peer "$python" - "$D" ed.key second.key <<'X'
import subprocess
import sys
from dkim_oracle import Dkimpy, Opendkim
records = {}
for key in sys.argv[2:]:
    name = key.removesuffix('.key')
    out = subprocess.run(['mr-dkimsign', '-p', '-d', 'example.org', '-s', name, '-k', key], stdout=subprocess.PIPE)
    records[f'{name}._domainkey.example.org'] = out.stdout.decode().split('\n')[2].removeprefix('; ')
for n in 1, 2:
    message = open(f'{sys.argv[1]}/{n}.eml', 'rb').read()
    print(Dkimpy(records).verify(message), Opendkim(records).verify(message))
X
)" '[True] [True]
[True] [True]'
fi

# ---- a large message in little memory

{ printf 'From: a@example.org\n\n'; head -c 75000000 /dev/zero | base64; } >large
if (ulimit -v 60000; mr-dkimsign $by_hand <lf >/dev/null; exit $?) 2>/dev/null; then
	is 'a large message in 60 MB of address space' "$( (ulimit -v 60000; mr-dkimsign -H $by_hand <large | grep -c DKIM-Signature))" 1
fi
done_testing

#!/bin/sh
# mr-dkimverify: the vectors of the RFCs, messages and keys of every kind, what is printed, what results mean,
# the table, many signatures, a resolver that is silent, as a stage, and what is refused.
. "$(dirname "$0")/../lib.sh"
python_with dkim,nacl.signing
cd "$T_DIR" || exit 1

# results FILE [ARGS]: the results, one word a signature
results() {
	results_of=$1
	shift
	mr-dkimverify -n -N mx.example "$@" <"$results_of" | sed -n 's/^dkim=\([a-z]*\).*/\1/p' | tr '\n' ' '
}
rfc=$T_ROOT/test/dkim
for name in rfc6376 rfc8463; do
	is "the vectors of $name" "$(results "$rfc/$name.eml" -D "file:$rfc/rfc.zone")" \
		"$(sed -n 's/^DKIM-Signature.*/pass/p' "$rfc/$name.eml" | tr '\n' ' ')"
done

mkdir cases
PYTHONDONTWRITEBYTECODE=1 "$python" "$rfc/cases.py" cases || exit 1
zone=file:cases/zone
while read -r name words; do
	is "$name" "$(results "cases/$name.eml" -D $zone)" "$words "
done <cases/want

# A configuration with which OpenSSL has nothing to hash by.
printf 'openssl_conf = a\n[a]\nproviders = b\n[b]\nnull = c\n[c]\nactivate = 1\n' >openssl.cnf
is 'the test: OpenSSL reads it' "$(OPENSSL_CONF=$PWD/openssl.cnf openssl dgst -sha256 /dev/null >/dev/null 2>&1; echo $?)" 1
is 'openssl.cnf does not count' "$(OPENSSL_CONF=$PWD/openssl.cnf; export OPENSSL_CONF; results "$rfc/rfc8463.eml" -D "file:$rfc/rfc.zone")" \
	'pass pass '
mr-dkimsign -g -k "$PWD/key"
is 'nor for who signs' "$(OPENSSL_CONF=$PWD/openssl.cnf; export OPENSSL_CONF
	mr-dkimsign -H -d example.org -s x -k "$PWD/key" <"$rfc/rfc8463.eml" | grep -c '^DKIM-Signature:')" 1

# reason WANT CASE
reason() {
	like "why: $2" "$(mr-dkimverify -n -D $zone <"cases/$2.eml")" "reason=\"$1"
}
reason 'the body hash did not verify"' changed-body
reason 'the signature did not verify"' changed-subject
reason 'the key is revoked' key-revoked
reason 'the DNS has no key: SERVFAIL"' key-servfail
reason 'the DNS has no key: time-out"' key-timeout
reason 'no key in the DNS"' key-none
reason 'more than one key record"' key-two
reason 'more than one From"' two-from
reason 'l= leaves a part of the body unsigned"' l-appended
reason 'l= is longer than the body"' l-too-long
reason 'rsa-sha1 does not count any more' sha1
reason 'the same tag twice' wrong-twice
reason 'the signature has expired"' expired
reason 'the key is of another kind than a= says"' key-really-ed
reason 'an RSA key over 4096 bits"' key-5120
reason '2 more ignored: example.org/late1 example.org/late0"' many
like 'a key in test mode is marked' "$(mr-dkimverify -n -D $zone <cases/key-test.eml)" '^dkim=pass \(test key\) header\.d='

# What is printed.
good=cases/good-two.eml
mr-dkimverify -D $zone -N mx.example <$good >printed
is 'exit status' $? 0
is 'the field is in front, and nothing else is new' "$(tail -n +4 printed | cmp - $good && sed 3q printed | tr -d '\r' |
	sed 's/header.b=[^;]*/header.b=.../')" 'Authentication-Results: mx.example;
	dkim=pass header.d=example.org header.s=ed header.a=ed25519-sha256 header.b=...;
	dkim=pass header.d=example.org header.s=sel header.a=rsa-sha256 header.b=...'
is 'lines end as those of the message' "$(sed 3q printed | tr -dc '\r' | wc -c)" 3
is 'from a pipe the same' "$(cat $good | mr-dkimverify -D $zone -N mx.example | cmp - printed; echo $?)" 0
tr -d '\r' <cases/good-lf.eml >lf
is 'LF stays LF' "$(mr-dkimverify -D $zone -N mx.example <lf | tr -dc '\r' | wc -c)" 0
{
	cat <<'EOT'
Authentication-Results: mx.example; dkim=pass header.d=bank.example
authentication-results :
 (comment) "MX.example" 1;
	spf=pass
Authentication-Results: other.example; dkim=pass header.d=bank.example
Authentication-Results: xn--bcher-kva.example; dkim=pass
EOT
	cat lf
} >forged
is 'fields under our name are gone, others stay' "$(mr-dkimverify -D $zone -N mx.example <forged | grep -i '^auth')" \
	'Authentication-Results: mx.example;
Authentication-Results: other.example; dkim=pass header.d=bank.example
Authentication-Results: xn--bcher-kva.example; dkim=pass'
printf 'Authentication-Results: bücher.example; dkim=pass\n' | cat - lf >forged
is 'our name in U-labels is our name' "$(mr-dkimverify -D $zone -N xn--bcher-kva.example <forged | grep -ci '^auth')" 1
is 'and another is another' "$(mr-dkimverify -D $zone -N xn--bcher-kvb.example <forged | grep -ci '^auth')" 2
is '-H: the answer' "$(mr-dkimverify -H -D $zone -N mx.example <cases/changed-one-of-two.eml | sed 's/header.b=.*/.../')" \
	'action=DUNNO
ar=dkim=fail reason="the signature did not verify" header.d=example.org header.s=ed header.a=ed25519-sha256 ...
ar=dkim=pass header.d=example.org header.s=sel header.a=rsa-sha256 ...
dkim_result=pass
dkim_signatures=example.org/ed/fail example.org/sel/pass'
is '-H: no signature' "$(mr-dkimverify -H -D $zone <cases/none.eml)" 'action=DUNNO
ar=dkim=none
dkim_result=none'
is '-H: names are A-labels in lower case' "$(mr-dkimverify -H -D $zone <cases/good-case.eml | grep ^dkim_s)" \
	'dkim_signatures=example.org/sel/pass'
is 'what cannot be named is not' "$(mr-dkimverify -H -D $zone <cases/wrong-d-odd.eml | grep ^dkim_)" 'dkim_result=neutral'

# What results mean.
# says WANT CASE ARGS...: exit code and reply
says() {
	says_want=$1 says_of=$2
	shift 2
	is "$says_of $*" "$(mr-dkimverify -H -D $zone "$@" <"cases/$says_of.eml" | sed -n 's/^action=//p')" "$says_want"
}
says DUNNO changed-body -a none=reject
says 'REJECT 5.7.20 No good DKIM signature: fail, the body hash did not verify' changed-body -a fail=reject
says 'DEFER 4.7.20 No good DKIM signature: fail, the body hash did not verify' changed-body -a fail=defer
says 'REJECT 5.7.20 No good DKIM signature: none' none -a none=reject
says 'DEFER 4.7.20 No good DKIM signature: temperror, the DNS has no key: SERVFAIL' key-servfail -a temperror=defer
says DUNNO changed-one-of-two -a fail=reject
says DUNNO key-servfail-and-good -a temperror=defer
says DUNNO changed-body -a fail=reject -a fail=accept
# A broken signature of a key in test mode is as none (RFC 6376 3.6.1).
sed 's/world/World/' cases/key-test.eml >cases/test-changed.eml
says DUNNO test-changed -a fail=reject
says 'REJECT 5.7.20 No good DKIM signature: none' test-changed -a none=reject
exits 'refused: exit 100, and nothing is printed' 100 mr-dkimverify -D $zone -a none=reject
is 'nothing' "$(cat .out)" ''
like '-v: the log has each signature' "$(mr-dkimverify -v -n -D $zone <cases/changed-body.eml 2>&1 >/dev/null)" \
	'event=dkim result=fail domain=example.org selector=sel .*why="the body hash did not verify"'
is '-n: exit 0' "$(mr-dkimverify -n -D $zone -a fail=reject <cases/changed-body.eml >/dev/null; echo $?)" 0

cat >table <<'EOT'
example.org    none=reject fail=reject
.example.org   none=reject
*              none=defer
EOT
mr-table -k map table table.cdb || exit 1
from() {
	sed "s/^From: .*/From: $1\r/" "cases/$2.eml" >"cases/$3.eml"
}
from 'bob@sub.example.org' none below
from 'bob@elsewhere.example' none elsewhere
from 'eve@example.org' good-a-label other-signer
"$python" - "$rfc" <<'EOT' || exit 1
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import kit
zone = open('cases/zone', 'a')
for name, d in ('aligned', 'example.org'), ('above', 'example.org'), ('stranger', 'stranger.example'), \
        ('like', 'xexample.org'):
    key = kit.Key('ed25519', nth=7)
    zone.write(kit.zone('t._domainkey.' + d, key.record()))
    sender = 'a@sub.example.org' if name == 'above' else 'a@example.org'
    with open('cases/table-%s.eml' % name, 'wb') as f:
        f.write(kit.sign(b'From: %s\r\nSubject: x\r\n\r\nx\r\n' % sender.encode(), key, domain=d,
                         selector='t', h='from'))
EOT
for table in table table.cdb; do
	says DUNNO table-aligned $table
	says DUNNO table-above $table
	says 'REJECT 5.7.20 No good DKIM signature of example.org: none' table-stranger $table
	says 'REJECT 5.7.20 No good DKIM signature of example.org: none' table-like $table
	says 'REJECT 5.7.20 No good DKIM signature of example.org: none' none $table
	says 'REJECT 5.7.20 No good DKIM signature of sub.example.org: none' below $table
	says 'DEFER 4.7.20 No good DKIM signature of elsewhere.example: none' elsewhere $table
	says 'REJECT 5.7.20 No good DKIM signature of example.org: fail, the body hash did not verify' changed-body $table
done

# Many signatures cost ten lookups, and are fast; a resolver that is silent costs its time once.
"$python" - "$rfc" <<'EOT' || exit 1
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import kit
mail = b'From: a@example.org\r\n\r\n'
key = kit.Key('ed25519')
one = kit.sign(mail, key)[:-len(mail)]
with open('thousand', 'wb') as f:
    for i in range(1000):
        f.write(one.replace(b's=sel', b's=n%d' % i))
    f.write(mail)
EOT
deaf_port
before=$(date +%s%N)
is 'a thousand signatures, a silent resolver: ten results' \
	"$(results thousand -D "127.0.0.1:$DEAF" -T 1)" "$(printf 'temperror %.0s' 1 2 3 4 5 6 7 8 9 10)neutral "
ok 'and one wait for all' [ $((($(date +%s%N) - before) / 1000000)) -lt 3000 ]
strace -f -s 200 -e trace=sendto,sendmsg,sendmmsg,connect -o trace mr-dkimverify -n -D "127.0.0.1:$DEAF" -T 1 <thousand >/dev/null
is 'ten keys are asked for' "$(tr A-Z a-z <trace | grep -o 'n[0-9]*.n_domainkey' | sort -u | wc -l)" 10

# As a stage.
printf 'data dkim - mr-dkimverify -H -D %s\ndata say - ./say\n' "$zone" >spec
cat >say <<'EOT'
#!/bin/sh
sed -n 's/^dkim_/saw dkim_/p' <&3 >&2
printf 'action=DUNNO\nar=x=pass\n\n'
EOT
chmod +x say
for x in '' -x; do
	mr-pipe $x -N mx.example -f a@example.org -r b@example.net spec <$good >answer 2>log
	is "a stage: results in order of the pipeline ($x)" "$(tr -d '\r' <answer | sed -n 's/^\(Auth.*;\)$/\1/p; s/^\t\([a-z]*=[a-z]*\).*/\1/p' | tr '\n' ' ')" \
		'Authentication-Results: mx.example; dkim=pass dkim=pass x=pass '
	is "later stages read them ($x)" "$(grep ^saw log)" 'saw dkim_result=pass
saw dkim_signatures=example.org/ed/pass example.org/sel/pass'
	like "the log ($x)" "$(cat log)" 'event=dkim .*result=pass domain=example.org selector=ed algorithm=ed25519-sha256'
done
echo 'data dkim - mr-dkimverify -H -D '"$zone"' -a fail=reject' >spec
is 'a stage refuses' "$(mr-pipe -f a@example.org -r b@example.net spec <cases/changed-body.eml 2>/dev/null | head -n 1)" \
	'action=REJECT 5.7.20 No good DKIM signature: fail, the body hash did not verify'

# A faulty result of a stage is no result: it could claim others.
for bad in 'x=pass; dkim=pass' 'x=pass "' 'x=pass (' 'x=pass )' 'none' 'x=pass é'; do
	printf '#!/bin/sh\nprintf "action=DUNNO\\nar=%%s\\n\\n" '"'%s'"'\n' "$bad" >say
	echo 'data say - ./say' >spec
	is "no result: $bad" "$(mr-pipe -N mx.example -f a@example.org -r b@example.net spec <$good 2>log | grep -c '^Auth')" 0
	like 'the log says so' "$(cat log)" 'event=stage stage=say .*why="a result .*then=answer-ignored'
done

# What is refused at the start.
# refuse WANT ARGS...
refuse() {
	reason=$1
	shift
	exits "refused: $*" 111 mr-dkimverify "$@"
	like 'and why' "$(cat .err)" "$reason"
}
refuse 'more than one table' table table
refuse "'fail=drop': need fail, policy" -a fail=drop
refuse "'pass=reject': need fail" -a pass=reject
refuse 'temperror=reject would bounce mail' -a temperror=reject
refuse '-D' -D 192.0.2.300
refuse 'No such file' none
echo 'example.org reject' >wrong
refuse "wrong: example.org: 'reject': need" wrong
exits 'a message that cannot be read' 111 sh -c 'mr-dkimverify -D file:cases/zone <.'
done_testing

#!/bin/sh
# mr-spf: by hand, records, -l, what results mean, the table, each limit, and what is refused.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1

# The DNS, with records on both sides of each limit: NAME at it, NAME-over one beyond.
python3 - >zone <<'EOT'
def txt(name, s):
    print(name, 'TXT', *['"%s"' % s[i:i + 200] for i in range(0, len(s), 200)])

def record(name, *terms):
    txt(name, ' '.join(('v=spf1',) + terms + ('-all',)))

print('''example.org TXT "v=spf1 ip4:192.0.2.0/28 include:inc.example ?ip4:203.0.113.9 ~ip4:203.0.113.8 -all exp=why.example"
inc.example TXT "v=spf1 mx ip6:2001:db8::/64 ~all"
inc.example MX 10 mx.example
mx.example A 198.51.100.7
why.example TXT "%{i} is none of ours: http://example.org/?%{S}"
bad.example TXT "v=spf1 ipv4:192.0.2.1 -all"
away.example ! servfail TXT
later.example TXT "v=spf1 include:away.example -all"
helo.example TXT "v=spf1 a -all"
helo.example A 198.51.100.8
xn--bcher-kva.example TXT "v=spf1 ip4:192.0.2.1 -all"
local.example TXT "v=spf1 exists:%{l}.yes.example exists:%{L}.yes.example -all exp=who.example"
who.example TXT "not %{L}"
jos.yes.example A 127.0.0.2
jos%C3%A9.yes.example A 127.0.0.2
slash.example TXT "v=spf1 exists:%{l}.yes.example -all"
slashb.yes.example A 127.0.0.2
nullmx.example TXT "v=spf1 mx -all"
nullmx.example MX 0 .
ptr.example TXT "v=spf1 ptr -all"
9.100.51.198.in-addr.arpa PTR evil\\\\.ptr.example
evil\\\\.ptr.example A 198.51.100.9
0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR x.example'''.replace('\\\\', '\\'))
pad = 'ip4:192.0.2.1'
for over in 0, 1:
    end = '-over.example' if over else '.example'
    record('terms' + end, *['a:mx.example'] * (10 + over), pad)
    record('tree' + end, 'include:five.example', 'include:three%s' % end, pad)
    record('redirected' + end, 'a:mx.example ' * (8 + over) + 'redirect=one.example')
    record('void' + end, *['a:no%d.example' % i for i in range(2 + over)], pad)
    record('hosts' + end, 'mx', pad)
    for i in range(10 + over):
        print('hosts%s MX %d h%d.example' % (end, i, i))
    size = 8192 + over - len('v=spf1 m= ip4:192.0.2.1 -all')
    record('size' + end, 'm=' + 'x' * size, pad)
    txt('said' + end, 'x' * (8192 + over))
    txt('explained' + end, 'v=spf1 -all exp=said' + end)
    record('long' + end, 'exists:' + '%{d}' * 127 + 'x' * (3000 + over) + '.example', pad)
    txt('longexp' + end, 'v=spf1 -all exp=longsaid' + end)
    txt('longsaid' + end, '%{d}' * (126 + over) + 'x' * 3000)
    # The name that vouches is the tenth, or the eleventh.
    net = '%d.100.51.198.in-addr.arpa' % (20 + over)
    for i in range(1, 10 + over):
        print('%s PTR n%d.ten.example' % (net, i))
    print(net, 'PTR last%d.ten.example' % over)
    print('last%d.ten.example A 198.51.100.%d' % (over, 20 + over))
for i in range(11):
    print('h%d.example A 198.51.100.%d' % (i, 100 + i))
txt('five.example', 'v=spf1' + ' a:mx.example' * 5)
txt('three.example', 'v=spf1' + ' a:mx.example' * 3)
txt('three-over.example', 'v=spf1' + ' a:mx.example' * 4)
txt('one.example', 'v=spf1 a:mx.example ip4:192.0.2.1 -all')
txt('ten.example', 'v=spf1 ptr -all')
EOT

# hand ARGS WANT: the lines for people, and the exit code
hand() {
	is "mr-spf $1" "$(eval "mr-spf -D file:zone $1" 2>&1; echo $?)" "$2"
}
hand '-i 192.0.2.1 -f bob@example.org' 'pass for example.org by ip4:192.0.2.0/28
0'
hand '-i 198.51.100.7 -f bob@example.org' 'pass for example.org by include:inc.example
0'
hand '-i 2001:db8::7 -f bob@example.org' 'pass for example.org by include:inc.example
0'
hand '-i ::ffff:192.0.2.1 -f bob@EXAMPLE.org.' 'pass for EXAMPLE.org by ip4:192.0.2.0/28
0'
hand '-i 203.0.113.9 -f bob@example.org' 'neutral for example.org by ?ip4:203.0.113.9
0'
hand '-i 203.0.113.8 -f bob@example.org' 'softfail for example.org by ~ip4:203.0.113.8
0'
hand '-i 203.0.113.1 -f bob@example.org -h mx.example' 'fail for example.org by -all
helo: none for mx.example: no record for mx.example
explanation=203.0.113.1 is none of ours: http://example.org/?bob%40example.org
100'
hand '-i 127.0.0.1 -f bob@example.org -h mx.example' 'fail for example.org by -all
helo: none for mx.example: no record for mx.example
explanation=127.0.0.1 is none of ours: http://example.org/?bob%40example.org
100'
hand '-i 192.0.2.1 -f bob@none.example' 'none for none.example: no record for none.example
0'
hand '-i 192.0.2.1 -f bob@bad.example' "permerror for bad.example: record of bad.example: wrong term 'ipv4:192.0.2.1'
0"
hand '-i 192.0.2.1 -f bob@away.example' 'temperror for away.example: TXT of away.example: server failure
111'
hand '-i 192.0.2.1 -f bob@later.example' 'temperror for later.example: TXT of away.example: server failure
111'
hand '-i 198.51.100.8 -h helo.example' 'pass for helo.example by a
0'
hand '-i 192.0.2.1 -h helo.example' 'fail for helo.example by -all
100'
hand "-i 192.0.2.1 -h '[192.0.2.1]'" 'none for [192.0.2.1]: no domain name
0'
hand "-i 192.0.2.1 -f 'bob@[192.0.2.1]' -h localhost" 'none for [192.0.2.1]: no domain name
helo: none for localhost: no domain name
0'
hand '-i 192.0.2.1 -f bob@bücher.example' 'pass for xn--bcher-kva.example by ip4:192.0.2.1
0'
hand '-i 192.0.2.1 -f josé@local.example' 'fail for local.example by -all
explanation=not jos%C3%A9
100'
hand '-i 192.0.2.1 -f jos@local.example' 'pass for local.example by exists:%{l}.yes.example
0'
hand "-i 192.0.2.1 -f 'slash\\098@slash.example'" 'fail for slash.example by -all
100'
hand '-i 192.0.2.1 -f slashb@slash.example' 'pass for slash.example by exists:%{l}.yes.example
0'
hand '-i 192.0.2.1 -f bob@nullmx.example' 'fail for nullmx.example by -all
100'
hand '-i 198.51.100.9 -f bob@ptr.example' 'fail for ptr.example by -all
100'
hand '-n -i 203.0.113.1 -f bob@bad.org -s "v=spf1 -all" -N mx.example -x "by %{r}, %{c}, no %{d}"' 'fail for bad.org by -all
explanation=by mx.example, 203.0.113.1, no bad.org
0'

# limits: at it the term behind is reached, beyond it there is no result
# limit NAME WORDS
limit() {
	hand "-i 192.0.2.1 -f bob@$1.example" "pass for $1.example by ip4:192.0.2.1
0"
	hand "-i 192.0.2.1 -f bob@$1-over.example" "permerror for $1-over.example: $2
0"
}
limit terms 'more than 10 terms that need lookups (RFC 7208 4.6.4)'
limit tree 'more than 10 terms that need lookups (RFC 7208 4.6.4)'
limit void 'more than 2 void lookups (RFC 7208 4.6.4)'
limit hosts 'more than 10 hosts for mx (RFC 7208 4.6.4)'
limit size 'record of size-over.example: record over 8192 octets'
hand '-i 192.0.2.1 -f bob@long-over.example' 'pass for long-over.example by ip4:192.0.2.1
0'
hand '-i 198.51.100.20 -f bob@ten.example' 'pass for ten.example by ptr
0'
hand '-i 198.51.100.21 -f bob@ten.example' 'fail for ten.example by -all
100'
long=$(mr-spf -D file:zone -x other -i 192.0.2.1 -f bob@explained.example | sed -n 's/^explanation=//p')
is 'an explanation of 8192 octets' "${#long}" 8192
hand '-x other -i 192.0.2.1 -f bob@explained-over.example' 'fail for explained-over.example by -all
explanation=other
100'
long=$(mr-spf -D file:zone -i 192.0.2.1 -f bob@longexp-over.example | sed -n 's/^explanation=//p')
is 'CVE-2023-42118: 127 macros and a long literal' "${#long}" $((127 * 20 + 3000))

# a record on standard input
cat >record <<-'EOT'
	client_address=203.0.113.1
	helo_name=helo.example
	sender=bob"x@example.org
	instance=one

EOT
mr-spf -D file:zone -N mx.example <record >got
is 'a record: exit' $? 100
is 'and answer' "$(cat got)" 'action=REJECT 5.7.23 SPF fail: 203.0.113.1 may not send mail for example.org; the domain example.org explains: 203.0.113.1 is none of ours: http://example.org/?bob%22x%40example.org
ar=spf=fail smtp.mailfrom=example.org
ar=spf=fail smtp.helo=helo.example
spf_result=fail
spf_domain=example.org

Received-SPF: fail
	client-ip=203.0.113.1;
	envelope-from="bob\"x@example.org";
	helo=helo.example;
	identity=mailfrom;
	receiver=mx.example;
	mechanism=-all'
printf 'client_address=198.51.100.8\nhelo_name=helo.example\nsender=\n\n' | mr-spf -D file:zone -N mx.example >got
is 'the null sender: exit' $? 0
is 'and answer' "$(cat got)" 'action=DUNNO
ar=spf=pass smtp.helo=helo.example
spf_result=pass
spf_domain=helo.example

Received-SPF: pass
	client-ip=198.51.100.8;
	envelope-from="";
	helo=helo.example;
	identity=helo;
	receiver=mx.example;
	mechanism=a'
printf 'client_address=unknown\nsender=bob@example.org\n\n' | mr-spf -D file:zone >got
is 'no client address: exit' $? 0
is 'and nothing to say' "$(cat got)" 'action=DUNNO'
printf 'client_address=192.0.2.1\nsender=a(\tb)\\\303\251@x y.example\nhelo_name=%s\n\n' "$(printf '%0300d' 1)" |
	mr-spf -D file:zone -N mx.example >got
is 'hostile words stay in their place' "$(cat got)" "action=DUNNO
ar=spf=none smtp.mailfrom=\"x y.example\"
ar=spf=none smtp.helo=$(printf '%0200d' 0)
spf_result=none
spf_domain=x y.example

Received-SPF: none
	client-ip=192.0.2.1;
	envelope-from=\"a(?b)\\\\??@x y.example\";
	helo=$(printf '%0200d' 0);
	identity=mailfrom;
	receiver=mx.example;
	problem=\"no domain name\""

# a policy service: the field once a message, the lookups, too
sed 's/203.0.113.1/192.0.2.1/; /sender/s/=.*/=bob@example.org/' record >ok
{ cat ok ok; sed 's/one/two/' ok; } | mr-spf -l -v -D file:zone -N mx.example >got 2>log
is '-l gives Received-SPF once a message' "$(sed 's/client-ip.*//' got | tr '\t' ' ')" \
	'action=PREPEND Received-SPF: pass 

action=DUNNO

action=PREPEND Received-SPF: pass '
like '-v: a lookup' "$(cat log)" '^mr-spf: debug event=spf lookup=example.org type=TXT answer=found$'
like '-v: a record' "$(cat log)" ' event=spf domain=example.org record="v=spf1 ip4:192.0.2.0/28 include'
like '-v: a term' "$(cat log)" ' event=spf domain=example.org term=ip4:192.0.2.0/28 match=yes$'

# as a stage, inside mr-pipe and executed by it
echo "mail spf - mr-spf -D file:$T_DIR/zone -N mx.example" >spec
for how in '' -x; do
	{
		echo request=smtpd_access_policy
		echo protocol_state=RCPT
		sed '/^$/i recipient=x@y.example' ok
	} | mr-pipe $how -l -N mx.example spec >got
	like "a stage $how" "$(cat got)" '^action=PREPEND Authentication-Results: mx\.example;.spf=pass smtp\.mailfrom=example\.org;.spf=fail smtp\.helo=helo\.example$'
done

# what results mean
# means IP HELO SENDER ARGS RESULT ACTION
means() {
	got=$(printf 'client_address=%s\nhelo_name=%s\nsender=%s\n\n' "$1" "$2" "$3" |
		eval "mr-spf -D file:zone $4")
	is "$3 from $1, $2 $4: the result" "$(echo "$got" | sed -n 's/^spf_result=//p')" "$5"
	is 'and what it means' "$(echo "$got" | sed -n 's/^action=//p')" "$6"
}
softfail='203.0.113.8 mx.example bob@example.org'
means $softfail '' softfail DUNNO
means $softfail '-a softfail=reject' softfail \
	'REJECT 5.7.23 SPF softfail: 203.0.113.8 may not send mail for example.org'
means $softfail '-a softfail=defer' softfail \
	'DEFER 4.7.23 SPF softfail: 203.0.113.8 may not send mail for example.org'
means 192.0.2.1 mx.example bob@bad.example '-a permerror=reject' permerror \
	"REJECT 5.7.24 SPF permerror: record of bad.example: wrong term 'ipv4:192.0.2.1'"
away='192.0.2.1 mx.example bob@away.example'
means $away '' temperror 'DEFER 4.7.24 SPF temperror: TXT of away.example: server failure'
means $away '-e open' temperror DUNNO
means $away '-a temperror=accept' temperror DUNNO
means 192.0.2.1 mx.example bob@none.example '-a none=defer' none \
	'DEFER 4.7.23 SPF none: 192.0.2.1 may not send mail for none.example'
means 203.0.113.9 mx.example bob@example.org '-a neutral=reject' neutral \
	'REJECT 5.7.23 SPF neutral: 203.0.113.9 may not send mail for example.org'
means 203.0.113.1 mx.example bob@example.org '-a fail=accept' fail DUNNO
helo='192.0.2.1 helo.example bob@example.org'
means $helo '' pass DUNNO
means $helo '-a helo=reject' pass \
	'REJECT 5.7.23 SPF fail: 192.0.2.1 may not use the HELO name helo.example'
means 192.0.2.1 helo.example '' '' fail \
	'REJECT 5.7.23 SPF fail: 192.0.2.1 may not use the HELO name helo.example'
means 203.0.113.1 mx.example bob@bad.example '-s "v=spf1 -all" -x "ask %{r}" -N mx.example' fail \
	'REJECT 5.7.23 SPF fail: 203.0.113.1 may not send mail for bad.example; ask mx.example'

# the table
cat >table <<-'EOT'
	203.0.113.0/24     skip
	198.51.100.0/24    fail=defer
	example.org        fail=accept softfail=reject
	boss@example.org   fail=reject
	.example.org       skip
	bad.example        v=spf1 ip4:192.0.2.1 -all
	helo.example       v=spf1 ip4:192.0.2.7 -all
	*                  none=defer
EOT
mr-table table table.cdb || exit 1
for table in table table.cdb; do
	hand "-i 203.0.113.1 -f bob@example.org $table" 'none (skipped by the table)
0'
	hand "-i 2001:db8:1::1 -f bob@sub.example.org $table" 'none (skipped by the table)
0'
	hand "-i 192.0.2.99 -f bob@example.org $table" 'fail for example.org by -all
explanation=192.0.2.99 is none of ours: http://example.org/?bob%40example.org
0'
	hand "-i 192.0.2.99 -f BOSS@example.org $table" 'fail for example.org by -all
explanation=192.0.2.99 is none of ours: http://example.org/?BOSS%40example.org
100'
	hand "-i 198.51.100.1 -f bob@local.example $table" 'fail for local.example by -all
explanation=not bob
111'
	hand "-i 192.0.2.1 -f bob@bad.example $table" 'pass for bad.example by ip4:192.0.2.1
0'
	hand "-i 192.0.2.7 -h helo.example $table" 'pass for helo.example by ip4:192.0.2.7
0'
	hand "-i 192.0.2.1 -f bob@none.example $table" 'none for none.example: no record for none.example
111'
done
printf 'client_address=203.0.113.1\nsender=bob@example.org\n\n' | mr-spf -D file:zone table >got
is 'who is skipped has no result' "$(cat got)" 'action=DUNNO'

# a resolver that never answers
deaf_port
is '-T ends a check' "$(mr-spf -D "127.0.0.1:$DEAF" -T 1 -i 192.0.2.1 -f bob@example.org; echo $?)" \
	'temperror for example.org: TXT of example.org: time-out
111'

# what is refused at the start
# refuse WANT ARGS...
refuse() {
	reason=$1
	shift
	exits "refused: $*" 111 mr-spf -i 127.0.0.1 -f bob@example.org "$@"
	like 'and why' "$(cat .err)" "$reason"
}
refuse 'more than one table' table table
refuse "'fail=drop': need fail, softfail" -a fail=drop
refuse "'pass=reject': need fail" -a pass=reject
refuse 'temperror=reject would bounce mail' -a temperror=reject
refuse 'a record begins with v=spf1' -s 'ip4:192.0.2.1'
refuse "wrong term 'ip4:300.0.2.1'" -s 'v=spf1 ip4:300.0.2.1'
refuse 'wrong syntax .RFC 7208 6.2' -x '%{z}'
refuse '-N: not a name' -N ''
refuse '-D' -D 192.0.2.300
refuse 'No such file' none
echo 'example.org reject' >wrong
refuse "wrong: example.org: 'reject': need" wrong
echo 'example.org v=spf1 a:%{h} bad' >wrong
refuse "wrong: example.org: wrong term 'bad'" wrong
done_testing

#!/bin/sh
# mr-greylist: triplets, whose they are, who is not delayed, -o, by hand, -l, in a pipeline, several at once, Redis.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
S=lmdb:$T_DIR/state
cat >zone <<-'EOT'
	spf.example TXT "v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.0/24 -all"
	away.example ! servfail
	1.113.0.203.in-addr.arpa PTR mx1.out.host.example
	mx1.out.host.example A 203.0.113.1
	2.113.0.203.in-addr.arpa PTR 203-0-113-2.net.example
	203-0-113-2.net.example A 203.0.113.2
	7.100.51.198.in-addr.arpa PTR mx7.out.host.example
	mx7.out.host.example A 198.51.100.7
	3.113.0.203.in-addr.arpa PTR forged.host.example
	forged.host.example A 192.0.2.1
EOT

# ask ARGS NAME=VALUE...: the answer to this record
ask() {
	args=$1
	shift
	printf '%s\n' "$@" '' | mr-greylist -D file:zone -N mx.example -S "$S" $args 2>&1 | grep .
}
# A fresh client for each case: 10.N.0.1.
net=0
client() {
	net=$((net + 1))
	c="client_address=10.$net.0.1 reverse_client_name=unknown sender=bob@a.example recipient=ann@b.example"
}
# passes ARGS: once the time is over (-d 1) the same record is let in; what it was told in out
passes() {
	ask "-d 1 $1" $c | tee out | grep -q '^action=DUNNO'
}
client
is 'a first attempt' "$(ask '' $c)" 'action=DEFER 4.7.1 Greylisted; try again in 120 seconds'
like 'a second one' "$(ask '' $c)" '^action=DEFER 4\.7\.1 Greylisted; try again in 1[12][0-9] seconds$'
like '-d' "$(ask '-d 1h' $c)" 'try again in 3[56][0-9][0-9] seconds'
client
ask '-d 1' $c >/dev/null
ok 'a retry passes' wait_for 60 passes ''
like 'with a field' "$(cat out)" '^X-Greylist: delayed [0-9]+ seconds by mr-greylist at mx\.example$'
is 'once' "$(ask '-d 1d' $c)" 'action=DUNNO'

# By hand, without a change.
mr-state -S "$S" dump | cut -f1,2 | sort >before
hand() {
	mr-greylist -D file:zone -S "$S" -v "$@"
}
is '-v: new' "$(hand -i 203.0.113.9 -f bob@a.example -r ann@b.example)" \
	'try later: 4.7.1 Greylisted; try again in 120 seconds (new: 203.0.113.0/24 <bob@a.example> <ann@b.example>)'
like '-v: early' "$(hand -i 10.1.0.1 -f bob@a.example -r ann@b.example)" '\(early: 10\.1\.0\.0/24 '
like '-v: passed' "$(hand -d 1 -i 10.1.0.1 -f bob@a.example -r ann@b.example)" '^no objection \(passed: 10\.1\.0\.0/24 '
is '-v: known' "$(hand -i 10.2.0.9 -f bob@a.example -r ann@b.example)" \
	'no objection (known: 10.2.0.0/24 <bob@a.example> <ann@b.example>)'
mr-state -S "$S" dump | cut -f1,2 | sort >after
ok 'the store is as before' cmp before after

# Who it is: key WANT ARGS: the words in brackets
key() {
	want=$1
	shift
	is "key: $*" "$(hand "$@" -r Ann@B.example | sed 's/.*(new: \(.*\))$/\1/')" "$want <ann@b.example>"
}
key '192.0.2.0/24 <bob@a.example>' -i 192.0.2.77 -f bob@a.example
key '2001:db8:0:1::/64 <bob@a.example>' -i 2001:db8:0:1::77 -f bob@a.example
key 'spf.example <bob@spf.example>' -i 192.0.2.77 -f bob@spf.example
key 'spf.example <bob@spf.example>' -i 198.51.100.1 -f bob@SPF.example
key '203.0.113.0/24 <bob@spf.example>' -i 203.0.113.77 -f bob@spf.example
key 'spf.example <>' -i 192.0.2.77 -h spf.example
key 'host.example <bob@a.example>' -i 203.0.113.1 -f bob@a.example
key '203.0.113.0/24 <bob@a.example>' -i 203.0.113.2 -f bob@a.example
key '203.0.113.0/24 <bob@a.example>' -i 203.0.113.3 -f bob@a.example
key '203.0.113.0/24 <bob@away.example>' -i 203.0.113.3 -f bob@away.example
key '192.0.2.0/24 <bounce-#-=@l.example>' -i 192.0.2.77 -f bounce-4711-ann=b.example@l.example
key '192.0.2.0/24 <srs0=a.example=bob@l.example>' -i 192.0.2.77 -f SRS0=x1Yz=AB=a.example=bob@l.example

# What earlier stages and Postfix have found is not asked again.
ask '' client_address=203.0.113.20 spf_result=pass spf_domain=Said.example sender=x@said.example recipient=a@b.example >/dev/null
ask '' client_address=192.0.2.20 spf_result=none reverse_client_name=unknown sender=x@spf.example recipient=a@b.example >/dev/null
ask '' client_address=203.0.113.21 spf_result=none client_name=mx.named.example sender=x@y.example recipient=a@b.example >/dev/null
is 'keys by what was told' "$(mr-state -S "$S" list -p 'g1 ' | cut -f1 | grep ' a@b\.example$')" 'g1 192.0.2.0/24 x@spf.example a@b.example
g1 named.example x@y.example a@b.example
g1 said.example x@said.example a@b.example'

# Who is not delayed.
c0='client_address=10.250.0.1 reverse_client_name=unknown sender=x@y.example'
is 'postmaster' "$(ask '' $c0 recipient=PostMaster@b.example)" 'action=DUNNO'
is 'abuse' "$(ask '' $c0 recipient=abuse@b.example)" 'action=DUNNO'
like 'abuser is delayed' "$(ask '' $c0 recipient=abuser@b.example)" 'DEFER'
is 'no client' "$(ask '' sender=a@b.example recipient=c@d.example)" 'action=DUNNO'
cat >table <<-'EOT'
	10.250.0.0/16    skip
	mx.big.example   skip
	.big.example     skip
	open@b.example   skip
	.free.example    skip
EOT
is 'table: a network' "$(ask table $c0 recipient=a@b.example)" 'action=DUNNO'
c0='client_address=10.251.0.1 sender=x@y.example'
is 'table: a client by its name' "$(ask table $c0 client_name=a.big.example recipient=a@b.example)" 'action=DUNNO'
is 'table: a mailbox' "$(ask table $c0 reverse_client_name=unknown recipient=Open@b.example)" 'action=DUNNO'
is 'table: a domain' "$(ask table $c0 reverse_client_name=unknown recipient=x@is.free.example)" 'action=DUNNO'
like 'table: others' "$(ask table $c0 reverse_client_name=unknown recipient=x@free.example)" 'DEFER'
echo '10.0.0.0/8 no' >wrong
like 'a wrong table' "$(ask wrong $c0)" '10\.0\.0\.0/8.*: the value must be skip'

# Bounces wait at DATA, since a callout looks at RCPT.
c0='client_address=10.252.0.1 reverse_client_name=unknown recipient=a@b.example'
is 'null sender at RCPT' "$(ask '' $c0 sender= protocol_state=RCPT)" 'action=DUNNO'
for state in DATA END-OF-MESSAGE; do
	like "null sender at $state" "$(ask '' $c0 sender= protocol_state=$state)" 'DEFER 4\.7\.1 Greylisted'
done
is 'others not' "$(ask '' $c0 sender=x@y.example protocol_state=DATA)" 'action=DUNNO'
like 'they wait at RCPT' "$(ask '' $c0 sender=x@y.example protocol_state=RCPT)" 'DEFER'

c0='client_address=10.253.0.1 reverse_client_name=unknown recipient=a@b.example sender=x@y.example'
is '-m: no attribute' "$(ask '-m dnsbl_score=2' $c0)" 'action=DUNNO'
is '-m: less' "$(ask '-m dnsbl_score=2' $c0 dnsbl_score=1)" 'action=DUNNO'
is '-m: no number' "$(ask '-m dnsbl_score=2' $c0 dnsbl_score=2x)" 'action=DUNNO'
like '-m: reached' "$(ask '-m dnsbl_score=2' $c0 dnsbl_score=2)" 'DEFER'
like '-m: the second' "$(ask '-m dnsbl_score=2 -m x=-3' $c0 x=-3)" 'DEFER'

m=$(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do printf ' -m a%s=1' $i; done)
like '-m: sixteen' "$(ask "$m" $c0 a16=1)" 'DEFER'
like '-m: one more' "$(ask "$m -m b=1" $c0 b=1)" 'more than 16 -m'

# Clients and domains that are known.
client
two=$c
ask '-d 1 -a 2' $two >/dev/null
c0=$(echo "$two" | sed 's/ann@/eve@/')
ask '-d 1 -a 2' $c0 >/dev/null
ok 'one triplet passes' wait_for 60 passes '-a 2'
c=$c0
ok 'two' wait_for 60 passes '-a 2'
is 'then the client is known' "$(ask '-a 2' $(echo "$two" | sed 's/ann@/new@/'))" 'action=DUNNO'
like 'by no more than asked for' "$(ask '-a 3' $(echo "$two" | sed 's/ann@/new@/'))" 'DEFER'
like 'or never' "$(ask '-a 0' $(echo "$two" | sed 's/ann@/new2@/'))" 'DEFER'
c0='client_address=203.0.113.1 spf_result=none client_name=mx.far.example sender=x@y.example recipient=a@b.example'
like 'a domain' "$(ask '' $c0)" 'DEFER'
is 'that our users write to' "$(ask -o protocol_state=END sender=a@b.example recipient=q@z.example recipient=who@sub.FAR.example)" 'action=DUNNO'
is 'is known' "$(ask '' $c0)" 'action=DUNNO'
is 'by its organisational domain' "$(mr-state -S "$S" list -p 'w1 ' | cut -f1)" 'w1 far.example
w1 z.example'
like 'not by the sender' "$(ask '' client_address=10.254.0.1 reverse_client_name=unknown sender=x@far.example recipient=a@b.example)" 'DEFER'

for bad in '' '-S lmdb:x -d 0' '-S lmdb:x -d 2d' '-S lmdb:x -w 60' '-S lmdb:x -k 401d' '-S lmdb:x -a -1' '-S lmdb:x -m x' \
	'-S lmdb:x -m =1' '-S lmdb:x -m x=y' '-S lmdb:x a b' '-S lmdb:x none' '-S x: '; do
	exits "wrong options: $bad" 111 mr-greylist $bad
done
ok 'none of them touches a store' test ! -e x
exits 'a store that is away' 111 mr-greylist -D file:zone -S redis://127.0.0.1:1/0 -i 10.0.0.1 -f a@b.example -r c@d.example
exits 'with -e open' 0 mr-greylist -D file:zone -e open -S redis://127.0.0.1:1/0 -i 10.0.0.1 -f a@b.example -r c@d.example

# A pipeline: SPF by an earlier stage, both ways to run it, one store; learning at the end.
cat >spec <<-EOT
	connect  net    class=trusted   mr-access -c trusted
	mail     spf    -               mr-spf -D file:$T_DIR/zone
	rcpt     grey   unless=trusted  mr-greylist -D file:$T_DIR/zone -S $S
	data     dsn    only=bounce     mr-greylist -D file:$T_DIR/zone -S $S
	end      learn  only=trusted    mr-greylist -o -D file:$T_DIR/zone -S $S
EOT
echo 'permit 127.0.0.1' >trusted
echo 'Subject: x' >mail
run() {
	mr-pipe -v "$@" spec <mail 2>&1
}
like 'a pipeline: new' "$(run -i 192.0.2.1 -h h.example -f p@spf.example -r a@b.example)" 'grey.*new: spf\.example <p@spf\.example>'
like 'executed: the same' "$(run -x -i 198.51.100.1 -h h.example -f p@spf.example -r a@b.example)" 'Greylisted; try again in 1[0-9]* seconds'
is 'one entry' "$(mr-state -S "$S" list -p 'g1 spf.example p@' | wc -l)" 1
like 'a bounce is not delayed at RCPT, but at DATA' "$(run -i 192.0.2.1 -h h.example -f '' -r a@b.example)" 'dsn.*Greylisted|dsn.*new'
run -i 127.0.0.1 -h h.example -f us@b.example -r friend@mail.new.example >/dev/null
is 'outgoing mail is learned' "$(mr-state -S "$S" list -p 'w1 new.example' | wc -l)" 1

# The example.
cp -R "$T_ROOT/examples/relay" example
sed 's,mr-spf\|mr-greylist,& -D file:../zone,' "$T_ROOT/examples/greylist/pipeline" >example/pipeline
example() {
	(cd example && mr-pipe "$@" -R routes -h h.example pipeline <../mail 2>&1)
}
like 'the example is right' "$(cd example && mr-pipe -t pipeline)" 'stages, no error'
ours=$(sed -n 's/^permit \([0-9.]*\).*/\1/p' example/trusted | head -n 1)
like 'the example: a stranger waits' "$(example -i 198.51.100.7 -f x@y.example -r office@mydomain.com)" 'Greylisted'
is 'the example: our own do not' "$(example -i "$ours" -f office@mydomain.com -r friend@host.example | grep action)" 'action=DUNNO'
is 'the example: who was written to does not' \
	"$(example -i 198.51.100.7 -f x@y.example -r office@mydomain.com | grep action)" 'action=DUNNO'
is 'the example: what it remembers' "$(mr-state -S lmdb:example/state list | cut -d' ' -f1 | sort -u)" 'g1
l1
w1'

# 50 processes at once, each with the same 20 triplets: one entry each, nobody passes.
python3 - "$S" >count <<'EOT'
import subprocess, sys
record = b''.join(b'client_address=10.99.0.1\nspf_result=none\nreverse_client_name=unknown\nsender=s@a.example\n'
                  b'recipient=r%d@many.example\n\n' % i for i in range(20))
ps = [subprocess.Popen(['mr-greylist', '-l', '-D', 'file:zone', '-S', sys.argv[1]], stdin=subprocess.PIPE,
                       stdout=subprocess.PIPE) for _ in range(50)]
for p in ps:
    p.stdin.write(record)
    p.stdin.close()
out = b''.join(p.stdout.read() for p in ps)
print(out.count(b'action=DEFER_IF_PERMIT 4.7.1 Greylisted'), out.count(b'action=DUNNO'), *{p.wait() for p in ps})
EOT
is '50 processes at once: all are delayed' "$(cat count)" '1000 0 0'
is 'and each triplet is there once' "$(mr-state -S "$S" list -p 'g1 10.99.0.0/24 ' | wc -l)" 20

# Two frontends on one Redis.
if command -v redis-server >/dev/null; then
	port=$(free_port)
	start redis.log redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$T_DIR"
	wait_port "$port"
	S=redis://127.0.0.1:$port/0
	client
	like 'Redis: one frontend' "$(ask '-d 1' $c)" 'DEFER'
	ok 'the other knows' wait_for 60 passes ''
	is 'and the first, too' "$(ask '-d 1d' $c)" 'action=DUNNO'
	client
	redis-cli -p "$port" rpush "mr:g1 10.$net.0.0/24 bob@a.example ann@b.example" x >/dev/null
	like 'an entry of a wrong type' "$(ask '' $c)" '^action=DEFER 4\.3\.0'
	like 'is a fault that names it' "$(ask '' $c)" "event=filter .*10\\.$net"
	is 'with -e open' "$(ask '-e open' $c | grep action)" 'action=DUNNO'
fi
done_testing

#!/bin/sh
# mr-limit: keys, units, tables, by hand, -l, in a pipeline, processes at once, stores that fail.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
S=lmdb:$T_DIR/state

# record NAME=VALUE...: a record of these
record() {
	printf '%s\n' "$@" ''
}
# ask ARGS NAME=VALUE...: the action
ask() {
	args=$1
	shift
	record "$@" | mr-limit -S "$S" $args 2>&1 | grep '^action=\|mr-limit:'
}
ask '-k ip -a 2/1h' client_address=192.0.2.1 >out
ask '-k ip -a 2/1h' client_address=192.0.2.1 >>out
is 'two of two' "$(cat out)" 'action=DUNNO
action=DUNNO'
like 'the third is over' "$(ask '-k ip -a 2/1h' client_address=192.0.2.1)" \
	'^action=DEFER 4\.7\.1 Too many times of 192\.0\.2\.1; try again in [0-9]* seconds$'
is 'its neighbour' "$(ask '-k ip -a 2/1h' client_address=192.0.2.2)" 'action=DUNNO'
like '-q' "$(ask '-k ip -a 2/1h -q' client_address=192.0.2.1)" '^action=421 4\.7\.1 Too many'
is 'another window is another count' "$(ask '-k ip -a 2/2h' client_address=192.0.2.1)" 'action=DUNNO'
is 'so is another name' "$(ask '-k ip -a 2/1h -m x' client_address=192.0.2.1)" 'action=DUNNO'
is 'and mail of our own' "$(ask '-k ip -a 2/1h' client_address=192.0.2.1 sasl_username=bob)" 'action=DUNNO'
is 'and another phase' "$(ask '-k ip -a 2/1h' client_address=192.0.2.1 protocol_state=MAIL)" 'action=DUNNO'
is 'of our own once more' "$(ask '-k ip -a 2/1h' client_address=192.0.2.1 class=tls+trusted)" 'action=DUNNO'
like 'a trusted client is one of our own' "$(ask '-k ip -a 2/1h' client_address=192.0.2.1 class=auth)" '^action=DEFER'

# over ARGS FIRST SECOND: with a rate of one the second is over; apart: it is not
over() {
	ask "-a 1/1h $1" "$2" >/dev/null
	like "$1: $2 and $3 are the same" "$(ask "-a 1/1h $1" "$3")" '^action=DEFER 4'
}
apart() {
	ask "-a 1/1h $1" "$2" >/dev/null
	is "$1: $2 and $3 are not" "$(ask "-a 1/1h $1" "$3")" 'action=DUNNO'
}
over '-k net' client_address=198.51.100.1 client_address=198.51.100.200
apart '-k net' client_address=198.51.101.1 client_address=198.51.102.1
over '-k ip' client_address=2001:db8::1 client_address=2001:db8::ffff:1
over '-k ip' client_address=::ffff:203.0.113.5 client_address=203.0.113.5
over '-k user' sasl_username=ann sasl_username=ANN
apart '-k user' client_address=192.0.2.1 client_address=192.0.2.1
over '-k sender' sender=a@a.example sender=A@A.example
apart '-k sender' sender=b@a.example sender=c@a.example
apart '-k sender' sender= sender=
over '-k sender-domain' sender=a@b.example sender=b@B.example
over '-k recipient' recipient=a@c.example recipient=a@c.example
over '-k recipient-domain' recipient=a@d.example recipient=b@d.example

is 'bytes' "$(ask '-k user -c bytes -a 10k/1h' sasl_username=u size=6000)" 'action=DUNNO'
like 'are counted' "$(ask '-k user -c bytes -a 10k/1h' sasl_username=u size=6000)" \
	'^action=DEFER 4\.7\.1 Too many bytes of u; try again'
is 'not those of what was sent away' "$(ask '-k user -c bytes -a 10k/1h' sasl_username=u size=4240)" 'action=DUNNO'
is 'more than can ever pass is refused' "$(ask '-k user -c bytes -a 10k/1h' sasl_username=u size=10241)" \
	'action=REJECT 5.7.1 More bytes of u at once than are ever let in'
ask '-k user -c recipients -a 3/1h' sasl_username=u recipient=a@x.example recipient=b@x.example >/dev/null
like 'recipients' "$(ask '-k user -c recipients -a 3/1h' sasl_username=u recipient_count=2)" '^action=DEFER 4'

cat >table <<-'EOT'
	192.0.2.0/24  1/1h
	192.0.2.7     none
	.b.example    1/1h 5/1d
	a@b.example   none
	*             0/1h
EOT
# twice ARGS RECORD: the second action
twice() {
	ask "$1" "$2" >/dev/null
	ask "$1" "$2"
}
like 'table: a network' "$(twice '-k ip -m t table' client_address=192.0.2.9)" '^action=DEFER'
is 'table: no limit' "$(twice '-k ip -m t table' client_address=192.0.2.7)" 'action=DUNNO'
like 'table: a parent domain' "$(twice '-k sender-domain table' sender=x@c.b.example)" '^action=DEFER'
is 'table: a mailbox' "$(ask '-k sender table' sender=A@b.example)" 'action=DUNNO'
like 'table: all others' "$(ask '-k sender table' sender=x@y.example)" '^action=REJECT'
echo '192.0.2.1 lots' >wrong
like 'a wrong entry' "$(mr-limit -S "$S" -k ip wrong 2>&1 </dev/null)" "192\.0\.2\.1.*: rate 'lots': need max/window"

mr-limit -S "$S" -v -k ip -a 2/1h -i 203.0.113.1 >out
mr-limit -S "$S" -v -k ip -a 2/1h -i 203.0.113.1 >>out
is '-v by hand tells and counts nothing' "$(cat out)" 'no objection (203.0.113.1: 1 of 2 times in 3600 s)
no objection (203.0.113.1: 1 of 2 times in 3600 s)'
exits 'by hand' 0 mr-limit -S "$S" -k ip -a 1/1h -i 203.0.113.1
exits 'counts' 111 mr-limit -S "$S" -k ip -a 1/1h -i 203.0.113.1
exits '-n' 0 mr-limit -S "$S" -n -k ip -a 1/1h -i 203.0.113.1

for bad in '-k ip -a 1/1' '-S lmdb:x -a 1/1' '-S lmdb:x -k ip' '-S lmdb:x -k id -a 1/1' '-S lmdb:x -k ip -a 1' \
	'-S lmdb:x -k ip -a 1/1 -c gold' '-S lmdb:x -k ip -a 1/1 table more' '-S x: -k ip -a 1/1'; do
	exits "wrong options: $bad" 111 mr-limit $bad
done
ok 'none of them touches a store' test ! -e x

# A policy service; a key that is too long is hashed, any bytes are counted.
long=$(printf '%0600d' 7)
{
	record "sender=$long@x.example" instance=1
	record "sender=$long@x.example" instance=2
	printf 'sender=\377\001 %%@x.example\n\nsender=\377\001 %%@x.example\n\n'
} | mr-limit -S "$S" -l -k sender -a 1/1h >out 2>err
is 'a policy service' "$(cut -d' ' -f1 out | grep .)" 'action=DUNNO
action=DEFER_IF_PERMIT
action=DUNNO
action=DEFER_IF_PERMIT'

# In a pipeline, inside the process and executed: one store, one count.
cat >spec <<-EOT
	connect  net  class=trusted   mr-access -c trusted
	mail     out  only=trusted    mr-limit -S $S -k net -a 2/1h
	mail     in   unless=trusted  mr-limit -S $S -k net -a 2/1h
	rcpt     to   -               mr-limit -S $S -k recipient-domain -a 9/1h
EOT
echo 'permit 127.0.0.1' >trusted
run() {
	mr-pipe "$@" -f a@a.example -h h.example -r b@r.example spec </dev/null 2>&1
}
run -i 127.0.0.9 >out
run -x -i 127.0.0.9 >>out
is 'a network, counted inside and outside' "$(grep -c DUNNO out)" 2
like 'is over' "$(run -v -i 127.0.0.9)" 'Too many times of 127\.0\.0\.0/24'
is 'not for who is trusted' "$(run -i 127.0.0.1 | grep action)" 'action=DUNNO'
is 'executed neither' "$(run -x -i 127.0.0.1 | grep action)" 'action=DUNNO'
like 'who is counted apart' "$(run -v -i 127.0.0.1)" 'Too many times of 127\.0\.0\.0/24'
mr-state -S "$S" list -p 'l1 ' >list
like 'keys say what is counted: in' "$(cat list)" '^l1  MAIL in times net 127\.0\.0\.0/24 3600 [0-9]+	2	'
like 'out' "$(cat list)" '^l1  MAIL out times net 127\.0\.0\.0/24 3600 [0-9]+	2	'
like 'recipients, in the same store' "$(cat list)" '^l1  RCPT in times recipient-domain r\.example 3600 [0-9]+	2	'

# Inside a server that has given up its rights: a listener (whose store is damaged when it starts), and a process for
# one connection.
mkdir spool served
head -c 20000 /dev/zero | tr '\0' '\377' >served/data.mdb
echo 'r.example 127.0.0.1:1' >routes
echo "mail flood - mr-limit -S lmdb:$T_DIR/served -k sender -a 2/1h" >served.spec
port=$(free_port)
start smtpd.log mr-smtpd -L "127.0.0.1:$port" -Q spool -R routes -N mx.example served.spec
ok 'a listener' wait_port "$port"
cat >talk.py <<'EOT'
import smtplib, subprocess, sys
def talk(s):
    s.ehlo('h.example')
    s.mail('bob@a.example')
    code, text = s.rcpt('ann@r.example')
    print(code, text.decode().split(';')[0])
    s.docmd('QUIT')
for _ in range(2):
    talk(smtplib.SMTP('127.0.0.1', int(sys.argv[1])))
EOT
is 'counts in its children' "$(python3 talk.py "$port")" '250 2.1.5 Ok
250 2.1.5 Ok'
one() {
	printf 'EHLO h\r\nMAIL FROM:<%s>\r\nRCPT TO:<ann@r.example>\r\nQUIT\r\n' "$1" |
		mr-smtpd -Q spool -R routes -N mx.example served.spec 2>one.log | grep '^[45]'
}
like 'a process for one connection knows' "$(one bob@a.example)" '^451 4\.7\.1 Too many times of bob@a\.example; try again'
like 'and counts, too' "$(one eve@a.example; one eve@a.example; one eve@a.example)" '^451 4\.7\.1 Too many times of eve'
like 'the damaged store was moved aside' "$(cat smtpd.log)" 'fault event=store .*moved='
stop "$T_PID"

# What end tells: counted there, judged elsewhere.
U='-k ip -c rcpt-unknown -a 3/1h'
is 'nothing is known of it' "$(ask "$U" protocol_state=CONNECT client_address=192.0.2.50)" 'action=DUNNO'
is 'two unknown recipients' "$(ask "$U" protocol_state=END client_address=192.0.2.50 rcpt_unknown=2)" 'action=DUNNO'
is 'judged, not counted' "$(ask "$U" protocol_state=CONNECT client_address=192.0.2.50)" 'action=DUNNO'
is 'more than the rate at once' "$(ask "$U" protocol_state=END client_address=192.0.2.50 rcpt_unknown=200)" 'action=DUNNO'
like 'sent away' "$(ask "$U" protocol_state=CONNECT client_address=192.0.2.50)" \
	'^action=DEFER 4\.7\.1 Too many unknown recipients of 192\.0\.2\.50; try again in [0-9]+ seconds'
is 'not its neighbour' "$(ask "$U" protocol_state=CONNECT client_address=192.0.2.51)" 'action=DUNNO'
is 'failed logins are others' "$(ask '-k ip -c auth-failed -a 3/1h' protocol_state=CONNECT client_address=192.0.2.50)" 'action=DUNNO'
ask '-k ip -c auth-failed -a 3/1h' protocol_state=END client_address=192.0.2.50 auth_failed=3 >/dev/null
like 'and counted' "$(ask '-k ip -c auth-failed -a 3/1h' protocol_state=CONNECT client_address=192.0.2.50)" 'Too many failed logins'
cat >unknown.spec <<X
connect names - mr-limit -S $S -m smtp $U
rcpt    known - sh known
end     tried - mr-limit -S $S -m smtp $U
X
echo 'grep -q "^recipient=known@" || exit 100' >known
# names N: N names are tried by one client
names() {
	{
		printf 'EHLO h\r\nMAIL FROM:<x@y.example>\r\n'
		for n in $(seq "$1"); do printf 'RCPT TO:<n%s@r.example>\r\n' "$n"; done
		printf 'RCPT TO:<known@r.example>\r\nQUIT\r\n'
	} | TCPREMOTEIP=192.0.2.60 mr-smtpd -Q spool -R routes -N mx.example unknown.spec 2>/dev/null | grep '^[245]5' | tail -n "$(($1 + 1))"
}
is 'a client that tries names' "$(names 4 | cut -c 1-3 | tr '\n' ' ')" '550 550 550 550 250 '
like 'is sent away the next time' "$(names 1)" '^450 4\.7\.1 Too many unknown recipients|^451 4\.7\.1 Too many unknown recipients'

# 50 processes at once, 1000 records: never more than the rate.  Who is sent away is in the count for a moment, so
# a few may go with it.
python3 - "$S" >count <<'EOT'
import subprocess, sys
record = b'client_address=192.0.2.99\n\n' * 20
ps = [subprocess.Popen(['mr-limit', '-l', '-S', sys.argv[1], '-k', 'ip', '-a', '400/31d'],
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(50)]
for p in ps:
    p.stdin.write(record)
    p.stdin.close()
out = b''.join(p.stdout.read() for p in ps)
print(out.count(b'action=DUNNO') + out.count(b'action=DEFER_IF_PERMIT 4.7.1'), *{p.wait() for p in ps})
print(out.count(b'action=DUNNO'))
EOT
is '50 processes at once: all are answered' "$(head -n 1 count)" '1000 0'
n=$(tail -n 1 count)
ok "350 to 400 of them are let in: $n" test "$n" -le 400 -a "$n" -ge 350
is 'the count is of these' "$(mr-state -S "$S" list -p 'l1   in times ip 192.0.2.99 2678400' | cut -f2)" "$n"

# Stores that fail.
exits 'a store that is away' 111 mr-limit -S redis://127.0.0.1:1/0 -k ip -a 1/1 -i 192.0.2.1
exits 'with -e open' 0 mr-limit -S redis://127.0.0.1:1/0 -e open -k ip -a 1/1 -i 192.0.2.1
mkdir bad
head -c 20000 /dev/zero | tr '\0' '\377' >bad/data.mdb
exits 'a damaged one' 111 mr-limit -S lmdb:bad -k ip -a 1/1h -i 192.0.2.1
record client_address=192.0.2.1 | mr-limit -l -S lmdb:bad -k ip -a 1/1h >out 2>err
is 'is moved aside when a service starts' "$(grep . out)" 'action=DUNNO'
like 'with a line in the log' "$(cat err)" '^mr-limit: fault event=store .*moved=.*data\.mdb\.damaged-'
mkdir bad2
head -c 20000 /dev/zero | tr '\0' '\377' >bad2/data.mdb
echo 'rcpt to - mr-limit -S lmdb:bad2 -k recipient -a 1/1h' >spec2
{
	record protocol_state=RCPT client_address=192.0.2.1 recipient=a@b.example sender=x@y.example instance=1
	record protocol_state=RCPT client_address=192.0.2.1 recipient=a@b.example sender=x@y.example instance=2
} | mr-pipe -l -N mx.example spec2 >out 2>err
is 'so it is by mr-pipe -l' "$(grep . out | cut -d' ' -f1,2)" 'action=DUNNO
action=DEFER_IF_PERMIT 4.7.1'
like 'with a line, too' "$(cat err)" '^mr-pipe: fault event=store .*moved='
done_testing

#!/bin/sh
# mr-pipe: a spec checked, a case by hand, foreign and broken stages, policy servers, -l.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
TMPDIR=$T_DIR
export TMPDIR
PATH=$T_DIR:$PATH

# script NAME < BODY: a foreign command
script() {
	{
		echo '#!/bin/sh'
		cat
	} >"$1"
	chmod +x "$1"
}
echo 'exit $1' | script code
cat >access <<-'EOT'
	permit 192.0.2.1
	forbid 192.0.2.2
	permit friend@example.org
EOT
cat >routes <<-'EOT'
	ours.example 127.0.0.1:1
	boxes.example local
EOT
printf 'Subject: x\n\nbody\n' >mail

# ---- -t ----
cat >bad <<-'EOT'
	# a comment
	mail  a  unless=vip       mr-access access
	mail  b  -                no-such-program -x
	rcpt  c  time=0           code 0
	mail  d  only=permitted   code 0
	mail  e  -                mr-access
	helo  f  only=bounce
	      code 0
EOT
is '-t tells all that is wrong, with lines' "$(mr-pipe -t bad; echo $?)" \
	"bad:2: unless=vip: unknown class; it is neither built in (trusted auth tls bounce local permitted) nor given by a stage (class=)
bad:3: stage 'b': no program 'no-such-program' in the PATH
bad:4: time=0: need seconds from 1 to 3600
bad:6: stage 'e': need exactly one table
bad:7: stage 'f' is never reached: no class of its only= can hold before it
111"
echo 'mail a unless=local code 0' >warns
is 'a warning is no error' "$(mr-pipe -t warns; echo $?)" \
	"warns:1: warning: stage 'a': a class of its unless= can never hold before it
warns: 1 stage, no error
0"
is 'no spec' "$(mr-pipe -t nothing; echo $?)" 'nothing: No such file or directory
111'
exits 'and such a spec runs nothing' 111 mr-pipe -i 192.0.2.9 bad
like 'but tells the first error' "$(cat .err)" 'fault event=pipe why="bad: line 2: unless=vip'
exits 'no operand' 111 mr-pipe
exits 'wrong address' 111 mr-pipe -i 1.2.3 warns
exits 'wrong option' 111 mr-pipe -y warns

# ---- by hand ----
cat >spec <<-'EOT'
	connect  net    class=trusted             mr-access -c access
	connect  deny   unless=trusted            mr-access access
	mail     vip    only=bounce,class=vip     code 99
	mail     slow   unless=trusted,warn       code 111
	rcpt     local  only=local                says
	rcpt     no     -                         if_rcpt no@ours.example 100 action=REJECT 5.7.1 Not here
	data     big    only=trusted              codes
EOT
echo 'printf "ar=x=pass\nfoo_result=1\n\nX-Foo: 1\n"' | script says
echo 'grep -qx "recipient=$1" || exit 0; c=$2; shift 2; echo "$*"; exit $c' | script if_rcpt
echo 'grep -q ^foo_result= <&3 && exit 1; grep -q Subject: || exit 1; exit 0' | script codes
# Milliseconds differ.
trace() {
	mr-pipe -v -N mx.example -R routes "$@" 2>/dev/null | sed -E 's/ +[0-9]+\.[0-9]{3} +/ MS /; s/\r$//'
	echo $?
}
is '-v shows what ran, what was skipped, and why' "$(trace -i 192.0.2.1 -f a@example.org \
	-r one@ours.example -r x@example.com spec <mail)" \
	"phase    stage         code       ms  what
connect  net             99 MS member, gives trusted (permit 192.0.2.1)
connect  deny             -        -  skipped: unless=trusted
mail     vip              -        -  skipped: only=bounce
mail     slow             -        -  skipped: unless=trusted
rcpt     local            0 MS no objection
rcpt     no               0 MS no objection
one@ours.example: no objection
rcpt     local            -        -  skipped: only=local
rcpt     no               0 MS no objection
x@example.com: no objection
data     big              0 MS no objection
message: no objection
Authentication-Results: mx.example;
	x=pass
X-Foo: 1
0"
is 'and a refusal' "$(trace -i 192.0.2.9 -f '' -r no@ours.example spec <mail)" \
	"phase    stage         code       ms  what
connect  net              0 MS no objection (no entry)
connect  deny             0 MS no objection (no entry)
mail     vip             99 MS member, gives vip
mail     slow           111 MS would be: try later
rcpt     local            0 MS no objection
rcpt     no             100 MS refuse: 5.7.1 Not here
no@ours.example: refuse: 5.7.1 Not here (stage no)
message: refuse: 5.7.1 Not here (stage no)
0"

# both ARGS...: in the process and executed, the same verdict, record and fields
both() {
	mr-pipe -N mx.example "$@" >in.out 2>in.err
	echo "exit $?" >>in.out
	mr-pipe -x -N mx.example "$@" >x.out 2>x.err
	echo "exit $?" >>x.out
	is "-x answers the same: $*" "$(cat x.out)" "$(cat in.out)"
}
for addr in 192.0.2.1 192.0.2.2 192.0.2.3 2001:db8::1; do
	for sender in '' friend@example.org foe@example.org; do
		both -R routes -i $addr -f "$sender" -r one@ours.example -r no@ours.example spec <mail
	done
done
is 'the record' "$(mr-pipe -N mx.example -R routes -i 192.0.2.9 -f x@example.org -r one@ours.example \
	spec <mail 2>/dev/null | tr -d '\r')" 'action=DUNNO

Authentication-Results: mx.example;
	x=pass
X-Foo: 1'
# Relay control, as in mr-smtpd: between connect and helo, and only with -R.
like 'a stranger may not relay' "$(mr-pipe -v -R routes -i 192.0.2.9 -f x@example.org -r u@far.example spec <mail 2>/dev/null)" \
	'^u@far.example: refuse: 5.7.1 Relaying denied .stage relay.$'
like 'a trusted client may' "$(mr-pipe -v -R routes -i 192.0.2.1 -f x@example.org -r u@far.example spec <mail 2>/dev/null)" \
	'^u@far.example: no objection$'
like 'without -R there is none' "$(mr-pipe -v -i 192.0.2.9 -f x@example.org -r u@far.example spec <mail 2>/dev/null)" \
	'^u@far.example: no objection$'
like 'a domain without delivery' "$(mr-pipe -v -R routes -i 192.0.2.9 -f x@example.org -r u@boxes.example spec <mail 2>/dev/null)" \
	'^u@boxes.example: try later: 4.3.5 '
is 'the record of a refusal' "$(mr-pipe -i 192.0.2.2 -f '' spec <mail; echo $?)" \
	'action=REJECT 5.7.1 Client is forbidden here

100'
is '-n exits 0' "$(mr-pipe -n -i 192.0.2.2 -f '' spec <mail; echo $?)" \
	'action=REJECT 5.7.1 Client is forbidden here

0'
printf 'client_address=192.0.2.9\nsender=x@example.org\nrecipient=no@ours.example\nrecipient=one@ours.example\n\n' >record
is '-E: the record on a descriptor, the strictest verdict counts' \
	"$(mr-pipe -E 5 spec 5<record <mail 2>/dev/null; echo $?)" 'action=REJECT 5.7.1 Not here

100'
printf 'client_address=192.0.2.9\n' >torn
exits '-E: a torn record' 111 mr-pipe -E 5 spec 5<torn
like 'is a fault' "$(cat .err)" 'input ended within a record'
exits '-E: closed' 111 mr-pipe -E 9 spec
for code in 0 99 100 111; do
	echo "mail a - code $code" >one
	exits "exit code of a stage: $code" "$([ $code = 99 ] && echo 0 || echo $code)" mr-pipe -f x@y one
done
(trap '' CHLD; exec mr-pipe -f x@y one) >/dev/null 2>&1 </dev/null
is 'a parent that ignores SIGCHLD changes nothing' $? 111

# ---- foreign stages that break, and other exit codes ----
# stage OPTIONS COMMAND WANT-EXIT WANT-LOG
stage() {
	echo "mail a $1 $2" >one
	exits "mail a $1 $2" "$3" mr-pipe -f x@y one
	like 'and the log' "$(cat .err)" "$4"
}
echo 'kill -SEGV $$' | script crash
stage - crash 111 'fault event=stage stage=a code=-1 why="ended by signal 11" then=defer'
stage fail=open crash 0 'why="ended by signal 11" then=open'
stage - 'code 77' 111 'why="exit code 77 has no meaning here" then=defer'
stage fail=open 'code 77' 0 'then=open'
stage codes=sysexits 'code 77' 100 '^$'
stage codes=sysexits 'code 75' 111 '^$'
stage codes=sysexits 'code 64' 111 'exit code 64 has no meaning here'
stage codes=sysexits,fail=open 'code 64' 0 'then=open'
stage codes=qmail 'code 31' 100 '^$'
stage codes=qmail 'code 91' 111 '^$'
stage codes=qmail 'code 99' 0 '^$'
echo "(sleep 2; echo late >$T_DIR/late) & echo \$! >child; sleep 30" | script slow
stage time=1 slow 111 'why="killed after 1 s" then=defer'
stage time=1,fail=open slow 0 'then=open'
# The child would write after two seconds; it must be gone before.
ok 'the stage is killed with its group' wait_for 20 sh -c '! kill -0 $(cat child)'
ok 'and has written nothing' test ! -e late

# One that never stops printing is killed long before its time.
echo 'exec yes' | script endless
stage time=600 endless 111 'why="it wrote over [0-9]+ bytes" then=defer'

# ---- data ----
cat >spec <<-'EOT'
	data  see   codes=sysexits  sees
	data  edit  edit            sed s/body/text/
	data  after -               after
EOT
cat <<-'EOT' | script sees
	cat >message.seen
	cat <&3 >record.seen
EOT
echo 'printf "\nX-Lines: "; grep -c "$(printf "\\r")\$"' | script after
is 'a message runs' "$(mr-pipe -f x@y -r one@ours.example -r two@ours.example spec <mail)" 'action=DUNNO

X-Lines: 3'"$(printf '\r')"
is 'stages read it with CRLF' "$(od -c message.seen | head -n 1)" \
	"$(printf 'Subject: x\r\n\r\nbody\r\n' | od -c | head -n 1)"
is 'and the record on descriptor 3' "$(cat record.seen)" 'request=smtpd_access_policy
protocol_state=END-OF-MESSAGE
sender=x@y
recipient=one@ours.example
recipient=two@ours.example'
printf 'Subject: x\n\nno end' >no_end
ok 'a last line without an end' mr-pipe -f x@y spec <no_end
is 'gets one' "$(tail -c 8 message.seen | od -An -c | tr -d ' ')" 'noend\r\n'
rm message.seen
exits 'no message: no data phase' 0 mr-pipe -f x@y spec
ok 'it did not run' test ! -e message.seen
printf 'a: b\n\nx\ry\n' | mr-pipe -f x@y spec >.out 2>.err
is 'bare CR is refused' "$? $(sed -n 's/.*why=//p' .err)" '111 "bare CR in the message"'
ok 'nothing is left in the folder' test -z "$(find . -name '*incoming*' -o -name 'mr.*')"

# ---- policy servers ----
cat >policy.py <<-'EOT'
	import os, socketserver, sys
	class H(socketserver.StreamRequestHandler):
	    def handle(self):
	        lines = []
	        while (line := self.rfile.readline().strip()):
	            lines.append(line)
	        open('asked', 'wb').write(b'\n'.join(lines) + b'\n')
	        self.wfile.write(open('reply', 'rb').read())
	class U(socketserver.UnixStreamServer): pass
	s = U(sys.argv[1], H) if '/' in sys.argv[1] else socketserver.TCPServer(('127.0.0.1', 0), H)
	if '/' not in sys.argv[1]:
	    open('port.new', 'w').write(str(s.server_address[1])); os.rename('port.new', 'port')
	s.serve_forever()
EOT
start policy.log python3 policy.py inet
start policy.log python3 policy.py ./sock
wait_for 60 test -s port && wait_for 60 test -S sock || exit 1
# policy REPLY WANT-EXIT WANT-OUT [OPTIONS]
policy() {
	printf "$1" >reply
	for at in inet:127.0.0.1:"$(cat port)" unix:"$T_DIR/sock"; do
		echo "rcpt a codes=policy${4:+,$4} $at" >one
		is "${at%%:*}: ${1%%\\*}${4:+ $4}" "$(mr-pipe -N mx.example -i 192.0.2.1 -f x@y -r one@ours.example one \
			</dev/null 2>.err | tr -d '\r'; mr-pipe -n -f x@y -r one@ours.example one </dev/null \
			>/dev/null 2>&1; mr-pipe -f x@y -r one@ours.example one </dev/null >/dev/null 2>&1; \
			echo $?)" "$3

$2"
	done
}
policy 'action=DUNNO\n\n' 0 'action=DUNNO'
policy 'action=OK\n\n' 0 'action=DUNNO'
policy 'action=REJECT 5.7.1 Go away\n\n' 100 'action=REJECT 5.7.1 Go away'
policy 'action=DEFER_IF_PERMIT 4.7.1 Later\n\n' 111 'action=DEFER 4.7.1 Later'
policy 'action=554 5.7.1 No\n\n' 100 'action=REJECT 5.7.1 No'
policy 'action=521 5.7.1 No\n\n' 100 'action=521 5.7.1 No'
policy 'action=HOLD\n\n' 111 'action=DEFER 4.3.0 Temporary problem of this host'
policy 'action=HOLD\n\n' 0 'action=DUNNO' fail=open
policy 'foo=bar\n\n' 111 'action=DEFER 4.3.0 Temporary problem of this host'
policy 'action=DUNNO' 111 'action=DEFER 4.3.0 Temporary problem of this host'
policy '' 0 'action=DUNNO' fail=open
is 'what it is asked' "$(grep -v ^client_ asked)" 'request=smtpd_access_policy
protocol_state=RCPT
sender=x@y
recipient=one@ours.example'
printf 'action=PREPEND X-Policy: yes\n\n' >reply
is 'PREPEND is a header field' "$(mr-pipe -f x@y -r a@b one </dev/null | tr -d '\r')" 'action=DUNNO

X-Policy: yes'
sed -i 's/^rcpt/data/' one
ok 'in data' mr-pipe -f x@y -r a@b -r c@d one <mail
is 'it is told the number of recipients' "$(cat asked)" 'recipient=
recipient_count=2
request=smtpd_access_policy
protocol_state=END-OF-MESSAGE
sender=x@y'
stage codes=policy unix:./none 111 'unix:./none: connect: No such file or directory'
stage codes=policy "inet:127.0.0.1:$(free_port)" 111 'connect: Connection refused'
start policy.log python3 -c 'import socket,time
s = socket.socket(socket.AF_UNIX); s.bind("./mute"); s.listen(9); time.sleep(600)'
wait_for 60 test -S mute
stage codes=policy,time=1 unix:./mute 111 'unix:./mute: time-out'

# ---- -l ----
cat >spec <<-'EOT'
	connect  now   now              says
	connect  deny  -                mr-access access
	mail     once  -                count
	rcpt     no    unless=local     if_rcpt no@x.example 100 action=REJECT 5.7.1 Not here
	rcpt     grey  unless=local     if_rcpt grey@x.example 111
	rcpt     grp   edit             sed s/^recipient=all@/recipient=one@/
	data     never -                code 100
EOT
echo 'echo x >>counted' | script count
# request INSTANCE STATE SENDER RECIPIENT [LINE...]
request() {
	printf 'request=smtpd_access_policy\nprotocol_state=%s\nprotocol_name=ESMTP\nclient_address=%s\n' \
		"$2" "${ip:-192.0.2.9}"
	printf 'client_name=unknown\nreverse_client_name=unknown\nhelo_name=h.example\nsender=%s\n' "$3"
	printf 'recipient=%s\nrecipient_count=0\nqueue_id=\ninstance=%s\nsize=0\netrn_domain=\n' "$4" "$1"
	printf 'stress=\nsasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\n\n'
}
answers() {
	mr-pipe -l -N mx.example -R routes spec 2>log | grep -v '^$'
}
{
	request 1 RCPT a@b one@x.example
	request 1 RCPT a@b no@x.example
	request 1 RCPT a@b grey@x.example
	request 1 RCPT a@b all@x.example
	request 1 DATA a@b no@x.example
	request 1 END-OF-MESSAGE a@b no@x.example
} | answers >out
is 'several requests in one connection' "$(cat out)" 'action=PREPEND Authentication-Results: mx.example;	x=pass
action=REJECT 5.7.1 Not here
action=DEFER_IF_PERMIT
action=DUNNO
action=DUNNO
action=DUNNO'
is 'an instance runs mail once' "$(wc -l <counted)" 1
like 'a refusal is logged' "$(cat log)" \
	'info event=policy client=192.0.2.9 sender=a@b rcpt=no@x.example stage=no verdict=reject text="5.7.1 Not here"'
rm counted
{
	request 1 CONNECT '' ''
	request 1 EHLO '' ''
	request 1 MAIL a@b ''
	request 1 VRFY '' x
	request 1 RCPT a@b one@x.example
	request 2 RCPT a@b one@x.example
	request '' RCPT a@b one@x.example
	request '' RCPT a@b one@x.example
	ip=192.0.2.2 request 3 MAIL a@b ''
	ip=192.0.2.1 request 3 RCPT a@b one@x.example
	ip=192.0.2.1 request 4 RCPT a@b one@x.example
} | answers >out
is 'states, and instances' "$(cut -c1-40 out)" 'action=DUNNO
action=DUNNO
action=DUNNO
action=DUNNO
action=PREPEND Authentication-Results: m
action=PREPEND Authentication-Results: m
action=PREPEND Authentication-Results: m
action=PREPEND Authentication-Results: m
action=REJECT 5.7.1 Client is forbidden 
action=REJECT 5.7.1 Client is forbidden 
action=PREPEND Authentication-Results: m'
is 'each instance runs mail once, none is remembered without' "$(wc -l <counted)" 5
is 'addresses as Postfix writes them' "$(for r in postmaster 'john doe@x.example' '@@' no@ours.example
do request 7 RCPT a@b "$r"; done | answers | cut -c1-14)" 'action=PREPEND
action=DUNNO
action=DEFER_I
action=DUNNO'
printf 'request=smtpd_access_policy\nno equal sign\n\n' >torn
exits 'a malformed request' 111 sh -c 'mr-pipe -l spec <torn'
like 'ends the service with a reason' "$(cat .err)" "fault event=pipe why=\"line 2: no '=' in the line\""
printf 'request=smtpd_access_policy\nrecipient=x\n' >torn
exits 'a torn request' 111 sh -c 'mr-pipe -l spec <torn'
is 'has no answer' "$(cat .out)" ''
exits 'no request' 0 mr-pipe -l spec
done_testing

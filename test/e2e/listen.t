#!/bin/sh
# The listener: sockets, limits, time, replaced files, signals, children that die, and what runs out.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
mkdir spool
printf 'example.org 127.0.0.1:2525\n' >routes
printf 'mail access - mr-access access\n' >spec
printf 'forbid bad.example\n' >access

# listen LOG ARGS...: in the background; $port, $T_PID
listen() {
	log=$1
	start "$@"
	wait_for 60 grep -q event=listening "$log" || cat "$log"
	port=$(sed -n 's/.*event=listening.* port=\([0-9]*\).*/\1/p' "$log")
}
spooled() { find spool/incoming -type f | wc -l; }
logged() { wait_for 60 grep -Eq "$2" "$1"; }

cat >talk.py <<'X'
# talk.py PORT WORD...: sessions with the server on PORT, in single steps:
#   open[@ADDRESS]  one more connection, from ADDRESS; prints its first reply's code
#   N:LINE          sends LINE to the Nth connection and prints the reply's code
#   N+LINE          sends LINE only;  N=  prints a reply;  N-  closes
#   drip:N:S        sends a byte to N ten times a second until a reply comes, at most S seconds
#   run:COMMAND     in a shell
import select, socket, subprocess, sys, time
port, words = int(sys.argv[1]), sys.argv[2:]
conns = []
def reply(f):
    while True:
        try:
            line = f.readline().decode()
        except ConnectionResetError:
            line = ''
        if line[3:4] != '-':
            return line[:9].strip() or 'closed'
for w in words:
    if w.startswith('open'):
        s = socket.socket()
        s.settimeout(60)
        if '@' in w:
            s.bind((w.split('@')[1], 0))
        s.connect(('127.0.0.1', port))
        conns.append((s, s.makefile('rb')))
        print(reply(conns[-1][1]))
    elif w.startswith('run:'):
        subprocess.run(w[4:], shell=True, check=True)
    elif w.startswith('drip:'):
        s, f = conns[int(w.split(':')[1])]
        end = time.monotonic() + float(w.split(':')[2])
        while time.monotonic() < end and not select.select([s], [], [], 0.1)[0]:
            s.send(b'x')
        print(reply(f) if select.select([s], [], [], 0)[0] else 'nothing')
    else:
        n, op, rest = int(w[0]), w[1], w[2:]
        s, f = conns[n]
        if op in ':+':
            s.sendall(rest.encode().decode('unicode_escape').encode('latin-1') + b'\r\n')
        if op in ':=':
            print(reply(f))
        if op == '-':
            f.close(); s.close()
X
# talk NAME WANT WORD...: the codes that come, with blanks between
talk() {
	t_name=$1 t_expect=$2
	shift 2
	is "$t_name" "$(timeout 120 python3 talk.py "$port" "$@" 2>&1 | tr '\n' ' ')" "$t_expect "
}
HELO='0:HELO c.example' MAIL='0:MAIL FROM:<a@a.example>' RCPT='0:RCPT TO:<u@example.org>'
BODY='0:Subject: x\r\n\r\nhello\r\n.'

# Sockets.
exits "no port" 111 mr-smtpd -Q spool -L 127.0.0.1
exits "no address" 111 mr-smtpd -Q spool -L :25
exits "a port that is none" 111 mr-smtpd -Q spool -L 127.0.0.1:65536
exits "an address of somebody else" 111 mr-smtpd -Q spool -L 192.0.2.1:0
exits "a name of ours that is none" 111 mr-smtpd -Q spool -N 'a b' -L 127.0.0.1:0
exits "two specs" 111 mr-smtpd -Q spool spec spec
listen l.log mr-smtpd -L 127.0.0.1:0 -N mx.example -R routes -Q spool -o connections=3 -o per-client=2 spec
first=$T_PID
talk "a message" "220 mx.ex 250 mx.ex 250 2.1.0 250 2.1.5 354 End d 250 2.0.0 221 2.0.0" \
	open "$HELO" "$MAIL" "$RCPT" 0:DATA "$BODY" 0:QUIT
is "is in the spool" "$(spooled)" 1
exits "the port is taken" 111 mr-smtpd -Q spool -L "127.0.0.1:$port"

# How many.
talk "of one client two connections, others still may come" \
	"220 mx.ex 220 mx.ex 421 4.7.0 220 mx.ex 421 4.7.0" open open open open@127.0.0.2 open@127.0.0.3
like "the log says which limit" "$(cat l.log)" 'warn event=connect client=127.0.0.1 verdict=defer why="too many connections of this client"'
like "and which client" "$(cat l.log)" 'warn event=connect client=127.0.0.3 verdict=defer why="too many connections"'

# room: the sessions before have ended
room() { wait_for 60 sh -c "timeout 20 python3 talk.py $port open open | grep -c 220 | grep -qx 2"; }
ok "then there is room again" room

# A child that dies is logged, and its place is free; the listener goes on.
for i in 1 2 3 4 5; do
	ok "there is room for two ($i)" room
	talk "two children are killed" "220 mx.ex 220 mx.ex closed closed" open open \
		"run:pkill -KILL -P $first" 0= 1=
done
ok "that is logged" logged l.log 'fault event=session pid=[0-9]+ signal=9'
talk "and the next connection is served" "220 mx.ex 250 mx.ex" open "$HELO"
ok "so are the others" room

# Files that are replaced.
talk "a sender is fine" "220 mx.ex 250 mx.ex 250 2.1.0 250 2.1.5" open "$HELO" "$MAIL" "$RCPT"
printf 'forbid a.example\n' >new; mv new access
talk "a new table" "220 mx.ex 250 mx.ex 250 2.1.0 550 5.7.1" open "$HELO" "$MAIL" "$RCPT"
printf '# no stages\n' >new; mv new spec
talk "a new spec" "220 mx.ex 250 mx.ex 250 2.1.0 250 2.1.5" open "$HELO" "$MAIL" "$RCPT"
printf 'example.net 127.0.0.1:2525\n' >new; mv new routes
talk "new routes" "220 mx.ex 250 mx.ex 250 2.1.0 550 5.7.1" open "$HELO" "$MAIL" "$RCPT"
ok "all sessions have ended" room
talk "a session keeps what it began with, the next one has the new" \
	"220 mx.ex 250 mx.ex 250 2.1.0 220 mx.ex 550 5.7.1 250 mx.ex 250 2.1.0 250 2.1.5" open "$HELO" "$MAIL" \
	"run:printf 'example.org 127.0.0.1\n' >new; mv new routes" open "$RCPT" \
	'1:HELO c' '1:MAIL FROM:<a@a.example>' '1:RCPT TO:<u@example.org>'
is "each is logged" "$(grep -c 'event=reload result=new' l.log)" 4
printf 'connect x - no-such-program\n' >new; mv new spec
kill -HUP "$first"
ok "SIGHUP looks at once" logged l.log 'fault event=reload result=old-stays why="spec: line 1: .*no-such-program'
talk "what is bad does not count" "220 mx.ex 250 mx.ex 250 2.1.0 250 2.1.5" open "$HELO" "$MAIL" "$RCPT"
ok "however often it is asked" room
is "and is logged once" "$(grep -c old-stays l.log)" 1
rm spec
kill -HUP "$first"
ok "a file that is gone is another fault" logged l.log 'old-stays why="spec: No such file'
printf '# none\n' >new; mv new spec
ok "until it is there again" room
is "and good" "$(grep -c 'event=reload result=new' l.log)" 5

# The end: open sessions go on.
n=$(spooled)
talk "SIGTERM lets a session end" "220 mx.ex 250 mx.ex 250 2.1.0 250 2.1.5 354 End d 250 2.0.0" \
	open "$HELO" "$MAIL" "$RCPT" "run:kill $first; until grep -q Z /proc/$first/stat; do sleep 0.05; done" 0:DATA "$BODY"
is "and its message is queued" "$(spooled)" $((n + 1))
wait "$first"
is "the listener's exit code" $? 0

# Time.
listen t.log mr-smtpd -L 127.0.0.1:0 -N mx.example -R routes -Q spool -o idle=20 -o data=2
talk "all of DATA took too long, though bytes came" "220 mx.ex 250 mx.ex 250 2.1.0 250 2.1.5 354 End d 421 4.4.2" \
	open "$HELO" "$MAIL" "$RCPT" 0:DATA drip:0:60
like "the recipient has its line" "$(cat t.log)" 'event=data id=.*rcpt=u@example.org stage=protocol verdict=defer code=4.4.2 text="Time-out'
stop "$T_PID"
listen r.log mr-smtpd -L 127.0.0.1:0 -N mx.example -R routes -Q spool -o rate=1k -o rate-after=1
talk "too slow" "220 mx.ex 250 mx.ex 250 2.1.0 250 2.1.5 354 End d 421 4.4.2" \
	open "$HELO" "$MAIL" "$RCPT" 0:DATA drip:0:60
like "the recipient has its line" "$(cat r.log)" 'event=data id=.*rcpt=u@example.org stage=protocol verdict=defer code=4.4.2 text="Message comes in too slowly"'
stop "$T_PID"

# reuse: how many connections one child serves.
listen u.log mr-smtpd -L 127.0.0.1:0 -N mx.example -Q spool -o reuse=2
child() { pgrep -P "$T_PID" | tr '\n' ' '; }
talk "first" "220 mx.ex 221 2.0.0" open 0:QUIT
a=$(child)
talk "second" "220 mx.ex 221 2.0.0" open 0:QUIT
ok "after two connections a child goes" wait_for 60 sh -c "! pgrep -P $T_PID"
talk "third" "220 mx.ex 221 2.0.0" open 0:QUIT
b=$(child)
ok "another serves the third ($a, $b)" [ "$a" != "$b" ]
stop "$T_PID"

# Descriptors run out: the client hears it, and the listener recovers.
listen f.log sh -c 'ulimit -n 24; exec mr-smtpd -L 127.0.0.1:0 -N mx.example -Q spool -o per-client=100'
opens=$(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do echo open; done)
# shellcheck disable=SC2086
out=$(timeout 120 python3 talk.py "$port" $opens | sort | uniq -c)
like "some are served" "$out" '^ *[0-9]+ 220 mx.ex$'
like "the others hear why not" "$out" '^ *[0-9]+ 421 4.3.0$'
is "all of them" "$(printf '%s\n' "$out" | wc -l)" 2
like "it is logged" "$(cat f.log)" 'warn event=connect client=127.0.0.1 verdict=defer why="(no descriptors|Too many open files)"'
ok "then it goes on" room
stop "$T_PID"

# A listening socket on descriptor 0.
cat >inherit.py <<'X'
import os, socket, sys
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
os.dup2(s.fileno(), 0)
os.execvp(sys.argv[1], sys.argv[1:])
X
cat >inherit.sh <<'X'
exec python3 inherit.py mr-smtpd -N mx.example -R routes -Q spool
X
listen i.log sh inherit.sh
talk "descriptor 0 listens" "220 mx.ex 250 mx.ex 250 2.1.0 250 2.1.5" open "$HELO" "$MAIL" "$RCPT"
stop "$T_PID"

# The disk is full (a file-size limit): told at the end, in step, nothing kept.
n=$(spooled)
cat >full.py <<'X'
import subprocess
p = subprocess.Popen(['sh', '-c', '(ulimit -f 16; mr-smtpd -N mx.example -R routes -Q spool) 2>&1 >replies | cat >full.log'],
                     stdin=subprocess.PIPE)
def send(text):
    p.stdin.write(text.replace('\n', '\r\n').encode()); p.stdin.flush()
send('HELO c\nMAIL FROM:<>\nRCPT TO:<u@example.org>\nDATA\n')
while '354' not in open('replies').read():
    pass
send('x: y\n\n' + '0123456789\n' * 20000 + '.\nQUIT\n')
p.stdin.close()
p.wait()
X
: >replies
timeout 60 python3 full.py
is "a full disk is a temporary fault" "$(cut -c 1-9 replies | tr -d '\r' | tr '\n' ,)" \
	"220 mx.ex,250 mx.ex,250 2.1.0,250 2.1.5,354 End d,452 4.3.1,221 2.0.0,"
like "and says so" "$(cat full.log)" 'event=data id=.*rcpt=u@example.org stage=spool verdict=defer code=4.3.1'
like "and why" "$(cat full.log)" 'fault event=spool id=.* why=".*File too large'
is "nothing is kept" "$(spooled)" "$n"

# Another user, for root.
if [ "$(id -u)" = 0 ]; then
	chmod 755 .
	mkdir theirs
	chown nobody theirs
	listen n.log mr-smtpd -u nobody -L 127.0.0.1:0 -N mx.example -R routes -Q theirs
	is "-u" "$(ps -o user= -p "$T_PID")" nobody
	talk "delivers as nobody" "220 mx.ex 250 mx.ex 250 2.1.0 250 2.1.5 354 End d 250 2.0.0" \
		open "$HELO" "$MAIL" "$RCPT" 0:DATA "$BODY"
	is "the file is nobody's" "$(stat -c %U theirs/incoming/*)" nobody
	is "it is in no group of root's" "$(grep -E '^Groups' "/proc/$T_PID/status" | grep -w 0)" ""
	stop "$T_PID"
	exits "a user that is not there" 111 mr-smtpd -u no-such-user -Q spool -L 127.0.0.1:0
fi
done_testing

#!/bin/sh
# The examples under the programs that they are for: tcpserver, inetd, systemd, s6, runit, daemontools; real
# clients (swaks, smtp-source) in front, a real sink behind.  Bodies arrive byte for byte.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
chmod 755 .
EX=$T_ROOT/examples
if [ "$(id -u)" = 0 ]; then user=daemon; else user=$(id -un); fi
mkdir etc spool
[ "$(id -u)" != 0 ] || chown "$user" spool
cp "$EX"/relay/access "$EX"/relay/trusted "$EX"/relay/pipeline etc
printf 'mydomain.com 127.0.0.1:2525\n' >etc/routes

# example FILE: it, with our folders, our port and our user
example() {
	sed -e "s|/etc/mr|$T_DIR/etc|g" -e "s|/var/spool/mr|$T_DIR/spool|g" -e "s|/usr/local/bin|$MR_BUILD/bin|g" \
		-e "s|/var/log/mr-smtpd|$T_DIR/logs|g" -e "s|0\.0\.0\.0:25|127.0.0.1:$port|" \
		-e "s|0\.0\.0\.0 25|127.0.0.1 $port|" -e "s|^\(#*\)25	|\1127.0.0.1:$port	|" \
		-e "s|ListenStream=25|ListenStream=127.0.0.1:$port|" \
		-e "s|-u mr |-u $user |" -e "s|envuidgid mr|envuidgid $user|" -e "s|	mr	|	$user	|" \
		-e "s|User=mr|User=$user|" "$EX/$1"
}

# The message that must arrive: long lines, dots, 8-bit bytes, blanks at the ends of lines.
python3 - <<'X'
import random
random.seed(7)
lines = [b'Subject: bytes', b'', b'.', b'..', b'.x', b'', b' ', b'trailing  \t', b'x' * 900]
some = bytes(b for b in range(1, 256) if b not in b'\r\n')
lines += [bytes(random.choice(some) for _ in range(random.randrange(0, 300))) for _ in range(200)]
open('mail', 'wb').write(b'\n'.join(lines) + b'\n')
X
cat >digest.py <<'X'
# digest.py mail FILE: of its lines with CRLF, and an empty one, which smtp-source adds;  digest.py spool: of each message in the spool, and those go.
import glob, hashlib, os, sys
if sys.argv[1] == 'mail':
    print(hashlib.sha256(open(sys.argv[2], 'rb').read().replace(b'\n', b'\r\n') + b'\r\n').hexdigest())
else:
    for name in glob.glob('spool/incoming/*'):
        data = open(name, 'rb').read()
        print(hashlib.sha256(data[:int(data[-81:].split()[2])]).hexdigest())
        os.remove(name)
X
want=$(python3 digest.py mail mail)

# send PORT: one message with Postfix's smtp-source
send() {
	timeout 60 smtp-source -c -m 1 -f anna@client.example -t office@mydomain.com -F mail "127.0.0.1:$1" >source.out 2>&1
}
# deliver NAME: smtp-source and swaks, over $port; what they send is in the spool, byte for byte
deliver() {
	ok "$1: smtp-source delivers" send "$port" || cat source.out ./*.log | sed 's/^/# /' | tail -n 20
	is "$1: byte for byte" "$(python3 digest.py spool)" "$want"
	ok "$1: swaks delivers" swaks --server 127.0.0.1 --port "$port" --helo c.example --from anna@client.example \
		--to office@mydomain.com --hide-all
	is "$1: one message" "$(python3 digest.py spool | wc -l)" 1
	ok "$1: no relay for strangers" refused swaks --server "127.0.0.1" --port "$port" --helo c.example \
		--from anna@client.example --to x@far.example
}
refused() { "$@" 2>&1 | grep -q '^<\*\* 550 5.7.1 Relaying denied ('; }
# trusted PORT ADDRESS: a client from there may send anywhere
trusted() {
	swaks --server 127.0.0.1 --port "$1" --local-interface "$2" --helo c.example --from anna@mydomain.com \
		--to x@far.example --hide-all && [ "$(python3 digest.py spool | wc -l)" = 1 ]
}

# tcpserver, with the rules of tcprules.  127.0.0.1 is a stranger here.
port=$(free_port)
grep -v '^127\.:' "$EX/tcpserver/rules" >rules
echo '127.0.0.2:allow,RELAYCLIENT=""' >>rules
echo '127.0.0.3:deny' >>rules
ok "tcprules takes the example" tcprules etc/rules.cdb etc/rules.tmp <"$EX/tcpserver/rules"
tcprules etc/rules.cdb etc/rules.tmp <rules
# A client's name would come from a name server, which is not there.
example tcpserver/run | sed 's/-UvR/-UvHR/' >run
[ "$(id -u)" = 0 ] || sed -i -e 's/envuidgid [^ ]* //' -e 's/-UvHR/-vHR/' run
start tcpserver.log sh run
wait_port "$port"
deliver tcpserver
ok "tcpserver: RELAYCLIENT" trusted "$port" 127.0.0.2
ok "tcpserver: a client that the rules deny" sh -c "! swaks --server 127.0.0.1 --port $port --local-interface 127.0.0.3 --quit-after connect"
like "tcpserver: and logs" "$(cat tcpserver.log)" 'mr-smtpd: info event=queued id=.*client=127.0.0.2 .*rcpt=x@far.example'
stop "$T_PID"

# inetd, both ways.
for way in nowait wait; do
	port=$(free_port)
	if [ $way = nowait ]; then
		example inetd/inetd.conf | grep -v '^#' >inetd.conf
	else
		example inetd/inetd.conf | sed -n 's/^#\(127.*\)/\1/p' >inetd.conf
	fi
	is "inetd $way: the example has one line" "$(wc -l <inetd.conf)" 1
	# The example of the pipeline names its tables by relative paths.
	sed -i "s|$T_DIR/etc/pipeline|$T_DIR/etc/absolute|" inetd.conf
	sed "s|\(mr-access.* \)\([a-z]*\)$|\1$T_DIR/etc/\2|" etc/pipeline >etc/absolute
	start "inetd.$way.log" inetd -i "$T_DIR/inetd.conf"
	if ! wait_for 20 sh -c "swaks --server 127.0.0.1 --port $port --quit-after helo --hide-all" \
		&& [ "$(id -u)" != 0 ]; then
		ok "inetd $way # SKIP inetd wants to be root" true
		stop "$T_PID"
		continue
	fi
	deliver "inetd $way"
	like "inetd $way: the client hears SMTP only" "$(printf 'EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<x@far.example>\r\nQUIT\r\n' |
		python3 -c 'import socket,sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.sendall(sys.stdin.buffer.read())
lines = list(s.makefile("rb"))
print(len(lines) > 4, "other lines:", [l for l in lines if not l[:3].isdigit()])' "$port")" '^True other lines: \[\]$'
	child=$(pgrep -P "$T_PID" | tr '\n' ' ')
	stop "$T_PID"
	# inetd leaves its wait service running.
	# shellcheck disable=SC2086
	[ -z "$child" ] || kill $child 2>/dev/null
done

# inetd's way by hand, with a syslog: the log goes there.
# A mount namespace has a /dev of its own, so that the machine's is not touched.
mkdir dev
touch dev/null dev/urandom
private_dev='mount --bind /dev/null dev/null && mount --bind /dev/urandom dev/urandom && mount --bind dev /dev'
if unshare -m sh -c "$private_dev" 2>/dev/null; then
	unshare -m sh -c "$private_dev && exec python3 -" >syslog.got <<'X'
import os, socket, subprocess
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind('/dev/log')
log.settimeout(60)
ours, theirs = socket.socketpair()
p = subprocess.Popen(['mr-smtpd', '-N', 'mx.example', '-Q', 'spool'], stdin=theirs, stdout=theirs, stderr=theirs)
theirs.close()
ours.sendall(b'HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<x@far.example>\r\n')
ours.shutdown(socket.SHUT_WR)
p.wait()
for n in range(2 + (os.getuid() == 0)):
    print(log.recv(9999).decode(), end='')
X
	like "syslog gets the log as mail.info" "$(cat syslog.got)" '^<22>mr-smtpd: info event=rcpt id=.* rcpt=x@far.example stage=relay'
else
	ok "syslog # SKIP no mount namespace to be had" true
fi

# systemd: the units are good, and the socket is served both ways.
port=$(free_port)
mkdir units bad
for unit in mr-smtpd.socket mr-smtpd.service; do
	example "systemd/$unit" >"units/$unit"
done
verify() { systemd-analyze --man=no verify "$@" 2>&1 | grep -i mr-smtpd; }
is "systemd: no complaint about the units" "$(verify units/mr-smtpd.socket units/mr-smtpd.service)" ""
sed 's/KillMode/KilMode/' units/mr-smtpd.service >bad/mr-smtpd.service
cp units/mr-smtpd.socket bad
like "systemd: a mistake would be found" "$(verify bad/mr-smtpd.service)" KilMode
command=$(sed -n 's/^ExecStart=//p' units/mr-smtpd.service)
for way in '' --accept; do
	port=$(free_port)
	start "systemd$way.log" sh -c "cd etc && exec systemd-socket-activate --inetd $way -E PATH='$PATH' -l 127.0.0.1:$port $command"
	wait_for 60 grep -q Listening "systemd$way.log"
	deliver "systemd-socket-activate $way"
	like "systemd $way: the client's address is known" "$(cat "systemd$way.log")" 'event=queued id=.* client=127.0.0.1 helo='
	stop "$T_PID"
done

# The supervisors: the run scripts as they are, log and all.
# supervise NAME COMMAND...: the folder svc/ is served by it
supervise() {
	name=$1
	shift
	port=$(free_port)
	rm -rf svc logs
	mkdir -p svc/smtpd/log logs
	example "$name/run" >svc/smtpd/run
	example "$name/log/run" >svc/smtpd/log/run
	[ "$(id -u)" = 0 ] || sed -i 's/ -u [^ ]*//' svc/smtpd/run
	chmod +x svc/smtpd/run svc/smtpd/log/run
	# They send CONT behind TERM, which takes away the STOP that a leak checker waits for.
	start "$name.log" env ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0" "$@"
	ok "$name: starts it" wait_port "$port"
	deliver "$name"
	ok "$name: and keeps its log" wait_for 60 grep -q 'event=queued' logs/current
}
gone() { wait_for 60 python3 -c 'import socket,sys
try: socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1)
except ConnectionRefusedError: sys.exit(0)
sys.exit(1)' "$port"; }

supervise s6 s6-svscan svc
s6-svc -d svc/smtpd
ok "s6: stops it" gone
s6-svscanctl -t svc
wait "$T_PID"

supervise runit runsvdir svc
sv -w 20 down ./svc/smtpd >/dev/null
ok "runit: stops it" gone
kill -HUP "$T_PID"
wait "$T_PID"

supervise daemontools svscan svc
svc -d svc/smtpd
ok "daemontools: stops it" gone
kill "$T_PID"
wait "$T_PID" 2>/dev/null
svc -dx svc/smtpd svc/smtpd/log

# All the way: smtp-source, mr-smtpd, mr-queue, and Postfix's smtp-sink behind it.
sink=$(free_port)
mkdir sink q
sinkuser=
if [ "$(id -u)" = 0 ]; then sinkuser="-u nobody"; chown nobody sink q; fi
start sink.log sh -c "cd sink && exec smtp-sink $sinkuser -d mail. 127.0.0.1:$sink 100"
printf 'mydomain.com 127.0.0.1:%s\n' "$sink" >etc/routes
wait_port "$sink"
start smtpd.log mr-smtpd -L 127.0.0.1:0 -N mx.mydomain.com -R etc/routes -Q q
wait_for 60 grep -q event=listening smtpd.log
port=$(sed -n 's/.*event=listening.* port=\([0-9]*\).*/\1/p' smtpd.log)
start queue.log mr-queue -Q q run -R etc/routes -N mx.mydomain.com
ok "a message on its whole way" send "$port" || sed 's/^/# /' source.out smtpd.log
ok "arrives" wait_for 60 sh -c 'grep -qa "^Subject: bytes" sink/mail.*'
is "byte for byte" "$(python3 - <<'X'
import glob, time
text, want = b'Subject: bytes', open('mail', 'rb').read()
for _ in range(600):
    data = open(glob.glob('sink/mail.*')[0], 'rb').read()
    got = data[data.index(text):].rstrip(b'\n') + b'\n'
    if len(got) >= len(want):
        break
    time.sleep(0.1)
print(got == want)
X
)" True
like "with the field of this host in front" "$(cat sink/mail.* | tr -d '\0' | grep -a 'by mx')" 'by mx.mydomain.com with E?SMTP id'
done_testing

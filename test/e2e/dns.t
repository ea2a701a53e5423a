#!/bin/sh
# The DNS module against servers that misbehave (test/dns/faultd.py), a world of nsd and unbound with DNSSEC
# (test/dns/serve), and no server at all.  `dns` (test/bench/dns.c) asks a batch and prints the answers.
. "$(dirname "$0")/../lib.sh"
dns() { "$MR_BUILD/bench/dns" "$@" 2>&1; }

start_faultd() {
	port=$(free_port)
	start "$T_DIR/faultd.log" python3 "$T_ROOT/test/dns/faultd.py" "$port"
	wait_port "$port"
}
start_faultd && A=$port && start_faultd && B=$port || exit 1

# ---- every fault, in one batch: its name, and what is made of it

cat >"$T_DIR/faults" <<'X'
ok found 127.0.0.2
servfail servfail
refused refused
nxdomain nxdomain
formerr servfail
delay-300 found 127.0.0.2
late-3000 found 127.0.0.2
dropfirst found 127.0.0.2
tc cut found 127.0.0.2
tconly cut broken
spoof found 127.0.0.2
loop broken
count broken
rdlen broken
formerr-edns found 127.0.0.2
case found 127.0.0.2
big-10 nodata
cname-16 nodata (c15.test)
cname-17 broken
X
# Those that say nothing to the question have the whole deadline.
cat >"$T_DIR/silent" <<'X'
drop timeout
garbage broken
short broken
wrongid broken
wrongq broken
qr0 broken
empty broken
X
# check_faults FILE MS
check_faults() {
	GOT=$(dns -T "$2" -D "127.0.0.1:$A" $(sed 's/ .*//; s/.*/act-&.test A/' "$1"))
	while read -r fault want; do
		is "fault $fault" "$(printf '%s\n' "$GOT" | grep "^act-$fault.test ")" "act-$fault.test A: $want"
	done <"$1"
}
check_faults "$T_DIR/faults" 60000
check_faults "$T_DIR/silent" 2000

# cost NAME WANT QUESTION...: what it took; nothing is asked twice that need not be
cost() {
	name=$1 want=$2
	shift 2
	is "$name" "$(dns -R "$T_DIR/patient" "$@" | tail -n 1 | sed 's/^ms=[0-9]* //')" "batches=1 questions=1 $want"
}
printf 'nameserver 127.0.0.1#%s\noptions timeout:30\n' "$A" >"$T_DIR/patient"
cost "one packet for one question" "packets=1 tcp=0 foreign=0" a.test A
cost "FORMERR: again without EDNS" "packets=2 tcp=0 foreign=0" b.act-formerr-edns.test A
cost "truncated: once over TCP" "packets=1 tcp=1 foreign=0" b.act-tc.test A
cost "letters in another case: once over TCP" "packets=1 tcp=1 foreign=0" b.act-case.test A
cost "lies are counted" "packets=1 tcp=0 foreign=2" b.act-spoof.test A
cost "SERVFAIL is not asked again" "packets=1 tcp=0 foreign=0" b.act-servfail.test A
cost "a name that is asked twice is one question" "packets=1 tcp=0 foreign=0" a.test A A.TEST. A

# ---- several servers, from resolv.conf

DEAD=$(free_port)
# conf NAME PATTERN QUESTION...
conf() {
	name=$1 want=$2
	shift 2
	like "$name" "$(dns -R "$T_DIR/resolv.conf" "$@")" "$want"
}
printf '# a comment\nsearch test\nnameserver 127.0.0.1#%s\nnameserver 127.0.0.1#%s\noptions ndots:5 timeout:30 attempts:2\n' \
	"$DEAD" "$A" >"$T_DIR/resolv.conf"
conf "the second server, at once, where the first is closed" '^x.test A: found 127.0.0.2$' x.test A
printf 'nameserver 127.0.0.1#%s\nnameserver 127.0.0.1#%s\n' "$B" "$A" >"$T_DIR/resolv.conf"
conf "all refuse" 'act-refused.test A: refused$' act-refused.test A
conf "each is asked once then" 'packets=2 ' act-refused.test A
conf "the next server where an answer is broken" 'packets=2 ' act-rdlen.test A
cat >"$T_DIR/mute.py" <<'X'
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
with open(sys.argv[1] + ".new", "w") as f:
    print(s.getsockname()[1], file=f)
os.rename(sys.argv[1] + ".new", sys.argv[1])
while s.recv(4096):
    pass
X
start "$T_DIR/mute.log" python3 "$T_DIR/mute.py" "$T_DIR/mute.port"
wait_for 60 test -s "$T_DIR/mute.port"
printf 'nameserver 127.0.0.1#%s\nnameserver 127.0.0.1#%s\noptions timeout:3\n' "$(cat "$T_DIR/mute.port")" "$A" \
	>"$T_DIR/resolv.conf"
conf "a server that says nothing is waited for once" 'batches=3 questions=3 packets=4 ' -1 x.test A y.test A z.test A
printf 'options timeout:1 attempts:1\nnameserver 127.0.0.1#%s\n' "$A" >"$T_DIR/resolv.conf"
conf "attempts: of resolv.conf" 'packets=1 ' act-drop.test A

# ---- limits

# many N ACTION: N questions
many() {
	i=1
	while [ $i -le "$1" ]; do
		printf 'n%s.act-%s.test A ' "$i" "$2"
		i=$((i + 1))
	done
}
count() { printf '%s\n' "$GOT" | grep -c "$1"; }

GOT=$(dns -D "127.0.0.1:$A" big.act-big-280.test TXT)
like "an answer of nearly 32 KB over TCP" "$GOT" ': cut found 000x.* 279x'
GOT=$(dns -D "127.0.0.1:$A" act-big-290.test TXT)
like "one that is larger is broken (MR_DNS_TCP_MAX)" "$GOT" ': cut broken$'
GOT=$(dns -T 60000 -D "127.0.0.1:$A" $(many 257 ok))
is "a full batch is answered (MR_DNS_BATCH_MAX)" "$(count ': found 127.0.0.2$')" 256
is "what is over is broken" "$(count '^n257.*: broken$')" 1
GOT=$(dns -T 60000 -F 8 -D "127.0.0.1:$A" $(many 100 delay-20))
is "few descriptors: the rest waits its turn" "$(count ': found 127.0.0.2$')" 100
GOT=$(dns -T 500 -F 3 -D "127.0.0.1:$A" x.test A)
like "no descriptor at all is an outage" "$GOT" '^x.test A: timeout$'
GOT=$(dns -D "127.0.0.1:$A" -M 15000 $(many 100 ok))
is "no memory is an outage" "$(count ': broken$\|: found 127.0.0.2$')" 100
like "of some" "$GOT" ': broken$'
like "not of all" "$GOT" ': found 127.0.0.2$'
"$MR_BUILD/bench/dns" -T 60000 -D "127.0.0.1:$A" $(many 100 drop) >/dev/null 2>&1 &
T_PID=$! T_PIDS="$! $T_PIDS"
sockets() { [ "$(find "/proc/$T_PID/fd" -lname 'socket:*' | wc -l)" = "$1" ]; }
ok "sockets are bounded (MR_DNS_SOCKET_MAX)" wait_for 60 sockets 64
stop "$T_PID"

i=0
while [ $i -lt 513 ]; do
	[ $i = 512 ] || echo "most.test A 127.1.$((i / 256)).$((i % 256))"
	echo "more.test A 127.1.$((i / 256)).$((i % 256))"
	i=$((i + 1))
done >"$T_DIR/zone"
start "$T_DIR/zone.log" "$T_ROOT/test/fakedns" --zone "$T_DIR/zone" --port-file "$T_DIR/zone.port"
wait_for 60 test -s "$T_DIR/zone.port" || exit 1
GOT=$(dns -D "127.0.0.1:$(cat "$T_DIR/zone.port")" most.test A more.test A)
like "512 records are one answer" "$GOT" '^most.test A: cut found 127.1.0.0 .* 127.1.1.255$'
like "more are broken (MR_DNS_RECORD_MAX)" "$GOT" '^more.test A: cut broken$'

# ---- resolvers of other kinds

GOT=$(dns -T 500 -D "127.0.0.1:$DEAD" x.test A)
like "a resolver that is away" "$GOT" '^x.test A: timeout$'
GOT=$(dns -D "file:$T_DIR/nothing" x.test A)
like "a fixture that is away" "$GOT" 'nothing'

cat >"$T_DIR/v6.py" <<'X'
# Passes packets from [::1] to a server of 127.0.0.1, and back; writes its port.
import os, socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::1", 0))
with open(sys.argv[2] + ".new", "w") as f:
    print(s.getsockname()[1], file=f)
os.rename(sys.argv[2] + ".new", sys.argv[2])
while True:
    m, peer = s.recvfrom(65535)
    up = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    up.sendto(m, ("127.0.0.1", int(sys.argv[1])))
    s.sendto(up.recv(65535), peer)
X
start "$T_DIR/v6.log" python3 "$T_DIR/v6.py" "$A" "$T_DIR/v6.port"
if python3 -c 'import socket; socket.socket(socket.AF_INET6).bind(("::1", 0))' 2>/dev/null; then
	wait_for 60 test -s "$T_DIR/v6.port"
	GOT=$(dns -D "[::1]:$(cat "$T_DIR/v6.port")" x.test A)
	like "a resolver over IPv6" "$GOT" '^x.test A: found 127.0.0.2$'
	printf 'nameserver ::1#%s\n' "$(cat "$T_DIR/v6.port")" >"$T_DIR/resolv.conf"
	conf "and in resolv.conf" '^x.test A: found 127.0.0.2$' x.test A
else
	echo "# no IPv6 here"
fi

# ---- a world: nsd, rbldnsd, unbound

base=$(python3 - <<'X'
import random, socket
while True:
    base = random.randrange(20000, 32000)
    try:
        for p in range(base, base + 4):
            for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM:
                with socket.socket(socket.AF_INET, kind) as s:
                    s.bind(("127.0.0.1", p))
        break
    except OSError:
        pass
print(base)
X
)
start "$T_DIR/serve.log" python3 "$T_ROOT/test/dns/serve" -p "$base" run \
	sh -c "echo >'$T_DIR/world'; exec sleep 3600"
wait_for 60 test -e "$T_DIR/world" || sed 's/^/# /' "$T_DIR/serve.log"
GOT=$(dns -D "127.0.0.1:$base" perfect.example MX bogus.example MX bogus.example SOA_UNCHECKED chain.example A nowhere.example A \
	s1._domainkey.chain.example TXT s1._domainkey.bigtxt.example TXT \
	2.2.0.192.in-addr.arpa PTR servfail.example A 2.0.0.127.bl.dnsbl.example A)
like "signed" "$GOT" '^perfect.example MX: found ad 10:mx1.perfect.example 20:mx2.perfect.example$'
like "signed wrongly is a failure" "$GOT" '^bogus.example MX: servfail$'
like "but not without validation" "$GOT" '^bogus.example SOA_UNCHECKED: found ns1.dnsworld.example'
like "no such type" "$GOT" '^chain.example A: nodata$'
like "no such name" "$GOT" '^nowhere.example A: nxdomain ad$'
like "a CNAME chain" "$GOT" '^s1._domainkey.chain.example TXT: found v=DKIM1.*\(c5.chain.example\)$'
like "a large TXT" "$GOT" '^s1._domainkey.bigtxt.example TXT:( cut)? found v=DKIM1; k=rsa; p='
like "a PTR" "$GOT" '^2.2.0.192.in-addr.arpa PTR: found mx1.perfect.example$'
like "a failure of the authority" "$GOT" '^servfail.example A: servfail$'
like "a DNSBL" "$GOT" '^2.0.0.127.bl.dnsbl.example A: found 127.0.0.2$'
GOT=$(dns -D "127.0.0.1:$((base + 1))" lame.example MX)
like "a referral is not \"no data\"" "$GOT" '^lame.example MX: refused$'

# ---- AD of a resolver that is not on loopback: 192.0.2.53, in a network of our own

cat >"$T_DIR/ad.py" <<'X'
# Answers every question with A 127.0.0.2, and AD.
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("192.0.2.53", 53))
open(sys.argv[1], "w").close()
while True:
    m, peer = s.recvfrom(65535)
    end = m.index(b"\0", 12) + 5
    s.sendto(m[:2] + struct.pack("!HHHHH", 0x81a0, 1, 1, 0, 0) + m[12:end]
             + b"\xc0\x0c" + struct.pack("!HHIH4s", 1, 1, 60, 4, b"\x7f\0\0\2"), peer)
X
cat >"$T_DIR/ad.sh" <<'X'
ip link set lo up && ip addr add 192.0.2.53/32 dev lo || exit 1
python3 "$2/ad.py" "$2/ad" &
pid=$!
while [ ! -e "$2/ad" ] && kill -0 $pid; do sleep 0.05; done
"$1" -D 192.0.2.53 x.test A
"$1" -D 192.0.2.53 -A y.test A
kill $pid
X
if unshare -rn true 2>/dev/null; then
	GOT=$(unshare -rn sh "$T_DIR/ad.sh" "$MR_BUILD/bench/dns" "$T_DIR" 2>&1)
	like "AD of a resolver that is not on loopback is not believed" "$GOT" '^x.test A: found 127'
	like "but by option" "$GOT" '^y.test A: found ad 127'
else
	echo "# no network namespaces here"
fi

# ---- the machine's resolv.conf, under mr-remote's sandbox

printf 'nameserver 127.0.0.1#%s\n' "$A" >"$T_DIR/resolv.conf"
printf 'Subject: s\n\nhello\n' >"$T_DIR/m"
with_resolv_conf() {
	unshare -rm sh -c 'mount --bind "$0" /etc/resolv.conf && exec "$@"' "$T_DIR/resolv.conf" "$@"
}
# remote DOMAIN
remote() {
	with_resolv_conf "$MR_BUILD/bin/mr-remote" -N me.example -f '' -r "b@$1" <"$T_DIR/m" 2>&1
}
if with_resolv_conf true 2>/dev/null; then
	like "mr-remote reads resolv.conf" "$(remote act-nxdomain.test)" 'failed: there is no domain act-nxdomain.test'
	like "and defers" "$(remote act-servfail.test)" 'deferred: DNS look-up for act-servfail.test failed'
else
	echo "# no mount namespaces here"
fi
done_testing

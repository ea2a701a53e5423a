#!/bin/sh
# mr-remote and the DNS: which hosts are tried for a domain, and what a fault of the DNS means.
. "$(dirname "$0")/../lib.sh"
. "$T_ROOT/test/fakesmtp.sh"

cat >"$T_DIR/zone" <<'X'
one.example MX 10 mail.example
mail.example A 127.0.0.1
# two hosts: the better one is closed
two.example MX 20 mail.example
two.example MX 10 dead.example
dead.example A 127.0.0.9
# the better host has an address in IPv6 only, and one in IPv4 that is closed
v6.example MX 10 six.example
six.example AAAA ::1
six.example A 127.0.0.1
implicit.example A 127.0.0.1
cname.example CNAME one.example
dangling.example CNAME nowhere.example
null.example MX 0 .
halfnull.example MX 0 .
halfnull.example MX 10 mail.example
servfail.example SERVFAIL
refused.example REFUSED
drop.example DROP
garbage.example MX 10 mail.example
garbage.example GARBAGE
lie.example MX 10 mail.example
lie.example LIE
broken.example NUL 10
empty.example MX 10 noaddr.example
noaddr.example MX 10 x.example
gone.example MX 10 nowhere.example
faulty.example MX 10 servfail.example
onefaulty.example MX 10 servfail.example
onefaulty.example MX 20 mail.example
numeric.example MX 10 127.0.0.1
# loops: we are me.example
loop.example MX 10 Me.Example
loop.example MX 20 mail.example
backup.example MX 10 mail.example
backup.example MX 20 me.example
backup.example MX 20 dead.example
backup.example MX 30 dead.example
me.example A 127.0.0.1
equal.example MX 10 h1.example
equal.example MX 10 h2.example
equal.example MX 10 h3.example
h1.example A 127.0.0.1
h2.example A 127.0.0.1
h3.example A 127.0.0.1
X
python3 -c '
for i in range(120): print("many.example MX %d a-long-name-of-a-host-%d.example" % (300 - i, i))
print("a-long-name-of-a-host-119.example A 127.0.0.1")' >>"$T_DIR/zone"
start "$T_DIR/dns.log" "$T_ROOT/test/fakedns" --zone "$T_DIR/zone" --port-file "$T_DIR/dns.port"
wait_for 60 test -s "$T_DIR/dns.port" || exit 1
DNS=127.0.0.1:$(cat "$T_DIR/dns.port")
serve
printf 'Subject: s\n\nhello\n' >"$T_DIR/m"

# mx NAME DOMAIN WORDS EXIT: a message to b@DOMAIN
mx() {
	GOT=$(mr-remote -N me.example -T 2 -D "$DNS" -p "$PORT" -f a@x.example -r "b@$2" <"$T_DIR/m" 2>&1; echo "exit $?")
	like "$1" "$GOT" "$3"
	is "$1: exit code" "$(printf '%s\n' "$GOT" | tail -n 1)" "exit $4"
}
MAIL="delivered: mail.example\[127.0.0.1\]:$PORT: 250"
mx "its MX" one.example "$MAIL" 0
mx "the case of a domain does not count" ONE.Example "$MAIL" 0
mx "the second MX where the best is away" two.example "$MAIL" 0
mx "the second address where the first is closed" v6.example "delivered: six.example\[127.0.0.1\]" 0
mx "no MX: its own address (RFC 5321 5.1)" implicit.example "delivered: implicit.example\[127.0.0.1\]" 0
mx "behind a CNAME" cname.example "$MAIL" 0
mx "over TCP where the answer is long" many.example "delivered: a-long-name-of-a-host-119.example" 0
mx "a reply with another id is not taken" lie.example "$MAIL" 0
mx "no such domain" nowhere.example "failed: there is no domain nowhere.example" 100
mx "a CNAME to nowhere" dangling.example "failed: " 100
mx "null MX (RFC 7505)" null.example "failed: domain null.example takes no mail" 100
mx "null MX beside another is ignored" halfnull.example "$MAIL" 0
mx "SERVFAIL" servfail.example "deferred: DNS look-up for servfail.example failed" 111
mx "REFUSED" refused.example "deferred: DNS look-up" 111
mx "no answer" drop.example "deferred: DNS look-up" 111
mx "an answer that is cut" garbage.example "deferred: DNS look-up" 111
mx "a record that is broken" broken.example "deferred: DNS look-up" 111
mx "an MX without an address" empty.example "failed: host noaddr.example has no address" 100
mx "an MX that does not exist" gone.example "failed: host nowhere.example has no address" 100
mx "an MX whose look-up fails" faulty.example "deferred: DNS look-up for servfail.example" 111
mx "the next MX where a look-up fails" onefaulty.example "$MAIL" 0
mx "an MX that is an address in figures is no host" numeric.example "failed: host 127.0.0.1 has no address" 100
mx "we are the best MX" loop.example "failed: mail for loop.example loops back" 100
mx "only better MX than we" backup.example "$MAIL" 0
mx "we are its implicit MX" me.example "failed: mail for me.example loops back" 100
mx "an address literal is asked of nobody" '[127.0.0.1]' "delivered: 127.0.0.1\[127.0.0.1\]:$PORT" 0
mx "a domain that is not ASCII" "$(printf '\303\244.example')" "failed: .*not a domain name in ASCII" 100
LIVE=$DNS DNS=127.0.0.1:$(free_port)
mx "a resolver that is away" one.example "deferred: DNS look-up for one.example failed" 111
DNS=$LIVE

# Equals are taken by chance: all three come first in some of 40 tries (else once in 10^6 runs).
first=$(i=0; while [ $i -lt 40 ]; do
	mr-remote -N me.example -D "$DNS" -p "$PORT" -f '' -r b@equal.example <"$T_DIR/m"
	i=$((i + 1))
done | grep -o 'h[123].example' | sort -u | tr '\n' ' ')
is "hosts of one preference share the load" "$first" "h1.example h2.example h3.example "

# Recipients of several domains: a message for each.
GOT=$(mr-remote -N me.example -D "$DNS" -p "$PORT" -f a@x.example -r 1@one.example -r 2@nowhere.example \
	-r 3@ONE.example -r 4@servfail.example <"$T_DIR/m"; echo "exit $?")
is "domains go their own ways" "$(printf '%s\n' "$GOT" | cut -d: -f 1,2 | sort | tr '\n' ,)" \
	"1@one.example: delivered,2@nowhere.example: failed,3@one.example: delivered,4@servfail.example: deferred,exit 111,"

# As a worker.
GOT=$("$T_ROOT/test/jobs" mr-remote -w -N me.example -T 2 -D "$DNS" -p "$PORT" <<X
job mx:nowhere.example a@x $T_DIR/m - b@nowhere.example
job mx:servfail.example a@x $T_DIR/m - b@servfail.example
job mx:null.example a@x $T_DIR/m - b@null.example
job mx:loop.example a@x $T_DIR/m - b@loop.example
X
)
is "enhanced codes" "$(printf '%s\n' "$GOT" | grep -o 'status=[^ ]*' | tr '\n' ' ')" \
	"status=5.1.2 status=4.4.3 status=5.1.10 status=5.4.6 "
is "a domain that takes no mail is no host that is down" "$(printf '%s\n' "$GOT" | grep -o 'host_down=.' | tr '\n' ' ')" \
	"host_down=0 host_down=1 host_down=0 host_down=0 "
done_testing

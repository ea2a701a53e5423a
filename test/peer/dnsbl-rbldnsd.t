#!/bin/sh
# mr-dnsbl and mr-helo against real servers: lists of rbldnsd, names of nsd, asked by unbound (test/dns/serve).
. "$(dirname "$0")/../lib.sh"
for program in rbldnsd nsd unbound; do
	command -v $program >/dev/null || skip_all "no $program"
done
cd "$T_DIR" || exit 1
chmod 755 .
cp -R "$T_ROOT/test/dns/world" world || exit 1
printf '2001:db8::/64\n' >>world/rbl/ip6
printf 'bad.test-name.example\n' >>world/rbl/name
for list in all quota; do # an ip4set takes no network wider than /8
	printf '127.0.0.0/8\n192.0.0.0/8\n' >>world/rbl/$list
done

# Four free ports in a row.
serve() { "$T_ROOT/test/dns/serve" -w world -p "$1" -d dns "$2"; }
end_serve() {
	serve 1 stop >/dev/null 2>&1
	t_end
}
trap end_serve EXIT
for try in 1 2 3 4 5; do
	port=$(free_port)
	[ "$port" -lt 65000 ] && serve "$port" start >env 2>err && break
	[ $try = 5 ] && { sed 's/^/# /' err; skip_all 'the servers do not start'; }
done

# hand ARGS WANT: the answer for people
hand() {
	is "mr-dnsbl $1" "$(eval "mr-dnsbl -D 127.0.0.1:$port $1" 2>/dev/null)" "$2"
}
hand '-i 192.0.2.110 bl.dnsbl.example' \
	'refuse: 5.7.1 192.0.2.110 is listed by bl.dnsbl.example: Listed for testing, see http://list.invalid/?192.0.2.110 (score 1: bl.dnsbl.example 1)'
hand '-i 192.0.2.111 bl.dnsbl.example bl2.dnsbl.example' 'no objection (score 0)'
hand '-i 2001:db8::9 bl.dnsbl.example' \
	'refuse: 5.7.1 2001:db8::9 is listed by bl.dnsbl.example: Listed for testing: 2001:db8::9 (score 1: bl.dnsbl.example 1)'
hand '-i 2001:db8:1::9 bl.dnsbl.example' 'no objection (score 0)'
hand '-i 192.0.2.111 -f a@bad.test-name.example -d dbl.dnsbl.example' \
	'refuse: 5.7.1 bad.test-name.example is listed by dbl.dnsbl.example: Domain listed: bad.test-name.example (score 1: dbl.dnsbl.example 1)'
hand '-i 192.0.2.111 -f a@good.test-name.example -d dbl.dnsbl.example' 'no objection (score 0)'
hand '-i 192.0.2.110 closed.dnsbl.example quota.dnsbl.example' 'no objection (score 0)'
got=$(mr-dnsbl -v -T 2 -D "127.0.0.1:$port" -t 9 -i 192.0.2.110 bl.dnsbl.example bl2.dnsbl.example \
	closed.dnsbl.example quota.dnsbl.example bl.lame.example bl.timeout.example 2>log)
is 'the table' "$(echo "$got" | awk '{ print $1, $2, $3, $5 }')" 'LIST WEIGHT SAYS ANSWERS
bl.dnsbl.example 1 listed 127.0.0.2
bl2.dnsbl.example 1 clear -
closed.dnsbl.example 1 lists-all 127.0.0.2
quota.dnsbl.example 1 refuses 127.255.255.254
bl.lame.example 1 late -
bl.timeout.example 1 late -
score 1, accepted; from'
is 'and the log' "$(sed 's/ cure=.*//' log)" \
	'mr-dnsbl: warn event=dnsbl list=closed.dnsbl.example why=lists-all answer=127.0.0.2 out_s=600
mr-dnsbl: warn event=dnsbl list=quota.dnsbl.example why=refuses answer=127.255.255.254 out_s=600'

# helo IP NAME WANT
helo() {
	is "mr-helo -s 3 -i $1 -h $2" "$(mr-helo -D "127.0.0.1:$port" -N mx.ours.example -s 3 -i "$1" -h "$2" |
		sed 's/.*(\(.*\))$/\1/')" "$3"
}
helo 192.0.2.2 mx1.perfect.example ok
helo 192.0.2.2 mx2.perfect.example ok
helo 192.0.2.2 no.perfect.example unknown
helo 192.0.2.250 mx1.perfect.example no-reverse
helo 192.0.2.2 mx.servfail.example outage
done_testing

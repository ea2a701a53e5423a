#!/bin/sh
# mr-helo: by hand, a record, -l, as a stage, and what is refused at the start.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
cat >zone <<-'EOF'
	good.example A 192.0.2.1
	1.2.0.192.in-addr.arpa PTR good.example
	down.example ! servfail
EOF

# hand ARGS WANT: the line for people, and the exit code
hand() {
	is "mr-helo $1" "$(eval "mr-helo -D file:zone -N mx.ours.example $1" 2>&1; echo $?)" "$2"
}
hand '-i 192.0.2.1 -h good.example' 'no objection (ok)
0'
hand '-i 192.0.2.1 -f a@b.example' 'no objection (no HELO)
0'
hand '-i 192.0.2.1 -h "a b"' 'refuse: 5.5.2 HELO: what you call yourself is no name of a host (malformed)
100'
hand '-i 192.0.2.1 -h MX.ours.example' 'refuse: 5.7.1 HELO MX.ours.example: that is this host, not you (ours)
100'
hand '-i 192.0.2.1 -h ours.example' 'no objection (ok)
0'
hand '-i 192.0.2.1 -h ours.example other.example ours.example' \
	'refuse: 5.7.1 HELO ours.example: that is this host, not you (ours)
100'
hand '-i 192.0.2.1 -h "[192.0.2.25]" 192.0.2.25' 'refuse: 5.7.1 HELO [192.0.2.25]: that is this host, not you (ours)
100'
hand '-i 192.0.2.25 -h ours.example ours.example 192.0.2.25' 'no objection (ok)
0'
hand '-s 1 -i 192.0.2.1 -h my_pc' 'refuse: 5.5.2 HELO my_pc: neither a domain name nor an address literal (no-name)
100'
hand '-s 1 -i 192.0.2.1 -h "[192.0.2.2]"' 'refuse: 5.7.1 HELO [192.0.2.2]: that is not your address (other-address)
100'
hand '-s 1 -i 192.0.2.1 -h none.example' 'no objection (ok)
0'
hand '-s 2 -i 192.0.2.1 -h none.example' \
	'refuse: 5.7.1 HELO none.example: the DNS has neither A, AAAA nor MX for it (unknown)
100'
hand '-s 2 -i 192.0.2.9 -h good.example' 'no objection (ok)
0'
hand '-s 3 -i 192.0.2.9 -h good.example' \
	'refuse: 5.7.25 Your address has no name in the DNS that has it, too (no-reverse)
100'
hand '-s 3 -i 192.0.2.1 -h good.example' 'no objection (ok)
0'
hand '-s 2 -i 192.0.2.1 -h down.example' 'try later: 4.4.3 HELO down.example: the DNS does not answer (outage)
111'
hand '-s 2 -e open -i 192.0.2.1 -h down.example' 'no objection (outage)
0'
hand '-n -s 2 -i 192.0.2.1 -h none.example' \
	'refuse: 5.7.1 HELO none.example: the DNS has neither A, AAAA nor MX for it (unknown)
0'

label=$(printf %060d 0)
hand "-s 2 -i 192.0.2.1 -h $label.$label.$label.example" \
	"refuse: 5.7.1 HELO $(echo "$label.$label.$label.example" | cut -c1-200): the DNS has neither A, AAAA nor MX for it (unknown)
100"
hand "-s 2 -i 192.0.2.1 -h $label.$label.$label.$(printf %030d 0).example" \
	"refuse: 5.7.1 HELO $(echo "$label.$label.$label.$(printf %030d 0)" | cut -c1-200): the DNS has neither A, AAAA nor MX for it (unknown)
100"

# records: the server's address is ours, and a name that Postfix has found is believed
got=$(printf 'client_address=192.0.2.1\nhelo_name=[203.0.113.25]\nserver_address=203.0.113.25\n\n' |
	mr-helo -D file:zone -N mx.ours.example)
is 'a record: exit' $? 100
is 'and answer' "$got" 'action=REJECT 5.7.1 HELO [203.0.113.25]: that is this host, not you
helo_result=ours'
for name in unknown told.example; do
	printf 'client_address=192.0.2.9\nhelo_name=good.example\nclient_name=%s\nhelo_x=1\n\n' $name
done >records
is '-l' "$(mr-helo -l -s 3 -D file:zone <records)" \
	'action=REJECT 5.7.25 Your address has no name in the DNS that has it, too

action=DUNNO'
is 'hostile bytes stay in their place' \
	"$(printf 'client_address=192.0.2.1\nhelo_name=%s\t\001\303\251\n\n' "$(printf '%0300d' 1)" |
		mr-helo -D file:zone)" \
	'action=REJECT 5.5.2 HELO: what you call yourself is no name of a host
helo_result=malformed'

# as a stage, inside mr-pipe and executed by it: the name of the server is that of the runner
echo "mail helo - mr-helo -D file:$T_DIR/zone -s 2" >spec
for how in '' -x; do
	[ -n "$how" ] && echo "mail helo - mr-helo -D file:$T_DIR/zone -s 2 -N mx.ours.example" >spec
	for helo in mx.ours.example none.example good.example; do
		printf '%s\n' request=smtpd_access_policy protocol_state=RCPT client_address=192.0.2.1 \
			helo_name=$helo sender=a@b.example recipient=x@y.example ''
	done | mr-pipe $how -l -N mx.ours.example spec >got 2>/dev/null
	is "a stage $how" "$(sed '/^$/d' got)" 'action=REJECT 5.7.1 HELO mx.ours.example: that is this host, not you
action=REJECT 5.7.1 HELO none.example: the DNS has neither A, AAAA nor MX for it
action=DUNNO'
done

# what is refused at the start
# refuse WANT ARGS...
refuse() {
	reason=$1
	shift
	exits "refused: $*" 111 mr-helo -i 192.0.2.1 -h x.example "$@"
	like 'and why' "$(cat .err)" "$reason"
}
refuse '-s' -s 4
refuse '-s' -s strict
refuse 'neither a domain nor an address' 'a b'
refuse 'neither a domain nor an address' '[192.0.2.1]'
names=$(i=0; while [ $i -lt 64 ]; do echo n$i.example; i=$((i + 1)); done)
# shellcheck disable=SC2086
exits '64 names' 0 mr-helo -i 192.0.2.1 -h x.example $names
# shellcheck disable=SC2086
refuse 'more than 64 names' $names one.example
done_testing

#!/bin/sh
# mr-access: by hand, records on standard input, -l, -c, -s, tables of tcprules, and what is refused.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
mr-table -k access "$T_ROOT/test/tables/access" access.cdb || exit 1

# by hand: hand ARGS WANT
hand() {
	is "mr-access $1" "$(mr-access $1 2>&1; echo $?)" "$2"
}
for table in access.cdb "$T_ROOT/test/tables/access"; do
	hand "-i 10.200.0.1 $table" 'permitted (permit 10.0.0.0/8)
99'
done
hand '-v -i 10.200.0.1 access.cdb' 'permitted (permit 10.0.0.0/8: our networks)
99'
hand '-v -i 10.1.2.3 -f bob@example.org access.cdb' \
	'refuse: 5.7.1 Client is forbidden here (forbid 10.1.2.3: lost laptop)
100'
hand '-i 10.200.0.1 -f alice@example.org access.cdb' \
	'refuse: 5.7.1 Sender is forbidden here (forbid example.org)
100'
hand '-f BOB@example.ORG access.cdb' 'permitted (permit BOB@example.org)
99'
hand '-f x@a.b.example.org access.cdb' 'permitted (permit .example.org (forbidden, too))
99'
hand '-i 203.0.113.1 -f x@example.com access.cdb' 'no objection (no entry)
0'
hand '-i 2001:db8::7 access.cdb' 'permitted (permit 2001:db8::/32)
99'
hand '-n -i 10.1.2.3 access.cdb' 'refuse: 5.7.1 Client is forbidden here (forbid 10.1.2.3)
0'
hand '-c -i 10.200.0.1 -f alice@example.org access.cdb' 'permitted (permit 10.0.0.0/8)
99'
hand '-s -f bob@example.org access.cdb' \
	'refuse: 5.7.1 Sender is forbidden here (forbid example.org)
100'
hand '-s -f x@a.example.org access.cdb' \
	'no objection (permit .example.org does not count without spf_result=pass)
0'

# a record on standard input
# record ARGS LINES WANT-CODE WANT-ACTION
record() {
	got=$(printf "$2\n" | mr-access $1 access.cdb)
	code=$?
	is "record $(printf "$2" | tr '\n' ' ')$1: exit" $code "$3"
	is 'and answer' "$got" "action=$4"
}
record '' 'client_address=10.200.0.1\nsender=bob@example.com\n' 99 DUNNO
record '' 'client_address=192.0.2.9\nsender=bob@example.com\n' 100 'REJECT 5.7.1 Client is forbidden here'
record '' 'client_address=::ffff:192.0.2.9\nsender=\n' 100 'REJECT 5.7.1 Client is forbidden here'
record '' 'client_address=203.0.113.1\nsender=\n' 0 DUNNO
record '' 'client_address=unknown\nsender=""@\n' 0 DUNNO
record '' 'request=smtpd_access_policy\n' 0 DUNNO
record '-s' 'sender=bob@example.org\nspf_result=pass\n' 99 DUNNO
record '-s' 'sender=bob@example.org\nspf_result=softfail\n' 100 'REJECT 5.7.1 Sender is forbidden here'
record '-c' 'client_address=203.0.113.1\nsender=alice@example.org\n' 0 DUNNO
is 'no record is a fault' "$(mr-access access.cdb </dev/null 2>/dev/null; echo $?)" 111

# a policy service
is '-l answers each record' "$(printf 'request=smtpd_access_policy\nclient_address=%s\nsender=%s\n\n' \
	10.200.0.1 '' 192.0.2.1 '' 203.0.113.1 alice@example.org | mr-access -l access.cdb)" \
	'action=DUNNO

action=REJECT 5.7.1 Client is forbidden here

action=REJECT 5.7.1 Sender is forbidden here'

# what is refused at the start
# refuse WANT ARGS...
refuse() {
	reason=$1
	shift
	exits "refused: $*" 111 mr-access -i 127.0.0.1 "$@"
	like 'and why' "$(cat .err)" "$reason"
}
refuse 'need exactly one table'
refuse 'need exactly one table' access.cdb access.cdb
refuse 'do not go together' -c -s access.cdb
refuse 'unknown option -z' -z access.cdb
refuse 'No such file' none.cdb
echo 'permit 0.0.0.0/0' >all4
echo 'permit ::/0' >all6
echo 'permit 10.0.0.300' >bad
refuse "permits '0.0.0.0/0', thus every client, which would make this host an open relay" -c all4
refuse "permits '::/0', thus every client" -c all6
hand '-i 192.0.2.1 all4' 'permitted (permit 0.0.0.0/0)
99'
refuse 'bad:1: .*10.0.0.300.* is not an IP address; write' bad
mr-table -k routes "$T_ROOT/test/tables/routes" routes.cdb
refuse 'a table of kind routes where one of kind access is needed' routes.cdb

# tables of tcprules
if command -v tcprules >/dev/null; then
	tcprules rules.cdb rules.tmp <"$T_ROOT/test/tables/tcprules"
	hand '-i 127.0.0.1 rules.cdb' 'permitted (permit 127.)
99'
	hand '-i 10.20.30.40 -f alice@example.org rules.cdb' 'permitted (permit 10.20.30.40)
99'
	hand '-i 10.20.30.41 rules.cdb' 'refuse: 5.7.1 Client is forbidden here (forbid 10.20.)
100'
	hand '-i 10.9.9.9 rules.cdb' 'no objection (no entry)
0'
	hand '-i ::1 rules.cdb' 'no objection (no entry)
0'
	# name ADDRESS NAME: the code, and what tcpserver does
	name() {
		printf 'client_address=%s\nclient_name=%s\n\n' "$1" "$2" | mr-access rules.cdb >/dev/null
		code=$?
		rule=$(TCPREMOTEIP=$1 TCPREMOTEHOST=$2 tcprulescheck rules.cdb)
		case $rule in
		*'deny connection'*) want=100 ;;
		*RELAYCLIENT*) want=99 ;;
		*'allow connection'*) want=0 ;;
		esac
		is "tcprules: $1 $2 as for tcpserver" $code "$want"
	}
	name 192.0.2.1 host.example.org
	name 192.0.2.1 mail.example.net
	name 192.0.2.1 example.net
	name 192.0.2.1 other.example
	name 10.20.30.40 mail.example.net
	name 10.20.1.1 host.example.org
	name 127.0.0.1 mail.example.net
	is 'a name in any case' "$(printf 'client_address=192.0.2.1\nclient_name=MAIL.Example.NET\n\n' |
		mr-access rules.cdb >/dev/null; echo $?)" 100
	echo ':allow,RELAYCLIENT=""' | tcprules all.cdb all.tmp
	refuse "permits '', thus every client" -c all.cdb
	echo '=:allow,RELAYCLIENT=""' | tcprules all.cdb all.tmp
	refuse "permits '=', thus every client" -c all.cdb
fi
done_testing

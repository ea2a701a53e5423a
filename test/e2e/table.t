#!/bin/sh
# mr-table: compile, ask, dump; errors; replacement under readers; a million entries; tcprules.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
tables=$T_ROOT/test/tables

# compile and ask
for kind in map access routes; do
	exits "$kind compiles" 0 mr-table -k $kind "$tables/$kind" $kind.cdb
	exits "$kind is fine" 0 mr-table -c -k $kind "$tables/$kind"
	mr-table -d $kind.cdb >$kind.dump
	mr-table -k $kind $kind.dump again.cdb
	ok "$kind: the dump compiles to the same table" cmp $kind.cdb again.cdb
	ok "$kind: the text dumps like the table" sh -c "mr-table -d -k $kind '$tables/$kind' | cmp - $kind.dump"
done

# ask TABLE KEY WANT
ask() {
	is "$1: $2" "$(mr-table -q "$2" "$1" 2>&1; echo $?)" "$3"
}
found() {
	ask "$1" "$2" "$3
0"
}
found access.cdb 10.1.2.3 'forbid 10.1.2.3/32 lost laptop'
is 'a text is asked like a table' "$(mr-table -k access -q 10.1.2.3 "$tables/access")" 'forbid 10.1.2.3/32 lost laptop'
found access.cdb 10.1.9.9 'permit 10.1.0.0/16'
found access.cdb 10.200.0.1 'permit 10.0.0.0/8 our networks'
found access.cdb ::ffff:10.200.0.1 'permit 10.0.0.0/8 our networks'
found access.cdb 192.0.2.5 'forbid 192.0.2.0/24'
found access.cdb 2001:db8::99 'permit 2001:db8::/32'
found access.cdb BOB@Example.org 'permit bob@example.org'
found access.cdb '"bob"@example.org' 'permit bob@example.org'
found access.cdb alice@example.org 'forbid example.org sends spam'
found access.cdb a.b.example.org 'permit .example.org
forbid .example.org'
ask access.cdb 198.51.100.1 100
ask access.cdb nobody@example.com 100
found map.cdb nobody@example.com '* everything else'
found map.cdb '"john doe"@example.org' '"john doe"@example.org john'
found map.cdb '#1@example.org' '"#1"@example.org number'
found routes.cdb bob@mydomain.com 'mydomain.com 10.20.30.40'
found routes.cdb sub.below.example '.below.example [2001:db8::1]:2525'
found routes.cdb elsewhere.example '* smart.example:587'

# faults are 111
exits 'no such table' 111 mr-table -q example.org none.cdb
exits 'not a key' 111 mr-table -q 10.0.0.300 access.cdb
exits 'wrong kind' 111 mr-table -q example.org -k routes access.cdb
like 'it says what to do' "$(cat .err)" 'kind access where one of kind routes is needed; compile'
exits 'no option z' 111 mr-table -z
like 'the usage is shown' "$(cat .err)" '^usage: mr-table '
exits 'two verbs' 111 mr-table -c -d x
exits 'a name that would be read as text' 111 mr-table "$tables/map" map.db
like 'it says why' "$(cat .err)" 'must end in .cdb'
exits 'no such folder' 111 mr-table "$tables/map" none/map.cdb
exits 'unknown kind' 111 mr-table -k mop "$tables/map" map.cdb
printf 'x' >bad.cdb
exits 'no CDB' 111 mr-table -d bad.cdb
head -c 2100 access.cdb >bad.cdb
exits 'cut short' 111 mr-table -d bad.cdb
mkdir folder.cdb
exits 'a folder' 111 mr-table -d folder.cdb

# errors name file and line, and nothing changes
cp access.cdb before.cdb
# refuse KIND TEXT WANT
refuse() {
	printf "$2" >bad
	exits "refused: $3" 111 mr-table -k "$1" bad access.cdb
	like "and why" "$(cat .err)" "$3"
	exits 'by -c, too' 111 mr-table -c -k "$1" bad
}
refuse access 'permit a.example\n\nallow b.example\n' "^mr-table: bad:3: 'allow' is neither permit nor forbid; write"
refuse access 'permit 10.0.0.5/8' '^mr-table: bad:1: .*did you mean 10.0.0.0/8'
refuse access 'permit 10.0.0.0/255.0.255.0' '^mr-table: bad:1: .*not a prefix length or netmask; write'
refuse map 'a.example 1\n# c\nb.example 2\nA.EXAMPLE 3\n' '^mr-table: bad:4: the same key as in line 1; remove'
refuse routes '10.0.0.0/8 local\n' '^mr-table: bad:1: .*an address or network; a route begins with'
refuse routes 'a.example b.example:0\n' "^mr-table: bad:1: '0' is not a port; write"
refuse map 'a.example \000\n' '^mr-table: bad:1: control character 0x00; write'
ok 'the table is as it was' cmp access.cdb before.cdb
is 'nothing is left behind' "$(ls | grep -c tmp)" 0
is 'standard input' "$(echo a.example x | mr-table - stdin.cdb && mr-table -q a.example stdin.cdb)" 'a.example x'
is 'standard input has lines' "$(echo @ | mr-table - stdin.cdb 2>&1)" \
	"mr-table: standard input:1: '@' is not a mailbox (bad local part); write local@domain, or a domain alone for all its mailboxes"
is 'a new table can be read by all' "$(stat -c %a stdin.cdb)" 644
chmod 640 stdin.cdb
mr-table "$tables/map" stdin.cdb
is 'a replaced table keeps its mode' "$(stat -c %a stdin.cdb)" 640

# replaced while readers look up: each sees the old table or the new one
echo 'a.example v1' >v1
echo 'a.example v2' >v2
mr-table v1 v.cdb
(
	i=0
	while [ $i -lt 150 ]; do
		mr-table -q a.example v.cdb || echo "exit $?"
		i=$((i + 1))
	done
) >seen 2>&1 &
reader=$!
while kill -0 $reader 2>/dev/null; do
	mr-table v1 v.cdb
	mr-table v2 v.cdb
done
wait $reader
is 'readers saw whole tables only' "$(sort -u seen | grep -v '^a.example v[12]$')" ''
is 'and always one' "$(grep -c . seen)" 150

# a million entries
awk 'BEGIN {
	for (i = 0; i < 250000; i++) {
		printf "permit user%d@example%d.org customer %d\n", i, i % 1000, i
		printf "forbid host%d.example.net\nforbid .sub%d.example.com\n", i, i
		printf "permit 10.%d.%d.%d\n", i / 65536, i / 256 % 256, i % 256
	}
}' >million
exits 'a million entries compile' 0 mr-table -k access million million.cdb
is 'the last mailbox' "$(mr-table -q user249999@example999.org million.cdb)" 'permit user249999@example999.org customer 249999'
is 'the last network' "$(mr-table -q 10.3.208.143 million.cdb)" 'permit 10.3.208.143/32'
is 'the last parent' "$(mr-table -q x.sub249999.example.com million.cdb)" 'forbid .sub249999.example.com'
ok 'all of them, in order' sh -c "mr-table -d million.cdb | sed 's,/32,,' | cmp - million"
echo 'forbid host7.example.net' >>million
echo 'permit host8.example.net' >>million
exits 'permitted and forbidden among them' 0 mr-table -k access million million.cdb
is 'means permitted' "$(mr-table -q host8.example.net million.cdb)" 'permit host8.example.net
forbid host8.example.net'
is 'twice the same is once' "$(mr-table -d million.cdb | grep -cw 'host7.example.net')" 1
sed 's/^[a-z]* //' million >million.map
exits 'a key that comes again is an error there' 111 mr-table million.map million.cdb
like 'that names both lines' "$(cat .err)" ':1000001: the same key as in line 30;'
rm -f million*

# tcprules: the same rule as tcprulescheck finds
if command -v tcprules >/dev/null; then
	tcprules rules.cdb rules.tmp <"$tables/tcprules"
	for ip in 10.20.30.40 10.20.30.41 10.20.1.1 10.30.2.9 10.9.9.9 127.0.0.1 192.0.2.1; do
		rule=$(TCPREMOTEIP=$ip tcprulescheck rules.cdb | sed -n 's/^rule \(.*\):$/\1/p')
		like "tcprules: $ip" "$(mr-table -q $ip rules.cdb)" "^$rule:(allow|deny)"
	done
	exits 'tcprules are not dumped' 111 mr-table -d rules.cdb
	exits 'nor asked for mailboxes' 111 mr-table -q a@example.org rules.cdb
fi
done_testing

#!/bin/sh
# mr-dnsbl: by hand, scores, names, tables, -k, broken lists with and without a store, limits.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
cat >zone <<-'EOF'
	2.0.0.127.zen.example A 127.0.0.2
	7.2.0.192.zen.example A 127.0.0.2
	7.2.0.192.zen.example A 127.0.0.10
	7.2.0.192.zen.example TXT "look at http://zen.example/192.0.2.7"
	1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.zen.example A 127.0.0.4
	2.0.0.127.small.example A 127.0.0.2
	7.2.0.192.small.example A 127.0.0.2
	7.2.0.192.small.example TXT "small words"
	2.0.0.127.wl.example A 127.0.9.1
	7.2.0.192.wl.example A 127.0.9.1
	2.0.0.127.key123.secret.example A 127.0.0.2
	7.2.0.192.key123.secret.example A 127.0.0.2
	7.2.0.192.key123.secret.example TXT "key123.SECRET.example has it"
	2.0.0.127.bytes.example A 127.0.0.2
	7.2.0.192.bytes.example A 127.0.0.2
	7.2.0.192.bytes.example TXT "a\010b\255c"
	2.0.0.127.long.example A 127.0.0.2
	7.2.0.192.long.example A 127.0.0.2
	7.2.0.192.refuses.example A 127.255.255.254
	7.2.0.192.parked.example A 203.0.113.9
	7.2.0.192.late.example ! timeout
	7.2.0.192.error.example ! servfail
	test.dbl.example A 127.0.1.2
	bad.example.dbl.example A 127.0.1.2
	bad.example.dbl.example TXT "bad name"
	7.2.0.192.in-addr.arpa PTR host.bad-net.example
	host.bad-net.example.dbl.example A 127.0.1.2
	xn--bcher-kva.example.dbl.example A 127.0.1.4
EOF

printf '7.2.0.192.long.example TXT "%0201d"\n' 0 >>zone

# hand ARGS WANT: what is printed, and the exit code
hand() {
	is "mr-dnsbl $1" "$(eval "mr-dnsbl -D file:zone $1" 2>/dev/null; echo $?)" "$2"
}
hand '-i 192.0.2.7 zen.example' \
	'refuse: 5.7.1 192.0.2.7 is listed by zen.example: look at http://zen.example/192.0.2.7 (score 1: zen.example 1)
100'
hand '-i 192.0.2.1 zen.example' 'no objection (score 0)
0'
hand '-i 2001:db8::1 zen.example' 'refuse: 5.7.1 2001:db8::1 is listed by zen.example (score 1: zen.example 1)
100'
hand '-i 2001:db8::2 zen.example' 'no objection (score 0)
0'
hand '-i ::ffff:192.0.2.7 "zen.example=127.0.0.[3..9]"' 'no objection (score 0)
0'
hand '-t 5 -i 192.0.2.7 "zen.example=127.0.0.[2..3]*2" "zen.example=127.0.0.10*2"' \
	'no objection (score 4: zen.example 2, zen.example 2)
0'
hand '-t 4 -i 192.0.2.7 "zen.example*3" "small.example" "wl.example*-1"' \
	'no objection (score 3: zen.example 3, small.example 1, wl.example -1)
0'
hand '-t 3 -i 192.0.2.7 small.example "zen.example*3" "wl.example*-1"' \
	'refuse: 5.7.1 192.0.2.7 is listed by zen.example: look at http://zen.example/192.0.2.7 (score 3: small.example 1, zen.example 3, wl.example -1)
100'
hand '-i 192.0.2.7 small.example zen.example' \
	'refuse: 5.7.1 192.0.2.7 is listed by small.example: small words (score 2: small.example 1, zen.example 1)
100'
hand '-i 192.0.2.7 bytes.example' 'refuse: 5.7.1 192.0.2.7 is listed by bytes.example: a?b?c (score 1: bytes.example 1)
100'
hand '-i 192.0.2.7 long.example' "refuse: 5.7.1 192.0.2.7 is listed by long.example: $(printf %0200d 0) (score 1: long.example 1)
100"
hand '-n -i 192.0.2.7 small.example' 'refuse: 5.7.1 192.0.2.7 is listed by small.example: small words (score 1: small.example 1)
0'
hand '-i 192.0.2.7 late.example error.example' 'no objection (score 0)
0'

# names: the sender's, HELO's, the client's; never an address
name='no objection (score 0)
0'
hand '-d dbl.example -f a@good.example -h 192.0.2.7 -i 192.0.2.1' "$name"
hand '-d dbl.example -f "a@[192.0.2.7]" -h bad -i 192.0.2.1' "$name"
hand '-d dbl.example*2 -f a@BAD.example' 'refuse: 5.7.1 BAD.example is listed by dbl.example: bad name (score 2: dbl.example 2)
100'
hand '-d dbl.example -h bad.example. -f "<>"' 'refuse: 5.7.1 bad.example is listed by dbl.example: bad name (score 1: dbl.example 1)
100'
hand '-d dbl.example -i 192.0.2.7' 'refuse: 5.7.1 host.bad-net.example is listed by dbl.example (score 1: dbl.example 1)
100'
hand '-d dbl.example -f "x@y@bad.example" -h bad.example -i 192.0.2.7' \
	'refuse: 5.7.1 bad.example is listed by dbl.example: bad name (score 1: dbl.example 1)
100'
hand '-d dbl.example -f a@bücher.example' 'refuse: 5.7.1 xn--bcher-kva.example is listed by dbl.example (score 1: dbl.example 1)
100'
for name in reverse_client_name client_name; do
	got=$(printf 'client_address=192.0.2.1\n%s=bad.example\n\n' $name | mr-dnsbl -D file:zone -d dbl.example)
	is "the client's name as $name: exit" $? 100
	is 'and answer' "$got" 'action=REJECT 5.7.1 bad.example is listed by dbl.example: bad name
dnsbl_score=1'
done

# tables
cat >bad <<-'EOF'
	192.0.2.0/24       2
	192.0.2.7          -3
	198.51.100.0/24    taken over
	203.0.113.0/24
	2001:db8::/32      9 lives
EOF
mr-table bad bad.cdb || exit 1
for table in bad bad.cdb; do
	hand "-c $table -i 192.0.2.1" "refuse: 5.7.1 192.0.2.1 is listed here (score 2: $table 2)
100"
	hand "-c '$table*4' -i 192.0.2.7" "no objection (score -3: $table -3)
0"
	hand "-t 4 -c '$table*4' -i 198.51.100.9" "refuse: 5.7.1 198.51.100.9 is listed here (score 4: $table 4)
100"
	hand "-c $table -i 203.0.113.1" "refuse: 5.7.1 203.0.113.1 is listed here (score 1: $table 1)
100"
	hand "-c '$table*7' -i 2001:db8::5" "refuse: 5.7.1 2001:db8::5 is listed here (score 7: $table 7)
100"
	hand "-c $table -i 10.0.0.1" 'no objection (score 0)
0'
	hand "-t 2 -c '$table' -i 192.0.2.7 'zen.example*5'" \
		"refuse: 5.7.1 192.0.2.7 is listed by zen.example: look at http://zen.example/192.0.2.7 (score 2: zen.example 5, $table -3)
100"
done

printf '; a list of networks\n198.51.100.0/24 ; SBL1\n2001:db8::/32 ; SBL2\n' >drop.txt
sed 's/;.*//' drop.txt >drop && mr-table drop drop.cdb
hand '-c "drop.cdb*4" -i 198.51.100.9' 'refuse: 5.7.1 198.51.100.9 is listed here (score 4: drop.cdb 4)
100'

# a key in a zone: in no reply, no log line, no table
echo 'key123.secret.example  secret.example' >map
hand '-k map -i 192.0.2.7 key123.secret.example small.example' \
	'refuse: 5.7.1 192.0.2.7 is listed by secret.example (score 2: secret.example 1, small.example 1)
100'
sed 's/^7.2.0.192.key123.secret.example A .*/7.2.0.192.key123.secret.example A 203.0.113.9/' zone >parked
for option in '' -v '-S lmdb:keys'; do
	# shellcheck disable=SC2086
	like "a broken list $option" "$(mr-dnsbl -k map $option -D file:parked -i 192.0.2.7 key123.secret.example 2>&1)" \
		'list=secret\.example why=no-list'
	# shellcheck disable=SC2086
	is "no key is told $option" "$(mr-dnsbl -k map $option -D file:zone -D file:parked -i 192.0.2.7 \
		key123.secret.example 2>&1 | grep -c key123)" 0
done

# broken lists: taken out, one line with the cure, as long as the process lives
record='client_address=192.0.2.7

'
printf '%s%s%s' "$record" "$record" "$record" | mr-dnsbl -l -D file:zone refuses.example parked.example small.example >got 2>log
is 'broken lists do not count' "$(grep -c 'REJECT 5.7.1 192.0.2.7 is listed by small.example' got)" 3
is 'one line a list' "$(sed 's/ cure=.*/ cure/' log)" \
	'mr-dnsbl: warn event=dnsbl list=refuses.example why=refuses answer=127.255.255.254 out_s=600 cure
mr-dnsbl: warn event=dnsbl list=parked.example why=no-list answer=203.0.113.9 out_s=600 cure'

# with a store other processes know, and it is over when the entry is
for n in 1 2 3; do
	mr-dnsbl -S lmdb:state -D file:zone -i 192.0.2.7 refuses.example >/dev/null 2>>log$n
done
is 'the first process tells' "$(grep -c event=dnsbl log1)" 1
is 'the next ones know' "$(cat log2 log3)" ''
like 'it is in the store for ten minutes' "$(mr-state -S lmdb:state list)" '^dnsbl1 refuses\.example'
like 'by the store' "$(mr-dnsbl -v -S lmdb:state -D file:zone -i 192.0.2.7 refuses.example)" \
	'^refuses\.example +1 out +0 -$'
rm -rf state
like 'and without it ask again' "$(mr-dnsbl -v -S lmdb:state -D file:zone -i 192.0.2.7 refuses.example 2>&1)" \
	'^refuses\.example +1 refuses +0 127\.255\.255\.254$'
echo >file
mr-dnsbl -S lmdb:file/x -D file:zone -i 192.0.2.7 small.example refuses.example >got 2>log
is 'a store that is away: judged all the same' "$? $(cat got)" \
	'100 refuse: 5.7.1 192.0.2.7 is listed by small.example: small words (score 1: small.example 1)'
like 'and told' "$(cat log)" '^mr-dnsbl: fault event=dnsbl store=lmdb:file/x why='

# as a stage, inside mr-pipe and executed by it; later stages know the score
printf '#!/bin/sh\nsed -n "s/^dnsbl_score=/score /p" >>%s/seen\n' "$T_DIR" >later
chmod 755 later
cat >spec <<-EOF
	connect dnsbl - mr-dnsbl -t 9 -D file:$T_DIR/zone zen.example*3 small.example
	mail later - $T_DIR/later
EOF
for how in '' -x; do
	printf '%s\n' request=smtpd_access_policy protocol_state=RCPT client_address=192.0.2.7 \
		helo_name=h.example sender=a@b.example recipient=x@y.example '' |
		mr-pipe $how -l -N mx.ours.example spec >got
done
is 'the score goes on' "$(cat seen)" 'score 4
score 4'

# a resolver that never answers: what comes late counts 0
deaf_port
is '-T ends the wait' "$(mr-dnsbl -v -D "127.0.0.1:$DEAF" -T 1 -i 192.0.2.7 zen.example 2>&1 |
	sed 's/  *[0-9]* -$//; 1d'; echo $?)" 'zen.example                           1 late
score 0, accepted; refused from 1 on
0'

# what is refused at the start
# refuse WANT ARGS...
refuse() {
	reason=$1
	shift
	exits "refused: $*" 111 mr-dnsbl -D file:zone -i 192.0.2.1 "$@"
	like 'and why' "$(cat .err)" "$reason"
}
refuse 'no list'
refuse 'no list' -t 3
refuse '-t' -t 0 zen.example
refuse '-t' -t 100001 zen.example
refuse "behind '=' need 127" zen.example=10.0.0.1
refuse "behind '.' need a number up to 1000" 'zen.example*1001'
refuse 'no domain of a list' -d 'a b'
refuse 'No such file' -c none
refuse 'No such file' -k none zen.example
refuse 'given twice' -k map -k map zen.example
refuse '-S' -S other:x zen.example
lists=$(i=0; while [ $i -lt 32 ]; do echo l$i.example; i=$((i + 1)); done)
# shellcheck disable=SC2086
exits '32 lists' 0 mr-dnsbl -v -D file:zone -i 2001:db8::1 $lists
# shellcheck disable=SC2086
refuse 'more than 32 lists' $lists one.example
tables=$(i=0; while [ $i -lt 16 ]; do echo -c bad; i=$((i + 1)); done)
# shellcheck disable=SC2086
exits '16 tables' 0 mr-dnsbl -t 99 -i 192.0.2.1 $tables
# shellcheck disable=SC2086
refuse 'more than 16 tables' $tables -c bad
done_testing

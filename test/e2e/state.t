#!/bin/sh
# mr-state: each verb, on LMDB and on Redis; text, JSON, terminal; dumps; damage; what is refused.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1

later=$(($(date +%s) + 8685000)) # 100d 12h and half an hour
cat >dump <<-END
	mr-state 1
	$later	g1 192.0.2.0/24 a@a.example b@b.example	1 2
	$later	g1 bytes\\x00\\xff\\\\	\\x0a
	$later	l1#abc	12
	1000	dead	v
END

# run ARGS...: mr-state on the present store
run() {
	mr-state -S "$store" "$@"
}
# left: without the seconds that are left, which go on
left() {
	sed 's/868[0-9][0-9][0-9][0-9]/LEFT/g' | sort
}

# entries FILE: of a dump, without their ends
entries() {
	sed '1d; s/^[0-9]*//' "$1" | grep -v dead | sort
}
# ends FILE: whether all ends are at most 2 s off; Redis counts in ms, and each dump and load in seconds
ends() {
	sed 1d "$1" | while read -r end _; do echo $((end - later >= -2 && end - later <= 2)); done | sort -u
}

verbs() {
	exits 'an empty store' 0 run list
	is 'load' "$(run load <dump 2>&1)" '3 entries loaded, 1 were dead'
	is 'list' "$(run list | left)" 'g1 192.0.2.0/24 a@a.example b@b.example	1 2	LEFT
g1 bytes\x00\xff\\	\x0a	LEFT
l1#abc	12	LEFT'
	is 'list by prefix' "$(run list -p 'g1 192' | left)" \
		'g1 192.0.2.0/24 a@a.example b@b.example	1 2	LEFT'
	is 'prefix with bytes, JSON, long names' "$(run --json list --prefix 'g1 bytes\x00' | left)" \
		'{"key":"g1 bytes\\x00\\xff\\\\","value":"\\x0a","left_s":LEFT}'
	is 'list on a terminal' "$(script -qc "mr-state -S $store list -p l1" /dev/null | tr -d '\r')" \
		'100d 12h  l1#abc                                            12'
	is 'get' "$(run get 'g1 bytes\x00\xff\\' 'l1#abc' | left)" 'g1 bytes\x00\xff\\	\x0a	LEFT
l1#abc	12	LEFT'
	exits 'get what is not there' 100 run get 'l1#abc' nokey
	is 'names it' "$(cat .err)" 'mr-state: nokey: no such key'
	is 'and shows the other' "$(left <.out)" 'l1#abc	12	LEFT'
	like 'stats' "$(run stats)" '^g1	2	54$'
	like 'stats: the size' "$(run stats)" '^[0-9]+ (of [0-9]+ )?bytes in use$'
	is 'stats in JSON' "$(run stats -j -p l1 | sed '/used/d')" '{"kind":"l1","entries":1,"bytes":8}'
	run dump >dumped
	is 'dump' "$(entries dumped)" "$(entries dump)"
	is 'ends stay within two seconds' "$(ends dumped)" 1
	exits 'delete' 0 run delete 'g1 bytes\x00\xff\\' 'l1#abc'
	is 'is done' "$(run list | wc -l)" 1
	exits 'delete what is not there' 100 run delete 'l1#abc'
	is 'load what was dumped' "$(run load <dumped)" '3 entries loaded, 0 were dead'
	run dump >again
	is 'is all there' "$(entries again)" "$(entries dumped)"
	is 'ends stay, again' "$(ends again)" 1
	like 'expire' "$(run expire)" '^0 dead entries taken out$'
}

# ---- LMDB

store=lmdb:$T_DIR/state
verbs
is 'check' "$(run check)" 'sound: 3 entries'
until printf 'mr-state 1\n%s\tbrief\tv\n' $(($(date +%s) + 2)) | run load | grep -q '^1 entries'; do
	: # it was dead before it came in
done
wait_for 60 sh -c "! mr-state -S $store get brief"
is 'dead entries are counted out' "$(run expire)" '1 dead entries taken out'
dd if=/dev/zero of=state/data.mdb bs=4096 count=4 conv=notrunc 2>dd.err
exits 'check of a damaged file' 100 run check
like 'one line in the log' "$(cat .err)" '^mr-state: fault event=store store=lmdb:.*/state why=.* moved=.*/state/data.mdb.damaged-[0-9]+$'
ok 'the file is aside' test -s state/data.mdb.damaged-*
exits 'a new one is sound' 0 run check
exits 'and empty' 0 run list

# ---- Redis

port=$(free_port)
start redis.log redis-server --bind 127.0.0.1 --port "$port" --save '' --requirepass sesame
wait_port "$port"
store=redis://:sesame@127.0.0.1:$port/2
verbs
is 'check' "$(run check)" 'it answers'
is 'from Redis to LMDB' "$(run dump | mr-state -S lmdb:other load)" '3 entries loaded, 0 were dead'
stop "$T_PID"
exits 'Redis is away' 111 run list
is 'says why, without the password' "$(cat .err)" "mr-state: redis://127.0.0.1:$port/2: Connection refused"
exits 'so does check' 111 run check

# ---- what is refused

store=lmdb:$T_DIR/refused
# bad INPUT WORDS: a dump that is none
bad() {
	is "load: $2" "$(printf "$1" | run load 2>&1; echo $?)" "mr-state: $2
111"
}
bad '' 'nothing to load'
bad 'x\n' "line 1: not a dump of mr-state: need 'mr-state 1'"
bad 'mr-state 1\n5\tk\n' 'line 2: need three words between tabs'
bad 'mr-state 1\n5\tk\tv\n5\tk\\xzz\tv\n' 'line 3: a backslash without \\ or \xHH'
bad 'mr-state 1\nx\tk\tv\n' 'line 2: need the second when it ends'
bad 'mr-state 1\n5\t\tv\n' \
	'line 2: need a key of 1 to 511 bytes, a value of at most 256, an end within 400 days'
long=$(printf '%4000s' '')
like 'load: a line without end' "$(printf 'mr-state 1\n5\t%s' "$long" | run load 2>&1)" '^mr-state: line 2: '

# wrong ARGS WORDS
wrong() {
	exits "mr-state $1" 111 mr-state $1
	like 'says why' "$(cat .err)" "$2"
}
wrong '' 'need a verb'
wrong 'list' 'need -S store'
wrong '-S lmdb:x lists' 'need a verb'
wrong '-S lmdb:x list x' 'takes no operand'
wrong '-S lmdb:x get' 'need a key'
wrong '-S lmdb:x get k\' 'a backslash without'
wrong '-S file:x list' 'no such store'
wrong '-S redis://secret@h:1 list' 'need user:password'
wrong "-S lmdb:x list -p $(printf '%600s' '' | tr ' ' p)" 'too long'
ok 'nothing was made' test ! -e x
wrong '-S lmdb:no/such/folder list' 'No such file'
done_testing

#!/bin/sh
# mr-hacking(7): its filter is built and does what the page says; mr-flow(7) and it name files that are there.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
page=$T_ROOT/man/mr-hacking.7

# block NAME: the literal block behind that mark
block() {
	sed -n "/hacking.t: $1/,/^\.Ed/p" "$page" | sed '1,2d; $d; s/\\&//g; s/\\e/\\/g'
}
block filter >tld.c
ok 'the filter is built with our warnings' \
	make -s -C "$T_ROOT" B="$MR_BUILD" CI=1 EXAMPLE="$T_DIR/tld.c" "$MR_BUILD/example/mr-tld"
PATH=$MR_BUILD/example:$PATH
block session >session
block session | sed -n 's/^\$ //p' >commands
is 'it does what the page says' "$(while read -r line; do sh -c "$line"; done <commands 2>&1)" \
	"$(block session | grep -v '^\$ ')"
rm -rf "$MR_BUILD/example"

for name in mr-flow mr-hacking; do
	# NAME stands for any
	is "$name(7): files that are not there" "$(grep -ohE '\b(lib|cmd|man|test)/[A-Za-z0-9_./-]+' "$T_ROOT/man/$name.7" |
		sed 's/[.]$//' | grep -v NAME | sort -u | while read -r f; do [ -e "$T_ROOT/$f" ] || echo "$f"; done |
		grep -v -e '^lib/filter/tld.c$' -e '^cmd/mr-tld.c$')" ''
done
done_testing

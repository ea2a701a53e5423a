#!/bin/sh
# Second opinions: python3-dkim and opendkim sign messages, which are changed at random, and say of each what
# mr-dkimverify says.
. "$(dirname "$0")/../lib.sh"
python_with dkim,nacl.signing
command -v opendkim >/dev/null || skip_all 'no opendkim'
cd "$T_DIR" || exit 1
for seed in 1 2; do
	mkdir $seed
	"$python" "$T_ROOT/test/peer/dkim_peers.py" $seed $seed 160 2>log || {
		sed 's/^/# /' log
		exit 1
	}
	while read -r name peer says; do
		got=$(mr-dkimverify -n -D "file:$seed/zone" <"$seed/$name" | sed -n 's/^dkim=\([a-z]*\).*/\1/p')
		[ "$got" = pass ] || got=fail
		echo "$peer $says" >>all
		[ "$got" = "$says" ] || echo "$seed/$name: $peer says $says, we say $got"
	done <$seed/want >different
	is "seed $seed: the peers say the same" "$(cat different)" ''
done
is 'both peers were asked' "$(cut -d ' ' -f 1 all | sort -u | tr '\n' ' ')" 'opendkim python3-dkim '
for says in 'opendkim pass' 'opendkim fail' 'python3-dkim pass' 'python3-dkim fail'; do
	ok "$says, often" [ "$(grep -cx "$says" all)" -gt 5 ]
done
done_testing

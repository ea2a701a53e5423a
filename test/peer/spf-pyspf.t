#!/bin/sh
# A second opinion: mr-spf and python3-spf on random records, right and wrong ones.
. "$(dirname "$0")/../lib.sh"
python_with spf
cd "$T_DIR" || exit 1
for seed in 1 2 3 4; do
	"$python" "$T_ROOT/test/peer/spf_pyspf.py" $seed 250 2>log || {
		sed 's/^/# /' log
		exit 1
	}
	# Each result has words of its own.
	mr-spf -l -D file:zone -a softfail=reject -a neutral=reject -a none=reject -a permerror=reject \
		<records >answers
	sed -n 's/.* SPF \([a-z]*\): .*/\1/p; s/^action=PREPEND .*/pass/p' answers >got
	is "seed $seed: all are answered" "$(wc -l <got)" 250
	is 'and the same' "$(paste -d ' ' got want | awk '$1 != $2')" ''
	cat got >>all
done
for result in pass fail softfail neutral permerror temperror; do
	ok "$result is among them" grep -qx $result all
done
done_testing

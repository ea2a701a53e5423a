#!/bin/sh
# A second opinion: mr-dmarc and Perl's Mail::DMARC on random messages and policies.
. "$(dirname "$0")/../lib.sh"
perl -MMail::DMARC::PurePerl -e 1 2>/dev/null || skip_all 'Perl has no Mail::DMARC'
cd "$T_DIR" || exit 1
for seed in 1 2 3 4; do
	perl "$T_ROOT/test/peer/dmarc_maildmarc.pl" $seed 250 2>log || {
		sed 's/^/# /' log
		exit 1
	}
	while read -r author record; do
		{ echo "$record" | tr '|' '\n'; echo; } >record
		printf 'From: a@%s\n\n' "$author" | mr-dmarc -H -D file:zone -E 3 -a reject=reject \
			-a quarantine=quarantine 3<record 2>/dev/null |
			sed -n 's/^dmarc_result=//p; s/^dmarc_disposition=//p' | paste -d ' ' - -
	done <cases >got
	is "seed $seed: all are answered" "$(wc -l <got)" 250
	is 'and the same' "$(paste -d '|' got want cases | awk -F '|' '$1 != $2')" ''
	cat got >>all
done
for result in 'pass none' 'fail reject' 'fail quarantine' 'fail none' 'none none'; do
	ok "$result is among them" grep -qx "$result" all
done
done_testing

#!/bin/sh
# mr-spf against the public suite for RFC 7208 and our own extra cases, over real questions and answers:
# results, explanations, exit codes, and how much is asked.
. "$(dirname "$0")/../lib.sh"
python_with yaml
cd "$T_DIR" || exit 1

# suite NAME CASES ARGS...: all cases pass, and that many are there
suite() {
	name=$1 want=$2
	shift 2
	"$python" "$T_ROOT/test/spf/run" --port "$(free_port)" --limit 300 --trace --strict \
		--cmd 'mr-spf -D {dns} -i {ip} -h {helo} -f {mailfrom} -x {defexp}' \
		--exp-prefix explanation= \
		--exit-map pass=0,none=0,neutral=0,softfail=0,permerror=0,fail=100,temperror=111 \
		"$@" >out 2>&1
	code=$?
	is "$name: exit" $code 0 || sed 's/^/# /' out | tail -n 40
	is 'and all cases' "$(sed -n 's/^ *\([0-9]*\/[0-9]*\) *total.*/\1/p' out)" "$want/$want"
}
suite 'extra cases' 16 --suite none --file "$T_ROOT/test/spf/extra-tests.yml"
if "$python" "$T_ROOT/test/spf/run" --list >list 2>&1; then
	suite 'rfc7208' 203
else
	echo "# THE PUBLIC SPF SUITE DID NOT RUN: $(tail -n 1 list)" | tee /dev/stderr
	T_N=$((T_N + 1))
	echo "ok $T_N - rfc7208 # SKIP the suite cannot be had"
fi
done_testing

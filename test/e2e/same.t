#!/bin/sh
# The same verdict everywhere: inside the process, with -x, and by the shell, which runs each filter by hand (test/by_hand.sh):
# exit code, reply words and header fields.  The cases of examples/gateway; messages of the MIME corpus and of DKIM
# from several clients.
. "$(dirname "$0")/../lib.sh"
python_with dkim
cd "$T_DIR" || exit 1
cp -R "$T_ROOT"/examples/gateway/* .
./setup >/dev/null 2>&1 || exit 1
by_hand=$T_ROOT/test/by_hand.sh
# A program of others that edits the message, without a daemon.
echo '1i X-Scanned: yes' >scan.sed
sed -i 's/^ *spamc .*/    sed -f scan.sed/' pipeline

# plain FILE: an answer without what the clock says, and the signature that hangs on it; a field a line
plain() {
	tr -d '\r' <"$1" | sed -e ':a' -e '$!N' -e 's/\n[[:blank:]]\{1,\}/ /' -e 'ta' -e 'P' -e 'D' |
		sed -e '/^DKIM-Signature:/{s/ t=[0-9]*;/ t=T;/;s/ b=.*/ b=B/;}'
}
# three SPEC RECORD MESSAGE [OPTION...]: its answers in inside, exec and hand, each from a fresh store; true if they are the same
three() {
	spec=$1 record=$2 message=$3
	shift 3
	rm -rf state
	mr-pipe "$@" -E 3 "$spec" <"$message" 3<"$record" >inside.raw 2>inside.log
	echo "exit $?" >>inside.raw
	rm -rf state
	mr-pipe -x "$@" -E 3 "$spec" <"$message" 3<"$record" >exec.raw 2>exec.log
	echo "exit $?" >>exec.raw
	rm -rf state
	sh "$by_hand" "$@" "$spec" "$record" <"$message" >hand.raw 2>hand.log
	echo "exit $?" >>hand.raw
	for way in inside exec hand; do plain $way.raw >$way; done
	cmp -s inside exec && cmp -s inside hand
}
# differ: what three found
differ() {
	for way in exec hand; do
		cmp -s inside $way && continue
		diff inside $way | sed "s/^/# $way: /"
		sed "s/^/# $way: /" $way.log | tail -n 5
	done
}

# ---- examples/gateway ----
for case in cases/*.case; do
	name=$(basename "$case" .case)
	{ sed '/^$/,$d' "$case" | grep -v '^expect'; echo; } >record
	sed '1,/^$/d' "$case" >message
	ok "gateway: $name" three pipeline record message -D file:cases/dns -N mx.mydomain.com -R routes || differ
	like 'and is as expected' "$(cat inside.raw)" "$(sed -n -e 's/^expect=accept/exit 0/p' -e 's/^expect=defer/exit 111/p' \
		-e 's/^expect=refuse/exit 100/p' "$case")"
done

# What a filter knows from whoever runs it: our name, which the client must not give; the client's name.
printf '%s\n' client_address=192.0.2.10 helo_name=own.example sender=anna@client.example recipient=office@mydomain.com '' >record
: >message
ok 'our own name as greeting' three pipeline record message -D file:cases/dns -N own.example -R routes || differ
like 'is refused' "$(cat inside)" '^exit 100$'

# The client's names are looked for by the runner, for all of its stages; a filter is told the time of its stage.
cat >show <<'X'
printf '\nX-Name: %s\n' "$(sed -n 's/^client_name=//p')"
X
cat >names <<'X'
mail spf  time=1  mr-spf
mail show -       sh show
X
cat cases/dns - >zone <<'X'
10.2.0.192.in-addr.arpa. PTR mail.client.example.
X
# two [OPTION...]: names without and with -x
two() {
	for x in '' -x; do
		# shellcheck disable=SC2086
		mr-pipe $x "$@" -N mx.example -i 192.0.2.10 -h h.client.example -f anna@client.example names </dev/null >two$x 2>/dev/null
		echo "exit $?" >>two$x
	done
	cmp two two-x
}
ok "the client's name with -x" two -D file:zone
like 'is there' "$(tr -d '\r' <two)" '^X-Name: mail.client.example$'
deaf_port
ok 'a resolver that is silent' two -D "127.0.0.1:$DEAF"
like 'is what SPF says of it' "$(cat two)" 'SPF'

# ---- messages ----
cat >messages <<'X'
connect net  class=trusted        mr-access -c trusted
mail    spf  unless=trusted       mr-spf
data    dkim unless=trusted       mr-dkimverify
data    dmarc unless=trusted,class=suspect
    mr-dmarc -c -a reject=reject -a quarantine=quarantine
data    mime -                    mr-mimecheck
data    sign only=trusted+suspect mr-dkimsign -t all
X
mr-dkimsign -g -a ed25519 -k ed.key
echo '* e:ed.key d=mydomain.com' >all
printf '%s\n' client_address=192.0.2.10 helo_name=h.client.example sender=anna@client.example \
	recipient=office@mydomain.com '' >envelope.0
printf '%s\n' client_address=10.20.30.5 helo_name=exchange sender=boss@mydomain.com recipient=a@b.example recipient=c@d.example '' \
	>envelope.1
printf '%s\n' client_address=192.0.2.77 helo_name=x sender= recipient=office@mydomain.com '' >envelope.2

# each NAME: of the messages that `list` names, "KIND FILE" a line, the first and the last of each kind; how many were not the same
each() {
	sort -s -k 1,1 list | awk '{ if ($1 != kind) { if (n > 1) print last; print; n = 0; kind = $1 } n++; last = $0 }
		END { if (n > 1) print last }' >sample
	number=0
	: >results
	while read -r kind file; do
		if ! three messages envelope.$((number % 3)) "$file" -D file:zone -N mx.example; then
			is "$1: $kind: $file" "$(differ)" ''
		fi
		cat inside >>results
		number=$((number + 1))
	done <sample
	ok "$1: $number messages" test "$number" -ge "$2"
}
"$T_ROOT/test/mime/generate" corpus >/dev/null || exit 1
cp cases/dns zone
for half in corpus/*; do
	grep -v '^#' "$half/manifest.tsv" | awk -v at="$half/eml/" '{ print $3 "-" $2, at $1 ".eml" }'
done >list
each 'MIME corpus' 50
ok 'some pass, some do not' sh -c 'grep -q "^exit 0" results && grep -q "^exit 100" results && grep -q "^DKIM-Sig" results'

mkdir signed
PYTHONDONTWRITEBYTECODE=1 "$python" "$T_ROOT/test/dkim/cases.py" signed || exit 1
cat signed/zone "$T_ROOT/test/dkim/rfc.zone" >>zone
awk '{ kind = $1; sub(/-.*/, "", kind); print kind "-" $2, "signed/" $1 ".eml" }' signed/want >list
for name in rfc6376 rfc8463; do echo "$name $T_ROOT/test/dkim/$name.eml"; done >>list
each DKIM 30
ok 'all kinds of results' sh -c 'for r in pass fail neutral policy permerror none; do grep -q " dkim=$r" results || exit 1; done'
done_testing

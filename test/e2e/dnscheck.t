#!/bin/sh
# mr-dnscheck over two worlds of name servers (test/dns/serve): every finding, no other one, every score and exit
# code, and that what it says to publish makes it silent (test/dns/score).  And what it prints.
. "$(dirname "$0")/../lib.sh"
for c in nsd unbound rbldnsd nsd-checkzone; do
	command -v $c >/dev/null || skip_all "no $c"
done
python_with dns
D=$T_ROOT/test/dns

# four_ports: the first of four ports that nobody has
four_ports() {
	python3 -c 'import socket, random
while 1:
    p = random.randrange(20000, 30000)
    try:
        for i in range(4):
            for t in socket.SOCK_DGRAM, socket.SOCK_STREAM:
                with socket.socket(socket.AF_INET, t) as s: s.bind(("127.0.0.1", p + i))
        break
    except OSError: pass
print(p)'
}

# scores WORLD ...: all of it is as the manifest says
scores() {
	"$python" "$D/score" -w "$@" -p "$(four_ports)" --apply --jobs 1 >"$T_DIR/score" 2>&1
	code=$?
	sed 's/^/# /' "$T_DIR/score"
	return $code
}
ok "the world of the catalogue" scores "$D/world" --out "$T_DIR/a.json"
"$python" "$D/more" "$T_DIR/more" || exit 1
ok "and another one" scores "$T_DIR/more" --out "$T_DIR/b.json"

# Every check has been found wrong, but for those that nobody can be led into here.
"$python" - "$D/CHECKS.md" "$T_DIR/a.json" "$T_DIR/b.json" >"$T_DIR/never" <<'X'
import json, re, sys
ids = re.findall(r'^\| ([a-z0-9]+-[a-z0-9-]+) \|', open(sys.argv[1]).read(), re.M)
ids = [i for i in ids if not i.startswith('connect-')]  # dnscheck-connect.t
seen = {f['check'] for n in sys.argv[2:] for r in json.load(open(n))['results'] for f in r['findings'] if f['level'] != 'ok'}
print(len(ids), *[i for i in ids if i not in seen])
X
is "every check of the catalogue has spoken" "$(cat "$T_DIR/never")" "76 dom-syntax dns-tcp"

# took NAME: how long that domain took, in milliseconds
took() {
	"$python" -c 'import json, sys
print(*[int(r["s"] * 1000) for r in json.load(open(sys.argv[1]))["results"] if r["domain"] == sys.argv[2]])' "$T_DIR/a.json" "$1"
}
ok "no answer: at most 6 s" test "$(took timeout.example)" -le 6000
ok "300 ms an answer: at most 2.5 s" test "$(took slow.example)" -le 2500

# ---- what it prints

p=$(four_ports)
"$D/serve" -p "$p" -d "$T_DIR/dns" start >/dev/null || exit 1
T_STOP() { "$D/serve" -d "$T_DIR/dns" stop; }
trap 'T_STOP; t_end' EXIT
check() { mr-dnscheck --server "127.0.0.1:$p" "$@" 2>"$T_DIR/err" </dev/null; }

GOT=$(check --ip 192.0.2.10 --helo mx1.mx-cname.example mx-cname.example)
is "a table: the score" "$(printf '%s\n' "$GOT" | head -n 1)" "mx-cname.example: 9.0 out of 10"
like "what is lost and why" "$GOT" '^fail  -1.0  mx-cname  +MX mail.mx-cname.example is an alias'
like "what to publish" "$GOT" '^  \+ mx-cname.example. 3600 IN MX 10 mx1.mx-cname.example.$'
like "and to take out" "$GOT" '^  - mx-cname.example. 3600 IN MX 10 mail.mx-cname.example.$'
is "no colour, no progress but on a terminal" "$(printf '%s' "$GOT" | tr -d ' -~\n' ; cat "$T_DIR/err")" ""
script -qec "mr-dnscheck --server 127.0.0.1:$p perfect.example" /dev/null >"$T_DIR/tty" 2>/dev/null </dev/null
like "on a terminal colour" "$(tr '\033' '~' <"$T_DIR/tty")" '~\[32mok~\[0m'
like "and progress" "$(tr '\033\r' '~~' <"$T_DIR/tty")" 'asking [0-9]+ questions'

check --fix --key "s1=$D/keys/rsa4096-a.pub" dkim-long.example >"$T_DIR/fix"
is "nothing to fix, nothing printed" "$(cat "$T_DIR/fix")" ""
check --fix --key "s1=$D/keys/rsa4096-a.pem" dkim-none.example >"$T_DIR/fix"
is "a key of 4096 bits in three strings" "$(grep -o '"[^"]*"' "$T_DIR/fix" | awk '{ print length($0) - 2 }' | tr '\n' ' ')" "255 255 244 "
{ echo '. 3600 IN SOA a. b. 1 7200 3600 1209600 3600'; echo '. 3600 IN NS a.'; cat "$T_DIR/fix"; } >"$T_DIR/zone"
ok "it is a zone file" nsd-checkzone . "$T_DIR/zone"

printf 'perfect.example\n\n# not this\nspf-noall.example\r\nno domain\nbogus.example' >"$T_DIR/list"
mr-dnscheck --json --server "127.0.0.1:$p" - <"$T_DIR/list" >"$T_DIR/lines"
is "of several the worst code" $? 2
is "a line of JSON for each" "$("$python" -c 'import json, sys
for l in open(sys.argv[1]): o = json.loads(l); print(o["domain"], o["score"])' "$T_DIR/lines")" "perfect.example 10.0
spf-noall.example 9.5
no domain 0.0
bogus.example 0.0"

GOT=$(check --json --name-list dbl.dnsbl.example test)
like "a name in a list of names" "$GOT" '"check":"dom-exists"'
exits "exit 0" 0 check perfect.example
exits "exit 1: warnings" 1 check spf-noall.example
exits "exit 2: a failure" 2 check spf-plusall.example
exits "exit 111: an outage is no failure" 111 check servfail.example
exits "exit 100: no domain" 100 check 'a_b.example'
for bad in -x --nothing "--ip x" "--helo _" "--selector ." "--key x" "--key s1=/nothing" "--dnsbl ." "--profile x" \
	"--time 0" "--watch 0" "--server x"; do
	# shellcheck disable=SC2086 # an option and its value
	exits "exit 111: $bad" 111 check $bad perfect.example
	like "with usage" "$(cat "$T_DIR/err")" '^usage: mr-dnscheck '
done
exits "exit 111: no domain" 111 check
exits "exit 111: two" 111 check a.example b.example
exits "exit 111: to watch a list" 111 check --watch 1 -

# ---- profiles, guesses

GOT=$(check --profile nomail --fix spf-none.example)
like "a domain without mail: null MX" "$GOT" '^spf-none.example. 3600 IN MX 0 .$'
like "SPF for nobody" "$GOT" '^spf-none.example. 3600 IN TXT "v=spf1 -all"$'
exits "a domain that only sends needs no MX" 0 check --profile relay nomail.example
like "selectors are guessed" "$(check --guess perfect.example)" '^ok +dkim-key +s2._domainkey.perfect.example: ed25519 key'
ok "and not missed" sh -c "! mr-dnscheck --guess --server 127.0.0.1:$p perfect.example | grep google"
like "what the resolver says of DNSSEC is not believed from afar" \
	"$(mr-dnscheck --time 1 --server 192.0.2.53 perfect.example)" 'no usable answer|whether'

# ---- a zone that is not published

sed 's/"v=spf1 mx"/"v=spf1 mx -all"/' "$D/world/zones/spf-noall.example.zone" >"$T_DIR/noall"
exits "a zone file: what it will be" 0 check --zone "$T_DIR/noall" spf-noall.example
exits "another domain is as it is" 1 check --zone "$T_DIR/noall" dmarc-pnone.example
cat >"$T_DIR/alias" <<'X'
@ SOA ns1.dnsworld.example. h.dnsworld.example. 1 7200 3600 1209600 3600
 NS ns1.dnsworld.example.
 MX 10 mx1.perfect.example.
 TXT "v=spf1 mx -all"
_dmarc TXT "v=DMARC1; p=reject"
key._domainkey CNAME key1.provider.example.
X
exits "aliases lead out of it" 0 check --zone "$T_DIR/alias" --key "key=$D/keys/rsa2048-a.pub" new.example
exits "exit 111: no zone file" 111 check --zone "$T_DIR/none" new.example
like "and why" "$(cat "$T_DIR/err")" 'No such file|none'
exits "exit 111: a wrong one" 111 check --zone "$T_DIR/watched.none" new.example

# ---- one record

is "addresses" "$(check a mx1.perfect.example | tr '\n' ' ')" "192.0.2.2 2001:db8:a:1::25 "
is "exchanges" "$(check mx perfect.example | tr '\n' ' ')" "10 mx1.perfect.example 20 mx2.perfect.example "
is "a null MX" "$(check mx mx-null.example)" "0 ."
is "the name of an address" "$(check ptr 192.0.2.2)" mx1.perfect.example
is "SPF" "$(check spf perfect.example)" "v=spf1 mx -all"
like "DKIM" "$(check dkim s2._domainkey.perfect.example)" '^v=DKIM1; k=ed25519; p=.*=$'
like "DMARC of the organisational domain" "$(check dmarc mx1.perfect.example)" '^v=DMARC1; p=reject'
while read -r code kind name why; do
	exits "$kind $name: exit $code" "$code" check $kind "$name"
	like "$why" "$(cat "$T_DIR/err")" "$why"
done <<'X'
2 a none.example no address for none.example
111 a servfail.example no usable answer for servfail.example: server failure
2 mx nomail.example no MX record
111 mx servfail.example no usable answer
2 ptr 192.0.2.82 has no PTR record
2 ptr 192.0.2.84 other.ptr-fwd.example does not lead back
111 ptr x not an address
2 spf spf-none.example no SPF record
2 spf spf-two.example there may be one
2 spf spf-syntax.example wrong term
111 spf servfail.example no usable answer
2 dkim s1._domainkey.dkim-none.example no DKIM key
2 dkim s1._domainkey.dkim-revoked.example revoked
111 dkim s1._domainkey.servfail.example no usable answer
2 dmarc dmarc-none.example no DMARC record
2 dmarc dmarc-two.example there may be one
111 dmarc dmarc-tempfail.example no usable answer
X

# ---- until it is right

cat >"$T_DIR/watched" <<'X'
w.example MX 10 mx1.w.example
w.example MX 20 mx2.w.example
mx1.w.example A 192.0.2.1
mx2.w.example A 192.0.2.2
1.2.0.192.in-addr.arpa PTR mx1.w.example
2.2.0.192.in-addr.arpa PTR mx2.w.example
_dmarc.w.example TXT "v=DMARC1; p=reject"
X
start "$T_DIR/watch.out" mr-dnscheck --watch 1 --server "file:$T_DIR/watched" w.example
ok "the first report" wait_for 20 grep -q 'no SPF record' "$T_DIR/watch.out"
{ cat "$T_DIR/watched"; echo 'w.example TXT "v=spf1 mx -all"'; } >"$T_DIR/new" && mv "$T_DIR/new" "$T_DIR/watched"
wait "$T_PID"
is "it ends when all is right" $? 0
is "and has shown two reports" "$(grep 'out of 10' "$T_DIR/watch.out" | tr '\n' ' ')" "w.example: 8.0 out of 10 w.example: 10.0 out of 10 "
done_testing

#!/bin/sh
# What mr-dmarc says for Authentication-Results, read by python3-authres (RFC 8601).
. "$(dirname "$0")/../lib.sh"
python_with authres
cd "$T_DIR" || exit 1
cat >zone <<-'EOT'
	_dmarc.rej.example TXT "v=DMARC1; p=reject"
	_dmarc.away.example ! servfail TXT
EOT
cat >read.py <<'EOT'
import sys
import authres
for line in sys.stdin:
    if not line.startswith('ar='):
        continue
    field = 'Authentication-Results: mx.example; ' + line[3:].strip()
    for r in authres.AuthenticationResultsHeader.parse(field).results:
        print(r.method, r.result, r.reason, [(p.type, p.name, p.value) for p in r.properties])
EOT
# reads FROM WANT
reads() {
	printf 'From: %s\n\n' "$1" >mail
	printf 'spf_result=pass\nspf_domain=x.example\ndkim_result=none\n\n' >record
	is "$1" "$(mr-dmarc -H -D file:zone -E 3 <mail 3<record 2>/dev/null | "$python" read.py)" "$2"
}
reads a@rej.example "dmarc fail None [('header', 'from', 'rej.example'), ('policy', 'dmarc', 'reject')]"
reads a@none.example "dmarc none None [('header', 'from', 'none.example')]"
reads a@away.example "dmarc temperror no answer for the record of away.example [('header', 'from', 'away.example')]"
reads 'a b@c' 'dmarc permerror From: bad local part []'
reads 'a@rej.example, b@none.example' "dmarc fail None [('header', 'from', 'rej.example'), ('policy', 'dmarc', 'reject')]
dmarc none None [('header', 'from', 'none.example')]"
done_testing

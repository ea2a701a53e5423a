#!/bin/sh
# make STATIC=1: it links, needs those libraries no more when it runs, and finds what the usual build finds.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
build() { env -i PATH="$PATH" make -s -C "$T_ROOT" STATIC=1 CI=1 CFLAGS=-O1 B="$T_DIR/build" all >make.log 2>&1; }
ok 'it is built' build || sed 's/^/# /' make.log
bin=$T_DIR/build/bin
is 'glibc is all that the loader sees' "$(readelf -d "$bin/mr-smtpd" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')" 'libc.so.6'

rfc=$T_ROOT/test/dkim
for name in rfc6376 rfc8463; do
	is "the signatures of $name" "$("$bin/mr-dkimverify" -n -D "file:$rfc/rfc.zone" <"$rfc/$name.eml" 2>&1)" \
		"$(mr-dkimverify -n -D "file:$rfc/rfc.zone" <"$rfc/$name.eml" 2>&1)"
done
strace -f -o trace -e trace=openat "$bin/mr-dkimverify" -n -D "file:$rfc/rfc.zone" <"$rfc/rfc8463.eml" >answer
like 'are verified' "$(cat answer)" '^dkim=pass'
is 'by what is linked in' "$(grep -cE 'lib(crypto|opendkim|ldns)\.so' trace)" 0

# All filters at once, some of them in the child without rights.
cp -R "$T_ROOT"/examples/gateway/* .
./setup >/dev/null
is 'the cases of the gateway are as expected' \
	"$("$bin/mr-pipe" -c cases -D file:cases/dns -N mx.mydomain.com -R routes pipeline 2>/dev/null | grep -v '^ok ')" \
	"$(ls cases/*.case | wc -l) cases, 0 wrong"
done_testing

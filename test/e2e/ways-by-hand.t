#!/bin/sh
# Filters beside other programs, as examples/ has them: a shell pipeline, procmail, a Maildir that is examined again.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
EX=$T_ROOT/examples
# mail FILE NAME: a message with an attachment
mail() {
	cat >"$1" <<-EOT
		From: Ann <ann@ours.example>
		To: bob@b.example
		Subject: $2
		MIME-Version: 1.0
		Content-Type: multipart/mixed; boundary=b

		--b
		Content-Type: text/plain

		Hello
		--b
		Content-Type: application/octet-stream
		Content-Disposition: attachment; filename="$2"

		text
		--b--
	EOT
}
mail good notes.txt
mail bad notes.exe

# ---- a shell pipeline ----
mr-dkimsign -g -a ed25519 -k key
mr-dkimsign -p -d ours.example -s s1 -k key | sed -n '1s/^\([^ ]*\) .*TXT (\{0,1\} */\1 TXT /;1s/ *)$//;1p' >zone
check() { MR_RESOLVER=file:zone "$EX/shell/check-and-sign" ours.example s1 "${2-key}" <"$1" >out 2>err; echo $?; }
is 'shell: a message goes through' "$(check good)" 0
is 'whole, behind its results and signature' "$(sed -n '/^To: /,$p' out | cksum)" "$(sed -n '/^To: /,$p' good | cksum)"
like 'it was looked at' "$(cat out)" 'dkim=none'
is 'and its signature is good' "$(mr-dkimverify -n -D file:zone <out | sed 's/ .*//')" dkim=pass
is 'a file that runs is refused' "$(check bad) $(wc -c <out)" '100 0'
is 'a key that is not there is temporary' "$(check good none) $(wc -c <out)" '111 0'
printf 'Subject: x\n\nno author\n' >nobody
is 'what cannot be signed is refused' "$(check nobody) $(wc -c <out)" '100 0'
is 'a filter in the middle that has a fault' "$(MR_RESOLVER=nonsense:x:y "$EX/shell/check-and-sign" ours.example s1 key \
	<good 2>/dev/null | wc -c)" 0
is 'and the code is that of a fault' "$(MR_RESOLVER=nonsense:x:y "$EX/shell/check-and-sign" ours.example s1 key \
	<good >/dev/null 2>&1; echo $?)" 111

# ---- procmail ----
if command -v procmail >/dev/null; then
	mkdir home
	sed "s#/usr/local/bin#$T_DIR/bin:$MR_BUILD/bin#" "$EX/procmail/procmailrc" >procmailrc
	chmod 600 procmailrc
	# deliver FILE: procmail's exit code
	deliver() { procmail "HOME=$T_DIR/home" "$T_DIR/procmailrc" <"$1" >/dev/null 2>&1; echo $?; }
	is 'procmail: a good message' "$(deliver good)" 0
	is 'is in the mailbox, as it was' "$(cat home/Maildir/new/* | grep -v '^From ')" "$(cat good)"
	rm -f home/Maildir/new/*
	is 'procmail: a file that runs' "$(deliver bad)" 0
	is 'is in quarantine' "$(ls home/Quarantine/new | wc -l) $(ls home/Maildir/new | wc -l)" '1 0'
	rm -f home/Quarantine/new/*
	mkdir bin
	for code in 111 127 1; do
		printf '#!/bin/sh\nexit %s\n' $code >bin/mr-mimecheck
		chmod 755 bin/mr-mimecheck
		is "procmail: a fault, code $code: tried again" "$(deliver good)" 75
		is 'and the message is in no folder' "$(ls home/Quarantine/new home/Maildir/new | grep -cv -e : -e '^$')" 0
	done
	printf '#!/bin/sh\nkill -9 $$\n' >bin/mr-mimecheck
	is 'procmail: ended by a signal: tried again' "$(deliver good)" 75
	rm -r bin
else
	ok 'procmail # SKIP no procmail' true
fi

# ---- a Maildir ----
mkdir -p box/cur box/new box/tmp
odd="-n a
b *?\$(touch x)'\"\\ :2,S"
recheck() { "$EX/maildir/recheck" "$@" 2>err; echo $?; }
cp good box/cur/1:2,S
cp bad box/new/2
cp bad "box/cur/$odd"
cp good "box/new/-rf"
cp bad box/tmp/3
is 'maildir: examined' "$(recheck box away)" 0
is 'what is refused is in quarantine, what is not is not' "$(find away -type f -exec echo x \; | wc -l) $(find box -type f | wc -l)" '2 3'
ok 'an odd name is kept' cmp bad "away/cur/$odd"
ok 'new stays new' test -f away/new/2
ok 'nothing in a name was run' test ! -e x
is 'maildir: again: nothing to do' "$(recheck box away; find away -type f -exec echo x \; | wc -l)" '0
2'
cp bad box/new/2
printf other >away/new/2
is 'nothing is written over' "$(recheck box away; cat away/new/2) $(ls box/new/2)" '111
other box/new/2'
ln -f box/new/2 away/new/2
is 'a run that ended in the middle' "$(recheck box away; ls box/new)" '0
-rf'
is 'a fault leaves all' "$(recheck box away -Z; find box -type f | wc -l)" '111
3'
is 'no Maildir' "$(recheck none away)" 111
is 'a table of today' "$(echo 'block ext txt' >table; recheck box away table; find box/cur box/new -type f | wc -l)" '0
0'
i=0
while [ $i -lt 60 ]; do
	i=$((i + 1))
	cp bad "box/new/m$i"
done
recheck box two >code.1 &
one=$!
recheck box two >code.2
wait $one
is 'two at once: each is moved once' "$(cat code.1 code.2 | sort -u) $(ls two/new | wc -l) $(ls box/new | wc -l)" '0 60 0'
ok 'and is whole' sh -c 'for f in two/new/*; do cmp -s bad "$f" || exit 1; done'
done_testing

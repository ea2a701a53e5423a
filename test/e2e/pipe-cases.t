#!/bin/sh
# mr-pipe -c: a folder of cases as the regression test of a policy; -a and -D; stores stay untouched.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1

cat >spec <<EOT
connect  deny   -                  mr-access access
mail     spf    -                  mr-spf
rcpt     grey   -                  mr-greylist -S lmdb:$T_DIR/state
data     mime   -                  mr-mimecheck
EOT
echo 'forbid 192.0.2.66' >access
cat >dns <<'EOT'
a.example TXT "v=spf1 ip4:192.0.2.1 -all"
EOT
mkdir cases
cat >cases/1-forbidden.case <<'EOT'
client_address=192.0.2.66
sender=x@a.example
recipient=y@b.example
expect=refuse
expect_stage=deny
EOT
cat >cases/2-forged.case <<'EOT'
client_address=192.0.2.2
helo_name=mx.a.example
sender=x@a.example
recipient=y@b.example
expect=refuse
expect_stage=spf
expect_text=SPF
EOT
cat >cases/3-stranger.case <<'EOT'
client_address=192.0.2.1
helo_name=mx.a.example
sender=x@a.example
recipient=y@b.example
expect=defer
expect_stage=grey
EOT
printf 'not a case\n' >cases/README
mr-pipe -t spec >/dev/null || exit 1
is 'all as expected' "$(mr-pipe -D file:dns -c cases spec; echo $?)" 'ok     1-forbidden.case
ok     2-forged.case
ok     3-stranger.case
3 cases, 0 wrong
0'
is 'and again: nothing is remembered from the first time' \
	"$(mr-pipe -D file:dns -c cases spec | tail -n 1)" '3 cases, 0 wrong'
ok 'no store was made' test ! -e state

cat >cases/4-program.case <<'EOT'
client_address=192.0.2.1
sender=x@a.example
sasl_username=x
expect=accept
expect_field=spf=pass

Subject: no recipient, so that greylisting is not asked
Content-Disposition: attachment; filename=a.exe

MZ
EOT
sed 's/^expect=.*/expect=refuse/; s/^expect_field.*/expect_stage=mime/' cases/4-program.case >cases/5-program.case
sed 's/^expect=.*/expect=refuse/; s/^expect_field.*/expect_text=no such words/' cases/4-program.case >cases/6-words.case
printf 'sender=x@a.example\nexpect=yes\n' >cases/7-word.case
printf 'sender=x@a.example\nexpected=accept\n' >cases/8-name.case
printf 'no record\n' >cases/9-line.case
printf 'client_address=192.0.2.1\nsender=x@a.example\nexpect=accept\nexpect_field=dkim=pass\n\nSubject: x\n\nHello\n' >cases/91-field.case
printf 'client_address=192.0.2.1\nsender=x@a.example\nexpect=accept\nexpect_field=spf=pass\n\nSubject: x\n\nHello\n' >cases/92-field.case
is 'what is wrong is told' "$(mr-pipe -D file:dns -c cases spec 2>/dev/null; echo $?)" 'ok     1-forbidden.case
ok     2-forged.case
ok     3-stranger.case
WRONG  4-program.case                            expected accept, got refuse, of stage mime: 5.7.1 Attachment refused: a.exe (ext exe)
ok     5-program.case
WRONG  6-words.case                              expected the words '\''no such words'\'', of stage mime: 5.7.1 Attachment refused: a.exe (ext exe)
WRONG  7-word.case                               need expect=accept, expect=defer or expect=refuse
WRONG  8-name.case                               expected: need expect, expect_stage, expect_text or expect_field
WRONG  9-line.case                               line 1: no '\''='\'' in the line
WRONG  91-field.case                             expected a field with '\''dkim=pass'\''
ok     92-field.case
11 cases, 6 wrong
100'
like '-v shows the way of a wrong one, not of others' "$(mr-pipe -v -D file:dns -c cases spec 2>/dev/null |
	grep -c '^connect  deny')" '^3$'

mkdir none
exits 'a folder without cases' 111 mr-pipe -c none spec
exits 'no folder' 111 mr-pipe -c nowhere spec
exits '-c and a case by hand' 111 mr-pipe -c cases -f x@a.example spec
exits '-c and -x' 111 mr-pipe -c cases -x spec

# By hand.
echo 'mail name - grep -q ^helo_name=mx' >named
is '-a: an attribute' "$(mr-pipe -a helo_name=mx -a sender=x@a.example named </dev/null | head -n 1)" 'action=DUNNO'
exits '-a: none' 111 mr-pipe -a helo_name named
echo 'mail spf - mr-spf' >asks
for x in '' -x; do
	is "-D: for all stages ($x)" "$(mr-pipe $x -D file:dns -i 192.0.2.2 -f x@a.example asks </dev/null | head -n 1 |
		cut -c 1-20)" 'action=REJECT 5.7.23'
done
echo 'mail spf - mr-spf -D file:other' >asks
echo 'a.example TXT "v=spf1 ?all"' >other
for x in '' -x; do
	is "-D: not for one that has its own ($x)" \
		"$(mr-pipe $x -D file:dns -i 192.0.2.2 -f x@a.example asks </dev/null | head -n 1)" 'action=DUNNO'
done
exits '-D: a server that is none' 111 mr-pipe -D nonsense asks

# The child that reads messages stays, unless it has opened a file that holds files, or libmagic has looked at one.
children() {
	ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e trace=seccomp,prctl mr-pipe -c "$1" mime >/dev/null 2>&1
	grep -c PR_SET_SECCOMP trace
}
echo 'data mime - mr-mimecheck' >mime
mkdir texts holds
for n in 1 2 3; do printf 'sender=x@a.example\nexpect=accept\n\nSubject: x\n\nHello\n' >texts/$n.case; done
cp texts/* holds
sed '1,/^$/d' "$T_ROOT/examples/gateway/cases/12-executable-in-zip.case" >zip
{ printf 'sender=x@a.example\nexpect=refuse\n\n'; cat zip; } >holds/2.case
is 'the cases of texts' "$(mr-pipe -c texts mime | tail -n 1)" '3 cases, 0 wrong'
is 'have one child' "$(children texts)" 1
is 'one with an archive between them' "$(mr-pipe -c holds mime 2>/dev/null | tail -n 1)" '3 cases, 0 wrong'
is 'ends it' "$(children holds)" 2
cp -R texts odd
printf 'sender=x@a.example\nexpect=accept\n\nSubject: x\nContent-Transfer-Encoding: base64\n\nAAECAwQFBgcICQ==\n' >odd/2.case
is 'one with a file of no kind' "$(mr-pipe -c odd mime | tail -n 1)" '3 cases, 0 wrong'
is 'ends it, too' "$(children odd)" 2
done_testing

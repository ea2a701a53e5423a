#!/bin/sh
# mr-dmarc: by hand, its answer and its line in the log, what results mean, pct, the table, authors, the server.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
cat >zone <<-'EOT'
	_dmarc.none.example TXT "v=DMARC1; p=none"
	_dmarc.quar.example TXT "v=DMARC1; p=quarantine; rua=mailto:x@quar.example"
	_dmarc.rej.example TXT "v=DMARC1; p=reject; sp=quarantine; np=reject; adkim=s; fo=1"
	sub.rej.example A 192.0.2.1
	_dmarc.test.example TXT "v=DMARC1; p=reject; t=y"
	_dmarc.half.example TXT "v=DMARC1; p=reject; pct=50"
	_dmarc.tenth.example TXT "v=DMARC1; p=quarantine; pct=10"
	_dmarc.never.example TXT "v=DMARC1; p=reject; pct=0"
	_dmarc.away.example ! servfail TXT
	_dmarc.xn--bcher-kva.example TXT "v=DMARC1; p=reject"
	_dmarc.dept.rej.example TXT "v=DMARC1; p=reject; psd=n"
	rej.example TXT "v=spf1 ip4:127.0.0.1 -all"
	quar.example TXT "v=spf1 ip4:127.0.0.1 -all"
	other.example TXT "v=spf1 ip4:127.0.0.1 ip4:192.0.2.1 -all"
EOT

# mail FROM...: a message with these From fields in `mail`
mail() {
	for from; do printf 'From: %s\n' "$from"; done >mail
	printf 'Subject: x\n\nbody\n' >>mail
}
# record LINE...: what the stages before have found, in `record`
record() {
	printf '%s\n' client_address=192.0.2.1 sender=a@other.example queue_id=q1 "$@" '' >record
}
spf='spf_result=pass spf_domain=other.example'
none="$spf dkim_result=none"

# hand ARGS WANT: the lines for people, and the exit code
hand() {
	is "mr-dmarc $1" "$(eval "mr-dmarc -D file:zone -E 3 $1" <mail 3<record 2>/dev/null; echo $?)" "$2"
}
record $none
mail 'Bob <bob@rej.example>'
hand '' 'fail for rej.example, p=reject of rej.example (local_policy)
0'
hand '-a reject=reject' 'fail for rej.example, p=reject of rej.example; reject
100'
hand '-n -a reject=reject' 'fail for rej.example, p=reject of rej.example; reject
0'
is 'without a record nothing was checked' "$(mr-dmarc -D file:zone -a reject=reject <mail; echo $?)" \
	'temperror for rej.example, p=reject of rej.example: neither SPF nor DKIM was checked
0'
mail 'bob@gone.rej.example'
hand '' 'fail for gone.rej.example, np=reject of rej.example (local_policy)
0'
mail 'bob@sub.rej.example'
hand '' 'fail for sub.rej.example, sp=quarantine of rej.example (local_policy)
0'
mail 'bob@bücher.example'
hand '' 'fail for xn--bcher-kva.example, p=reject of xn--bcher-kva.example (local_policy)
0'
mail 'bob@other.example'
hand '' 'none for other.example: no record for other.example
0'
mail 'bob@none.example'
hand '-a reject=reject' 'fail for none.example, p=none of none.example
0'
record spf_result=pass spf_domain=a.rej.example dkim_result=pass dkim_signatures=rej.example/s/pass
mail 'bob@rej.example'
hand '-a reject=reject' 'pass for rej.example, SPF and DKIM, p=reject of rej.example
0'
mail 'bob@a.dept.rej.example'
hand '' 'pass for a.dept.rej.example, SPF, np=reject of rej.example
0'
hand '-w' 'fail for a.dept.rej.example, p=reject of dept.rej.example (local_policy)
0'

# ---- the answer, and the line in the log ----
# answer ARGS...: exit code, and the answer; `log` has the log
answer() {
	mr-dmarc -H -D file:zone -E 3 "$@" <mail 3<record 2>log >got
	echo $? >>got
	cat got
}
mail 'bob@rej.example'
record $none dkim_signatures='other.example/s1/pass rej.example/s2/fail'
is 'refused' "$(answer -a reject=reject)" \
	'action=REJECT 5.7.1 DMARC policy of rej.example: mail in the name of rej.example must pass SPF or DKIM for it
ar=dmarc=fail header.from=rej.example policy.dmarc=reject
dmarc_result=fail
dmarc_domain=rej.example
dmarc_policy=reject
dmarc_disposition=reject

100'
is 'all that a report needs is logged' "$(cat log)" 'mr-dmarc: info event=dmarc id=q1 client=192.0.2.1 sender=a@other.example from=rej.example result=fail disposition=reject dkim_aligned=fail spf_aligned=fail domain=rej.example p=reject sp=quarantine np=reject adkim=s aspf=r pct=100 fo=1 spf=pass spf_domain=other.example scope=mfrom dkim="other.example/s1/pass rej.example/s2/fail"'
record sender= $none
answer >/dev/null
like 'the null sender: SPF of HELO' "$(cat log)" ' disposition=none .* reason=local_policy .* scope=helo$'
record $none
mail 'bob@quar.example'
is 'put aside' "$(answer -a quarantine=quarantine)" \
	'action=DUNNO
ar=dmarc=fail header.from=quar.example policy.dmarc=quarantine
dmarc_result=fail
dmarc_domain=quar.example
dmarc_policy=quarantine
dmarc_disposition=quarantine

X-DMARC-Quarantine: fail; header.from=quar.example; policy=quarantine
0'
is 'with -c it gives a class' "$(answer -c -a quarantine=quarantine | tail -n 1)" 99
is 'nothing else does' "$(answer -c | tail -n 1)" 0
mail 'bob@other.example'
is 'no policy' "$(answer; cat log)" \
	'action=DUNNO
ar=dmarc=none header.from=other.example
dmarc_result=none
dmarc_domain=other.example
dmarc_disposition=none

0'
mail 'bob@'
is 'no author' "$(answer)" \
	'action=DUNNO
ar=dmarc=permerror reason="From: bad domain"
dmarc_result=permerror
dmarc_disposition=none

0'

# ---- what results mean ----
# means FROM ARGS CODE WORDS: the exit code, and the reply or the disposition
means() {
	mail "$1"
	answer $2 >/dev/null
	is "$1 $2: exit" "$(tail -n 1 got)" "$3"
	like 'and what it says' "$(cat got)" "$4"
}
means bob@rej.example '-a reject=quarantine' 0 '^dmarc_disposition=quarantine$'
means bob@rej.example '-a reject=defer' 111 '^action=DEFER 4.7.1 DMARC policy of rej.example: '
means bob@rej.example '-a quarantine=reject' 0 '^dmarc_disposition=none$'
means bob@quar.example '-a quarantine=reject' 100 '^action=REJECT 5.7.1 DMARC policy of quar.example: '
means bob@quar.example '-a reject=reject' 0 '^dmarc_disposition=none$'
means bob@none.example '-a reject=reject -a quarantine=reject -a permerror=reject' 0 '^dmarc_disposition=none$'
means bob@test.example '-a reject=reject -a quarantine=quarantine' 0 '^dmarc_policy=quarantine$'
like 'the log says why' "$(cat log)" ' disposition=quarantine .* reason=policy_test_mode domain=test.example p=reject .* t=y '
means bob@ '-a permerror=reject' 100 '^action=REJECT 5.7.1 DMARC permerror: From: bad domain$'
means bob@away.example '' 0 '^ar=dmarc=temperror reason="no answer for the record of away.example" header.from=away.example$'
means bob@away.example '-a temperror=defer' 111 '^action=DEFER 4.7.1 DMARC temperror: no answer for'
means bob@away.example '-a temperror=defer -e open' 111 '^action=DEFER 4.7.1 DMARC temperror: no answer for'
record spf_result=temperror spf_domain=rej.example dkim_result=none
means bob@rej.example '-a reject=reject' 0 '^dmarc_result=temperror$'
means bob@rej.example '-a temperror=defer' 111 'DMARC temperror: not known now: SPF of rej.example'
record spf_result=temperror spf_domain=other.example dkim_result=none
means bob@rej.example '-a reject=reject' 100 '^dmarc_result=fail$'

# what did not run is never a reason to refuse
for missing in '' "$spf" 'dkim_result=none' 'dkim_result=pass dkim_signatures=other.example/s/pass' "$spf dkim_result=temperror" "$spf dkim_result=pass"; do
	record $missing
	means bob@rej.example '-a reject=reject -a permerror=reject -a quarantine=reject' 0 '^dmarc_result=temperror$'
	like 'and the log warns' "$(cat log)" '^mr-dmarc: warn event=dmarc .* why=".*not? checked|neither SPF'
done
record spf_result=pass spf_domain=rej.example
means bob@rej.example '-a reject=reject' 0 '^dmarc_result=pass$'

# ---- pct ----
# sampled FROM: of 100 ids, how many there are of each disposition
sampled() {
	mail "$1"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		for j in 1 2 3 4 5 6 7 8 9 10; do
			sed "s/q1/0hogavau$i.l$j/" record >record.$i.$j
			mr-dmarc -H -D file:zone -E 3 -a reject=reject -a quarantine=quarantine <mail \
				3<record.$i.$j 2>/dev/null | sed -n 's/^dmarc_disposition=//p'
		done
	done | sort | uniq -c | awk '{print $2 "=" $1}' | tr '\n' ' '
}
record $none
half=$(sampled bob@half.example)
like 'pct=50: some of 100 ids, the others are milder' "$half" '^quarantine=[3-6][0-9] reject=[3-6][0-9] $'
is 'the same again' "$(sampled bob@half.example)" "$half"
like 'pct=10 of quarantine' "$(sampled bob@tenth.example)" '^none=[89][0-9] quarantine=[0-9]+ $'
is 'pct=0: none' "$(sampled bob@never.example)" 'quarantine=100 '
means bob@never.example '-a reject=reject' 0 '^dmarc_policy=quarantine$'
like 'the log says why' "$(cat log)" ' reason=local_policy '
means bob@never.example '-a reject=reject -a quarantine=quarantine' 0 '^dmarc_policy=quarantine$'
like 'the log says sampled out' "$(cat log)" ' disposition=quarantine .* reason=sampled_out '
means bob@never.example '-w -a reject=reject' 100 '^dmarc_policy=reject$'

# ---- several authors: the strictest ----
all='-a reject=reject -a quarantine=quarantine -a permerror=defer'
means 'a@none.example, b@quar.example' "$all" 0 '^dmarc_disposition=quarantine$'
means 'a@quar.example, b@rej.example' "$all" 100 'DMARC policy of rej.example'
is 'each has its result' "$(grep ^ar= got)" 'ar=dmarc=fail header.from=quar.example policy.dmarc=quarantine
ar=dmarc=fail header.from=rej.example policy.dmarc=reject'
is 'and its line' "$(sed 's/.* from=\([^ ]*\) .*/\1/' log)" 'quar.example
rej.example'
means 'Team: a@none.example, b@rej.example;' "$all" 100 'DMARC policy of rej.example'
means 'boss@rej.example <a@other.example>' "$all" 100 'DMARC policy of rej.example'
means 'a@rej.example, <b' "$all" 100 'DMARC policy of rej.example'
means 'a@other.example, <b' "$all" 111 'DMARC permerror: From: '
mail a@other.example b@rej.example
is 'two From fields' "$(answer $all | tail -n 1)" 100
printf 'Subject: x\n\nFrom: a@rej.example\n' >mail
is 'no From field' "$(answer $all | sed -n 1p)" 'action=DEFER 4.7.1 DMARC permerror: no From field'

# ---- the table ----
cat >table <<-'EOT'
	203.0.113.0/24     trusted_forwarder   the old MX
	lists.example      mailing_list
	.lists.example     mailing_list
	quar.example       quarantine=accept
	boss.rej.example   reject=quarantine quarantine=quarantine permerror=accept
	*                  reject=reject
EOT
mr-table table table.cdb || exit 1
for table in table table.cdb; do
	record $none
	means bob@rej.example $table 100 '^dmarc_disposition=reject$'
	means bob@quar.example "-a quarantine=reject $table" 0 '^dmarc_disposition=none$'
	means bob@boss.rej.example $table 0 '^dmarc_disposition=quarantine$'
	sed 's/192.0.2.1/203.0.113.9/' record >r && mv r record
	means bob@rej.example $table 0 '^dmarc_disposition=none$'
	like 'the log says why' "$(cat log)" ' result=fail disposition=none .* reason=trusted_forwarder comment="the old MX" '
	record spf_result=pass spf_domain=Lists.example dkim_result=none
	means bob@rej.example $table 0 '^dmarc_disposition=none$'
	like 'the log says why' "$(cat log)" ' reason=mailing_list domain='
	record spf_result=none spf_domain= dkim_result=pass dkim_signatures='rej.example/s/fail a.lists.example/s/pass'
	means bob@rej.example $table 0 '^dmarc_disposition=none$'
	# what anybody can write opens nothing
	record spf_result=fail spf_domain=lists.example dkim_result=fail dkim_signatures=lists.example/s/fail
	printf 'From: a@rej.example\nList-Id: <lists.example>\n\n' >mail
	is 'names without proof' "$(answer $table | tail -n 1)" 100
done

# ---- an outage that takes its time, and faults ----
mail bob@rej.example
record $none
deaf_port
is '-T ends a lookup' "$(mr-dmarc -D "127.0.0.1:$DEAF" -T 1 -E 3 <mail 3<record 2>/dev/null; echo $?)" \
	'temperror for rej.example: no answer for the record of rej.example
0'
exits 'a message that cannot be read' 111 sh -c 'mr-dmarc -D file:zone </'
exits 'with -e open' 0 sh -c 'mr-dmarc -D file:zone -e open </'
# refuse WANT ARGS...
refuse() {
	reason=$1
	shift
	exits "refused: $*" 111 mr-dmarc "$@"
	like 'and why' "$(cat .err)" "$reason"
}
refuse 'temperror=reject would bounce mail' -a temperror=reject
refuse "'none=reject': need reject, quarantine" -a none=reject
refuse "'reject=drop': need reject" -a reject=drop
refuse 'more than one table' table table
refuse 'No such file' nothing
echo 'a.example forward' >wrong
refuse "wrong: a.example: 'forward': need .*; or forwarded, trusted_forwarder, mailing_list" wrong

# ---- as a stage, inside and executed ----
cat >spec <<-EOT
	mail  spf    -              mr-spf -a fail=accept -D file:$T_DIR/zone
	data  dmarc  class=suspect  mr-dmarc -c -a reject=reject -a quarantine=quarantine -D file:$T_DIR/zone
	data  see    only=suspect   seen
EOT
printf '#!/bin/sh\necho seen >>%s/seen.log\n' "$T_DIR" >seen
chmod +x seen
PATH=$T_DIR:$PATH
mail bob@quar.example
for x in '' -x; do
	: >seen.log
	like "in a pipeline ($x)" "$(mr-pipe $x -N mx.example -i 127.0.0.1 -f a@quar.example -r u@ours.example spec <mail 2>log)" \
		'dmarc=pass header\.from=quar\.example policy\.dmarc=quarantine'
	is 'nothing is put aside' "$(cat seen.log)" ''
	got=$(mr-pipe $x -N mx.example -i 192.0.2.1 -f a@other.example -r u@ours.example spec <mail 2>log)
	like 'a failure without DKIM checks is none' "$got" 'dmarc=temperror reason="DKIM was not checked"'
	like 'and the log warns' "$(cat log)" ' warn event=dmarc .* why="DKIM was not checked"'
done
printf 'data dkim - dkim\n' >pre
cat pre spec >spec2
printf '#!/bin/sh\nprintf "action=DUNNO\\ndkim_result=none\\n\\n"\n' >dkim
chmod +x dkim
for x in '' -x; do
	: >seen.log
	got=$(mr-pipe $x -N mx.example -i 192.0.2.1 -f a@other.example -r u@ours.example spec2 <mail 2>log)
	like "a failure ($x)" "$got" '^X-DMARC-Quarantine: fail; header.from=quar.example; policy=quarantine'
	is 'has the class' "$(cat seen.log)" seen
	like 'and its line in the log' "$(cat log)" ': info event=dmarc .* from=quar.example result=fail disposition=quarantine '
done
mail 'bob@bücher.example'
like 'U-labels, in a child without rights' "$(mr-pipe -N mx.example -i 192.0.2.1 -f a@other.example -r u@ours.example spec2 <mail 2>&1)" \
	'action=REJECT 5.7.1 DMARC policy of xn--bcher-kva.example: '
is '-t tells what is missing' "$(echo 'data dmarc - mr-dmarc -c' >bad; mr-pipe -t bad)" \
	"bad:1: warning: stage 'dmarc': mr-dmarc needs the results of mr-spf, which no stage before it runs
bad:1: warning: stage 'dmarc': mr-dmarc needs the results of mr-dkimverify, which no stage before it runs
bad:1: stage 'dmarc': with -c it needs class= and a name of its own"

# ---- in the server, without rights of its own: the session asks the DNS for it ----
mkdir spool
echo 'ours.example 127.0.0.1:2525' >routes
cat >talk.py <<'EOT'
import smtplib, sys
s = smtplib.SMTP('127.0.0.1', int(sys.argv[1]))
s.ehlo('c.example')
for case in sys.argv[2:]:
    sender, author = case.split('/')
    try:
        s.sendmail(sender, ['u@ours.example'], 'From: %s\r\nSubject: x\r\n\r\nbody\r\n' % author)
        print('accepted')
    except smtplib.SMTPDataError as e:
        print(e.smtp_code, e.smtp_error.decode())
s.quit()
EOT
port=$(free_port)
start smtpd.log mr-smtpd -L 127.0.0.1:"$port" -N mx.example -R routes -Q spool spec2
wait_port "$port"
is 'mr-smtpd refuses and accepts' "$(python3 talk.py "$port" a@rej.example/b@rej.example \
	a@other.example/b@rej.example a@other.example/b@sub.rej.example a@other.example/b@none.example | sed 's/ (.*//')" \
	'accepted
554 5.7.1 DMARC policy of rej.example: mail in the name of rej.example must pass SPF or DKIM for it
accepted
accepted'
like 'the log has each' "$(grep event=dmarc smtpd.log | sed 's/.* from=\([^ ]* result=[^ ]* disposition=[^ ]*\) .*/\1/' | tr '\n' ,)" \
	'^rej.example result=pass disposition=none,rej.example result=fail disposition=reject,sub.rej.example result=fail disposition=quarantine,none.example result=fail disposition=none,$'
is 'Authentication-Results of all that was accepted' "$(cat spool/incoming/* | grep -a -o '[^.]dmarc=[a-z]*' | tr -d '\t' | sort | tr '\n' ' ')" \
	'dmarc=fail dmarc=fail dmarc=pass '
stop $T_PID
done_testing

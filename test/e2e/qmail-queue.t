#!/bin/sh
# mr-qmail-queue: qmail-queue's interface and exit codes, by hand and under mailfront.
. "$(dirname "$0")/../lib.sh"
cd "$T_DIR" || exit 1
mkdir spool
MR_SPOOL=$T_DIR/spool
export MR_SPOOL
PATH=$T_DIR:$PATH
printf 'Subject: x\n\nbody\n' >mail
printf 'Fa@b.example\0Tc@d.example\0\0' >envelope

# queue [NAME=VALUE...]: mail and envelope; the exit code
queue() {
	env "$@" mr-qmail-queue <mail 2>log 1<envelope
	echo $?
}
queued() {
	ls spool/incoming
}
# the only message that is queued: its text, LF for CRLF, what differs each time as X
message() {
	LC_ALL=C sed -E "s/$(queued)/ID/g; s/; .{3}, .* \+0000/; DATE/; s/\r//; /^mr-queue 1 /d" spool/incoming/*
	rm -f spool/incoming/*
}
# nothing NAME CODE WHY: the last one was refused with this code and logged, and nothing is queued
nothing() {
	is "$1" "$got" "$2"
	like 'with the reason' "$(cat log)" "event=qmail-queue .*code=$2 .*$3"
	is 'and nothing is queued' "$(queued)" ''
}

is 'a message is queued' "$(queue TCPREMOTEIP=192.0.2.1 TCPREMOTEHOST=h.example)" 0
like 'and logged' "$(cat log)" '^mr-qmail-queue: info event=queued id=[0-9a-z.]+ sender=a@b.example rcpt=c@d.example rcpts=1 size=20$'
is 'as it was, with our Received field and the record' "$(message)" "Subject: x

body
Received: by $(hostname) id ID; DATE
request=smtpd_access_policy
protocol_state=END-OF-MESSAGE
client_address=192.0.2.1
client_name=h.example
queue_id=ID
instance=ID
size=20
body=7BIT
sender=a@b.example
recipient=c@d.example"

printf 'Subject: x\r\n\r\n\344' >mail
is 'no final newline, CRLF, 8 bit' "$(queue)" 0
got=$(message)
like 'it is 8BITMIME' "$got" '^body=8BITMIME$'
like 'with a line end' "$got" '^size=17$'
printf 'Subject: x\n\nbody\n' >mail

printf 'F\0Tc@d\0TC@D\0Tpostmaster\0Tjohn doe@X.example\0\0' >envelope
is 'null sender, several recipients, quotes left out, no domain' "$(queue)" 0
is 'in the record' "$(message | sed -n '/^sender/,$p')" "sender=
recipient=c@d
recipient=C@d
recipient=postmaster@$(hostname)
recipient=\"john doe\"@x.example"
printf 'F#@[]\0Tc@d\0\0' >envelope
is 'the sender of a double bounce' "$(queue)" 0
like 'is null' "$(message)" '^sender=$'

printf 'Authentication-Results: %s; spf=pass\n\nAuthentication-Results: body\n' "$(hostname)" >mail
is 'results under our name' "$(queue)" 0
is 'are dropped' "$(message | head -n 2)" "
Authentication-Results: body"
printf 'Received: x\n%.0s' $(seq 50) >mail
is 'fifty hops' "$(queue)" 0
message >/dev/null

# what is wrong
bad() {
	printf "$2" >envelope
	got=$(queue)
	nothing "$1" "$3" "$4"
}
bad 'no envelope' '' 91 'not of the form'
bad 'no sender' 'Tc@d\0\0' 91 'not of the form'
bad 'no recipient' 'Fa@b\0\0' 91 'not of the form'
bad 'torn behind the sender' 'Fa@b\0' 91 'not of the form'
bad 'torn within a recipient' 'Fa@b\0Tc@d' 91 'not of the form'
bad 'torn behind a recipient' 'Fa@b\0Tc@d\0' 91 'not of the form'
bad 'unknown letter' 'Fa@b\0Xc@d\0\0' 91 'not of the form'
bad 'a bad recipient' 'Fa@b\0Tc@-\0\0' 91 'what=envelope'
bad 'a line end in a recipient' 'Fa@b\0Tc@d\nrecipient=x@y\0\0' 91 'what=envelope'
bad 'a bad sender' 'Fa@\0Tc@d\0\0' 91 'what=envelope'
bad 'VERP' 'Flist-@b.example-@[]\0Tc@d\0\0' 91 'what=envelope'
long=$(printf '%0250d' 0)
bad 'an address too long' "F$long@x.example\\0Tc@d\\0\\0" 11 'over 254 octets'
bad 'a recipient too long' "Fa@b\\0T$long@x.example\\0\\0" 11 'over 254 octets'
{
	printf 'Fa@b\0'
	python3 -c 'import sys; sys.stdout.write("".join("Tr%d@d\0" % i for i in range(10001)) + "\0")'
} >envelope
got=$(queue)
nothing 'too many recipients' 31 'more than 10000 recipients'
printf 'Fa@b\0Tc@d\0\0' >envelope
printf 'Subject: x\n\nb\ro\n' >mail
got=$(queue)
nothing 'bare CR' 31 'bare CR'
printf 'Received: x\n%.0s' $(seq 51) >mail
got=$(queue)
nothing 'a loop' 31 'mail loop'
printf 'Subject: x\n\nbody\n' >mail
got=$(queue MR_SPOOL=/nonexistent/spool)
nothing 'no spool' 53 'nonexistent'
mr-qmail-queue <mail 2>log 1>&-
got=$?
is 'descriptor 1 is closed' "$got" 71
mr-qmail-queue <&- 2>log 1<envelope
is 'descriptor 0 is closed' "$? $(queued)" '71 '
like 'and said' "$(cat log)" 'fault event=pipe why="descriptor 0 or 1 is closed'
: >mail
is 'an empty message' "$(queue)" 0
like 'is a message' "$(message)" '^size=0$'
printf 'Subject: x\n\nbody\n' >mail
mr-qmail-queue <mail 2>log 1<"$T_DIR"
got=$?
nothing 'the envelope cannot be read' 54 'Is a directory'

# the pipeline: its data stages, and the classes
cat >spec <<-'EOT'
	connect  never  -             code 100
	data     vip    only=trusted  says vip
	data     seen   only=bounce   says bounce
	data     code   -             by_sender
	end      end    -             touch ended
EOT
echo 'exit $1' >code
echo 'printf "ar=x=pass\n\nX-Says: $1\n"' >says
cat >by_sender <<-'EOT'
	c=$(sed -n 's/^sender=exit\([0-9]*\)@.*/\1/p' <&3)
	echo 'action=DEFER 4.7.1 Words'
	exit ${c:-0}
EOT
for f in code says by_sender; do
	sed -i '1i#!/bin/sh' $f
	chmod +x $f
done
is 'a pipeline' "$(queue MR_PIPELINE=spec RELAYCLIENT=)" 0
is 'puts fields in front' "$(message | sed -n '/^Auth/,/^Rec/p')" "Authentication-Results: $(hostname);
	x=pass
X-Says: vip
Received: by $(hostname) id ID; DATE"
printf 'F\0Tc@d\0\0' >envelope
is 'a bounce' "$(queue MR_PIPELINE=spec)" 0
like 'has its class' "$(message)" '^X-Says: bounce$'
ok 'end stages run' test -e ended
# said CODE WANT
said() {
	printf "Fexit$1@b\\0Tc@d\\0\\0" >envelope
	got=$(queue MR_PIPELINE=spec)
	nothing "a data stage that exits $1" "$2" "$3"
}
said 100 31 'what=code'
said 111 71 'what=code why="4.7.1 Words"'
said 7 71 'what=code why="4.3.0 Temporary'
got=$(queue MR_PIPELINE=none)
is 'no such spec is temporary' "$got" 71
like 'and said' "$(cat log)" 'fault event=pipe why="none: No such file'
echo 'foo' >wrong
is 'a wrong spec, too' "$(queue MR_PIPELINE=wrong) $(queued)" '71 '
printf 'Fa@b\0Tc@d\0\0' >envelope
cat >spec <<-'EOT'
	data  edit  edit  sed s/body/TEXT/
EOT
is 'an edit stage' "$(queue MR_PIPELINE=spec)" 0
is 'makes the message' "$(message | head -n 3 | tail -n 1)" TEXT

# under mailfront
if command -v mailfront >/dev/null; then
	mkdir -p home
	cat >spec <<-'EOT'
		data  code  -  by_sender
	EOT
	# smtp SENDER RECIPIENT: the reply to the final dot
	smtp() {
		printf 'EHLO h.example\r\nMAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\nSubject: x\r\n\r\n..b\r\n.\r\nQUIT\r\n' \
			"$1" "$2" | PROTO=TCP TCPREMOTEIP=192.0.2.1 TCPLOCALIP=127.0.0.1 QMAILHOME=$T_DIR/home \
			MR_PIPELINE=$T_DIR/spec QMAILQUEUE="$MR_BUILD/bin/mr-qmail-queue" mailfront smtp qmail accept 2>log |
			tr -d '\r' | sed -n '/^354/{n;s/qp .*//;p;}'
	}
	is 'mailfront: accepted' "$(smtp a@b.example c@d.example)" '250 2.6.0 Accepted message '
	got=$(message)
	is 'the message' "$(echo "$got" | head -n 3)" 'Subject: x

.b'
	like 'its client' "$got" '^client_address=192.0.2.1$'
	like 'its recipient' "$got" '^recipient=c@d.example$'
	is 'mailfront: bare postmaster' "$(smtp '' postmaster)" '250 2.6.0 Accepted message '
	like 'is ours' "$(message)" "^recipient=postmaster@"
	like 'mailfront: refused' "$(smtp exit100@b.example c@d.example)" '^5[0-9]{2} '
	like 'mailfront: later' "$(smtp exit111@b.example c@d.example)" '^4[0-9]{2} '
	like 'mailfront: a broken stage' "$(smtp exit7@b.example c@d.example)" '^4[0-9]{2} '
	is 'and nothing is queued' "$(queued)" ''
else
	ok 'under mailfront # SKIP no mailfront' true
fi
done_testing

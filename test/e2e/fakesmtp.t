#!/bin/sh
# The scripted SMTP server that other tests stand on does what its rules say.
. "$(dirname "$0")/../lib.sh"
. "$T_ROOT/test/fakesmtp.sh"

# talk: bytes of stdin to the server, what it says to stdout until it closes
talk() {
	python3 -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30)
s.sendall(sys.stdin.buffer.read())
while True:
    try:
        d = s.recv(65536)
    except ConnectionError:
        d = b"(reset)"
    sys.stdout.buffer.write(d)
    if not d or d == b"(reset)":
        break
' "$PORT"
}
crlf() { sed 's/$/\r/'; }

serve
got=$(crlf <<'X' | talk
EHLO x
MAIL FROM:<a@x>
RCPT TO:<b@y>
RCPT TO:<c@y>
DATA
Subject: s

..dot
..
.
NOOP
QUIT
X
)
like "greeting" "$got" '^220 fake.example'
like "extensions" "$got" '^250-PIPELINING'
like "354" "$got" '^354 '
like "kept" "$got" '^250 2.0.0 kept'
like "quit" "$got" '^221 '
is "the envelope" "$(cat "$T_DIR/d/1.env")" "MAIL FROM:<a@x>
RCPT TO:<b@y>
RCPT TO:<c@y>"
printf 'Subject: s\r\n\r\n.dot\r\n.\r\n' >"$T_DIR/want"
ok "the message, dots undone" cmp "$T_DIR/want" "$T_DIR/d/1.eml"
is "what was sent" "$(grep -c . "$T_DIR/d/conn-1.in")" 12
printf 'EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n.\r\nQUIT\r\n' | talk >/dev/null
ok "an empty message" cmp /dev/null "$T_DIR/d/2.eml"
printf 'EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\na\n.\nb\r.\r\n.\n\r\n.\r\nQUIT\r\n' | talk >/dev/null
printf 'a\n.\nb\r.\r\n\n\r\n' >"$T_DIR/want"
ok "only CRLF.CRLF ends a message" cmp "$T_DIR/want" "$T_DIR/d/3.eml"

serve '# a comment' 'connect@2 554 go away' 'connect@3- wait 0.1 220 back|again' \
	'mail@1 451 4.3.0 later' 'rcpt/<bad 550 5.1.1 no' 'rcpt/<bye bye 421 4.3.2 bye' \
	'rcpt/<raw raw 25\x00\r\n' 'body close 4' 'data@2 reset'
got=$(printf 'EHLO x\r\nMAIL FROM:<a>\r\nMAIL FROM:<a>\r\nRCPT TO:<bad>\r\nRCPT TO:<raw>\r\nRCPT TO:<bye>\r\n' | talk | tr '\000' Z)
like "first MAIL" "$got" '^451 4.3.0 later'
like "second MAIL" "$got" '^250 2.1.0'
like "a recipient by pattern" "$got" '^550 5.1.1 no'
like "raw bytes" "$got" '^25Z'
like "bye closes" "$got" '^421 4.3.2 bye'
like "second connection" "$(echo QUIT | talk)" '^554 go away'
got=$(printf 'EHLO x\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n12345\r\n.\r\n' | talk)
like "third connection: lines" "$got" '^220-back'
like "closed in the message" "$(cat "$T_DIR/d/conn-3.log")" '^= close'
ok "what came of it is kept" test -f "$T_DIR/d/1.part"
got=$(printf 'EHLO x\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n' | talk)
like "reset" "$got" '\(reset\)'
ok "a bad rule is refused" sh -c '! "$1" --dir "$2" -e "nostep 250 x" 2>/dev/null' - "$T_ROOT/test/fakesmtp" "$T_DIR/d"
done_testing

#!/bin/sh
# A second opinion: mr-srs, python3-srs and postsrsd with the same keys read each other's addresses.
. "$(dirname "$0")/../lib.sh"
python_with SRS
cd "$T_DIR" || exit 1
printf 'the key that signs, of 24\nanother key, older than 16\n' >keys
chmod 600 keys

# ---- python3-srs ----
cat >addresses.py <<'E'
import random
random.seed(6)
atoms = 'abcXYZ019+-=_.!#%&/~'
def local():
    while True:
        s = ''.join(random.choice(atoms) for _ in range(random.randint(1, 30)))
        if not (s[0] == '.' or s[-1] == '.' or '..' in s):
            return random.choice(['', '', '', 'SRS0=', 'srs0+', 'SRS0-', 'SRS']) + s
def domain():
    return '.'.join(random.choice(['a', 'xn--mller-kva', 'mail-1', 'sub']) for _ in range(random.randint(1, 3))) + '.example'
quoted = [r'"a b"@x.example', r'"a\"b\\c"@x.example', r'"SRS0=a b"@y.example', r'"a@b"@[192.0.2.1]']
srs1 = ['SRS1=%s=%s==abcd=JN=a.example=%s@b.example' % (h, d, u)
        for h, d, u in [('abcd', 'm.example', 'u'), ('a+/9', 'n.example', 'u=v'), ('abcdefgh', 'o.example', 'SRS0=x')]]
all = [local() + '@' + domain() for _ in range(150)] + quoted + srs1
E
cat >there.py <<'E'
# Each address rewritten by mr-srs, which python3-srs takes back.
import subprocess, sys, SRS
from addresses import all
theirs = SRS.new(tuple(open('keys').read().split('\n')[:2]), hashlength=8)
n = 0
for a in all:
    ours = subprocess.run(['mr-srs', '-k', 'keys', '-f', a, 'fwd.example'], capture_output=True, text=True).stdout.strip()
    if ours.lower() != theirs.forward(a, 'fwd.example').lower():
        print(a, ours, theirs.forward(a, 'fwd.example'))
    back, want = theirs.reverse(ours), theirs.reverse(theirs.forward(a, 'fwd.example'))
    if back != want:
        print(a, ours, back, want)
    n += 1
print(n)
E
is "what mr-srs makes is what python3-srs makes, and takes back" "$("$python" there.py)" 157
cat >back.py <<'E'
# Those of python3-srs as recipients of one record; with both keys, hashes of 4 to 23 characters.
import subprocess, SRS
from addresses import all
keys = open('keys').read().split('\n')
made = []
for i, a in enumerate(all):
    s = SRS.new(keys[i % 2], hashlength=4 + i % 20)
    made.append((a, s.forward(a, 'fwd.example'), s))
record = ''.join('recipient=%s\n' % m for _, m, _ in made) + '\n'
out = subprocess.run(['mr-srs', '-c', '4', '-k', 'keys', 'fwd.example'], input=record, capture_output=True, text=True).stdout
got = [l[10:] for l in out.split('\n') if l.startswith('recipient=')]
want = []
for a, m, s in made:
    w = s.reverse(m)
    if w not in want:
        want.append(w)
print(len(got), got == want)
for g, w in zip(got, want):
    if g != w:
        print(g, w)
E
is "what python3-srs makes, with either key, mr-srs takes back" "$("$python" back.py)" "157 True"

# ---- postsrsd ----
command -v postsrsd >/dev/null || { echo "# no postsrsd"; done_testing; }
forward=$(free_port) reverse=$(free_port)
start postsrsd.log postsrsd -4 -s keys -d fwd.example -f "$forward" -r "$reverse"
wait_port "$forward"
wait_port "$reverse"
# ask PORT ADDRESS: its answer, of tcp_table(5)
ask() {
	python3 -c 'import socket, sys, urllib.parse
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"get " + urllib.parse.quote(sys.argv[2]).encode() + b"\n")
print(urllib.parse.unquote(s.makefile().readline().strip()))' "$@"
}
for a in User@example.com a=b+c@sub.example 'SRS0=abcd=JN=a.example=b@far.example' 'SRS1=abcd=far.example==abcd=JN=a.example=b@mid.example'; do
	ours=$(mr-srs -k keys -f "$a" fwd.example)
	case $a in
	SRS1*) want='SRS0=abcd=JN=a.example=b@far.example' ;; # the one in the middle is left out
	*) want=$a ;;
	esac
	is "$a: postsrsd takes ours" "$(ask "$reverse" "$ours")" "200 $want"
	theirs=$(ask "$forward" "$a")
	is "mr-srs takes theirs" "$(mr-srs -c 4 -k keys -r "${theirs#200 }" fwd.example)" "$want"
done
like "neither takes a forged one" "$(ask "$reverse" "$(mr-srs -k keys -f User@example.com fwd.example | sed s/User/Luser/)")" '^500 '
done_testing

# lib.sh - for tests in sh: TAP, a folder of its own, free ports, programs that are ended by pid.
# Usage: . "$(dirname "$0")/../lib.sh"; ... ; done_testing

set -u
T_ROOT=$(cd "$(dirname "$0")/../.." && pwd)
: "${MR_BUILD:=$T_ROOT/build}"
PATH=$MR_BUILD/bin:$PATH:/usr/sbin:/sbin
export PATH
LC_ALL=C
export LC_ALL
T_N=0
T_FAILED=0
T_PIDS=
T_DIR=$(mktemp -d "${TMPDIR:-/tmp}/mr-test.XXXXXX")

t_end() {
	t_status=$?
	for t_pid in $T_PIDS; do
		kill "$t_pid" 2>/dev/null && wait "$t_pid" 2>/dev/null
	done
	rm -rf "$T_DIR"
	exit $t_status
}
trap t_end EXIT
trap 'exit 1' HUP INT TERM

# ok NAME COMMAND...: the command succeeds
ok() {
	t_name=$1
	shift
	T_N=$((T_N + 1))
	if "$@" >"$T_DIR/.ok" 2>&1; then
		echo "ok $T_N - $t_name"
	else
		echo "not ok $T_N - $t_name"
		echo "#   $*" | head -n 5
		sed 's/^/#   /' "$T_DIR/.ok" | head -n 20
		T_FAILED=$((T_FAILED + 1))
		return 1
	fi
}

# is NAME GOT WANT: two strings are equal
is() {
	T_N=$((T_N + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $T_N - $1"
	else
		echo "not ok $T_N - $1"
		printf '%s\n' "$2" | sed 's/^/#  got: /'
		printf '%s\n' "$3" | sed 's/^/# want: /'
		T_FAILED=$((T_FAILED + 1))
		return 1
	fi
}

# like NAME GOT PATTERN: an extended regular expression matches some line
like() {
	T_N=$((T_N + 1))
	if printf '%s\n' "$2" | grep -Eq -- "$3"; then
		echo "ok $T_N - $1"
	else
		echo "not ok $T_N - $1"
		printf '%s\n' "$2" | head -n 20 | sed 's/^/#  got: /'
		echo "# want: /$3/"
		T_FAILED=$((T_FAILED + 1))
		return 1
	fi
}

# exits NAME CODE COMMAND...: the command exits with this code
exits() {
	t_name=$1 t_want=$2
	shift 2
	"$@" >"$T_DIR/.out" 2>"$T_DIR/.err" </dev/null
	is "$t_name" "exit $?" "exit $t_want" || sed 's/^/# stderr: /' "$T_DIR/.err" | head -n 5
}

# free_port: a TCP port of 127.0.0.1 that nobody has
free_port() {
	python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'
}

# wait_for SECONDS COMMAND...: until the command succeeds
wait_for() {
	t_left=$(($1 * 20))
	shift
	while ! "$@" >/dev/null 2>&1; do
		t_left=$((t_left - 1))
		[ $t_left -gt 0 ] || return 1
		sleep 0.05
	done
}

# wait_port PORT: until something listens there
wait_port() {
	wait_for 60 python3 -c 'import socket,sys; socket.create_connection(("127.0.0.1",int(sys.argv[1])),1)' "$1"
}

# start LOG COMMAND...: in the background; its pid in $T_PID; ended with the test
start() {
	t_log=$1
	shift
	"$@" >"$t_log" 2>&1 </dev/null &
	T_PID=$!
	T_PIDS="$T_PID $T_PIDS"
}

# stop PID: end it and wait
stop() {
	kill "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	T_PIDS=$(for t_p in $T_PIDS; do [ "$t_p" = "$1" ] || echo "$t_p"; done)
}

# deaf_port: a UDP port of 127.0.0.1 that takes everything and answers nothing, in $DEAF
deaf_port() {
	python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
time.sleep(600)' >"$T_DIR/deaf" &
	T_PIDS="$! $T_PIDS"
	wait_for 60 test -s "$T_DIR/deaf"
	DEAF=$(cat "$T_DIR/deaf")
}

# python_with MODULE: the first Python that has it in $python, or the test is left out
python_with() {
	for python in python3 /usr/bin/python3; do
		! "$python" -c "import $1" 2>/dev/null || return 0
	done
	skip_all "no Python has $1"
}

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

done_testing() {
	echo "1..$T_N"
	[ "$T_FAILED" = 0 ]
	exit
}
